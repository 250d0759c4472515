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

use atelier_kit::service::{Foundation, Service, StartError};
use atelier_kit::sqlite::Database;
use atelier_proto::analytics::v1::analytics_service_server::AnalyticsServiceServer;
use tonic::service::Routes;

pub use config::{Config, SETTINGS};

use grpc::AnalyticsGrpc;
use store::SqliteUsageStore;

/// The service's role.
const ROLE: &str = "analytics";

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Builds the service: opens its database in the foundation's folder and applies the migrations.
pub async fn build(_config: Config, foundation: &Foundation) -> Result<Service, StartError> {
    let path = foundation.data.join("analytics.db");
    let database = Database::open(&path, &[&MIGRATIONS]).await?;
    let store = Arc::new(SqliteUsageStore::new(database.clone()));
    let handler = AnalyticsGrpc::new(store, foundation.pages.clone());
    Ok(
        Service::new(Routes::new(AnalyticsServiceServer::new(handler)))
            .with_adapter("usage", format!("sqlite {}", path.display()))
            .on_close(move || async move { database.close().await }),
    )
}
