//! What every test here stands on: the service on an in-memory link, two accounts, and what is read from a stream.

use std::collections::BTreeMap;
use std::path::Path;

use atelier_generation::testing::Credits;
use atelier_kit::config::Settings;
use atelier_kit::identity::Role;
use atelier_kit::link::Link;
use atelier_kit::policy::Policies;
use atelier_kit::testing::{Issuer, agreeable, foundation_with, mount};
use atelier_llm_chat::Config;
use atelier_proto::generation::v1::GenerationEvent;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_proto::llm_chat::v1::*;
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt as _;

pub struct World {
    pub client: LlmChatServiceClient<Link>,
    pub issuer: Issuer,
    pub credits: Credits,
    _guard: tokio_util::sync::DropGuard,
    _counting: tokio_util::sync::DropGuard,
    _paying: tokio_util::sync::DropGuard,
    _stop: tokio_util::sync::DropGuard,
}

impl World {
    pub async fn open(folder: &Path) -> Self {
        Self::open_with(folder, &[]).await
    }

    pub async fn open_with(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let settings = Settings::new(
            variables
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        );
        let (analytics, counting) = agreeable();
        let (issuer, credits) = (Issuer::new(), Credits::default());
        let (users, paying) = credits.serve(&issuer);
        let routes = BTreeMap::from([
            ("analytics".to_owned(), analytics),
            ("users".to_owned(), users),
        ]);
        let foundation = foundation_with("llm-chat", folder, &routes);
        let stop = foundation.stop.clone().drop_guard();
        let service = atelier_llm_chat::build(Config::read(&settings), &foundation)
            .await
            .unwrap();
        let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
        let (link, guard) = mount(service, "llm-chat", policies, &issuer);
        Self {
            client: LlmChatServiceClient::new(link),
            issuer,
            credits,
            _guard: guard,
            _counting: counting,
            _paying: paying,
            _stop: stop,
        }
    }

    pub fn chat(&self) -> LlmChatServiceClient<Link> {
        self.client.clone()
    }

    pub fn ana<T>(&self, message: T) -> Request<T> {
        self.issuer.sign("ana", Role::User, message)
    }

    pub fn bob<T>(&self, message: T) -> Request<T> {
        self.issuer.sign("bob", Role::User, message)
    }

    pub async fn conversation(&self) -> String {
        let made = self
            .chat()
            .create_conversation(self.ana(Default::default()))
            .await
            .unwrap();
        made.into_inner().conversation.unwrap().id
    }

    pub async fn send(
        &self,
        conversation: &str,
        text: &str,
        request_id: &str,
    ) -> Result<Streaming<SendMessageResponse>, Status> {
        let request = SendMessageRequest {
            conversation_id: conversation.into(),
            text: text.into(),
            request_id: request_id.into(),
            ..Default::default()
        };
        Ok(self
            .chat()
            .send_message(self.ana(request))
            .await?
            .into_inner())
    }

    pub async fn messages(&self, conversation: &str) -> Vec<Message> {
        let request = ListMessagesRequest {
            conversation_id: conversation.into(),
            ..Default::default()
        };
        self.chat()
            .list_messages(self.ana(request))
            .await
            .unwrap()
            .into_inner()
            .messages
    }

    pub async fn watch(&self, id: &str, after: i64) -> Vec<GenerationEvent> {
        let request = WatchGenerationRequest {
            generation_id: id.into(),
            after_sequence: after,
        };
        let mut stream = self
            .chat()
            .watch_generation(self.ana(request))
            .await
            .unwrap()
            .into_inner();
        let mut events = Vec::new();
        while let Some(answer) = stream.message().await.unwrap() {
            events.push(answer.event.unwrap());
        }
        events
    }
}

pub async fn all(mut stream: Streaming<SendMessageResponse>) -> Vec<GenerationEvent> {
    let mut events = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        events.push(answer.event.unwrap());
    }
    events
}

/// The text of a stream of events; a snapshot replaces what came before it.
pub fn text(events: &[GenerationEvent]) -> String {
    let mut text = String::new();
    for event in events {
        match event.event.as_ref().unwrap() {
            Event::TextDelta(delta) => text.push_str(&delta.text),
            Event::Snapshot(snapshot) => text.clone_from(&snapshot.text),
            _ => {}
        }
    }
    text
}

pub fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .expect("an ErrorInfo")
        .reason
}

pub fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let bad = status.get_details_bad_request().expect("a BadRequest");
    bad.field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}
