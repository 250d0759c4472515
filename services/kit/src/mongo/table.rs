//! A collection, and the few things that are done with one. Each write is of one document, or of many of which each is for
//! itself; a test may end the process before each.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use mongodb::error::{ErrorKind, Result as Driven};
use mongodb::options::{IndexOptions, ReadConcern, ReturnDocument};
use mongodb::{Collection, IndexModel};

use super::Error;

/// How long one command may take: a server may take it and never answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for a whole page.
const READING: Duration = Duration::from_secs(30);

/// How many documents one answer may hold; a server ends it sooner where they are large.
const AT_ONCE: u32 = 1000;

/// A collection. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Table {
    collection: Collection<Document>,
}

/// In which order documents come, and how many at most.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The fields that they are sorted by, 1 upwards and -1 downwards.
    pub by: Document,
    /// The most; 0 is all.
    pub limit: i64,
    /// The fields that are wanted, or empty for all.
    pub fields: Document,
}

impl Order {
    /// Sorted by these, at most so many.
    pub fn by(by: Document, limit: impl Into<i64>) -> Self {
        Self {
            by,
            limit: limit.into(),
            fields: Document::new(),
        }
    }

    /// Without these fields.
    #[must_use]
    pub fn without(mut self, fields: &[&str]) -> Self {
        self.fields = fields
            .iter()
            .map(|field| ((*field).to_owned(), 0.into()))
            .collect();
        self
    }

    /// With these fields and `_id` alone.
    #[must_use]
    pub fn only(mut self, fields: &[&str]) -> Self {
        self.fields = fields
            .iter()
            .map(|field| ((*field).to_owned(), 1.into()))
            .collect();
        self
    }
}

/// What was found.
pub type Found = Result<Option<Document>, Error>;

/// Where a test may end this process: what is kept must be whole, or be made so, whichever it is.
fn point() {
    #[cfg(feature = "testing")]
    crate::testing::crash::point();
}

/// Waits for an answer, and not for ever.
async fn answer<T>(asked: impl Future<Output = Driven<T>>) -> Result<T, Error> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::NoAnswer(PATIENCE)),
    }
}

impl Table {
    pub(super) fn new(collection: Collection<Document>) -> Self {
        Self { collection }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.collection.name()
    }

    /// Inserts a document; returns whether its `_id` was free.
    pub async fn insert(&self, document: &Document) -> Result<bool, Error> {
        point();
        let inserted = answer(async { self.collection.insert_one(document).await }).await;
        point();
        match inserted {
            Ok(_) => Ok(true),
            Err(error) if error.is_taken() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Inserts documents, each for itself; returns the places of those whose `_id` was taken.
    pub async fn insert_each(&self, documents: &[Document]) -> Result<HashSet<usize>, Error> {
        if documents.is_empty() {
            return Ok(HashSet::new());
        }
        point();
        let inserted =
            answer(async { self.collection.insert_many(documents).ordered(false).await });
        let inserted = inserted.await;
        point();
        let error = match inserted {
            Ok(_) => return Ok(HashSet::new()),
            Err(Error::Driver(error)) => error,
            Err(error) => return Err(error),
        };
        if let ErrorKind::InsertMany(failed) = error.kind.as_ref()
            && failed.write_concern_error.is_none()
            && let Some(each) = &failed.write_errors
            && each.iter().all(|error| error.code == 11000)
        {
            return Ok(each.iter().map(|error| error.index).collect());
        }
        Err(error.into())
    }

    /// Changes the one document that the filter tells; returns whether there was one.
    pub async fn update(&self, filter: Document, change: Document) -> Result<bool, Error> {
        point();
        let updated = answer(async { self.collection.update_one(filter, change).await }).await;
        point();
        Ok(updated?.matched_count > 0)
    }

    /// Changes every document that the filter tells, each for itself; returns how many there were.
    pub async fn update_each(&self, filter: Document, change: Document) -> Result<u64, Error> {
        point();
        let updated = answer(async { self.collection.update_many(filter, change).await }).await;
        point();
        Ok(updated?.matched_count)
    }

    /// Changes the one document that the filter tells; returns it as it is then.
    pub async fn change(&self, filter: Document, change: Document) -> Found {
        point();
        let changed = answer(async {
            self.collection
                .find_one_and_update(filter, change)
                .return_document(ReturnDocument::After)
                .await
        });
        let changed = changed.await;
        point();
        changed
    }

    /// Deletes the one document that the filter tells; returns whether there was one.
    pub async fn delete(&self, filter: Document) -> Result<bool, Error> {
        point();
        let deleted = answer(async { self.collection.delete_one(filter).await }).await;
        point();
        Ok(deleted?.deleted_count > 0)
    }

    /// Deletes every document that the filter tells, each for itself; returns how many there were.
    pub async fn delete_each(&self, filter: Document) -> Result<u64, Error> {
        point();
        let deleted = answer(async { self.collection.delete_many(filter).await }).await;
        point();
        Ok(deleted?.deleted_count)
    }

    /// Reads one.
    pub async fn one(&self, filter: Document) -> Found {
        answer(async { self.collection.find_one(filter).await }).await
    }

    /// Reads one as the majority has it at this moment, whoever was its primary: for what decides a write elsewhere.
    pub async fn one_now(&self, filter: Document) -> Found {
        answer(async {
            self.collection
                .find_one(filter)
                .read_concern(ReadConcern::linearizable())
                .await
        })
        .await
    }

    /// Reads many.
    pub async fn many(&self, filter: Document, order: Order) -> Result<Vec<Document>, Error> {
        let read = async {
            let mut find = self
                .collection
                .find(filter)
                .sort(order.by)
                .limit(order.limit);
            if !order.fields.is_empty() {
                find = find.projection(order.fields);
            }
            find.batch_size(AT_ONCE).await?.try_collect().await
        };
        match tokio::time::timeout(READING, read).await {
            Ok(read) => Ok(read?),
            Err(_) => Err(Error::NoAnswer(READING)),
        }
    }

    /// Reads many, one after the other.
    pub async fn each(
        &self,
        filter: Document,
        order: Order,
        mut take: impl FnMut(Document) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let read = async {
            let find = self
                .collection
                .find(filter)
                .sort(order.by)
                .limit(order.limit);
            let mut cursor = find.projection(order.fields).batch_size(AT_ONCE).await?;
            while let Some(document) = cursor.try_next().await? {
                take(document)?;
            }
            Ok(())
        };
        match tokio::time::timeout(READING, read).await {
            Ok(read) => read,
            Err(_) => Err(Error::NoAnswer(READING)),
        }
    }

    /// How many there are.
    pub async fn count(&self, filter: Document) -> Result<u64, Error> {
        answer(async { self.collection.count_documents(filter).await }).await
    }

    /// Makes an index where there is none yet.
    pub async fn index(&self, fields: &[&str], sparse: bool) -> Result<(), Error> {
        let keys: Document = fields
            .iter()
            .map(|field| ((*field).to_owned(), 1.into()))
            .collect();
        let options = IndexOptions::builder().sparse(sparse).build();
        let model = IndexModel::builder().keys(keys).options(options).build();
        answer(async { self.collection.create_index(model).await })
            .await
            .map(drop)
    }

    /// Reads only what the filter tells of `_id`, for those that are asked whether they exist.
    pub async fn exists(&self, id: &str) -> Result<bool, Error> {
        let found = self
            .many(
                doc! {"_id": id},
                Order::by(Document::new(), 1).only(&["_id"]),
            )
            .await?;
        Ok(!found.is_empty())
    }
}
