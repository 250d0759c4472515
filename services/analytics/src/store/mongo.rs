//! Usage in MongoDB, where no two documents change together; nothing but this file knows its collections.
//!
//! | collection | a document |
//! |---|---|
//! | `events` | an event, known by source and id, which its `_id` is made of; `waiting` until a batch has it, and then `batch` |
//! | `sources` | how far a source's events are rolled up: its last batch `n` with the events in it, and the last one that is `done` |
//! | `buckets` | the sums of an hour, and the last batch that is `applied` to them |
//!
//! # How an event is counted exactly once
//!
//! Events are inserted first; a taken `_id` is a repetition. Then whoever is there, in however many processes, rolls the source up:
//!
//! 1. Where its last batch is done, the next is opened: one update of the source, guarded by what was seen of it, says which events
//!    are in it. So what a batch holds is decided once.
//! 2. Its events are stamped with its number.
//! 3. Its counts are added to each bucket in one update that is guarded by `applied < n` and says `applied = n`.
//! 4. The source is told that the batch is done.
//!
//! Steps 2 to 4 come to the same however often and by however many they are done, and batches of a source come one after the other.
//! So a crash leaves a batch that is not done, or events that wait; both are taken up by the next call of that source (which is
//! soon: an event that was not acknowledged is told again), and by every process when it starts and every half minute.
//!
//! A summary that ends within an hour takes out the later events of that hour, and of those only what the bucket that it has
//! read contains already: the events of batches up to its `applied`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::mongo::bson::{Bson, Document, doc};
use atelier_kit::mongo::{self, Fields as _, Index, Mongo, Order, Table};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::ports::UsageStore;
use crate::summary::{HOUR, SummaryQuery, SummaryRow, floor};
use crate::usage::{Counts, Cursor, Event, Figures, HourKey, MAX_HOUR, Outcome, Recorded, roll_up};

/// The most events of one batch.
const BATCH: i64 = 500;
/// How often what a crash has left is looked for.
const LOOK: Duration = Duration::from_secs(30);

/// Usage in one database. Clones are the same one.
#[derive(Clone, Debug)]
pub struct MongoUsageStore {
    events: Table,
    sources: Table,
    buckets: Table,
}

impl From<mongo::Error> for Error {
    fn from(error: mongo::Error) -> Self {
        Self::store(error)
    }
}

impl MongoUsageStore {
    /// In this database.
    pub fn new(mongo: &Mongo) -> Self {
        Self {
            events: mongo.table("events"),
            sources: mongo.table("sources"),
            buckets: mongo.table("buckets"),
        }
    }

