#![doc = include_str!("../README.md")]

pub mod audio;
mod config;
mod conversion;
mod error;
mod grpc;
mod keeper;
mod keepsakes;
mod layout;
mod ports;
mod provider;
mod store;
pub mod voice;

use std::sync::Arc;

use atelier_generation::{Generations, Output, Turns};
use atelier_kit::service::{Foundation, Service, StartError};
use atelier_kit::sql::Migrations;
use atelier_proto::tts::v1::tts_service_server::TtsServiceServer;

pub use config::{Config, SETTINGS};

/// The service's role.
const ROLE: &str = "tts";

/// The service's tables.
const MIGRATIONS: Migrations = Migrations::of_service(
    || sqlx::migrate!("migrations/sqlite"),
    Some(|| sqlx::migrate!("migrations/postgres")),
);

/// Wires the service: store, voices, generations, the keeper of objects, and the RPCs on top of them.
pub async fn build(config: Config, foundation: &Foundation) -> Result<Service, StartError> {
    let database = foundation
        .database(
            "tts.db",
            &[atelier_generation::store::MIGRATIONS, MIGRATIONS],
        )
        .await?;
    let objects = foundation
        .objects
        .clone()
        .ok_or_else(|| StartError::other(ROLE, "the role was given no object store"))?;
    let store = Arc::new(store::SqlConversionStore::new(database.clone()));
    let voices = voice::Voices::open(config.supply, voice::entries, foundation).await?;
    let generations = Generations::embedded(
        foundation,
        Output::Speech,
        database.clone(),
        store::ConversionRows,
        provider::SpeechProvider::new(voices.clone(), objects.clone()),
        Turns::by(voices.clone().lanes(config.at_once)).with(config.owners),
    )?;
    let keeper = keeper::Keeper::new(store.clone(), objects.clone());
    foundation
        .tasks
        .spawn(keeper.clone().rounds(foundation.stop.clone()));
    let keepsakes = keepsakes::SpokenTexts {
        store: store.clone(),
        objects: objects.clone(),
        keeper,
        generations: generations.clone(),
    };
    let voices_line = voices.now().describe();
    let rpcs = grpc::Rpcs {
        store,
        voices,
        objects,
        generations: generations.clone(),
        pages: foundation.pages.clone(),
        keepsakes: Arc::new(keepsakes),
    };
    Ok(
        Service::new(tonic::service::Routes::new(TtsServiceServer::new(rpcs)))
            .with_adapter("conversions", database.to_string())
            .with_database(&database)
            .with_adapter("journal", generations.journal_told())
            .with_needs(generations.needs(foundation))
            .with_adapter("voices", voices_line)
            .on_interrupt(move || async move { generations.interrupt().await })
            .on_close(move || async move { database.close().await }),
    )
}
