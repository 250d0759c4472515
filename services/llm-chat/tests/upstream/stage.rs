//! The service with an API behind it, and what an API says, for the tests beside this file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use atelier_generation::testing::Credits;
use atelier_kit::config::Settings;
use atelier_kit::identity::Role;
use atelier_kit::link::Link;
use atelier_kit::policy::Policies;
use atelier_kit::testing::api::Answer;
use atelier_kit::testing::log::Log;
use atelier_kit::testing::{Issuer, foundation_with, mount};
use atelier_llm_chat::{Config, SETTINGS};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Failed, GenerationEvent, State, Usage};
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_proto::llm_chat::v1::*;
use atelier_proto::upstream::v1::Upstream;
use atelier_upstream::registry::MODELS;
use serde_json::json;
use tonic::{Request, Streaming};

pub const KEY: &str = "sk-never-to-be-seen-4711";

/// The service with an API behind it, and everything that it logged.
pub struct World {
    client: LlmChatServiceClient<Link>,
    issuer: Issuer,
    pub log: Log,
    pub credits: Credits,
    told: Mutex<String>,
    folder: tempfile::TempDir,
    _guard: tokio_util::sync::DropGuard,
    _paying: tokio_util::sync::DropGuard,
    _stop: tokio_util::sync::DropGuard,
}

impl World {
    pub async fn open(url: &str) -> Self {
        Self::open_with(url, KEY).await
    }

    pub async fn open_with(url: &str, key: &str) -> Self {
        let variables = [
            ("ATELIER_CHAT_URL", url),
            ("ATELIER_CHAT_API_KEY", key),
            ("ATELIER_CHAT_MODELS", "big-model, small-model"),
        ];
        Self::open_set(&variables).await
    }

    /// The service with a registry in a file, and further variables.
    pub async fn open_file(path: &Path, more: &[(&str, &str)]) -> Self {
        let path = path.display().to_string();
        let mut variables = vec![(MODELS.name, path.as_str())];
        variables.extend(more);
        Self::open_set(&variables).await
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn open_set(variables: &[(&str, &str)]) -> Self {
        let log = Log::new();
        let folder = tempfile::tempdir().unwrap();
        let variables = variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let settings = Settings::new(variables);
        let (issuer, credits) = (Issuer::new(), Credits::default());
        let (users, paying) = credits.serve(&issuer);
        let routes = BTreeMap::from([("users".to_owned(), users)]);
        let foundation = foundation_with("llm-chat", folder.path(), &routes);
        let stop = foundation.stop.clone().drop_guard();
        let config = Config::read(&settings);
        settings
            .finish(&SETTINGS.iter().chain([&MODELS]).collect::<Vec<_>>())
            .unwrap();
        let service = atelier_llm_chat::build(config, &foundation).await.unwrap();
        let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
        let (link, guard) = mount(service, "llm-chat", policies, &issuer);
        Self {
            client: LlmChatServiceClient::new(link),
            issuer,
            log,
            credits,
            told: Mutex::default(),
            folder,
            _guard: guard,
            _paying: paying,
            _stop: stop,
        }
    }

    pub fn rpc(&self) -> LlmChatServiceClient<Link> {
        self.client.clone()
    }

    pub fn ana<T>(&self, message: T) -> Request<T> {
        self.issuer.sign("ana", Role::User, message)
    }

    pub async fn conversation(&self, system_prompt: &str) -> String {
        let request = CreateConversationRequest {
            system_prompt: system_prompt.into(),
            ..Default::default()
        };
        let made = self
            .rpc()
            .create_conversation(self.ana(request))
            .await
            .unwrap();
        made.into_inner().conversation.unwrap().id
    }

    pub async fn start(&self, request: SendMessageRequest) -> Streaming<SendMessageResponse> {
        self.rpc()
            .send_message(self.ana(request))
            .await
            .unwrap()
            .into_inner()
    }

    /// Says something and reads the reply's events to their end.
    pub async fn say(&self, conversation: &str, text: &str) -> Vec<GenerationEvent> {
        self.all(self.start(said(conversation, text)).await).await
    }

    pub async fn all(&self, mut stream: Streaming<SendMessageResponse>) -> Vec<GenerationEvent> {
        let mut events = Vec::new();
        while let Some(answer) = stream.message().await.unwrap() {
            events.push(answer.event.unwrap());
        }
        self.told.lock().unwrap().push_str(&format!("{events:?}"));
        events
    }

    /// The last message of a conversation.
    pub async fn reply(&self, conversation: &str) -> Message {
        let request = ListMessagesRequest {
            conversation_id: conversation.into(),
            page_size: 1000,
            ..Default::default()
        };
        let listed = self
            .rpc()
            .list_messages(self.ana(request))
            .await
            .unwrap()
            .into_inner()
            .messages;
        self.told.lock().unwrap().push_str(&format!("{listed:?}"));
        listed.last().unwrap().clone()
    }

    /// Says something that fails. Returns how.
    pub async fn failure(&self) -> Failed {
        let id = self.conversation("").await;
        let events = self.say(&id, "Hello!").await;
        let Some(Event::Failed(failed)) = &events.last().unwrap().event else {
            panic!("{events:?}")
        };
        assert_eq!(self.reply(&id).await.state(), State::Failed);
        failed.clone()
    }

    /// What somebody of this role is told of the API.
    pub async fn upstreams(&self, role: Role) -> Result<Vec<Upstream>, tonic::Status> {
        let request = self.issuer.sign("olga", role, ListUpstreamsRequest {});
        let told = self.rpc().list_upstreams(request).await?;
        Ok(told.into_inner().upstreams)
    }

    /// Neither events nor messages nor logs have the key.
    pub fn kept_the_key(&self) {
        let log = self.log.text();
        assert!(log.contains("atelier"), "nothing was logged");
        let told = self.told.lock().unwrap();
        assert!(!told.is_empty());
        for (place, text) in [("log", log.as_str()), ("answers", told.as_str())] {
            let found = text.lines().find(|line| line.contains(KEY));
            assert!(found.is_none(), "the key is in the {place}: {found:?}");
        }
    }
}

pub fn said(conversation: &str, text: &str) -> SendMessageRequest {
    SendMessageRequest {
        conversation_id: conversation.into(),
        text: text.into(),
        ..Default::default()
    }
}

pub fn delta(text: &str) -> serde_json::Value {
    json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]})
}

pub fn stop() -> serde_json::Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
}

/// One server-sent event.
pub fn event(chunk: &serde_json::Value) -> String {
    format!("data: {chunk}\n\n")
}

/// A whole stream of events, with the mark at its end.
pub fn events(chunks: &[serde_json::Value]) -> Answer {
    let mut body: String = chunks.iter().map(event).collect();
    body.push_str("data: [DONE]\n\n");
    Answer::whole(200, "text/event-stream", body)
}

pub fn text(events: &[GenerationEvent]) -> String {
    events
        .iter()
        .filter_map(|event| match &event.event {
            Some(Event::TextDelta(delta)) => Some(delta.text.as_str()),
            _ => None,
        })
        .collect()
}

pub fn usage(events: &[GenerationEvent]) -> Usage {
    let found = events.iter().find_map(|event| match &event.event {
        Some(Event::Usage(usage)) => Some(*usage),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no usage: {events:?}"))
}

pub fn told(failed: &Failed) -> (&str, bool) {
    (failed.reason.as_str(), failed.retryable)
}
