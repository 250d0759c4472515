#![doc = include_str!("../README.md")]

mod config;
mod conversation;
mod error;
mod grpc;
mod keepsakes;
pub mod model;
mod ports;
mod provider;
mod store;
mod task;
mod tokens;

use std::sync::Arc;

use atelier_generation::{Generations, Output, Turns};
use atelier_kit::service::{Foundation, Service, StartError};
use atelier_kit::sqlite::Database;
use atelier_proto::llm_chat::v1::llm_chat_service_server::LlmChatServiceServer;

pub use config::{Config, SETTINGS};

/// The service's role.
const ROLE: &str = "llm-chat";

/// The service's migrations.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Wires the service: store, models, generations, and the RPCs on top of them.
pub async fn build(config: Config, foundation: &Foundation) -> Result<Service, StartError> {
    let file = foundation.data.join("llm-chat.db");
    let database = Database::open(
        &file,
        &[&atelier_generation::store::migrations(), &MIGRATIONS],
    )
    .await?;
    let store = Arc::new(store::SqliteConversationStore::new(database.clone()));
    let models = model::Models::open(config.supply, model::entries, foundation).await?;
    let generations = Generations::embedded(
        foundation,
        Output::Text,
        database.clone(),
        store::ReplyRows::new(model::offline::title),
        provider::ReplyProvider::new(store.clone(), models.clone()),
        Turns::by(models.clone().lanes(config.at_once)).with(config.owners),
    );
    let models_line = models.now().describe();
    let keepsakes = keepsakes::Conversations {
        store: store.clone(),
        generations: generations.clone(),
    };
    let rpcs = grpc::Rpcs {
        store,
        models,
        generations: generations.clone(),
        pages: foundation.pages.clone(),
        keepsakes: Arc::new(keepsakes),
    };
    let server = LlmChatServiceServer::new(rpcs);
    Ok(Service::new(tonic::service::Routes::new(server))
        .with_adapter("conversations", format!("sqlite {}", file.display()))
        .with_adapter("journal", "memory")
        .with_adapter("models", models_line)
        .on_interrupt(move || async move { generations.interrupt().await })
        .on_close(move || async move { database.close().await }))
}
