//! The owner of a running generation: waits for its turn, works, checkpoints, and ends it exactly once.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use atelier_kit::moment;
use atelier_proto::analytics::v1::{Outcome, UsageEvent};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{
    Cancelled, Completed, Failed, FinishReason, Queued, Started, State, Usage,
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::time::MissedTickBehavior;

use crate::emitter::Emitter;
use crate::engine::{Generations, Handle};
use crate::error::Error;
use crate::fold::fold;
use crate::ports::{End, Failure, Finish, GenerationRecord, Job, Lease};
use crate::turns::Ticket;

/// The record is never further behind than this.
const CHECKPOINT: Duration = Duration::from_millis(900);
/// How often the end is written again when the database refuses it.
const FINISH_TRIES: u32 = 5;

/// How the work came to its end.
enum Outcomes {
    Finished(Finish),
    Failed(Failure),
    Cancelled,
    /// Another owner has it; there is nothing left to write.
    Lost,
}

/// Runs a generation that this process owns, to its end. Returns whether its journal has been told of the end.
pub(crate) async fn run(
    engine: &Generations,
    record: &GenerationRecord,
    ticket: Ticket,
    handle: &Handle,
) -> bool {
    let lease = record.lease();
    let job = Job {
        id: record.id.clone(),
        owner: record.owner.clone(),
        kind: record.kind.clone(),
        task: record.task.clone(),
        model: record.model.clone(),
        create_time: record.create_time,
    };
    let emitter = Emitter::new(
        lease.clone(),
        engine.journal().clone(),
        record.snapshot.clone(),
    );
    let outcome = work(engine, record, &job, &emitter, ticket, handle).await;
    let ended = match outcome {
        Outcomes::Lost => Err(Error::LeaseLost),
        outcome => end(engine, record, &lease, &emitter, outcome).await,
    };
    match ended {
        Ok(()) => return true,
        Err(Error::LeaseLost) => {
            tracing::info!(generation = %job.id, "another owner has this generation")
        }
        // Its heartbeat stands still from now on, so that whoever looks will end it.
        Err(error) => tracing::error!(
            generation = %job.id, error = %atelier_kit::fault::chain(&error), "a generation could not be ended"
        ),
    }
    false
}

/// What a panic said.
pub(crate) fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no words")
}

async fn work(
    engine: &Generations,
    record: &GenerationRecord,
    job: &Job,
    emitter: &Emitter,
    ticket: Ticket,
    handle: &Handle,
) -> Outcomes {
    let provider = async {
        emitter
            .emit(Event::Queued(Queued {
                position: ticket.position,
            }))
            .await?;
        // A turn is the whole of the work; the end is written after it.
        let _turn = ticket.turn().await.map_err(|_| Error::LeaseLost)?;
        if let Err(failure) = engine.purse().reserve(job).await {
            return Ok(Outcomes::Failed(failure));
        }
        let started = Started {
            provider: record.provider.clone(),
            model: record.model.clone(),
        };
        emitter.emit(Event::Started(started)).await?;
        Ok::<_, Error>(match engine.provider().run(job, emitter).await {
            Ok(finish) => Outcomes::Finished(finish),
            Err(failure) => Outcomes::Failed(failure),
        })
    };
    let lease = record.lease();
    tokio::select! {
        // In this order: an end that was asked for wins over a result that comes in the same moment.
        biased;
        () = handle.cancel.cancelled() => Outcomes::Cancelled,
        () = handle.interrupt.cancelled() => Outcomes::Failed(interrupted()),
        outcome = checkpoints(engine, &lease, emitter) => outcome,
        outcome = AssertUnwindSafe(provider).catch_unwind() => match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Error::LeaseLost)) => Outcomes::Lost,
            Ok(Err(error)) => Outcomes::Failed(Failure::internal(&error)),
            Err(panic) => {
                tracing::error!(generation = %lease.id, panic = words(panic.as_ref()), "a provider panicked");
                Outcomes::Failed(Failure::passing("INTERNAL", "an internal error ended the generation"))
            }
        },
    }
}

/// Writes the state so far at least every second, and learns of a cancel that another process recorded.
async fn checkpoints(engine: &Generations, lease: &Lease, emitter: &Emitter) -> Outcomes {
    // Several times a lease, however short: a heart that beats slower than others wait is taken for dead.
    let pace = CHECKPOINT
        .min(engine.lease() / 4)
        .max(Duration::from_millis(10));
    let mut ticks = tokio::time::interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let told = emitter.told().await;
        let state = told.snapshot.state();
        match engine
            .record()
            .checkpoint(lease, state, &told.snapshot, told.sequence)
            .await
        {
            Ok(false) => {}
            Ok(true) => return Outcomes::Cancelled,
            Err(Error::LeaseLost) => return Outcomes::Lost,
            Err(error) => tracing::warn!(
                generation = %lease.id, error = %atelier_kit::fault::chain(&error), "a checkpoint was not written"
            ),
        }
    }
}

