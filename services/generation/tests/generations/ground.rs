//! What a process of these tests stands on: rows in SQL or documents in MongoDB, and a look into them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use atelier_generation::store::{Change, MIGRATIONS, MongoProjection, MongoRecord, SqlRecord};
use atelier_generation::{
    End, Error, GenerationRecord, Lease, NewGeneration, Outbox, Record, Settlements,
};
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::mongo::bson::{Document, doc};
use atelier_kit::mongo::{Fields as _, Mongo, Order};
use atelier_kit::sql::{self, Database};
use atelier_kit::testing::servers;

use crate::stage::{Piece, Rows};

/// All that keeps generations.
pub trait Kept: Record + Outbox + Settlements {}

impl<T: Record + Outbox + Settlements> Kept for T {}

/// One of what there is to stand on. Clones are the same.
#[derive(Clone, Debug)]
pub enum Ground {
    Sql(Database),
    Mongo(Mongo),
}

/// How much longer than in a file things take here: the MongoDB server of the tests reads a whole collection for what a real one
/// finds by an index.
pub fn slower() -> u32 {
    match servers::Store::chosen() {
        servers::Store::Mongo => 6,
        servers::Store::Sqlite | servers::Store::Postgres => 1,
    }
}

/// The role that a database is named by.
const ROLE: &str = "pieces";

impl Ground {
    /// Opens what stands for this file, as `ATELIER_TEST_STORE` says.
    pub async fn open(path: &Path) -> Self {
        let folder = path.parent().unwrap();
        if let Some(server) = servers::mongodb_of(folder) {
            return Self::Mongo(Mongo::open(&server, ROLE).await.unwrap());
        }
        let opened = match servers::postgres_of(folder) {
            Some(server) => Database::schema(&server, ROLE, &[MIGRATIONS]).await,
            None => Database::file(path, &[MIGRATIONS]).await,
        };
        Self::of(opened.unwrap()).await
    }

