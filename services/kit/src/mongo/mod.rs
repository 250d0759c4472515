//! MongoDB, where an operator has one: the server, a service's database on it, and its collections as [`Table`]s. What they
//! keep is their services' business.
//!
//! | file | what it is |
//! |---|---|
//! | `server` | who the server is, as the operator says |
//! | `table` | a collection, and the few things that are done with one |
//! | `trouble` | what an error means to those who wrote |
//! | `fields` | documents, read field by field |
//!
//! # What the rooms on it rely on
//!
//! Every write is one document: an insert whose `_id` must be free, or an update whose filter says what must still hold. So a
//! claim, an epoch and the first of two are each decided by one document, and all else is written so that whoever comes after a
//! crash can tell where it stood, and goes on. There are no transactions, no change streams, no expiring indexes and no unique
//! ones beside `_id`, so that whatever speaks the protocol will do: a replica set, a sharded cluster, a compatible server.
//! A write has happened when the majority has it (`w: majority`); reads are the primary's. Where a read decides what may be
//! written elsewhere it is linearizable, so that a primary which is none any more cannot answer it.

mod fields;
mod server;
mod table;
mod trouble;

use std::time::Duration;

use mongodb::bson::doc;
use mongodb::options::{Acknowledgment, ClientOptions, SelectionCriteria, WriteConcern};
use mongodb::{Client, Database};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use fields::{Fields, bytes};
pub use mongodb::bson;
pub use server::MongoServer;
pub use table::{Found, Order, Table};
pub use trouble::Error;

/// How long a server that can be written to is looked for. The driver's own half minute is longer than callers wait.
const SELECTION: Duration = Duration::from_secs(3);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// How long the majority may take to have a write.
const MAJORITY: Duration = Duration::from_secs(8);
/// How often a server is looked at that was there the last time.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The most connections of one service to one server.
const CONNECTIONS: u32 = 64;
/// How long a server is given that is asked whether it is there.
const PING: Duration = Duration::from_secs(2);
/// When indexes are tried again that could not be made.
const AGAIN: Duration = Duration::from_secs(2);

/// A service's database on a MongoDB server. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Mongo {
    client: Client,
    database: Database,
    told: String,
}

/// An index that a room wants: the fields in their order, each upwards.
#[derive(Clone, Debug)]
pub struct Index {
    /// Of which collection.
    pub table: Table,
    /// The fields.
    pub fields: &'static [&'static str],
    /// Whether documents without any of them are left out.
    pub sparse: bool,
}

impl Mongo {
    /// The database of this role. Nobody is asked yet: the server may come later, and go and come again.
    pub async fn open(server: &MongoServer, role: &str) -> Result<Self, Error> {
        let mut options = ClientOptions::parse(server.expose_url()).await?;
        options.app_name = Some(format!("atelier {role}"));
        options.server_selection_timeout.get_or_insert(SELECTION);
        options.connect_timeout.get_or_insert(CONNECT);
        options.heartbeat_freq.get_or_insert(HEARTBEAT);
        options.max_pool_size.get_or_insert(CONNECTIONS);
        options.retry_writes = Some(true);
        options.retry_reads = Some(true);
        // What was acknowledged is there, whatever else a URL may say.
        options.write_concern = Some(
            WriteConcern::builder()
                .w(Acknowledgment::Majority)
                .w_timeout(MAJORITY)
                .build(),
        );
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(
            mongodb::options::ReadPreference::Primary,
        ));
        let base = options
            .default_database
            .clone()
            .unwrap_or_else(|| "atelier".to_owned());
        let name = format!("{base}_{}", role.replace('-', "_"));
        let client = Client::with_options(options)?;
        Ok(Self {
            database: client.database(&name),
            told: format!("{server}, database {name}"),
            client,
        })
    }

    /// One of its collections.
    pub fn table(&self, name: &str) -> Table {
        Table::new(self.database.collection(name))
    }

    /// Asks whether the server is there.
    pub async fn ping(&self) -> Result<(), Error> {
        let asked = self.database.run_command(doc! {"ping": 1});
        match tokio::time::timeout(PING, async move { asked.await }).await {
            Ok(answer) => Ok(answer.map(drop)?),
            Err(_) => Err(Error::NoAnswer(PING)),
        }
    }

    /// Makes indexes in the background, however long the server stays away: without them all is right, only slower.
    pub fn keep_indexes(&self, indexes: Vec<Index>, tasks: &TaskTracker, stop: &CancellationToken) {
        let (stop, told) = (stop.clone(), self.told.clone());
        tasks.spawn(async move {
            for index in indexes {
                while let Err(error) = index.table.index(index.fields, index.sparse).await {
                    tracing::warn!(server = %told, error = %crate::fault::chain(&error), "an index is not there yet");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(AGAIN) => {}
                    }
                }
            }
        });
    }

    /// Closes all connections, once nobody uses them any more.
    pub async fn close(&self) {
        let closed = self.client.clone().shutdown().immediate(true);
        // Nothing is lost with a connection that is not closed well.
        let _ = tokio::time::timeout(PING, async move { closed.await }).await;
    }
}

impl std::fmt::Display for Mongo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.told)
    }
}
