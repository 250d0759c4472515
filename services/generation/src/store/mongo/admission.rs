//! Who may make something: a repeated request finds what it made before, and an owner who has left makes nothing any more.

use std::time::Duration;

use atelier_kit::moment;
use atelier_kit::mongo::bson::{Document, doc};
use atelier_kit::mongo::{Fields as _, Index, Mongo, Order, Table, bytes};

use super::is_record;
use crate::error::Error;
use crate::ports::NewGeneration;

/// How long one that is about to be is waited for, before it is fenced: far longer than a write takes.
const GRACE: Duration = Duration::from_secs(1);
/// How often it is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(10);
/// How many intents a departure looks at in one command.
const PAGE: i64 = 500;

/// What its maker is about to make. Its collection's documents have an `owner`; one that has none is no such thing.
#[derive(Debug)]
pub struct Admission<'a> {
    /// In which collection.
    pub table: &'a Table,
    /// What a repeated request is known by: its intent's `_id`.
    pub key: &'a str,
    /// Whose it will be.
    pub owner: &'a str,
    /// Its id.
    pub id: &'a str,
    /// What a repeated request is compared by.
    pub digest: &'a [u8],
}

/// Intents and departures. Clones are the same.
#[derive(Clone, Debug)]
pub struct Admissions {
    mongo: Mongo,
    intents: Table,
    departed: Table,
}

/// What a generation's intent is known by.
pub(super) fn key(new: &NewGeneration) -> String {
    match &new.request_id {
        Some(request_id) => request_key(&new.owner, request_id),
        None => new.id.clone(),
    }
}

/// What the intent of a request is known by.
pub(super) fn request_key(owner: &str, request_id: &str) -> String {
    format!("{owner}\n{request_id}")
}

impl Admissions {
    /// Of this database.
    pub fn new(mongo: &Mongo) -> Self {
        Self {
            mongo: mongo.clone(),
            intents: mongo.table("intents"),
            departed: mongo.table("departed"),
        }
    }

    pub(super) fn indexes(&self) -> Vec<Index> {
        vec![Index {
            table: self.intents.clone(),
            fields: &["owner", "_id"],
            sparse: false,
        }]
    }

    /// Lets somebody make something: `None` says that nobody else can make it by this key. `Some` is the intent by which it
    /// was made before; it is there.
    ///
    /// [`Error::Departed`] when the owner has left.
    pub async fn admit(&self, new: &Admission<'_>) -> Result<Option<Document>, Error> {
        let intent = doc! {
            "_id": new.key,
            "owner": new.owner,
            "table": new.table.name(),
            "thing": new.id,
            "digest": bytes(new.digest),
            "time": moment::now(),
        };
        let mut waited = Duration::ZERO;
        loop {
            if self.intents.insert(&intent).await? {
                return self.stay(new).await.map(|()| None);
            }
            let Some(known) = self.known(new.key).await? else {
                continue;
            };
            let thing = known.text("thing")?;
            if thing == new.id {
                return self.stay(new).await.map(|()| None);
            }
            match new.table.one(doc! {"_id": &thing}).await? {
                Some(made) if is_record(&made) => {
                    self.refuse_departed(new.owner).await?;
                    return Ok(Some(known));
                }
                // It can never come, or is forgotten: the key is free for whoever is first.
                Some(_) => {
                    let seen = doc! {"_id": new.key, "thing": thing};
                    let change = doc! {"$set": {
                        "thing": new.id, "digest": bytes(new.digest), "time": moment::now(),
                    }};
                    if self.intents.update(seen, change).await? {
                        return self.stay(new).await.map(|()| None);
                    }
                }
                None if waited < GRACE => {
                    tokio::time::sleep(LOOK).await;
                    waited += LOOK;
                }
                // Whoever was about to make it is dead, or so slow that it shall not come any more.
                None => {
                    self.fence(new.table, &thing).await?;
                }
            }
        }
    }

    /// Makes sure that something can never come under this id. Returns whether it was not there yet.
    pub async fn fence(&self, table: &Table, id: &str) -> Result<bool, Error> {
        Ok(table
            .insert(&doc! {"_id": id, "tombstone": moment::now()})
            .await?)
    }

    /// Takes an intent back whose thing was refused.
    pub async fn withdraw(&self, new: &Admission<'_>) -> Result<(), Error> {
        self.forget(new.key, new.id).await
    }

    /// Forgets by which intent something was made.
    pub async fn forget(&self, key: &str, id: &str) -> Result<(), Error> {
        self.intents.delete(doc! {"_id": key, "thing": id}).await?;
        Ok(())
    }

    /// The intent of a key.
    pub async fn known(&self, key: &str) -> Result<Option<Document>, Error> {
        Ok(self.intents.one(doc! {"_id": key}).await?)
    }

    /// An owner leaves, for good. Nothing of this owner comes once this has returned.
    pub(super) async fn depart(&self, owner: &str) -> Result<(), Error> {
        let gone = doc! {"_id": owner, "time": moment::now()};
        if !self.departed.insert(&gone).await?
            && let Some(gone) = self.departed.one(doc! {"_id": owner}).await?
            && gone.flag("fenced")
        {
            return Ok(());
        }
        // Whoever has not seen the departure had announced itself before it.
        let mut after = String::new();
        loop {
            let filter = doc! {"owner": owner, "_id": {"$gt": &after}};
            let page = self
                .intents
                .many(filter, Order::by(doc! {"_id": 1}, PAGE))
                .await?;
            let Some(last) = page.last() else { break };
            after = last.text("_id")?;
            for intent in &page {
                let (table, id) = (intent.text("table")?, intent.text("thing")?);
                let table = self.mongo.table(&table);
                if !table.exists(&id).await? && self.fence(&table, &id).await? {
                    self.forget(&intent.text("_id")?, &id).await?;
                }
            }
        }
        let change = doc! {"$set": {"fenced": true}};
        self.departed.update(doc! {"_id": owner}, change).await?;
        Ok(())
    }

    /// Whoever has announced itself and finds no departure is found by the next one.
    async fn stay(&self, new: &Admission<'_>) -> Result<(), Error> {
        match self.refuse_departed(new.owner).await {
            Err(Error::Departed) => {
                self.withdraw(new).await?;
                Err(Error::Departed)
            }
            other => other,
        }
    }

    async fn refuse_departed(&self, owner: &str) -> Result<(), Error> {
        match self.departed.one_now(doc! {"_id": owner}).await? {
            Some(_) => Err(Error::Departed),
            None => Ok(()),
        }
    }
}