    /// A database that has the tables of generations; those of the service are made.
    pub async fn of(database: Database) -> Self {
        let mut tx = database.begin().await.unwrap();
        sql::query(
            "CREATE TABLE IF NOT EXISTS pieces \
             (id TEXT PRIMARY KEY, owner TEXT NOT NULL, state INTEGER NOT NULL, text TEXT NOT NULL, ends BIGINT NOT NULL)",
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        Self::Sql(database)
    }

    /// The records on it.
    pub fn record(&self, rows: Arc<Rows>) -> Arc<dyn Kept> {
        match self {
            Self::Sql(database) => Arc::new(SqlRecord::new(database.clone(), rows)),
            Self::Mongo(mongo) => Arc::new(MongoRecord::new(mongo, rows)),
        }
    }

    /// The database of tests that are about SQL.
    pub fn sql(&self) -> &Database {
        match self {
            Self::Sql(database) => database,
            Self::Mongo(_) => panic!("this test is about SQL"),
        }
    }

    /// All rows of the service.
    pub async fn pieces(&self) -> Vec<Piece> {
        match self {
            Self::Sql(database) => {
                sql::query_as("SELECT id, owner, state, text, ends FROM pieces ORDER BY id")
                    .fetch_all(database.read())
                    .await
                    .unwrap()
            }
            Self::Mongo(mongo) => documents(mongo, doc! {"own.ends": {"$exists": true}})
                .await
                .iter()
                .map(|one| {
                    let own = one.part("own").unwrap();
                    Piece {
                        id: one.text("_id").unwrap(),
                        owner: one.text("owner").unwrap(),
                        state: own.code("state").unwrap(),
                        text: own.text("text").unwrap(),
                        ends: own.number("ends").unwrap(),
                    }
                })
                .collect(),
        }
    }

    /// How many generations there are, or have not ended.
    pub async fn generations(&self, open: bool) -> i64 {
        match self {
            Self::Sql(database) => {
                let sql = match open {
                    true => "SELECT COUNT(*) FROM generations WHERE end_time IS NULL",
                    false => "SELECT COUNT(*) FROM generations",
                };
                let (count,): (i64,) = sql::query_as(sql).fetch_one(database.read()).await.unwrap();
                count
            }
            Self::Mongo(mongo) => {
                let mut filter = doc! {"owner": {"$exists": true}};
                if open {
                    filter.insert("end_time", doc! {"$exists": false});
                }
                documents(mongo, filter).await.len() as i64
            }
        }
    }

    /// Ids of documents that should be gone when all generations are; `None` where there is only what tests see anyhow.
    pub async fn leftovers(&self) -> Option<Vec<String>> {
        let Self::Mongo(mongo) = self else {
            return None;
        };
        let mut left = Vec::new();
        for table in ["generations", "intents"] {
            // A tombstone stays for a day, and is of nobody.
            let filter = doc! {"tombstone": {"$exists": false}};
            for one in mongo
                .table(table)
                .many(filter, Order::default())
                .await
                .unwrap()
            {
                left.push(format!("{table}: {}", one.text("_id").unwrap()));
            }
        }
        Some(left)
    }

    /// All that is written of each generation and of its row.
    pub async fn dump(&self) -> Vec<(String, String)> {
        let pieces = self.pieces().await;
        let all = match self {
            Self::Sql(database) => {
                let rows: Vec<(String, i32, i64, i64, i64, Vec<u8>)> = sql::query_as(
                    "SELECT id, state, epoch, heartbeat, sequence, snapshot FROM generations ORDER BY id",
                )
                .fetch_all(database.read())
                .await
                .unwrap();
                rows.into_iter()
                    .map(|row| (row.0.clone(), format!("{row:?}")))
                    .collect::<Vec<_>>()
            }
            Self::Mongo(mongo) => {
                let mut all = documents(mongo, doc! {"owner": {"$exists": true}}).await;
                // What it owes may be paid meanwhile.
                for one in &mut all {
                    one.remove("outbox");
                    one.remove("settlement");
                }
                all.iter()
                    .map(|one| (one.text("_id").unwrap(), format!("{one:?}")))
                    .collect()
            }
        };
        assert_eq!(all.len(), pieces.len());
        let both = all.into_iter().zip(pieces);
        both.map(|((id, row), piece)| (id, format!("{row} {piece:?}")))
            .collect()
    }

    /// Gives a generation to an owner that is nobody, and asks for its end where only a taker can see it.
    pub async fn estrange(&self, id: &str) {
        match self {
            Self::Sql(database) => {
                let mut tx = database.begin().await.unwrap();
                sql::query(
                    "UPDATE generations SET cancel_requested = TRUE, epoch = epoch + 1 WHERE id = $1",
                )
                .bind(id)
                .execute(&mut *tx)
                .await
                .unwrap();
                tx.commit().await.unwrap();
            }
            Self::Mongo(mongo) => {
                let change = doc! {
                    "$set": {"cancel_requested": true, "cancelling": true},
                    "$inc": {"epoch": 1_i64},
                };
                let table = mongo.table("generations");
                assert!(table.update(doc! {"_id": id}, change).await.unwrap());
            }
        }
    }

    /// Closes it.
    pub async fn close(&self) {
        match self {
            Self::Sql(database) => database.close().await,
            Self::Mongo(mongo) => mongo.close().await,
        }
    }
}

async fn documents(mongo: &Mongo, filter: Document) -> Vec<Document> {
    let order = Order::by(doc! {"_id": 1}, 0);
    mongo
        .table("generations")
        .many(filter, order)
        .await
        .unwrap()
}

#[async_trait]
impl MongoProjection for Rows {
    async fn created(&self, new: &NewGeneration) -> Result<Document, Error> {
        if new.task.as_ref() == b"forbidden" {
            let fault = Fault::new(Kind::Precondition, "FORBIDDEN", "not this one");
            return Err(Error::Refused(fault));
        }
        Ok(doc! {"state": 1, "text": "", "ends": 0_i64})
    }

    async fn undone(&self, _: &NewGeneration) -> Result<(), Error> {
        Ok(())
    }

    async fn ending(&self, _: &Lease, end: &End) -> Result<Change, Error> {
        assert!(
            !self.panicking.swap(false, Ordering::SeqCst),
            "the rows fell over"
        );
        if self.failing.load(Ordering::SeqCst) > 0 {
            self.failing.fetch_sub(1, Ordering::SeqCst);
            return Err(Error::store("the rows refuse"));
        }
        Ok(Change {
            set: doc! {"state": i32::from(end.state), "text": &end.snapshot.text},
            add: doc! {"ends": 1_i64},
        })
    }

    async fn ended(&self, _: &GenerationRecord, _: &Document) -> Result<(), Error> {
        Ok(())
    }
}
