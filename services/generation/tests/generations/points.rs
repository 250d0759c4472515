//! A process that ends between any two writes: whoever comes next finds all of a generation or nothing, tries again, and then it
//! is there once, is counted once, is paid once, and is forgotten whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use atelier_generation::{Error, Inserted};
use atelier_kit::testing::crash;
use atelier_proto::generation::v1::State;

use crate::crashes::life;
use crate::fences::end_of;
use crate::ground::{Ground, Kept};
use crate::stage::{Rows, piece};

/// Tells this test binary to be the process that ends, and in which folder.
const SCRIPT: &str = "ATELIER_TEST_SCRIPT";
/// More writes than a life has.
const MOST: u64 = 80;

/// Records without an engine, which would do something with them by itself.
struct Records {
    database: Ground,
    record: Arc<dyn Kept>,
}

async fn open(folder: &Path) -> Records {
    let database = Ground::open(&folder.join("pieces.db")).await;
    let record = database.record(Arc::new(Rows::default()));
    Records { database, record }
}

/// Makes a generation by a request, or finds it, and brings it to its end and to its being forgotten, as far as that has not
/// been done.
async fn through(process: &Records, is_there: impl Fn(&str), is_forgotten: impl Fn()) {
    let new = piece("ana", Some("the request"), "a body");
    let record = match process.record.insert(&new, State::Queued).await.unwrap() {
        Inserted::New(record) | Inserted::Existing(record) => record,
    };
    is_there(&record.id);
    if !record.has_ended() {
        let lease = record.lease();
        let end = end_of(&record, "the end");
        process.record.finish(&lease, &end).await.unwrap();
        let again = process.record.finish(&lease, &end).await;
        assert!(matches!(again, Err(Error::LeaseLost)), "{again:?}");
    }
    let waiting = process.record.pending(10).await.unwrap();
    let ids: Vec<String> = waiting.iter().map(|event| event.id.clone()).collect();
    process.record.acknowledge(&ids).await.unwrap();
    is_forgotten();
    // Forgotten before the purse has heard of it: what is owed stays.
    assert!(process.record.forget(&record.id).await.unwrap());
    let owed = process.record.unsettled("", 10).await.unwrap();
    let ids: Vec<String> = owed.iter().map(|owed| owed.id.clone()).collect();
    process.record.settled(&ids).await.unwrap();
}

/// Not a test: the life of a process that ends, when this binary was started to be one.
#[tokio::test]
async fn script() {
    let Some(folder) = std::env::var_os(SCRIPT) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let process = open(&folder).await;
    let told = folder.join("told");
    let is_there = |id: &str| std::fs::write(&told, id).unwrap();
    let is_forgotten = || std::fs::write(folder.join("forgetting"), "").unwrap();
    through(&process, is_there, is_forgotten).await;
    process.record.depart("bob").await.unwrap();
    std::fs::write(folder.join("done"), "").unwrap();
}

#[tokio::test]
async fn a_process_that_ends_between_any_two_writes_leaves_what_the_next_one_can_finish() {
    let mut lives = 0;
    for at in 1.. {
        assert!(at < MOST, "it never comes to its end");
        let folder = tempfile::tempdir().unwrap();
        // What opens the database is not what this is about: it is there already.
        let process = open(folder.path()).await;
        let mut child = life("points::script", SCRIPT, folder.path(), &[(crash::AT, at)]);
        let ended = child.wait().unwrap();
        let done = folder.path().join("done").exists();
        assert_eq!(ended.success(), done);
        lives += 1;

        let told = std::fs::read_to_string(folder.path().join("told")).unwrap_or_default();
        let rows = process.database.generations(false).await;
        let pieces = process.database.pieces().await;
        assert!(rows <= 1, "at {at}: one request made {rows}");
        assert!(
            pieces.iter().all(|piece| piece.ends <= 1),
            "at {at}: {pieces:?}"
        );
        let counted = process.record.pending(10).await.unwrap().len();
        let owed = process.record.unsettled("", 10).await.unwrap();
        assert!(counted <= 1 && owed.len() <= 1, "at {at}");
        // It is owed from the end on, and not before.
        let ended = pieces.iter().any(|piece| piece.ends == 1);
        if rows == 1 && !ended {
            assert_eq!((counted, owed.len()), (0, 0), "at {at}");
        }
        if rows == 1 && ended {
            assert_eq!(owed.len(), 1, "at {at}: an end without what is owed");
        }
        if rows == 1 && !told.is_empty() {
            assert!(
                process.record.find(&told).await.unwrap().is_some(),
                "at {at}"
            );
        }

        if !done {
            // Again, as the callers would: what was being forgotten is asked to be forgotten again.
            let forgetting = folder.path().join("forgetting").exists();
            if forgetting {
                process.record.forget(&told).await.unwrap();
            }
            let is_there = |id: &str| {
                assert!(
                    forgetting || told.is_empty() || told == id,
                    "at {at}: made twice"
                );
            };
            through(&process, is_there, || ()).await;
            process.record.depart("bob").await.unwrap();
        }
        let gone = process
            .record
            .insert(&piece("bob", None, "a body"), State::Queued)
            .await;
        assert!(matches!(gone, Err(Error::Departed)), "at {at}: {gone:?}");
        assert_eq!(process.database.generations(false).await, 0, "at {at}");
        assert!(
            process.record.pending(10).await.unwrap().is_empty(),
            "at {at}"
        );
        assert!(
            process.record.unsettled("", 10).await.unwrap().is_empty(),
            "at {at}"
        );
        // Whoever looks for the first time sweeps.
        process.record.open().await.unwrap();
        if let Some(left) = process.database.leftovers().await {
            assert_eq!(left, Vec::<String>::new(), "at {at}");
        }
        if done {
            break;
        }
    }
    assert!(lives > 10, "{lives} lives");
}
