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

use atelier_generation::store::MongoRecord;
use atelier_generation::{Generations, Output, Turns};
use atelier_kit::mongo::Mongo;
use atelier_kit::service::{Foundation, Service, StartError};
use atelier_kit::sql::{Database, Migrations};
use atelier_kit::stopgap::Stopgap;
use atelier_proto::llm_chat::v1::llm_chat_service_server::LlmChatServiceServer;

use ports::ConversationStore;

pub use config::{Config, SETTINGS};

/// The service's role.
const ROLE: &str = "llm-chat";

/// The service's tables.
const MIGRATIONS: Migrations = Migrations::of_service(|| sqlx::migrate!("migrations/sqlite"), None);

/// Wires the service: store, models, generations, and the RPCs on top of them. Conversations are on the MongoDB server, or where
/// there is none in a file.
pub async fn build(config: Config, foundation: &Foundation) -> Result<Service, StartError> {
    let models = model::Models::open(config.supply, model::entries, foundation).await?;
    let turns = Turns::by(models.clone().lanes(config.at_once)).with(config.owners);
    if let Some(server) = &foundation.engines.mongodb {
        let mongo = Mongo::open(server, foundation.role).await;
        let mongo = mongo.map_err(|error| StartError::other(format!("{server}"), error))?;
        let replies = store::ReplyDocuments::new(&mongo, model::offline::title);
        let record = MongoRecord::new(&mongo, Arc::new(replies));
        let store = store::MongoConversationStore::new(&mongo, record.clone());
        mongo.keep_indexes(store.indexes(), &foundation.tasks, &foundation.stop);
        let whole = store.clone().keep_whole(foundation.stop.clone());
        foundation.tasks.spawn(whole);
        let store: Arc<dyn ConversationStore> = Arc::new(store);
        let generations = Generations::kept_in(
            foundation,
            Output::Text,
            Arc::new(record),
            provider::ReplyProvider::new(store.clone(), models.clone()),
            turns,
        )?;
        return Ok(serve(foundation, store, models, generations)
            .with_adapter("conversations", mongo.to_string())
            .with_mongo(&mongo)
            .on_close(move || async move { mongo.close().await }));
    }
    let what = "conversations in a file (ATELIER_MONGODB_URL)";
    foundation.stopgaps.uses(Stopgap::Sqlite, what);
    let file = foundation.data.join("llm-chat.db");
    let database =
        Database::file(&file, &[atelier_generation::store::MIGRATIONS, MIGRATIONS]).await?;
    let store = Arc::new(store::SqlConversationStore::new(database.clone()));
    let generations = Generations::embedded(
        foundation,
        Output::Text,
        database.clone(),
        store::ReplyRows::new(model::offline::title),
        provider::ReplyProvider::new(store.clone(), models.clone()),
        turns,
    )?;
    Ok(serve(foundation, store, models, generations)
        .with_adapter("conversations", database.to_string())
        .on_close(move || async move { database.close().await }))
}

/// The RPCs on top of it all.
fn serve(
    foundation: &Foundation,
    store: Arc<dyn ConversationStore>,
    models: Arc<model::Models>,
    generations: Generations,
) -> Service {
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
    Service::new(tonic::service::Routes::new(server))
        .with_adapter("journal", generations.journal_told())
        .with_needs(generations.needs(foundation))
        .with_adapter("models", models_line)
        .on_interrupt(move || async move { generations.interrupt().await })
}
