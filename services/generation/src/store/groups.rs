//! Records that begin or end at the same time, written in one transaction: a commit costs the same for one as for many, and so
//! does a statement. One that cannot be written with the others is tried by itself, and fails alone. An engine that is away is
//! found out once for all who wait, and not by each of them.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use atelier_kit::moment;
use atelier_kit::sql::{self, QueryBuilder, Writer};
use atelier_kit::together::Together;
use atelier_proto::generation::v1::{FinishReason, Snapshot, State};
use futures_util::FutureExt as _;
use prost::Message as _;

use super::refusal::driver;
use super::rows::{COLUMNS, Row, digest, repeated};
use super::sql::SqlRecord;
use crate::error::Error;
use crate::fold::base;
use crate::ports::{End, GenerationRecord, Inserted, Lease, NewGeneration};

/// The most that are written together.
pub(super) const MOST: usize = 64;

/// How often one that met another of the same request is tried again: it finds that one as soon as it is committed.
const MEETINGS: u32 = 3;

/// One that begins.
pub(super) struct Begin {
    new: NewGeneration,
    state: State,
    came: Instant,
}

/// One that ends.
pub(super) struct Ending {
    lease: Lease,
    end: End,
    came: Instant,
}

/// `None` says that this one must be tried by itself.
pub(super) type Begins = Together<Begin, Option<Result<Inserted, Error>>>;
pub(super) type Ends = Together<Ending, Option<Result<(), Error>>>;

/// When the engine was last found to be away. Whoever came before that and had to wait is told so as well: with hundreds of
/// them, each finding it out anew would take longer than anybody waits.
#[derive(Clone, Default)]
pub(super) struct Away(Arc<Mutex<Option<Instant>>>);

impl Away {
    fn found(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn was_found_after(&self, came: Instant) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|found| found > came)
    }

    /// What each of a group is told of what came of trying all of it. A panic is that of its one member. `None`: this one must
    /// be tried by itself.
    fn divided<R>(
        &self,
        tried: std::thread::Result<Result<Vec<Result<R, Error>>, Error>>,
        size: usize,
    ) -> Vec<Option<Result<R, Error>>> {
        let each = |told: fn() -> Option<Result<R, Error>>| (0..size).map(|_| told()).collect();
        match tried {
            Ok(Ok(told)) => told.into_iter().map(Some).collect(),
            Ok(Err(error)) if is_meeting(&error) => each(|| None),
            Ok(Err(error)) if error.is_passing() => {
                self.found();
                let mut told: Vec<_> = each(|| Some(Err(waited())));
                told.truncate(size - 1);
                told.push(Some(Err(error)));
                told
            }
            Ok(Err(error)) if size == 1 => vec![Some(Err(error))],
            Err(panic) if size == 1 => resume_unwind(panic),
            Ok(Err(_)) | Err(_) => each(|| None),
        }
    }
}

fn waited() -> Error {
    Error::unavailable("the store was away when it would have been this one's turn")
}

/// Whether two met where one of them would have gone well: of the same request, or in each other's way.
fn is_meeting(error: &Error) -> bool {
    driver(error).is_some_and(|error| sql::is_unique_violation(error) || sql::is_race(error))
}

/// What one of the two would not see of the other.
fn concern_each_other(one: &Begin, other: &Begin) -> bool {
    let (one, other) = (&one.new, &other.new);
    let same_request =
        one.request_id.is_some() && one.owner == other.owner && one.request_id == other.request_id;
    let same_subject = !one.subject.is_empty() && one.subject == other.subject;
    one.id == other.id || same_request || same_subject
}

impl SqlRecord {
    pub(super) async fn begin_together(
        &self,
        new: &NewGeneration,
        state: State,
    ) -> Result<Inserted, Error> {
        let begin = || Begin {
            new: new.clone(),
            state,
            came: Instant::now(),
        };
        let serve = |group| self.begin_group(group);
        let joined = self.begins.join(begin(), concern_each_other, serve);
        if let Some(Some(told)) = joined.await {
            return told;
        }
        let alone = [begin()];
        let mut tries = 1;
        loop {
            match self.try_begins(&alone).await {
                Err(error) if is_meeting(&error) && tries < MEETINGS => tries += 1,
                told => return told?.pop().unwrap_or(Err(Error::NotFound)),
            }
        }
    }

