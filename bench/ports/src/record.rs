//! The record of generations: rows in a file or on PostgreSQL, documents on MongoDB.

use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use async_trait::async_trait;
use atelier_generation::store::{
    Change, MIGRATIONS, MongoProjection, MongoRecord, Projection, Refusal, SqlRecord,
};
use atelier_generation::{
    End, Error, GenerationRecord, Inserted, Lease, NewGeneration, Priority, Record, Settlement,
};
use atelier_kit::moment;
use atelier_kit::mongo::Mongo;
use atelier_kit::mongo::bson::Document;
use atelier_kit::sql::{Database, Writer};
use atelier_proto::analytics::v1::{Outcome, UsageEvent};
use atelier_proto::generation::v1::{FinishReason, Snapshot, State, Usage};
use bytes::Bytes;
use tempfile::TempDir;

use crate::engines::Engines;
use crate::{EACH, OWNERS, Port, Side, Turn, Verb};

/// The port.
pub async fn port(engines: &Engines) -> anyhow::Result<Port> {
    let folder = tempfile::tempdir()?;
    let mut files = Vec::new();
    let mut schemas = Vec::new();
    let mut documents = Vec::new();
    for name in ["written", "read"] {
        let file = folder.path().join(name);
        files.push(rows(Database::file(&file, &[MIGRATIONS]).await?));
        let server = engines.postgres.database(&format!("record_{name}")).await?;
        schemas.push(rows(
            Database::schema(&server, "bench", &[MIGRATIONS]).await?,
        ));
        let mongo =
            Mongo::open(&engines.mongo.database(&format!("record_{name}")), "bench").await?;
        let record = MongoRecord::new(&mongo, Arc::new(Nothing));
        for index in record.indexes() {
            index.table.index(index.fields, index.sparse).await?;
        }
        documents.push(Arc::new(record) as Arc<dyn Record>);
    }
    Ok(Port {
        name: "The generations' record",
        about: "`SqlRecord` and `MongoRecord`, called directly and with no rows of a service beside theirs. A *generation* is three \
                writes: its begin, a checkpoint with its text so far, and its end with its usage event and its settlement. *Find* reads \
                one by its id, *list* the newest 10 of an account.",
        verbs: &[
            (Verb::Write, "a generation, written"),
            (Verb::Read, "find"),
            (Verb::List, "list"),
        ],
        embedded: ("SQLite", Records::open(files, Some(folder)).await?),
        servers: vec![
            ("PostgreSQL", Records::open(schemas, None).await?),
            ("MongoDB", Records::open(documents, None).await?),
        ],
    })
}

fn rows(database: Database) -> Arc<dyn Record> {
    Arc::new(SqlRecord::new(database, Arc::new(Nothing)))
}

/// Records that are written, and others that are read and stay as they are.
struct Records {
    written: Arc<dyn Record>,
    read: Arc<dyn Record>,
    ids: Vec<String>,
    _folder: Option<TempDir>,
}

impl Records {
    async fn open(
        both: Vec<Arc<dyn Record>>,
        folder: Option<TempDir>,
    ) -> anyhow::Result<Arc<dyn Side>> {
        let [written, read] = <[_; 2]>::try_from(both).ok().context("two records")?;
        let mut ids = Vec::new();
        for number in 0..OWNERS * EACH {
            ids.push(whole(read.as_ref(), number).await?);
        }
        Ok(Arc::new(Self {
            written,
            read,
            ids,
            _folder: folder,
        }))
    }
}

fn owner(number: usize) -> String {
    format!("account-{}", number % OWNERS)
}

/// What a reply of some sentences says.
fn text() -> String {
    "The quick brown fox jumps over the lazy dog. ".repeat(8)
}

fn snapshot(state: State) -> Snapshot {
    Snapshot {
        state: state.into(),
        provider: "offline".to_owned(),
        model: "small".to_owned(),
        text: text(),
        ..Snapshot::default()
    }
}

fn end(record: &GenerationRecord) -> End {
    let usage = Usage {
        input_tokens: 10,
        output_tokens: 80,
        ..Usage::default()
    };
    End {
        state: State::Completed,
        snapshot: snapshot(State::Completed),
        sequence: (record.epoch << 32) + 20,
        finish_reason: FinishReason::Stop,
        failure: None,
        details: Bytes::new(),
        usage_event: UsageEvent {
            id: record.id.clone(),
            source: "llm-chat".to_owned(),
            user_id: record.owner.clone(),
            provider: "offline".to_owned(),
            model: "small".to_owned(),
            outcome: Outcome::Completed.into(),
            usage: Some(usage),
            duration: Some(moment::duration(1_500_000)),
            time: Some(moment::timestamp(moment::now())),
        },
        settlement: Settlement {
            id: record.id.clone(),
            charge: Some(usage),
        },
    }
}

/// A generation from its begin to its end; returns its id.
async fn whole(record: &dyn Record, number: usize) -> anyhow::Result<String> {
    let new = NewGeneration {
        id: moment::new_id(),
        owner: owner(number),
        request_id: Some(format!("request-{number}")),
        kind: "send-message",
        body: text().into_bytes(),
        task: Bytes::from(text()),
        provider: "offline".to_owned(),
        model: "small".to_owned(),
        subject: String::new(),
        priority: Priority::default(),
    };
    let Inserted::New(made) = record.insert(&new, State::Running).await? else {
        bail!("a generation was there already");
    };
    let lease = made.lease();
    let sequence = (made.epoch << 32) + 10;
    let running = snapshot(State::Running);
    record
        .checkpoint(&lease, State::Running, &running, sequence)
        .await?;
    record.finish(&lease, &end(&made)).await?;
    Ok(made.id)
}

#[async_trait]
impl Side for Records {
    async fn once(&self, verb: Verb, turn: Turn) -> anyhow::Result<()> {
        match verb {
            Verb::Write => {
                // Those that are read have the first numbers, of a database of their own.
                whole(self.written.as_ref(), turn.number).await?;
            }
            Verb::Read => {
                let id = &self.ids[turn.number % self.ids.len()];
                let found = self.read.find(id).await?.context("a generation is gone")?;
                ensure!(found.has_ended(), "{id} has not ended");
            }
            Verb::List => {
                let owner = owner(turn.number);
                let found = self.read.list(&owner, None, false, EACH as i64).await?;
                ensure!(found.len() == EACH, "{owner} has {}", found.len());
            }
        }
        Ok(())
    }
}

/// A service that keeps nothing beside its generations.
struct Nothing;

#[async_trait]
impl Projection for Nothing {
    async fn created(&self, _: &mut Writer, _: &NewGeneration) -> Result<(), Refusal> {
        Ok(())
    }

    async fn ended(
        &self,
        _: &mut Writer,
        _: &GenerationRecord,
        _: &End,
    ) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

#[async_trait]
impl MongoProjection for Nothing {
    async fn created(&self, _: &NewGeneration) -> Result<Document, Error> {
        Ok(Document::new())
    }

    async fn undone(&self, _: &NewGeneration) -> Result<(), Error> {
        Ok(())
    }

    async fn ending(&self, _: &Lease, _: &End) -> Result<Change, Error> {
        Ok(Change::default())
    }

    async fn ended(&self, _: &GenerationRecord, _: &Document) -> Result<(), Error> {
        Ok(())
    }
}
