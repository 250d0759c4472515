//! A process that ends between any two writes: its events are told again, as those are that were not acknowledged, and then
//! each is counted once.

use std::path::PathBuf;

use atelier_kit::identity::Role;
use atelier_kit::testing::{crash, servers};

use crate::stage::*;

/// Tells this test binary to be the process that ends, and in which folder.
const SCRIPT: &str = "ATELIER_TEST_SCRIPT";
/// More writes than a life has.
const MOST: u64 = 80;

/// Two calls, of several hours and models; the second has one event of the first.
fn calls() -> [Vec<atelier_proto::analytics::v1::UsageEvent>; 2] {
    let of = |ids: std::ops::Range<i64>| {
        ids.map(|at| event("tts", &format!("g-{at}"), "ana", MIDNIGHT + at % 2 * HOUR))
            .collect()
    };
    [of(0..5), of(4..9)]
}

/// Not a test: the life of a process that ends, when this binary was started to be one.
#[tokio::test]
async fn script() {
    let Some(folder) = std::env::var_os(SCRIPT) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let stage = Stage::open(&folder).await;
    for events in calls() {
        stage.record("tts", events).await.unwrap();
    }
    std::fs::write(folder.join("done"), "").unwrap();
}

#[tokio::test]
async fn what_a_process_did_not_acknowledge_is_told_again_and_counted_once_wherever_it_ended() {
    let mut lives = 0;
    for at in 1.. {
        assert!(at < MOST, "it never comes to its end");
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage::open(folder.path()).await;
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crashes::script", "--nocapture"])
            .env(SCRIPT, folder.path())
            .env(crash::AT, at.to_string())
            .envs(servers::shared_with_children())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let ended = child.wait().unwrap();
        let done = folder.path().join("done").exists();
        assert_eq!(ended.success(), done);
        lives += 1;
        for events in calls() {
            stage.record("tts", events).await.unwrap();
        }
        let answer = stage
            .summary("ana", Role::User, hours(3, &[]))
            .await
            .unwrap();
        let told: Vec<_> = answer
            .rows
            .iter()
            .map(|row| (row.generations, row.usage.unwrap().input_tokens))
            .collect();
        assert_eq!(told, [(5, 15), (4, 12)], "at {at}");
        // An end within the hour takes out what is in it, exactly.
        let mut half = hours(1, &[]);
        half.end_time = Some(atelier_kit::moment::timestamp(MIDNIGHT + HOUR + 1));
        let answer = stage.summary("ana", Role::User, half).await.unwrap();
        assert_eq!(
            answer.rows.iter().map(|row| row.generations).sum::<i64>(),
            9,
            "at {at}"
        );
        let mut exact = hours(1, &[]);
        exact.end_time = Some(atelier_kit::moment::timestamp(MIDNIGHT + HOUR - 1));
        let answer = stage.summary("ana", Role::User, exact).await.unwrap();
        assert_eq!(
            answer.rows.iter().map(|row| row.generations).sum::<i64>(),
            5,
            "at {at}"
        );
        if done {
            break;
        }
    }
    assert!(lives > 5, "{lives} lives");
}
