#![doc = include_str!("../README.md")]

mod config;
mod error;
mod grpc;
mod image;
mod keeper;
mod keepsakes;
mod layout;
pub mod painter;
mod ports;
mod provider;
mod store;

use std::sync::Arc;

use atelier_generation::{Generations, Output, Turns};
use atelier_kit::service::{Foundation, Service, StartError};
use atelier_kit::sql::Migrations;
use atelier_proto::text_image::v1::text_image_service_server::TextImageServiceServer;

pub use config::{Config, SETTINGS};

/// The service's role.
const ROLE: &str = "text-image";

/// The service's tables.
const MIGRATIONS: Migrations = Migrations::of_service(
    || sqlx::migrate!("migrations/sqlite"),
    Some(|| sqlx::migrate!("migrations/postgres")),
);

/// Wires the service: store, painters, generations, the keeper of objects, and the RPCs on top of them.
pub async fn build(config: Config, foundation: &Foundation) -> Result<Service, StartError> {
    let database = foundation
        .database(
            "text-image.db",
            &[atelier_generation::store::MIGRATIONS, MIGRATIONS],
        )
        .await?;
    let objects = foundation
        .objects
        .clone()
        .ok_or_else(|| StartError::other(ROLE, "the role was given no object store"))?;
    let store = Arc::new(store::SqlImageStore::new(database.clone()));
    let painters = painter::Studio::open(config.supply, painter::entries, foundation).await?;
    let generations = Generations::embedded(
        foundation,
        Output::Image,
        database.clone(),
        store::ImageRows::new(store::SETTLING),
        provider::PictureProvider::new(painters.clone(), objects.clone()),
        Turns::by(painters.clone().lanes(config.at_once)).with(config.owners),
    )?;
    let keeper = keeper::Keeper::new(store.clone(), objects.clone());
    foundation
        .tasks
        .spawn(keeper.clone().rounds(foundation.stop.clone()));
    let keepsakes = keepsakes::Pictures {
        store: store.clone(),
        objects: objects.clone(),
        keeper,
        generations: generations.clone(),
    };
    let painters_line = painters.now().describe();
    let rpcs = grpc::Rpcs {
        store,
        painters,
        objects,
        generations: generations.clone(),
        pages: foundation.pages.clone(),
        keepsakes: Arc::new(keepsakes),
    };
    Ok(
        Service::new(tonic::service::Routes::new(TextImageServiceServer::new(
            rpcs,
        )))
        .with_adapter("images", database.to_string())
        .with_database(&database)
        .with_adapter("journal", generations.journal_told())
        .with_needs(generations.needs(foundation))
        .with_adapter("painters", painters_line)
        .on_interrupt(move || async move { generations.interrupt().await })
        .on_close(move || async move { database.close().await }),
    )
}
