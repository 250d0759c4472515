//! Records in MongoDB. There are no transactions: each generation is one document, and what must be true together is in it.
//!
//! | collection | a document |
//! |---|---|
//! | `generations` | a generation with the service's own fields (`own`), its usage event until it is counted (`outbox`), and what the purse must hear until it has (`settlement`) |
//! | `intents` | who is about to make what: a `request_id` is taken here, by the `_id` |
//! | `departed` | an owner who has left |
//!
//! # How one begins, and what a crash leaves
//!
//! 1. Its intent is inserted. A taken `_id` is a repeated request, or one that another is making at this moment.
//! 2. `departed` is read, linearizable. A departure first writes itself there and then looks at the intents, so that of the two
//!    at least one sees the other.
//! 3. The projection takes what its rules need, as a conversation's next place.
//! 4. The generation's document is inserted: from here on all of it is there, and before it nothing.
//!
//! After a crash behind 1 or 3 there is an intent without a document. Whoever needs to know whether it still comes (the same
//! request again, a departure, the next message of the conversation) *fences* it: inserts a tombstone under the id that the
//! document would have. Either the document was there first, and then it counts; or it can never come, and what it had taken is
//! taken over. A tombstone is swept after a day.
//!
//! # How one ends
//!
//! In one update of its document: state, snapshot, the service's own fields, usage event and settlement. What the service keeps
//! elsewhere follows ([`MongoProjection::ended`]); where a crash comes in between, whoever reads next repairs it. The two debts
//! are taken out of the document when they are acknowledged. A record that is forgotten with debts stays as a stub of these
//! alone, without its owner, until the last is acknowledged.
//!
//! # Fences
//!
//! Every write of an owner has its epoch in the filter, and a claim the epoch and heartbeat that were seen: one document decides.

mod admission;
mod debts;
mod documents;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::moment::{self, Micros};
use atelier_kit::mongo::bson::{Bson, Document, doc};
use atelier_kit::mongo::{self, Fields as _, Index, Mongo, Order, Table, bytes};
use atelier_proto::generation::v1::{Snapshot, State};
use prost::Message as _;

use crate::error::Error;
use crate::ports::{
    End, GenerationRecord, Inserted, Lease, Listing, NewGeneration, Open, Record, Repeat,
};

pub use admission::{Admission, Admissions};
use documents::{fresh, listing, record};

/// How often tombstones and stubs are swept, by whichever process looks, and first when it does for the first time.
const SWEEP: Duration = Duration::from_secs(3600);
/// How long a tombstone stays: far longer than an insert can be on its way.
const TOMBSTONE: Duration = Duration::from_secs(24 * 3600);
/// How often a begin is tried that others have fenced.
const TRIES: usize = 3;

/// A change of the service's own fields, which are below `own` in the generation's document.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What is set, by the names of the fields.
    pub set: Document,
    /// What is added to numbers.
    pub add: Document,
}

/// What a service keeps of its generations in MongoDB.
#[async_trait]
pub trait MongoProjection: Send + Sync + 'static {
    /// A generation is about to be: takes what the service's rules need for it, and returns the fields that its document gets. A
    /// refusal leaves nothing behind. After a crash it may be asked again for the same, or never be followed by a document.
    async fn created(&self, new: &NewGeneration) -> Result<Document, Error>;

    /// The generation cannot be any more: what was taken for it is given back.
    async fn undone(&self, new: &NewGeneration) -> Result<(), Error>;

    /// A generation is about to end: how its own fields change with it.
    async fn ending(&self, lease: &Lease, end: &End) -> Result<Change, Error>;

    /// It has ended, and its document says so. After a crash this may never be told: whoever reads must find out.
    async fn ended(&self, record: &GenerationRecord, own: &Document) -> Result<(), Error>;

    /// What is read by fields of the service's own, as in `own.conversation`.
    fn indexes(&self) -> Vec<&'static [&'static str]> {
        Vec::new()
    }
}

impl From<mongo::Error> for Error {
    fn from(error: mongo::Error) -> Self {
        Self::store(error)
    }
}

/// Keeps records and what they owe in one database. Clones are the same one.
#[derive(Clone)]
pub struct MongoRecord {
    generations: Table,
    admissions: Admissions,
    projection: Arc<dyn MongoProjection>,
    swept: Arc<AtomicI64>,
}