    async fn begin_group(&self, group: Vec<Begin>) -> Vec<Option<Result<Inserted, Error>>> {
        // They are in the order in which they came.
        let late = group.partition_point(|begin| self.away.was_found_after(begin.came));
        let mut told: Vec<_> = (0..late).map(|_| Some(Err(waited()))).collect();
        let rest = &group[late..];
        if !rest.is_empty() {
            let tried = AssertUnwindSafe(self.try_begins(rest)).catch_unwind();
            told.extend(self.away.divided(tried.await, rest.len()));
        }
        told
    }

    /// Writes all of these, or none. What is refused for itself is in its answer, and keeps no other from it.
    ///
    /// Beside others: of two of the same request in two processes, the second waits at the unique index for the first, fails
    /// with all that came with it, and finds the first when it is tried again. Only a departure must not come in between, and
    /// does not (see [`SqlRecord`]'s `depart`).
    async fn try_begins(&self, group: &[Begin]) -> Result<Vec<Result<Inserted, Error>>, Error> {
        let mut tx = self.database.begin_beside(&[]).await?;
        let mut told: Vec<Option<Result<Inserted, Error>>> = Vec::with_capacity(group.len());
        let departed = departed(&mut tx, group).await?;
        let known = known(&mut tx, group).await?;
        for Begin { new, .. } in group {
            told.push(if departed.contains(&new.owner) {
                Some(Err(Error::Departed))
            } else if known.contains(&*new.id) {
                match repeated(&mut tx, new.again()).await {
                    Ok(Some(record)) => Some(Ok(Inserted::Existing(Box::new(record)))),
                    Ok(None) => None,
                    Err(error) => Some(Err(error)),
                }
            } else {
                None
            });
        }
        let mut fresh: Vec<&Begin> = group
            .iter()
            .zip(&told)
            .filter(|(_, told)| told.is_none())
            .map(|(begin, _)| begin)
            .collect();
        let now = moment::now();
        if !fresh.is_empty() {
            let new: Vec<&NewGeneration> = fresh.iter().map(|begin| &begin.new).collect();
            self.projection.all_created(&mut tx, &new).await?;
            // In one order of requests: two groups that have two of them in common wait for each other in one direction alone.
            fresh.sort_by_key(|begin| (&begin.new.owner, &begin.new.request_id));
            insert(&mut tx, &fresh, now).await?;
            tx.commit().await?;
        }
        let answers = group.iter().zip(told).map(|(begin, told)| {
            told.unwrap_or_else(|| Ok(Inserted::New(Box::new(begin.record(now)))))
        });
        Ok(answers.collect())
    }

    pub(super) async fn end_together(&self, lease: &Lease, end: &End) -> Result<(), Error> {
        let ending = || Ending {
            lease: lease.clone(),
            end: end.clone(),
            came: Instant::now(),
        };
        let serve = |group| self.end_group(group);
        let same = |one: &Ending, other: &Ending| one.lease.id == other.lease.id;
        match self.ends.join(ending(), same, serve).await {
            Some(Some(told)) => told,
            Some(None) | None => {
                let mut told = self.try_ends(&[ending()]).await?;
                told.pop().unwrap_or(Err(Error::NotFound))
            }
        }
    }

    async fn end_group(&self, group: Vec<Ending>) -> Vec<Option<Result<(), Error>>> {
        let late = group.partition_point(|ending| self.away.was_found_after(ending.came));
        let mut told: Vec<_> = (0..late).map(|_| Some(Err(waited()))).collect();
        let rest = &group[late..];
        if !rest.is_empty() {
            let tried = AssertUnwindSafe(self.try_ends(rest)).catch_unwind();
            told.extend(self.away.divided(tried.await, rest.len()));
        }
        told
    }

