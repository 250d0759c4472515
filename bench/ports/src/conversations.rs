//! Conversations: the chat service on a file, or on MongoDB.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use atelier_kit::config::Settings;
use atelier_kit::link::Link;
use atelier_kit::mongo::MongoServer;
use atelier_proto::llm_chat::v1 as pb;
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use tempfile::TempDir;

use crate::engines::Engines;
use crate::house::House;
use crate::{EACH, OWNERS, Port, Side, Turn, Verb};

const ROLE: &str = "llm-chat";

/// The port.
pub async fn port(engines: &Engines) -> anyhow::Result<Port> {
    let server = |name| Some(engines.mongo.database(name));
    let servers = [
        server("conversations_written"),
        server("conversations_read"),
    ];
    Ok(Port {
        name: "Conversations",
        about: "The chat service over its in-memory link, with its whole stack: its stores are its own. *CreateConversation* writes one, \
                *GetConversation* reads one by its id, *ListConversations* the newest 10 of an account.",
        verbs: &[
            (Verb::Write, "CreateConversation"),
            (Verb::Read, "GetConversation"),
            (Verb::List, "ListConversations"),
        ],
        embedded: ("SQLite", Conversations::open([None, None]).await?),
        servers: vec![("MongoDB", Conversations::open(servers).await?)],
    })
}

type Client = LlmChatServiceClient<Link>;

/// A service that is written to, and another that is read from.
struct Conversations {
    house: House,
    written: Client,
    read: Client,
    ids: Vec<String>,
    _folders: [TempDir; 2],
}

impl Conversations {
    async fn open(servers: [Option<MongoServer>; 2]) -> anyhow::Result<Arc<dyn Side>> {
        let mut house = House::open()?;
        let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
        let mut clients = Vec::new();
        for (folder, server) in folders.iter().zip(servers) {
            let mut ground = house.foundation(ROLE, folder.path(), None)?;
            ground.engines.mongodb = server;
            let config = atelier_llm_chat::Config::read(&Settings::new([]));
            let service = atelier_llm_chat::build(config, &ground).await?;
            clients.push(Client::new(house.serve(service, ROLE, "tester")?));
        }
        let read = clients.pop().context("two services")?;
        let written = clients.pop().context("two services")?;
        let mut ids = Vec::new();
        for number in 0..OWNERS * EACH {
            ids.push(create(&house, &read, number).await?);
        }
        Ok(Arc::new(Self {
            house,
            written,
            read,
            ids,
            _folders: folders,
        }))
    }
}

/// Makes a conversation of an account; returns its id.
async fn create(house: &House, client: &Client, number: usize) -> anyhow::Result<String> {
    let request = pb::CreateConversationRequest {
        title: format!("Foxes and dogs, {number}"),
        system_prompt: "You speak of foxes. ".repeat(10),
        request_id: format!("request-{number}"),
        ..Default::default()
    };
    let request = house.request(number, request);
    let made = client.clone().create_conversation(request).await?;
    let made = made.into_inner().conversation.context("no conversation")?;
    Ok(made.id)
}

#[async_trait]
impl Side for Conversations {
    async fn once(&self, verb: Verb, turn: Turn) -> anyhow::Result<()> {
        let mut client = self.read.clone();
        match verb {
            Verb::Write => {
                create(&self.house, &self.written, turn.number).await?;
            }
            Verb::Read => {
                let number = turn.number % self.ids.len();
                let request = pb::GetConversationRequest {
                    conversation_id: self.ids[number].clone(),
                };
                let request = self.house.request(number, request);
                let found = client.get_conversation(request).await?.into_inner();
                let id = found.conversation.context("no conversation")?.id;
                ensure!(id == self.ids[number], "{id} is another one");
            }
            Verb::List => {
                let request = pb::ListConversationsRequest {
                    page_size: i32::try_from(EACH)?,
                    ..Default::default()
                };
                let request = self.house.request(turn.number, request);
                let found = client.list_conversations(request).await?.into_inner();
                let count = found.conversations.len();
                ensure!(count == EACH, "there are {count} conversations");
            }
        }
        Ok(())
    }
}