impl MongoRecord {
    /// Records in this database.
    pub fn new(mongo: &Mongo, projection: Arc<dyn MongoProjection>) -> Self {
        Self {
            generations: mongo.table(GENERATIONS),
            admissions: Admissions::new(mongo),
            projection,
            swept: Arc::default(),
        }
    }

    /// The indexes that its questions want.
    pub fn indexes(&self) -> Vec<Index> {
        let all: [(&'static [&'static str], bool); 9] = [
            (&["owner", "_id"], false),
            (&["owner", "open"], false),
            (&["open"], true),
            (&["cancelling"], true),
            (&["outbox.at"], true),
            (&["outbox.owner"], true),
            (&["settlement.id"], true),
            (&["tombstone"], true),
            (&["forgotten"], true),
        ];
        let own = self.projection.indexes();
        let own = own.into_iter().map(|fields| (fields, false));
        let own = all.into_iter().chain(own).map(|(fields, sparse)| Index {
            table: self.generations.clone(),
            fields,
            sparse,
        });
        own.chain(self.admissions.indexes()).collect()
    }

    /// Who may make something, for what a service makes beside generations.
    pub fn admissions(&self) -> &Admissions {
        &self.admissions
    }

    async fn read(&self, id: &str) -> Result<Option<GenerationRecord>, Error> {
        let found = self.generations.one(doc! {"_id": id}).await?;
        found
            .as_ref()
            .filter(|found| is_record(found))
            .map(record)
            .transpose()
    }

    /// Leaves the debts of one that has ended, and nothing else.
    async fn reduce(&self, id: &str) -> Result<(), Error> {
        let mut gone = Document::new();
        for field in documents::FIELDS {
            gone.insert(*field, "");
        }
        let ended = doc! {"_id": id, "end_time": {"$exists": true}};
        let change = doc! {"$unset": gone, "$set": {"forgotten": true}};
        self.generations.update(ended, change).await?;
        self.drop_paid(&[id.to_owned()]).await
    }

    async fn sweep(&self) -> Result<(), Error> {
        let now = moment::now();
        let before = self.swept.load(Ordering::Relaxed);
        if now - before < moment::span(SWEEP) {
            return Ok(());
        }
        self.swept.store(now, Ordering::Relaxed);
        let old = doc! {"tombstone": {"$lt": now - moment::span(TOMBSTONE)}};
        self.generations.delete_each(old).await?;
        // Whoever paid the last debt of a stub may have died before it was gone.
        let paid = doc! {
            "forgotten": true,
            "outbox": {"$exists": false},
            "settlement": {"$exists": false},
        };
        self.generations.delete_each(paid).await?;
        Ok(())
    }
}

/// The collection of generations.
const GENERATIONS: &str = "generations";

/// Whether a document is a generation's, and no tombstone or stub.
fn is_record(document: &Document) -> bool {
    document.maybe("owner").is_some()
}

/// One whose owner holds this lease, and that has not ended.
fn held(lease: &Lease) -> Document {
    doc! {"_id": &lease.id, "epoch": lease.epoch, "open": &lease.id}
}

/// Leases by their epochs: what is written to all of one epoch is one command.
fn by_epoch(leases: &[Lease]) -> BTreeMap<i64, Vec<String>> {
    let mut epochs: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for lease in leases {
        epochs
            .entry(lease.epoch)
            .or_default()
            .push(lease.id.clone());
    }
    epochs
}