    /// Ends all of these whose lease holds, or none.
    ///
    /// Beside others: the first statement is guarded by the epochs, and from then on the rows are this transaction's until it is
    /// over. The service's own rows are those of these generations; what they have in common with others, such as a day
    /// of a user, is written in one order.
    async fn try_ends(&self, group: &[Ending]) -> Result<Vec<Result<(), Error>>, Error> {
        let mut tx = self.database.begin_beside(&[]).await?;
        let now = moment::now();
        let mut in_order: Vec<&Ending> = group.iter().collect();
        in_order.sort_unstable_by(|one, other| one.lease.id.cmp(&other.lease.id));
        let mut records: HashMap<String, GenerationRecord> = end_rows(&mut tx, &in_order, now)
            .await?
            .into_iter()
            .map(|record| (record.id.clone(), record))
            .collect();
        let mut told = Vec::with_capacity(group.len());
        let mut ended = Vec::with_capacity(group.len());
        for Ending { lease, end, .. } in group {
            match records.remove(&lease.id) {
                Some(record) => {
                    ended.push((record, end));
                    told.push(Ok(()));
                }
                None => told.push(Err(Error::LeaseLost)),
            }
        }
        if !ended.is_empty() {
            ended.sort_by(|(one, _), (other, _)| {
                (&one.owner, &one.id).cmp(&(&other.owner, &other.id))
            });
            self.projection.all_ended(&mut tx, &ended).await?;
            owe(&mut tx, &ended, now).await?;
            tx.commit().await?;
        }
        Ok(told)
    }
}

impl Begin {
    fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: self.state.into(),
            model: self.new.model.clone(),
            ..Snapshot::default()
        }
    }

    /// The record as it has been written.
    fn record(&self, now: moment::Micros) -> GenerationRecord {
        let new = &self.new;
        GenerationRecord {
            id: new.id.clone(),
            owner: new.owner.clone(),
            kind: new.kind.to_owned(),
            subject: new.subject.clone(),
            priority: new.priority,
            task: new.task.clone(),
            state: self.state,
            epoch: 1,
            heartbeat: 0,
            cancel_requested: false,
            provider: new.provider.clone(),
            model: new.model.clone(),
            snapshot: self.snapshot(),
            sequence: base(1),
            finish_reason: FinishReason::Unspecified,
            failure: None,
            create_time: now,
            end_time: None,
        }
    }
}

/// Those of the owners who have left.
async fn departed(writer: &mut Writer, group: &[Begin]) -> Result<HashSet<String>, sqlx::Error> {
    let owners: HashSet<&str> = group.iter().map(|begin| &*begin.new.owner).collect();
    let gone: Vec<(String,)> =
        QueryBuilder::new("SELECT owner FROM generation_departed WHERE owner IN ")
            .push_tuples(owners, |mut row, owner| {
                row.push_bind(owner);
            })
            .build_query_as()
            .fetch_all(writer)
            .await?;
    Ok(gone.into_iter().map(|(owner,)| owner).collect())
}

/// Those, by the ids that they would have, whose `request_id` has a record already.
async fn known<'g>(
    writer: &mut Writer,
    group: &'g [Begin],
) -> Result<HashSet<&'g str>, sqlx::Error> {
    let keyed = || {
        let new = group.iter().map(|begin| &begin.new);
        new.filter_map(|new| Some(((&*new.owner, new.request_id.as_deref()?), &*new.id)))
    };
    if keyed().next().is_none() {
        return Ok(HashSet::new());
    }
    let found: Vec<(String, String)> = QueryBuilder::new(
        "SELECT owner, request_id FROM generations WHERE (owner, request_id) IN (",
    )
    .push_values(keyed(), |mut row, ((owner, request), _)| {
        row.push_bind(owner).push_bind(request);
    })
    .push(")")
    .build_query_as()
    .fetch_all(writer)
    .await?;
    let found: HashSet<(&str, &str)> = found.iter().map(|(o, r)| (&**o, &**r)).collect();
    let known = keyed().filter(|(key, _)| found.contains(key));
    Ok(known.map(|(_, id)| id).collect())
}

