//! Usage events: durable from the end of their generation until they are counted, whatever the road is like.

use std::sync::atomic::Ordering;
use std::time::Duration;

use atelier_kit::testing::eventually;
use atelier_proto::analytics::v1::Outcome;

use crate::puppet::Act;
use crate::stage::{Plan, Process, collect, emptied, file};

async fn waiting(process: &Process) -> usize {
    process.record.pending(1000).await.unwrap().len()
}

#[tokio::test]
async fn a_courier_that_was_down_brings_every_event_once_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    process.van.down.store(true, Ordering::SeqCst);
    let mut ids = Vec::new();
    for _ in 0..150 {
        let (id, stream) = process.begin().await;
        process.puppets.say(&id, "a word");
        process.puppets.finish(&id);
        collect(stream).await;
        ids.push(id);
    }
    assert_eq!(waiting(&process).await, 150);
    process.book.reads(&ids[0], &["reserve", "settle 1"]).await;
    assert!(process.van.counts().is_empty());
    process.van.down.store(false, Ordering::SeqCst);
    emptied(&process.record).await;
    let counts = process.van.counts();
    assert_eq!(counts.len(), 150);
    assert!(ids.iter().all(|id| counts[id] == 1), "{counts:?}");
    assert!(
        process.van.tries.load(Ordering::SeqCst) < 20,
        "it is not hammered while it is down"
    );
    let counted = process.van.counted.lock().unwrap();
    let event = &counted[0];
    assert_eq!(
        (event.source.as_str(), event.user_id.as_str()),
        ("pieces", "ana")
    );
    assert_eq!(
        (event.provider.as_str(), event.model.as_str()),
        ("puppets", "wood")
    );
    assert_eq!(
        (event.outcome(), event.usage.unwrap().output_tokens),
        (Outcome::Completed, 1)
    );
}

#[tokio::test]
async fn events_wait_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let before = Process::start(&file(&folder), Plan::default()).await;
    before.van.down.store(true, Ordering::SeqCst);
    let (id, stream) = before.begin().await;
    before.puppets.tell(
        &id,
        Act::Fail(atelier_generation::Failure::lasting("NO", "no")),
    );
    collect(stream).await;
    before.engine.interrupt().await;
    before.database.close().await;
    drop(before);
    let after = Process::start(&file(&folder), Plan::default()).await;
    eventually("it is counted", || async {
        after.van.counts().get(&id) == Some(&1)
    })
    .await;
    emptied(&after.record).await;
    assert_eq!(
        after.van.counted.lock().unwrap()[0].outcome(),
        Outcome::Failed
    );
}

#[tokio::test]
async fn an_event_that_can_never_be_counted_does_not_keep_the_others_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    process.van.down.store(true, Ordering::SeqCst);
    let mut ids = Vec::new();
    for _ in 0..5 {
        let (id, stream) = process.begin().await;
        process.puppets.finish(&id);
        collect(stream).await;
        ids.push(id);
    }
    process.van.invalid.lock().unwrap().insert(ids[1].clone());
    process.van.down.store(false, Ordering::SeqCst);
    emptied(&process.record).await;
    let counts = process.van.counts();
    assert_eq!(counts.len(), 4);
    assert!(!counts.contains_key(&ids[1]));
}

#[tokio::test]
async fn what_a_takeover_ends_is_brought_without_delay() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        lease: Duration::from_millis(300),
        ..Plan::default()
    };
    let process = Process::start(&file(&folder), plan).await;
    let dead = crate::stage::piece("ana", None, "a body");
    process.left_behind(&dead, true).await;
    process.ended(&dead.id).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(process.van.counts().get(&dead.id), Some(&1));
}
