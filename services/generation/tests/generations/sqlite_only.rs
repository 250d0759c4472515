//! What is true of files alone.

use std::time::Duration;

use atelier_generation::Error;
use atelier_kit::sql;
use atelier_proto::generation::v1::State;

use crate::stage::{Plan, Process, assert_whole, collect, emptied, file, next, piece, text};
use crate::troubles::assert_told;

/// Lets the file have so many pages more than it has, as if the disk had no room for others.
async fn leave_room(process: &Process, pages: i64) {
    let mut writer = process.database.sql().begin().await.unwrap();
    let (now,): (i64,) = sql::query_as("PRAGMA page_count")
        .fetch_one(&mut *writer)
        .await
        .unwrap();
    let limit = format!("PRAGMA max_page_count = {}", now + pages);
    sql::query(sqlx::AssertSqlSafe(limit))
        .fetch_all(&mut *writer)
        .await
        .unwrap();
    writer.commit().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing_and_is_forgotten_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let (running, mut events) = process.begin().await;
    let mut seen = next(&mut events, 2).await;

    leave_room(&process, 20).await;
    let body = "a body that takes more than a page ".repeat(300);
    let mut accepted = Vec::new();
    let refused = loop {
        let new = piece("ana", None, &body);
        let id = new.id.clone();
        match process.engine.start(new).await {
            Ok(_) => accepted.push(id),
            Err(error) => break error,
        }
        assert!(accepted.len() < 100, "it is never full");
    };
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert_told(refused);
    assert!(!accepted.is_empty(), "it was full from the beginning");
    // What runs goes on, and can be watched, but cannot be ended.
    let long = "words ".repeat(20_000);
    process.puppets.say(&running, &long);
    seen.extend(next(&mut events, 1).await);
    process.puppets.finish(&running);
    for id in &accepted {
        process.puppets.say(id, &long);
        process.puppets.finish(id);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let record = process.find(&running).await;
    assert!(!record.has_ended(), "there was room for it: {record:?}");

    leave_room(&process, 1_000_000).await;
    seen.extend(collect(events).await);
    assert_whole(&seen);
    assert_eq!(text(&seen), long);
    for id in accepted.iter().chain([&running]) {
        let record = process.ended(id).await;
        assert_eq!((record.state, record.epoch), (State::Completed, 1));
        assert_eq!(record.snapshot.text, long);
        assert_eq!(process.piece(id).await.ends, 1);
    }
    assert_eq!(process.pieces().await.len(), accepted.len() + 1);
    emptied(&process.record).await;
    assert_eq!(process.van.counts().len(), accepted.len() + 1);
    let (id, events) = process.begin().await;
    process.puppets.finish(&id);
    assert_whole(&collect(events).await);
}