async fn insert(
    writer: &mut Writer,
    group: &[&Begin],
    now: moment::Micros,
) -> Result<(), sqlx::Error> {
    QueryBuilder::new(
        "INSERT INTO generations (id, owner, request_id, digest, kind, task, state, epoch, heartbeat, provider, model, \
         snapshot, sequence, create_time, subject, priority) ",
    )
    .push_values(group, |mut row, begin| {
        let new = &begin.new;
        row.push_bind(&new.id)
            .push_bind(&new.owner)
            .push_bind(&new.request_id)
            .push_bind(digest(new.again()))
            .push_bind(new.kind)
            .push_bind(new.task.as_ref())
            .push_bind(i32::from(begin.state))
            .push("1, 0")
            .push_bind(&new.provider)
            .push_bind(&new.model)
            .push_bind(begin.snapshot().encode_to_vec())
            .push_bind(base(1))
            .push_bind(now)
            .push_bind(&new.subject)
            .push_bind(new.priority.weight());
    })
    .build()
    .execute(writer)
    .await
    .map(drop)
}

/// Writes the ends; returns the records of those whose lease held.
async fn end_rows(
    writer: &mut Writer,
    group: &[&Ending],
    now: moment::Micros,
) -> Result<Vec<GenerationRecord>, sqlx::Error> {
    let mut query = QueryBuilder::new(
        // Named apart from the columns, which are returned by their bare names.
        "WITH ends (of, at, its_state, its_snapshot, its_sequence, its_finish_reason, its_failure_reason, \
         its_failure_message, is_retryable, its_retry_time, its_provider, its_model) AS (",
    );
    query.push_values(group, |mut row, Ending { lease, end, .. }| {
        let failure = end.failure.as_ref();
        row.push_bind(&lease.id)
            .push_bind(lease.epoch)
            .push_bind(i32::from(end.state))
            .push_bind(end.snapshot.encode_to_vec())
            .push_bind(end.sequence)
            .push_bind(i32::from(end.finish_reason))
            .push_bind(failure.map(|failure| failure.reason.as_str()))
            .push_bind(failure.map(|failure| failure.message.as_str()))
            .push_bind(failure.is_some_and(|failure| failure.retryable))
            .push_bind(failure.and_then(|failure| failure.retry_time))
            // Who made it in the end may be another than was chosen.
            .push_bind(&end.usage_event.provider)
            .push_bind(&end.usage_event.model);
    });
    query.push(
        ") UPDATE generations SET state = its_state, snapshot = its_snapshot, sequence = its_sequence, \
         finish_reason = its_finish_reason, failure_reason = its_failure_reason, \
         failure_message = its_failure_message, retryable = is_retryable, retry_time = its_retry_time, \
         heartbeat = heartbeat + 1, provider = its_provider, model = its_model, end_time = ",
    );
    query.push_bind(now);
    query.push(
        " FROM ends WHERE generations.id = ends.of AND epoch = ends.at AND end_time IS NULL RETURNING ",
    );
    query.push(COLUMNS);
    let rows: Vec<Row> = query.build_query_as().fetch_all(writer).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// What is to be counted, and what the purse is to hear.
async fn owe(
    writer: &mut Writer,
    ended: &[(GenerationRecord, &End)],
    now: moment::Micros,
) -> Result<(), sqlx::Error> {
    QueryBuilder::new("INSERT INTO generation_outbox (id, event, create_time, owner) ")
        .push_values(ended, |mut row, (record, end)| {
            row.push_bind(&record.id)
                .push_bind(end.usage_event.encode_to_vec())
                .push_bind(now)
                .push_bind(&record.owner);
        })
        .build()
        .execute(&mut *writer)
        .await?;
    QueryBuilder::new("INSERT INTO generation_settlements (id, usage, create_time) ")
        .push_values(ended, |mut row, (record, end)| {
            let charge = end.settlement.charge.map(|usage| usage.encode_to_vec());
            row.push_bind(&record.id).push_bind(charge).push_bind(now);
        })
        .build()
        .execute(writer)
        .await
        .map(drop)
}
