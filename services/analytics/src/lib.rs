#![doc = include_str!("../README.md")]
//! This room wires the service together and decides nothing.

mod config;
mod error;
mod grpc;
mod keepsakes;
mod ports;
mod store;
mod summary;
mod usage;

use std::sync::Arc;

use atelier_kit::mongo::Mongo;
use atelier_kit::service::{Foundation, Service, StartError};
use atelier_kit::sql::{Database, Migrations};
use atelier_kit::stopgap::Stopgap;
use atelier_proto::analytics::v1::analytics_service_server::AnalyticsServiceServer;
use tonic::service::Routes;

pub use config::{Config, SETTINGS};

use grpc::AnalyticsGrpc;
use ports::UsageStore;
use store::{MongoUsageStore, SqlUsageStore};

/// The service's role.
const ROLE: &str = "analytics";

/// The service's tables.
const MIGRATIONS: Migrations = Migrations::of_service(|| sqlx::migrate!("migrations/sqlite"), None);

/// Builds the service on the MongoDB server, or where there is none on a file in the foundation's folder.
pub async fn build(_config: Config, foundation: &Foundation) -> Result<Service, StartError> {
    let serve = |store: Arc<dyn UsageStore>| {
        let handler = AnalyticsGrpc::new(store, foundation.pages.clone());
        Service::new(Routes::new(AnalyticsServiceServer::new(handler)))
    };
    if let Some(server) = &foundation.engines.mongodb {
        let mongo = Mongo::open(server, foundation.role).await;
        let mongo = mongo.map_err(|error| StartError::other(format!("{server}"), error))?;
        let store = MongoUsageStore::new(&mongo);
        mongo.keep_indexes(store.indexes(), &foundation.tasks, &foundation.stop);
        let rolling = store.clone().keep_rolling(foundation.stop.clone());
        foundation.tasks.spawn(rolling);
        return Ok(serve(Arc::new(store))
            .with_adapter("usage", mongo.to_string())
            .with_mongo(&mongo)
            .on_close(move || async move { mongo.close().await }));
    }
    let what = format!(
        "usage of {} in a file (ATELIER_MONGODB_URL)",
        foundation.role
    );
    foundation.stopgaps.uses(Stopgap::Sqlite, what);
    let path = foundation.data.join("analytics.db");
    let database = Database::file(&path, &[MIGRATIONS]).await?;
    let store = SqlUsageStore::new(database.clone());
    Ok(serve(Arc::new(store))
        .with_adapter("usage", database.to_string())
        .on_close(move || async move { database.close().await }))
}
