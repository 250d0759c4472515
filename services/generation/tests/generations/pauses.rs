//! A paused owner: a process that is stopped past its lease and goes on writes nothing more, and sends nothing more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use atelier_kit::testing::eventually;
use atelier_proto::generation::v1::State;

use crate::crashes::{Ledger, engine, life};
use crate::ground::Ground;
use crate::stage::{database, piece};

/// Tells this test binary to be the process that is paused, and in which folder.
const SLEEPER: &str = "ATELIER_TEST_SLEEPER";

/// Not a test: the life of a process that is paused, when this binary was started to be one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sleeper() {
    let Some(folder) = std::env::var_os(SLEEPER) else {
        return;
    };
    let folder = PathBuf::from(folder);
    // One works for two seconds, the others wait.
    let (engine, _, _) = engine(&folder, 1, 100).await;
    for _ in 0..5 {
        drop(engine.start(piece("ana", None, "a body")).await);
    }
    std::fs::write(folder.join("alive"), b"").unwrap();
    eventually("nothing is left here", || async { engine.under_way() == 0 }).await;
    std::fs::write(folder.join("idle"), b"").unwrap();
    // A little longer, for whatever it would still write.
    tokio::time::sleep(Duration::from_secs(60)).await;
}

fn signal(child: &std::process::Child, name: &str) {
    let line = format!("kill -{name} {}", child.id());
    let sent = Command::new("sh").args(["-c", &line]).status().unwrap();
    assert!(sent.success());
}

/// Stops it at a moment when it is not writing: SQLite has one writer, and whoever is stopped as that one stops all others.
async fn stop_between_writes(child: &std::process::Child, folder: &Path) {
    let ground = database(&folder.join("pieces.db")).await;
    let Ground::Sql(database) = &ground else {
        return signal(child, "STOP");
    };
    loop {
        signal(child, "STOP");
        match database.begin().await {
            Ok(held) => return held.rollback().await.unwrap(),
            Err(_) => signal(child, "CONT"),
        }
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_stopped_past_its_lease_writes_nothing_more_when_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = life("pauses::sleeper", SLEEPER, folder.path(), &[]);
    eventually("it lives", || async {
        folder.path().join("alive").exists()
    })
    .await;
    let sleeper = child.id().to_string();
    let runs = Ledger::new(folder.path(), "runs");
    eventually("it works", || async { !runs.lines().is_empty() }).await;
    stop_between_writes(&child, folder.path()).await;
    let (taker, record, database) = engine(folder.path(), 4, 0).await;
    let taken = || async {
        let open = record.open().await.unwrap();
        open.is_empty() && runs.lines().len() == 5
    };
    eventually("all are taken over and ended", taken).await;

    let dump = || async { (database.dump().await, runs.lines()) };
    let before = dump().await;
    assert_eq!(before.0.len(), 5);
    let mut failed = 0;
    for (id, ..) in &before.0 {
        let record = taker.find("ana", id).await.unwrap();
        let run = before.1.iter().find(|(of, _)| of == id).unwrap();
        assert_eq!(record.epoch, 2);
        match record.state {
            State::Failed => {
                assert_eq!(run.1, sleeper);
                failed += 1;
            }
            state => {
                assert_eq!(state, State::Completed);
                assert_ne!(run.1, sleeper, "what waited was run by the taker");
            }
        }
    }
    assert_eq!(failed, 1);

    signal(&child, "CONT");
    eventually("it has noticed", || async {
        folder.path().join("idle").exists()
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = dump().await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(before, after);
    let purse = Ledger::new(folder.path(), "purse").lines();
    for (id, ..) in &before.0 {
        // Both processes may tell the purse of an end, for which it is the same; never do they tell two.
        let ends: BTreeSet<&str> = purse
            .iter()
            .filter(|(of, said)| of == id && said != "reserve")
            .map(|(_, said)| said.as_str())
            .collect();
        assert_eq!(ends.len(), 1, "{purse:?}");
    }
}