    /// The indexes that its questions want.
    pub fn indexes(&self) -> Vec<Index> {
        let index = |table: &Table, fields: &'static [&'static str], sparse| Index {
            table: table.clone(),
            fields,
            sparse,
        };
        vec![
            index(&self.events, &["time", "source", "id"], false),
            index(&self.events, &["user_id", "time", "source", "id"], false),
            index(&self.events, &["waiting"], true),
            index(&self.events, &["source", "batch"], false),
            index(&self.buckets, &["bucket_start"], false),
            index(&self.buckets, &["user_id", "bucket_start"], false),
        ]
    }

    /// Takes up what crashes have left, until it is told to stop.
    pub async fn keep_rolling(self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.take_up().await {
                tracing::warn!(error = %atelier_kit::fault::chain(&error), "usage is not rolled up yet");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn take_up(&self) -> Result<(), Error> {
        let order = Order::by(doc! {}, 1000).only(&["waiting"]);
        let waiting = self
            .events
            .many(doc! {"waiting": {"$gt": ""}}, order)
            .await?;
        let mut sources = BTreeSet::new();
        for one in waiting {
            sources.insert(one.text("waiting")?);
        }
        for source in self.sources.many(doc! {}, Order::default()).await? {
            if source.number("n")? > source.number("done")? {
                sources.insert(source.text("_id")?);
            }
        }
        for source in sources {
            self.roll_up(&source).await?;
        }
        Ok(())
    }

    /// Rolls a source up until nothing of it waits.
    async fn roll_up(&self, source: &str) -> Result<(), Error> {
        loop {
            let Some(state) = self.sources.one(doc! {"_id": source}).await? else {
                let first = doc! {"_id": source, "n": 0_i64, "done": 0_i64, "ids": []};
                self.sources.insert(&first).await?;
                continue;
            };
            let (n, done) = (state.number("n")?, state.number("done")?);
            if n > done {
                self.complete(source, n, &state).await?;
                continue;
            }
            // Read after the source was: nothing of an earlier batch waits any more.
            let order = Order::by(doc! {}, BATCH).only(&["_id"]);
            let waiting = self.events.many(doc! {"waiting": source}, order).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let ids = waiting.iter().map(|one| one.text("_id").map(Bson::String));
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            let seen = doc! {"_id": source, "n": n, "done": n};
            // Where another was faster, its batch is what comes next.
            let opened = doc! {"$set": {"n": n + 1, "ids": ids}};
            self.sources.update(seen, opened).await?;
        }
    }

    /// Does what is left to be done of a batch.
    async fn complete(&self, source: &str, n: i64, state: &Document) -> Result<(), Error> {
        let Some(Bson::Array(ids)) = state.maybe("ids") else {
            return Err(Error::store("a batch of usage events has no events"));
        };
        let these = doc! {"_id": {"$in": ids}};
        let stamp = doc! {"$set": {"batch": n}, "$unset": {"waiting": ""}};
        self.events.update_each(these, stamp).await?;
        let stamped = doc! {"source": source, "batch": n};
        let found = self.events.many(stamped, Order::default()).await?;
        if found.len() != ids.len() {
            return Err(Error::store("a batch of usage events is not whole"));
        }
        let events = found.iter().map(event_of).collect::<Result<Vec<_>, _>>()?;
        self.add_to_hours(&roll_up(&events), n).await?;
        let this = doc! {"_id": source, "n": n, "done": n - 1};
        let over = doc! {"$set": {"done": n, "ids": []}};
        self.sources.update(this, over).await?;
        Ok(())
    }

    /// Adds a batch to its hours; those that are new are inserted together.
    async fn add_to_hours(
        &self,
        hours: &BTreeMap<HourKey<'_>, Counts>,
        n: i64,
    ) -> Result<(), Error> {
        let first = hours
            .iter()
            .map(|(hour, counts)| bucket_document(hour, counts, n));
        let first: Vec<Document> = first.collect();
        let taken = self.buckets.insert_each(&first).await?;
        for (place, (hour, counts)) in hours.iter().enumerate() {
            if taken.contains(&place) {
                self.add_to_hour(hour, counts, n).await?;
            }
        }
        Ok(())
    }

    /// Adds a batch to an hour, unless it is in it already.
    async fn add_to_hour(&self, hour: &HourKey<'_>, counts: &Counts, n: i64) -> Result<(), Error> {
        let id = bucket_id(hour);
        loop {
            let Some(bucket) = self.buckets.one(doc! {"_id": &id}).await? else {
                return Err(Error::store("an hour of usage is gone"));
            };
            let applied = bucket.number("applied")?;
            if applied >= n {
                return Ok(());
            }
            // All of a bucket's batches are of one source and come in their order, so that what was read is what is added to.
            let before = counts_of(&bucket)?;
            let room = Counts {
                figures: minus(before.figures.plus(counts.figures), before.figures),
                ..*counts
            };
            let seen = doc! {"_id": &id, "applied": applied};
            let add = doc! {"$inc": counts_document(&room), "$set": {"applied": n}};
            if self.buckets.update(seen, add).await? {
                return Ok(());
            }
        }
    }
}

#[async_trait]
impl UsageStore for MongoUsageStore {
    async fn record(&self, events: &[Event]) -> Result<Recorded, Error> {
        let mut known = HashSet::with_capacity(events.len());
        // Of one that is told twice in a call, the first is new.
        let first = events
            .iter()
            .filter(|event| known.insert((&event.source, &event.id)));
        let documents: Vec<Document> = first.map(event_document).collect();
        let taken = self.events.insert_each(&documents).await?;
        let sources: BTreeSet<&str> = events.iter().map(|event| &*event.source).collect();
        // What was known may wait still: whoever told it first may have died since.
        for source in sources {
            self.roll_up(source).await?;
        }
        let new = documents.len() - taken.len();
        Ok(Recorded {
            new: i32::try_from(new).map_err(Error::store)?,
            duplicates: i32::try_from(events.len() - new).map_err(Error::store)?,
        })
    }

    async fn list(
        &self,
        user_id: Option<&str>,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Vec<Event>, Error> {
        let mut filter = whose(user_id);
        if let Some(at) = after {
            filter.insert(
                "$or",
                vec![
                    doc! {"time": {"$lt": at.time}},
                    doc! {"time": at.time, "source": {"$lt": &at.source}},
                    doc! {"time": at.time, "source": &at.source, "id": {"$lt": &at.id}},
                ],
            );
        }
        let order = Order::by(doc! {"time": -1, "source": -1, "id": -1}, limit);
        let found = self.events.many(filter, order).await?;
        found.iter().map(event_of).collect()
    }

    async fn count(&self, user_id: &str) -> Result<u64, Error> {
        Ok(self.events.count(whose(Some(user_id))).await?)
    }

    async fn summarize(&self, query: &SummaryQuery, limit: i64) -> Result<Vec<SummaryRow>, Error> {
        let window = query.window;
        // The hour of the last microsecond before the end: an end on the hour takes nothing out.
        let last_hour = floor(window.end.saturating_sub(1), HOUR);
        let mut sums = Sums::new(query);
        let mut applied: HashMap<String, i64> = HashMap::new();
        let mut filter = whose(query.user_id.as_deref());
        filter.insert(
            "bucket_start",
            doc! {"$gte": window.start, "$lt": window.end},
        );
        let all = |bucket: Document| {
            let start = bucket.number("bucket_start")?;
            if start == last_hour {
                applied.insert(bucket.text("_id")?, bucket.number("applied")?);
            }
            let service = bucket.text("service")?;
            let (model, user) = (bucket.text("model")?, bucket.text("user_id")?);
            sums.add(start, service, model, user, &counts_of(&bucket)?, 1);
            Ok(())
        };
        self.buckets.each(filter, Order::default(), all).await?;
        let end_of_hour = last_hour.saturating_add(HOUR);
        if window.end < end_of_hour {
            let mut filter = whose(query.user_id.as_deref());
            filter.insert("time", doc! {"$gte": window.end, "$lt": end_of_hour});
            filter.insert("batch", doc! {"$gt": 0_i64});
            for found in self.events.many(filter, Order::default()).await? {
                let (event, batch) = (event_of(&found)?, found.number("batch")?);
                for (hour, counts) in roll_up([&event]) {
                    let counted = applied.get(&bucket_id(&hour));
                    if counted.is_some_and(|applied| *applied >= batch) {
                        let service = hour.service.to_owned();
                        let (model, user) = (hour.model.to_owned(), hour.user_id.to_owned());
                        sums.add(last_hour, service, model, user, &counts, -1);
                    }
                }
            }
        }
        Ok(sums.rows(limit))
    }
}

/// The events, or buckets, of an account or of everybody.
fn whose(user_id: Option<&str>) -> Document {
    user_id.map_or_else(Document::new, |user_id| doc! {"user_id": user_id})
}

/// The names of two things could be divided in several ways, so it says how long they are.
fn event_id(source: &str, id: &str) -> String {
    format!("{}:{source}{id}", source.len())
}

fn bucket_id(hour: &HourKey<'_>) -> String {
    let (service, model, user) = (hour.service, hour.model, hour.user_id);
    let (first, second) = (service.len(), model.len());
    format!(
        "{}:{first}:{second}:{service}{model}{user}",
        hour.bucket_start
    )
}

/// An hour with its first batch.
fn bucket_document(hour: &HourKey<'_>, counts: &Counts, n: i64) -> Document {
    let mut first = doc! {
        "_id": bucket_id(hour),
        "bucket_start": hour.bucket_start,
        "service": hour.service,
        "model": hour.model,
        "user_id": hour.user_id,
        "applied": n,
    };
    first.extend(counts_document(counts));
    first
}

fn event_document(event: &Event) -> Document {
    doc! {
        "_id": event_id(&event.source, &event.id),
        "source": &event.source,
        "id": &event.id,
        "user_id": &event.user_id,
        "provider": &event.provider,
        "model": &event.model,
        "outcome": event.outcome.name(),
        "input_tokens": event.figures.input_tokens,
        "output_tokens": event.figures.output_tokens,
        "images": event.figures.images,
        "characters": event.figures.characters,
        "audio_millis": event.figures.audio_millis,
        "estimated": event.estimated,
        "duration": event.duration,
        "time": event.time,
        "waiting": &event.source,
    }
}

fn event_of(document: &Document) -> Result<Event, Error> {
    let outcome = Outcome::of(&document.text("outcome")?)
        .ok_or_else(|| Error::store("a usage event has an unknown outcome"))?;
    Ok(Event {
        source: document.text("source")?,
        id: document.text("id")?,
        user_id: document.text("user_id")?,
        provider: document.text("provider")?,
        model: document.text("model")?,
        outcome,
        figures: figures_of(document)?,
        estimated: document.flag("estimated"),
        duration: document.number("duration")?,
        time: document.number("time")?,
    })
}

fn figures_of(document: &Document) -> Result<Figures, mongo::Error> {
    Ok(Figures {
        input_tokens: document.number("input_tokens")?,
        output_tokens: document.number("output_tokens")?,
        images: document.number("images")?,
        characters: document.number("characters")?,
        audio_millis: document.number("audio_millis")?,
    })
}

fn counts_document(counts: &Counts) -> Document {
    doc! {
        "generations": counts.generations,
        "failed": counts.failed,
        "cancelled": counts.cancelled,
        "estimated": counts.estimated,
        "input_tokens": counts.figures.input_tokens,
        "output_tokens": counts.figures.output_tokens,
        "images": counts.figures.images,
        "characters": counts.figures.characters,
        "audio_millis": counts.figures.audio_millis,
    }
}

fn counts_of(bucket: &Document) -> Result<Counts, mongo::Error> {
    Ok(Counts {
        generations: bucket.number("generations")?,
        failed: bucket.number("failed")?,
        cancelled: bucket.number("cancelled")?,
        estimated: bucket.number("estimated")?,
        figures: figures_of(bucket)?,
    })
}

/// What was added, after a sum has stopped at [`MAX_HOUR`].
fn minus(sum: Figures, before: Figures) -> Figures {
    debug_assert!(sum.images <= MAX_HOUR, "a sum stops at its bound");
    Figures {
        input_tokens: sum.input_tokens - before.input_tokens,
        output_tokens: sum.output_tokens - before.output_tokens,
        images: sum.images - before.images,
        characters: sum.characters - before.characters,
        audio_millis: sum.audio_millis - before.audio_millis,
    }
}

/// The rows of a summary while they are added up, wide enough for any number of hours.
struct Sums<'q> {
    query: &'q SummaryQuery,
    rows: BTreeMap<(Micros, String, String, String), [i128; 9]>,
}

impl<'q> Sums<'q> {
    fn new(query: &'q SummaryQuery) -> Self {
        Self {
            query,
            rows: BTreeMap::new(),
        }
    }

    fn add(
        &mut self,
        hour: Micros,
        service: String,
        model: String,
        user: String,
        counts: &Counts,
        times: i128,
    ) {
        let division = self.query.division;
        let only = |wanted: bool, value: String| if wanted { value } else { String::new() };
        let key = (
            floor(hour, self.query.width.micros()),
            only(division.service, service),
            only(division.model, model),
            only(division.user, user),
        );
        let row = self.rows.entry(key).or_default();
        let figures = counts.figures;
        let added = [
            counts.generations,
            counts.failed,
            counts.cancelled,
            counts.estimated,
            figures.input_tokens,
            figures.output_tokens,
            figures.images,
            figures.characters,
            figures.audio_millis,
        ];
        for (sum, added) in row.iter_mut().zip(added) {
            *sum += times * i128::from(added);
        }
    }

    fn rows(self, limit: i64) -> Vec<SummaryRow> {
        // Below zero only when an hour's sum had stopped growing and events were taken out of it.
        let fit = |sum: i128| i64::try_from(sum.max(0)).unwrap_or(i64::MAX);
        let some = self.rows.into_iter().filter(|(_, sums)| sums[0] > 0);
        some.take(usize::try_from(limit).unwrap_or(0))
            .map(
                |((bucket_start, service, model, user_id), sums)| SummaryRow {
                    bucket_start,
                    service,
                    model,
                    user_id,
                    counts: Counts {
                        generations: fit(sums[0]),
                        failed: fit(sums[1]),
                        cancelled: fit(sums[2]),
                        estimated: fit(sums[3]),
                        figures: Figures {
                            input_tokens: fit(sums[4]),
                            output_tokens: fit(sums[5]),
                            images: fit(sums[6]),
                            characters: fit(sums[7]),
                            audio_millis: fit(sums[8]),
                        },
                    },
                },
            )
            .collect()
    }
}
