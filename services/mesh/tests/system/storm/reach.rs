//! What reaches the provider, counted on its side: a cancel from another process within a second, a lost client never;
//! and an owner that was paused past its lease, which writes nothing more.

use std::time::{Duration, Instant};

use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::llm_chat::v1 as chat;
use tonic::Streaming;

use super::stage::{Provider, TwoReplicas};
use super::watcher::Watcher;
use crate::people::Person;
use crate::running::{alone, eventually};
use crate::told::{self, Tells};

/// A reply that takes half a minute.
const SLOW: &str = "tokens=300&tokens_per_second=10";
/// Within which time a cancel reaches the provider.
const CANCELLED: Duration = Duration::from_secs(1);
/// What the counting and a busy machine add to it.
const SLACK: Duration = Duration::from_millis(500);

async fn send(door: &Person) -> Streaming<chat::SendMessageResponse> {
    let request = chat::SendMessageRequest {
        conversation_id: door.conversation().await,
        text: "Take your time.".to_owned(),
        ..Default::default()
    };
    let answer = door.chat().send_message(request).await;
    answer.expect("a reply").into_inner()
}

async fn watch(door: &Person, id: &str) -> Streaming<chat::WatchGenerationResponse> {
    let request = chat::WatchGenerationRequest {
        generation_id: id.to_owned(),
        after_sequence: 0,
    };
    let answer = door.chat().watch_generation(request).await;
    answer.expect("the generation").into_inner()
}

async fn cancel(door: &Person, id: &str) -> State {
    let request = chat::CancelGenerationRequest {
        generation_id: id.to_owned(),
    };
    let answer = door.chat().cancel_generation(request).await;
    answer.expect("a cancel").into_inner().state()
}

/// Hears until there is some text.
async fn some_text<T: Tells>(stream: &mut Streaming<T>, watcher: &mut Watcher) {
    while watcher.text.is_empty() {
        watcher.hear(told::next(stream).await.expect("more events"));
    }
}

async fn to_the_end<T: Tells>(stream: &mut Streaming<T>, watcher: &mut Watcher) {
    while let Some(event) = told::next(stream).await {
        watcher.hear(event);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_the_provider_from_another_process_and_a_lost_client_does_not() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start(SLOW).await;
    let mesh = TwoReplicas::start(folder.path(), &provider).await;
    let ada = Person::register(&mesh.edge).await;
    let [here, there] = mesh.chat.each_ref().map(|url| ada.through(url));

    for round in 1..=5 {
        let mut stream = send(&here).await;
        let mut watcher = Watcher::default();
        some_text(&mut stream, &mut watcher).await;
        let id = watcher.id.clone().unwrap();

        // The client goes, and the provider does not notice.
        drop(stream);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(provider.count("open").await, 1);
        assert_eq!(provider.count("dropped").await, round - 1);

        let asked = Instant::now();
        cancel(&there, &id).await;
        while provider.count("open").await > 0 {
            let waited = asked.elapsed();
            assert!(
                waited < CANCELLED + SLACK,
                "it still speaks after {waited:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(provider.count("dropped").await, round);
        for door in [&here, &there] {
            let mut late = Watcher::default();
            to_the_end(&mut watch(door, &id).await, &mut late).await;
            assert!(matches!(late.end, Some(Event::Cancelled(_))), "{late:?}");
            assert!(late.text.starts_with(&watcher.text), "{late:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_was_paused_past_its_lease_writes_nothing_more() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start(SLOW).await;
    let mesh = TwoReplicas::start(folder.path(), &provider).await;
    let ada = Person::register(&mesh.edge).await;
    let [here, there] = mesh.chat.each_ref().map(|url| ada.through(url));
    let mut stream = send(&here).await;
    let mut attached = Watcher::default();
    some_text(&mut stream, &mut attached).await;
    let id = attached.id.clone().unwrap();

    mesh.first.signal("STOP");
    let mut taken = Watcher::default();
    to_the_end(&mut watch(&there, &id).await, &mut taken).await;
    assert!(taken.is_interrupted(), "{taken:?}");
    mesh.first.signal("CONT");

    // It lets go of the provider, its watcher hears of the end that another wrote, and nothing is written after it.
    eventually("it lets go", Duration::from_secs(5), || async {
        provider.count("open").await == 0
    })
    .await;
    to_the_end(&mut stream, &mut attached).await;
    assert_eq!(attached.end, taken.end);
    tokio::time::sleep(Duration::from_secs(2)).await;
    for door in [&here, &there] {
        let mut late = Watcher::default();
        to_the_end(&mut watch(door, &id).await, &mut late).await;
        assert_eq!((late.last, &late.end), (taken.last, &taken.end));
        assert_eq!(late.text, taken.text);
    }
}