/// Why a generation fails whose process ends, or whose owner died.
pub(crate) fn interrupted() -> Failure {
    Failure::passing(
        "INTERRUPTED",
        "the service stopped while this was being made; please try again",
    )
}

async fn end(
    engine: &Generations,
    record: &GenerationRecord,
    lease: &Lease,
    emitter: &Emitter,
    outcome: Outcomes,
) -> Result<(), Error> {
    let (finish, failure, state) = match outcome {
        Outcomes::Finished(finish) => (Some(finish), None, State::Completed),
        Outcomes::Failed(failure) => (None, Some(failure), State::Failed),
        Outcomes::Cancelled | Outcomes::Lost => (None, None, State::Cancelled),
    };
    conclude(engine, record, lease, emitter, finish, failure, state).await
}

/// Writes the end to the record, then tells it.
pub(crate) async fn conclude(
    engine: &Generations,
    record: &GenerationRecord,
    lease: &Lease,
    emitter: &Emitter,
    finish: Option<Finish>,
    failure: Option<Failure>,
    state: State,
) -> Result<(), Error> {
    let told = emitter.close().await;
    let reason = finish
        .as_ref()
        .map_or(FinishReason::Unspecified, |finish| finish.reason);
    let details = finish
        .as_ref()
        .map_or_else(Bytes::new, |finish| finish.details.clone());
    let mut last = Vec::new();
    if let Some(finish) = finish {
        last.extend(finish.artifact.map(Event::Artifact));
        last.push(Event::Usage(finish.usage));
    }
    last.push(match (state, &failure) {
        (State::Completed, _) => Event::Completed(Completed {
            finish_reason: reason.into(),
        }),
        (State::Cancelled, _) => Event::Cancelled(Cancelled {}),
        (_, failure) => {
            let failure = failure.clone().unwrap_or_else(interrupted);
            Event::Failed(Failed {
                reason: failure.reason,
                message: failure.message,
                retryable: failure.retryable,
            })
        }
    });

    let mut snapshot = told.snapshot;
    for event in &last {
        fold(&mut snapshot, event);
    }
    let sequence = told.sequence + i64::try_from(last.len()).unwrap_or(0);
    let usage = snapshot.usage.unwrap_or_default();
    let end = End {
        state,
        snapshot,
        sequence,
        finish_reason: reason,
        failure,
        details,
        usage_event: usage_event(engine.role(), record, state, usage),
    };
    write(engine, lease, &end).await?;
    // What failed or used nothing costs nothing; it may not even have come to a reservation.
    let paid = if state == State::Failed || usage == Usage::default() {
        engine.purse().release(&lease.id).await
    } else {
        engine.purse().settle(&lease.id, &usage).await
    };
    if let Err(error) = paid {
        tracing::error!(generation = %lease.id, error = %atelier_kit::fault::chain(&error), "not settled");
    }
    let outcome = state
        .as_str_name()
        .trim_start_matches("STATE_")
        .to_ascii_lowercase();
    metrics::counter!("atelier_generations_total", "service" => engine.role(), "outcome" => outcome).increment(1);
    for event in last {
        // The record keeps the artifact as its provider made it; what is told has a fresh URL.
        let event = match event {
            Event::Artifact(artifact) => Event::Artifact(engine.provider().present(artifact).await),
            other => other,
        };
        emitter.emit(event).await?;
    }
    Ok(())
}

/// A busy database is asked again: the work is done and would be lost.
async fn write(engine: &Generations, lease: &Lease, end: &End) -> Result<(), Error> {
    let mut wait = Duration::from_millis(50);
    for _ in 1..FINISH_TRIES {
        match engine.record().finish(lease, end).await {
            Err(Error::Store(error)) => {
                tracing::warn!(generation = %lease.id, error = %error, "an end was not written yet");
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            other => return other,
        }
    }
    engine.record().finish(lease, end).await
}

fn usage_event(role: &str, record: &GenerationRecord, state: State, usage: Usage) -> UsageEvent {
    let now = moment::now();
    UsageEvent {
        id: record.id.clone(),
        source: role.to_owned(),
        user_id: record.owner.clone(),
        provider: record.provider.clone(),
        model: record.model.clone(),
        outcome: match state {
            State::Completed => Outcome::Completed,
            State::Cancelled => Outcome::Cancelled,
            _ => Outcome::Failed,
        }
        .into(),
        usage: Some(usage),
        duration: Some(moment::duration((now - record.create_time).max(0))),
        time: Some(moment::timestamp(now)),
    }
}
