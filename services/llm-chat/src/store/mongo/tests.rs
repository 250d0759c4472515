//! Conversations and replies on a server that speaks MongoDB's protocol: what two processes may do at once, and what one leaves
//! that ends between any two writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use atelier_generation::store::MongoRecord;
use atelier_generation::{
    End, Error as Broken, GenerationRecord, Inserted, NewGeneration, Priority, Record as _,
    Settlement,
};
use atelier_kit::moment::new_id;
use atelier_kit::mongo::bson::doc;
use atelier_kit::mongo::{Fields as _, Mongo, MongoServer, Order};
use atelier_kit::testing::{crash, servers};
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::{FinishReason, Snapshot, State};

use super::{MongoConversationStore, ReplyDocuments};
use crate::conversation::NewConversation;
use crate::error::Error;
use crate::model::Sampling;
use crate::ports::ConversationStore as _;
use crate::task::{Of, SEND_MESSAGE, Task};

/// Tells this test binary to be the process that ends, and in which database.
const SCRIPT: &str = "ATELIER_TEST_SCRIPT";
/// More writes than a life has.
const MOST: u64 = 120;

struct Process {
    mongo: Mongo,
    record: MongoRecord,
    store: MongoConversationStore,
}

impl Process {
    async fn open(database: &str) -> Self {
        Self::on(&servers::Mongo::shared().database(database)).await
    }

    async fn on(server: &MongoServer) -> Self {
        let mongo = Mongo::open(server, "chat").await.unwrap();
        let title = |text: &str| text.to_uppercase();
        let record = MongoRecord::new(&mongo, Arc::new(ReplyDocuments::new(&mongo, title)));
        let store = MongoConversationStore::new(&mongo, record.clone());
        Self {
            mongo,
            record,
            store,
        }
    }

    async fn say(&self, conversation: &str, request: &str, text: &str) -> Result<Inserted, Broken> {
        let new = message(conversation, request, text);
        self.record.insert(&new, State::Running).await
    }

    async fn finish(&self, record: &GenerationRecord, text: &str) {
        let end = end_of(record, text);
        self.record.finish(&record.lease(), &end).await.unwrap();
    }

    /// What a reader sees: as many messages as the conversation says, in their places, each reply with its generation.
    async fn assert_whole(&self, conversation: &str, at: u64) -> Vec<(String, State)> {
        let messages = self.store.messages(conversation, 0, 10_000).await.unwrap();
        for (place, message) in messages.iter().enumerate() {
            assert_eq!(message.position, place as i64 + 1, "at {at}: {messages:?}");
            if let Some(generation) = &message.generation_id {
                assert!(
                    self.record.find(generation).await.unwrap().is_some(),
                    "at {at}"
                );
            }
        }
        if let Ok(head) = self.store.find("ana", conversation).await {
            assert_eq!(head.message_count, messages.len() as i64, "at {at}");
            assert_eq!(
                head.title.is_empty(),
                messages.is_empty(),
                "at {at}: {head:?}"
            );
        }
        messages
            .into_iter()
            .map(|one| (one.text, one.state))
            .collect()
    }

    /// Ends whatever is open, as the watch over dead owners does.
    async fn end_the_open(&self) {
        for record in self
            .record
            .claim(&self.record.open().await.unwrap())
            .await
            .unwrap()
        {
            self.finish(&record, "cut short").await;
        }
    }

    async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for table in ["conversations", "generations", "intents"] {
            let filter = doc! {"tombstone": {"$exists": false}, "forgotten": {"$exists": false}};
            for one in self
                .mongo
                .table(table)
                .many(filter, Order::default())
                .await
                .unwrap()
            {
                left.push(format!("{table}: {}", one.text("_id").unwrap()));
            }
        }
        left
    }
}

fn end_of(record: &GenerationRecord, text: &str) -> End {
    let snapshot = Snapshot {
        state: State::Completed.into(),
        text: text.to_owned(),
        ..Snapshot::default()
    };
    End {
        state: State::Completed,
        snapshot,
        sequence: record.sequence + 1,
        finish_reason: FinishReason::Stop,
        failure: None,
        details: bytes::Bytes::new(),
        usage_event: UsageEvent {
            id: record.id.clone(),
            user_id: record.owner.clone(),
            ..UsageEvent::default()
        },
        settlement: Settlement {
            id: record.id.clone(),
            charge: None,
        },
    }
}

fn name() -> String {
    format!("t{}", new_id().replace('-', ""))
}

fn conversation() -> NewConversation {
    NewConversation {
        id: new_id(),
        owner: "ana".into(),
        request_id: Some("the conversation".into()),
        digest: vec![1],
        title: String::new(),
        model: "m".into(),
        system_prompt: "be kind".into(),
    }
}