#[async_trait]
impl Record for MongoRecord {
    async fn insert(&self, new: &NewGeneration, state: State) -> Result<Inserted, Error> {
        let digest = documents::digest(new.again());
        let key = admission::key(new);
        for _ in 0..TRIES {
            let admission = Admission {
                table: &self.generations,
                key: &key,
                owner: &new.owner,
                id: &new.id,
                digest: &digest,
            };
            if let Some(known) = self.admissions.admit(&admission).await? {
                if known.maybe_bytes("digest") != Some(&digest[..]) {
                    return Err(Error::RequestIdReused);
                }
                match self.read(&known.text("thing")?).await? {
                    Some(record) => return Ok(Inserted::Existing(Box::new(record))),
                    None => continue,
                }
            }
            let own = match self.projection.created(new).await {
                Ok(own) => own,
                Err(refused @ Error::Refused(_)) => {
                    self.admissions.withdraw(&admission).await?;
                    return Err(refused);
                }
                Err(error) => return Err(error),
            };
            let document = fresh(new, state, &key, own, moment::now());
            if self.generations.insert(&document).await? {
                return Ok(Inserted::New(Box::new(record(&document)?)));
            }
            // Somebody could not wait for it, and has made sure that it never comes; or its owner has left.
            self.projection.undone(new).await?;
            self.admissions.withdraw(&admission).await?;
        }
        Err(Error::store("a generation was fenced before it was there"))
    }

    async fn repeated(&self, again: Repeat<'_>) -> Result<Option<GenerationRecord>, Error> {
        if again.request_id.is_empty() {
            return Ok(None);
        }
        let key = admission::request_key(again.owner, again.request_id);
        let Some(known) = self.admissions.known(&key).await? else {
            return Ok(None);
        };
        let found = self.read(&known.text("thing")?).await?;
        if found.is_some() && known.maybe_bytes("digest") != Some(&documents::digest(again)[..]) {
            return Err(Error::RequestIdReused);
        }
        Ok(found)
    }

    async fn find(&self, id: &str) -> Result<Option<GenerationRecord>, Error> {
        self.read(id).await
    }

    async fn checkpoint(
        &self,
        lease: &Lease,
        state: State,
        snapshot: &Snapshot,
        sequence: i64,
    ) -> Result<bool, Error> {
        let change = doc! {
            "$max": {"state": i32::from(state)},
            "$set": {"snapshot": bytes(snapshot.encode_to_vec()), "sequence": sequence},
            "$inc": {"heartbeat": 1_i64},
        };
        let mut unasked = held(lease);
        unasked.insert("cancel_requested", false);
        if self.generations.update(unasked, change.clone()).await? {
            return Ok(false);
        }
        if self.generations.update(held(lease), change).await? {
            return Ok(true);
        }
        Err(Error::LeaseLost)
    }

    async fn finish(&self, lease: &Lease, end: &End) -> Result<(), Error> {
        let own = self.projection.ending(lease, end).await?;
        let change = documents::ended(end, own, moment::now());
        let Some(ended) = self.generations.change(held(lease), change).await? else {
            return Err(Error::LeaseLost);
        };
        // It has ended, whatever comes of the rest: who reads that repairs it.
        let nothing = Document::new();
        let own = ended.maybe_part("own").unwrap_or(&nothing);
        if let Err(error) = self.projection.ended(&record(&ended)?, own).await {
            tracing::warn!(
                generation = %lease.id, error = %atelier_kit::fault::chain(&error),
                "what belongs to a generation was not told of its end yet"
            );
        }
        Ok(())
    }

    async fn request_cancel(&self, id: &str) -> Result<Option<State>, Error> {
        let open = doc! {"_id": id, "open": id};
        let asked = doc! {"$set": {"cancel_requested": true, "cancelling": true}};
        let found = match self.generations.change(open, asked).await? {
            Some(found) => Some(found),
            None => self.generations.one(doc! {"_id": id}).await?,
        };
        let found = found.filter(is_record);
        let state = found.map(|found| found.code("state")).transpose()?;
        Ok(state.map(|state| State::try_from(state).unwrap_or(State::Unspecified)))
    }

    async fn beat(&self, leases: &[Lease]) -> Result<Vec<String>, Error> {
        let mut lost = Vec::new();
        for (epoch, ids) in by_epoch(leases) {
            let open = doc! {"_id": {"$in": &ids}, "epoch": epoch, "open": {"$gt": ""}};
            let beat = doc! {"$inc": {"heartbeat": 1_i64}};
            if self.generations.update_each(open.clone(), beat).await? == ids.len() as u64 {
                continue;
            }
            let order = Order::by(doc! {}, 0).only(&["_id"]);
            let kept = self.generations.many(open, order).await?;
            let kept: HashSet<&str> = kept
                .iter()
                .filter_map(|one| one.get_str("_id").ok())
                .collect();
            lost.extend(ids.iter().filter(|id| !kept.contains(id.as_str())).cloned());
        }
        Ok(lost)
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), Error> {
        for (epoch, ids) in by_epoch(leases) {
            let waiting =
                doc! {"_id": {"$in": ids}, "epoch": epoch, "state": i32::from(State::Queued)};
            let change = doc! {"$set": {"released": true}};
            self.generations.update_each(waiting, change).await?;
        }
        Ok(())
    }

