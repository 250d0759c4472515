//! Records that begin and end at the same time are written together, and each is told what it would have been told alone.

use atelier_generation::{Error, GenerationRecord, Inserted};
use atelier_proto::generation::v1::State;
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::fences::end_of;
use crate::stage::{Plan, Process, file, piece};

async fn quiet(folder: &tempfile::TempDir) -> Process {
    let plan = Plan {
        background: false,
        ..Plan::default()
    };
    Process::start(&file(folder), plan).await
}

/// Begins one of each of these owners at the same time: the first is kept from it until all others wait behind it.
async fn begin(process: &Process, owners: &[&str]) -> Vec<GenerationRecord> {
    let new: Vec<_> = owners
        .iter()
        .map(|owner| piece(owner, None, "a body"))
        .collect();
    let held = process.database.sql().begin().await.unwrap();
    let mut all = join_all(
        new.iter()
            .map(|new| process.record.insert(new, State::Queued).boxed()),
    );
    assert!(futures_util::poll!(&mut all).is_pending());
    held.rollback().await.unwrap();
    let told = all.await.into_iter();
    told.map(|told| match told.unwrap() {
        Inserted::New(record) => *record,
        Inserted::Existing(record) => panic!("{record:?}"),
    })
    .collect()
}

#[tokio::test]
async fn each_of_a_group_is_told_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let process = quiet(&folder).await;
    process.record.depart("gone").await.unwrap();
    let kept = piece("kim", Some("known"), "a body");
    process.record.insert(&kept, State::Queued).await.unwrap();

    let mut asked = vec![
        piece("first", None, "a body"),
        piece("kim", Some("known"), "a body"),
        piece("gone", None, "a body"),
        piece("twin", Some("twice"), "a body"),
        piece("twin", Some("twice"), "a body"),
        piece("twin", Some("twice"), "another body"),
        piece("lou", Some("other"), "a body"),
        piece("kim", Some("known"), "another body"),
        // Its rows refuse it after they have written something: none of its neighbours may suffer for it.
        piece("max", None, "forbidden"),
    ];
    for number in 0..100 {
        asked.push(piece(&format!("owner-{number}"), None, "a body"));
    }
    let held = process.database.sql().begin().await.unwrap();
    let mut all = join_all(
        asked
            .iter()
            .map(|new| process.record.insert(new, State::Queued).boxed()),
    );
    assert!(futures_util::poll!(&mut all).is_pending());
    held.rollback().await.unwrap();
    let told = all.await;

    let word = |told: &Result<Inserted, Error>| match told {
        Ok(Inserted::New(_)) => "new",
        Ok(Inserted::Existing(_)) => "existing",
        Err(Error::Departed) => "departed",
        Err(Error::RequestIdReused) => "reused",
        Err(Error::Refused(_)) => "refused",
        Err(error) => panic!("{error:?}"),
    };
    let words: Vec<&str> = told.iter().map(word).collect();
    assert_eq!(
        words[..9],
        [
            "new", "existing", "departed", "new", "existing", "reused", "new", "reused", "refused"
        ]
    );
    assert!(words[9..].iter().all(|word| *word == "new"), "{words:?}");
    let Ok(Inserted::Existing(twin)) = &told[4] else {
        panic!("{:?}", told[4])
    };
    assert_eq!(twin.id, asked[3].id);

    // What is there is what was told, and each with its own row of the service.
    let there: Vec<String> = process
        .pieces()
        .await
        .into_iter()
        .map(|one| one.id)
        .collect();
    let mut expected: Vec<String> = told
        .iter()
        .zip(&asked)
        .filter(|(told, _)| word(told) == "new")
        .map(|(_, new)| new.id.clone())
        .chain([kept.id])
        .collect();
    expected.sort();
    assert_eq!(there, expected);
    for (told, new) in told.into_iter().zip(&asked) {
        let found = process.record.find(&new.id).await.unwrap();
        match told {
            Ok(Inserted::New(record)) => {
                assert_eq!(format!("{:?}", found.unwrap()), format!("{record:?}"));
            }
            _ => assert!(found.is_none()),
        }
    }
}

#[tokio::test]
async fn ends_of_a_group_are_each_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let process = quiet(&folder).await;
    let owners: Vec<String> = (0..90).map(|number| format!("owner-{number}")).collect();
    let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
    let records = begin(&process, &owners).await;
    // Every third has another owner by now.
    let open = process.record.open().await.unwrap();
    let seen: Vec<_> = open
        .into_iter()
        .filter(|open| {
            let at = records.iter().position(|record| record.id == open.lease.id);
            at.unwrap() % 3 == 0
        })
        .collect();
    process.record.claim(&seen).await.unwrap();
    // The first that are tried together fail together, and then each by itself does not.
    process
        .rows
        .failing
        .store(1, std::sync::atomic::Ordering::SeqCst);

    let ends: Vec<_> = records
        .iter()
        .map(|record| end_of(record, &format!("the end of {}", record.owner)))
        .collect();
    let leases: Vec<_> = records.iter().map(GenerationRecord::lease).collect();
    let held = process.database.sql().begin().await.unwrap();
    let mut all = join_all(
        leases
            .iter()
            .zip(&ends)
            .map(|(lease, end)| process.record.finish(lease, end).boxed()),
    );
    assert!(futures_util::poll!(&mut all).is_pending());
    held.rollback().await.unwrap();
    let told = all.await;
    let mut refused = 0;
    for (at, told) in told.iter().enumerate() {
        let record = process.record.find(&records[at].id).await.unwrap().unwrap();
        let piece = process.piece(&record.id).await;
        match told {
            Ok(()) => {
                assert!(at % 3 != 0, "{at}");
                assert_eq!(record.state, State::Cancelled);
                assert_eq!(record.snapshot.text, format!("the end of {}", record.owner));
                assert_eq!((piece.ends, piece.text), (1, record.snapshot.text));
            }
            Err(Error::LeaseLost) => {
                assert_eq!(at % 3, 0);
                assert_eq!((record.state, piece.ends), (State::Queued, 0));
            }
            // One that was alone when the rows failed; its owner tries again.
            Err(Error::Store(_)) => {
                refused += 1;
                assert_eq!((record.state, piece.ends), (State::Queued, 0));
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused <= 1, "{refused}");
}