fn message(conversation: &str, request: &str, text: &str) -> NewGeneration {
    let task = Task {
        of: Of::Message {
            conversation_id: conversation.into(),
            message_id: new_id(),
            reply_id: new_id(),
            text: text.into(),
        },
        sampling: Sampling::default(),
        asked: None,
    };
    NewGeneration {
        id: new_id(),
        owner: "ana".into(),
        request_id: Some(request.into()),
        kind: SEND_MESSAGE,
        body: text.as_bytes().to_vec(),
        task: task.encode(),
        provider: "p".into(),
        model: "m".into(),
        subject: conversation.into(),
        priority: Priority::default(),
    }
}

fn record_of(inserted: Inserted) -> GenerationRecord {
    match inserted {
        Inserted::New(record) | Inserted::Existing(record) => *record,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_messages_at_once_in_two_processes_one_is_replied_to() {
    let database = name();
    let both = [
        Process::open(&database).await,
        Process::open(&database).await,
    ];
    let made = both[0].store.insert(&conversation()).await.unwrap();
    for round in 0..5 {
        let tries = (0..8).map(|by| {
            let (record, id) = (both[by % 2].record.clone(), made.id.clone());
            tokio::spawn(async move {
                let text = format!("round {round}, by {by}");
                record
                    .insert(&message(&id, &text, &text), State::Running)
                    .await
            })
        });
        let tries: Vec<_> = tries.collect();
        let mut begun = Vec::new();
        for one in tries {
            match one.await.unwrap() {
                Ok(inserted) => begun.push(record_of(inserted)),
                Err(Broken::Refused(fault)) => assert_eq!(fault.reason(), "REPLY_IN_PROGRESS"),
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(begun.len(), 1, "round {round}");
        let count = both[1]
            .store
            .find("ana", &made.id)
            .await
            .unwrap()
            .message_count;
        assert_eq!(count, 2 * (round + 1));
        both[1].finish(&begun[0], "a reply").await;
        both[0].assert_whole(&made.id, 0).await;
    }
    let (prompt, turns) = {
        let all = both[0].store.messages(&made.id, 0, 100).await.unwrap();
        both[0].store.before(&all[5].id, 3).await.unwrap()
    };
    assert_eq!((prompt.as_str(), turns.len()), ("be kind", 3));
    assert!(turns[0].text.starts_with("round 1") && turns[2].text.starts_with("round 2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_begins_in_a_conversation_that_is_deleted_at_the_same_time() {
    let database = name();
    let both = [
        Process::open(&database).await,
        Process::open(&database).await,
    ];
    for round in 0..10 {
        let mut new = conversation();
        new.request_id = None;
        let made = both[0].store.insert(&new).await.unwrap();
        let speaks = {
            let (record, id) = (both[0].record.clone(), made.id.clone());
            tokio::spawn(async move {
                let request = format!("round {round}");
                record
                    .insert(&message(&id, &request, "hello"), State::Running)
                    .await
            })
        };
        let deleted = both[1].store.delete("ana", &made.id).await;
        let begun = speaks.await.unwrap();
        match (deleted, begun) {
            // It was there first, and has to be ended first.
            (Ok(Some(running)), Ok(inserted)) => {
                let record = record_of(inserted);
                assert_eq!(record.id, running);
                both[0].finish(&record, "a reply").await;
                assert!(
                    both[1]
                        .store
                        .delete("ana", &made.id)
                        .await
                        .unwrap()
                        .is_none()
                );
            }
            (Ok(None), Err(Broken::Refused(fault))) => assert_eq!(fault.reason(), "NOT_FOUND"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            both[0].store.find("ana", &made.id).await,
            Err(Error::NoConversation)
        ));
    }
    assert_eq!(both[0].left().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_made_of_an_owner_who_leaves_at_the_same_time() {
    let database = name();
    let both = [
        Process::open(&database).await,
        Process::open(&database).await,
    ];
    for round in 0..10 {
        let owner = format!("owner {round}");
        let tries = (0..4).map(|by| {
            let (store, owner) = (both[by % 2].store.clone(), owner.clone());
            tokio::spawn(async move {
                let mut new = conversation();
                (new.owner, new.request_id) = (owner, Some(format!("by {by}")));
                store.insert(&new).await
            })
        });
        let tries: Vec<_> = tries.collect();
        both[1].record.depart(&owner).await.unwrap();
        // All that there will ever be is there.
        let there = both[1].store.by_id(&owner, "", 100).await.unwrap().len();
        let mut made = 0;
        for one in tries {
            match one.await.unwrap() {
                Ok(_) => made += 1,
                Err(Error::Generations(atelier_generation::Error::Departed)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(
            both[0].store.by_id(&owner, "", 100).await.unwrap().len(),
            there
        );
        assert!(made <= there, "round {round}");
        both[0]
            .store
            .erase_conversations(&owner, 100)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_loses_nothing_that_was_acknowledged() {
    let mut server = servers::Mongo::start();
    let process = Process::on(&server.database("killed")).await;
    let made = process.store.insert(&conversation()).await.unwrap();
    let mut acknowledged = Vec::new();
    for kill in 0..3 {
        let talks = {
            let (record, id) = (process.record.clone(), made.id.clone());
            tokio::spawn(async move {
                let mut said = Vec::new();
                for at in 0.. {
                    let text = format!("{kill}.{at}");
                    let new = message(&id, &text, &text);
                    let record_of = match record.insert(&new, State::Running).await {
                        Ok(inserted) => record_of(inserted),
                        Err(error) => return (said, error),
                    };
                    said.push(text);
                    let end = end_of(&record_of, "a reply");
                    if let Err(error) = record.finish(&record_of.lease(), &end).await {
                        return (said, error);
                    }
                }
                unreachable!("the server is killed")
            })
        };
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.server().kill();
        let begun = std::time::Instant::now();
        let (said, error) = talks.await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(15), "a hang");
        let fault = atelier_kit::fault::Fault::from(error);
        assert_eq!(fault.kind(), atelier_kit::fault::Kind::Unavailable);
        let status = tonic::Status::from(process.store.find("ana", &made.id).await.unwrap_err());
        assert_eq!(status.code(), tonic::Code::Unavailable);
        assert!(!said.is_empty(), "nothing was said before it was killed");
        acknowledged.extend(said);
        server.server().begin();
        atelier_kit::testing::eventually("it answers again", || async {
            process.store.find("ana", &made.id).await.is_ok()
        })
        .await;
        process.end_the_open().await;
        process.store.take_up(Duration::ZERO).await.unwrap();
        process.assert_whole(&made.id, kill).await;
    }
    let messages = process.store.messages(&made.id, 0, 10_000).await.unwrap();
    let there: Vec<&str> = messages.iter().map(|one| one.text.as_str()).collect();
    for text in &acknowledged {
        let times = there.iter().filter(|one| *one == text).count();
        assert_eq!(times, 1, "{text} was acknowledged");
    }
}

/// A conversation with two exchanges, and its end.
async fn through(process: &Process) {
    let made = process.store.insert(&conversation()).await.unwrap();
    for (request, text) in [("one", "hello"), ("two", "again")] {
        let record = record_of(process.say(&made.id, request, text).await.unwrap());
        if !record.has_ended() {
            process.finish(&record, "a reply").await;
        }
    }
    assert!(
        process
            .store
            .delete("ana", &made.id)
            .await
            .unwrap()
            .is_none()
    );
}

/// Not a test: the life of a process that ends, when this binary was started to be one.
#[tokio::test]
async fn script() {
    let Some(folder) = std::env::var_os(SCRIPT) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let database = std::fs::read_to_string(folder.join("database")).unwrap();
    through(&Process::open(&database).await).await;
    std::fs::write(folder.join("done"), "").unwrap();
}

fn life(folder: &Path, at: u64) -> bool {
    let ended = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::mongo::tests::script", "--nocapture"])
        .env(SCRIPT, folder)
        .env(crash::AT, at.to_string())
        .env(
            servers::Mongo::shared().for_children().0,
            servers::Mongo::shared().for_children().1,
        )
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    let done = folder.join("done").exists();
    assert_eq!(ended.success(), done);
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_between_any_two_writes_leaves_a_conversation_that_goes_on() {
    let mut lives = 0;
    for at in 1.. {
        assert!(at < MOST, "it never comes to its end");
        let folder = tempfile::tempdir().unwrap();
        let database = name();
        std::fs::write(folder.path().join("database"), &database).unwrap();
        let done = life(folder.path(), at);
        lives += 1;
        let process = Process::open(&database).await;
        // As a reader finds it, before anybody has repaired anything.
        for one in process.store.by_id("ana", "", 10).await.unwrap() {
            process.assert_whole(&one.id, at).await;
        }
        // As those find it who look for what crashes leave, on every other round: whoever speaks next must do without them.
        process.end_the_open().await;
        if at % 2 == 0 {
            process.store.take_up(Duration::ZERO).await.unwrap();
        }
        let made = process.store.insert(&conversation()).await.unwrap();
        let before = process.assert_whole(&made.id, at).await.len();
        let record = record_of(process.say(&made.id, "three", "still here").await.unwrap());
        process.finish(&record, "a reply").await;
        let after = process.assert_whole(&made.id, at).await;
        assert_eq!(after.len(), before + 2, "at {at}: {after:?}");
        assert_eq!(after[before].0, "still here");
        assert!(
            process
                .store
                .delete("ana", &made.id)
                .await
                .unwrap()
                .is_none()
        );
        process.store.take_up(Duration::ZERO).await.unwrap();
        // An exchange whose places were given back may have left the intent of its request, for whoever repeats it.
        let mut left = process.left().await;
        left.retain(|one| done || !one.starts_with("intents: ana\n"));
        assert_eq!(left, Vec::<String>::new(), "at {at}");
        if done {
            break;
        }
    }
    assert!(lives > 20, "{lives} lives");
}