    async fn cancelled(&self) -> Result<Vec<String>, Error> {
        let order = Order::by(doc! {}, 10_000).only(&["_id"]);
        let found = self
            .generations
            .many(doc! {"cancelling": true}, order)
            .await?;
        Ok(found
            .iter()
            .map(|one| one.text("_id"))
            .collect::<Result<_, _>>()?)
    }

    async fn open(&self) -> Result<Vec<Open>, Error> {
        self.sweep().await?;
        let order = Order::by(doc! {"open": 1}, 20_000).only(&["epoch", "heartbeat", "released"]);
        let found = self
            .generations
            .many(doc! {"open": {"$gt": ""}}, order)
            .await?;
        let open = found.iter().map(|one| {
            Ok(Open {
                lease: Lease {
                    id: one.text("_id")?,
                    epoch: one.number("epoch")?,
                },
                heartbeat: one.number("heartbeat")?,
                released: one.flag("released"),
            })
        });
        open.collect()
    }

    async fn claim(&self, seen: &[Open]) -> Result<Vec<GenerationRecord>, Error> {
        let mut claimed = Vec::new();
        for open in seen {
            let mut unchanged = held(&open.lease);
            unchanged.insert("heartbeat", open.heartbeat);
            let change = doc! {
                "$inc": {"epoch": 1_i64, "heartbeat": 1_i64},
                "$set": {"released": false},
            };
            if let Some(document) = self.generations.change(unchanged, change).await? {
                claimed.push(record(&document)?);
            }
        }
        Ok(claimed)
    }

    async fn forget(&self, id: &str) -> Result<bool, Error> {
        let found = self
            .generations
            .one(doc! {"_id": id, "end_time": {"$exists": true}})
            .await?;
        let Some(found) = found.filter(is_record) else {
            return Ok(false);
        };
        // First, so that nothing points to what is not there; the record says still which it is.
        self.admissions.forget(&found.text("intent")?, id).await?;
        let paid = doc! {"_id": id, "outbox": {"$exists": false}, "settlement": {"$exists": false}};
        if !self.generations.delete(paid).await? {
            self.reduce(id).await?;
        }
        Ok(true)
    }

    async fn depart(&self, owner: &str) -> Result<(), Error> {
        self.admissions.depart(owner).await
    }

    async fn of(
        &self,
        owner: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<GenerationRecord>, Error> {
        let filter = doc! {"owner": owner, "_id": {"$gt": after}};
        let order = Order::by(doc! {"_id": 1}, limit);
        let found = self.generations.many(filter, order).await?;
        found.iter().map(record).collect()
    }

    async fn list(
        &self,
        owner: &str,
        before: Option<&str>,
        open_only: bool,
        limit: i64,
    ) -> Result<Vec<Listing>, Error> {
        // Ids are made of the time, and nothing sorts after a tilde.
        let mut filter = doc! {"owner": owner, "_id": {"$lt": before.unwrap_or("~")}};
        if open_only {
            filter.insert("open", doc! {"$gt": ""});
        }
        let order = Order::by(doc! {"_id": -1}, limit).without(&["task", "own"]);
        let found = self.generations.many(filter, order).await?;
        found.iter().map(listing).collect()
    }

    async fn open_of(&self, owner: &str, limit: u32) -> Result<Vec<String>, Error> {
        let filter = doc! {"owner": owner, "open": {"$gt": ""}};
        let order = Order::by(doc! {"open": 1}, limit).only(&["_id"]);
        let found = self.generations.many(filter, order).await?;
        Ok(found
            .iter()
            .map(|one| one.text("_id"))
            .collect::<Result<_, _>>()?)
    }
}

/// A time that may be missing.
fn time(time: Option<Micros>) -> Bson {
    time.map_or(Bson::Null, Bson::Int64)
}
