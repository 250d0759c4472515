//! The story of a user, told once over the URL of an edge, and lived on a mesh in one process, on a mesh that is split
//! over three, and on one of six with certificates between them, of which one is killed. No chapter knows which of them
//! it is in.

mod account;
mod engines;
mod making;
mod sharing;
mod six;

use std::collections::BTreeMap;
use std::time::Duration;

use atelier_proto::analytics::v1::{
    Dimension, GetUsageSummaryRequest, ListUsageEventsRequest, UsageEvent,
};

use crate::people::Person;
use crate::running::{Launch, eventually};
use crate::split::Split;

/// The whole story, with whatever comes between its chapters.
async fn live(edge: &str, interlude: impl AsyncFnOnce(&Person, &str, &mut Made)) {
    let ada = account::sign_up(edge).await;
    let mut made = Made::default();
    let conversation = making::chat(&ada, &mut made).await;
    interlude(&ada, &conversation, &mut made).await;
    let picture = making::picture(&ada, edge, &mut made).await;
    let speech = making::speech(&ada, &mut made).await;
    making::cancel(&ada, edge, &mut made).await;
    counted_once(&ada, &made).await;
    sharing::others_find_nothing(edge, &ada, &conversation, &picture, &speech, &made).await;
    sharing::an_anonymous_session_draws(edge).await;
    account::sessions(&ada, edge).await;
}

/// The generations that somebody has made, by the service that made them.
#[derive(Default)]
struct Made(BTreeMap<String, &'static str>);

impl Made {
    fn add(&mut self, service: &'static str, id: &str) {
        let before = self.0.insert(id.to_owned(), service);
        assert_eq!(before, None, "a generation came twice");
    }

    fn by(&self, service: &str) -> Vec<&str> {
        let of = self.0.iter().filter(|(_, by)| **by == service);
        of.map(|(id, _)| id.as_str()).collect()
    }
}

/// All usage events of an account, page by page.
pub async fn usage_events(person: &Person) -> Vec<UsageEvent> {
    let mut events = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListUsageEventsRequest {
            page_size: 3,
            page_token,
            user_id: String::new(),
        };
        let answer = person.usage().list_usage_events(request).await;
        let page = answer.expect("usage events").into_inner();
        assert!(page.events.len() <= 3);
        events.extend(page.events);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return events;
        }
    }
}

/// How many generations the summary counts, by service.
pub async fn usage_summary(person: &Person) -> BTreeMap<String, i64> {
    let request = GetUsageSummaryRequest {
        dimensions: vec![Dimension::Service.into()],
        ..Default::default()
    };
    let answer = person.usage().get_usage_summary(request).await;
    let mut counted = BTreeMap::new();
    for row in answer.expect("a summary").into_inner().rows {
        *counted.entry(row.service).or_default() += row.generations;
    }
    counted
}

/// Everything that was made is counted exactly once, and nothing else is.
async fn counted_once(person: &Person, made: &Made) {
    eventually("all usage is counted", Duration::from_secs(30), || async {
        usage_events(person).await.len() >= made.0.len()
    })
    .await;
    // A second delivery of the same event would come about now.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let events = usage_events(person).await;
    let told: BTreeMap<String, &str> = events
        .iter()
        .map(|event| (event.id.clone(), event.source.as_str()))
        .collect();
    assert_eq!(events.len(), told.len(), "an event is listed twice");
    assert_eq!(told, made.0, "what was counted is not what was made");
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    for service in made.0.values() {
        *expected.entry((*service).to_owned()).or_default() += 1;
    }
    assert_eq!(usage_summary(person).await, expected);
}

/// No interlude.
async fn nothing(_: &Person, _: &str, _: &mut Made) {}

#[tokio::test]
async fn the_story_in_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], folder.path()).start().await;
    live(mesh.edge(), nothing).await;
    let ended = mesh.terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn the_story_in_three_processes() {
    let folder = tempfile::tempdir().unwrap();
    let groups: [&[&str]; 3] = [
        &["users", "edge"],
        &["llm-chat", "analytics"],
        &["text-image", "tts"],
    ];
    let mesh = Split::start(&groups, folder.path()).await;
    live(mesh.edge(), nothing).await;
    for ended in mesh.terminate().await {
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }
}
