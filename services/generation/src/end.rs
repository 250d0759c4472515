//! The end of a generation: written once, with what it costs and what is counted, and told after that.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use atelier_kit::moment;
use atelier_proto::analytics::v1::{Outcome as Counted, UsageEvent};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Cancelled, Completed, FinishReason, Snapshot, State, Usage};
use bytes::Bytes;
use futures_util::FutureExt as _;

use crate::again::Pauses;
use crate::emitter::Emitter;
use crate::engine::Generations;
use crate::error::Error;
use crate::fold::fold;
use crate::measure::Ending;
use crate::owner::words;
use crate::ports::{End, Failure, Finish, GenerationRecord, Lease, Settlement};

/// How often the end is written when the database refuses it.
const FINISH_TRIES: u32 = 5;
/// How long a provider may count what was delivered; after that nothing is charged.
const ESTIMATED_WITHIN: Duration = Duration::from_secs(3);

/// How a generation ends.
pub(crate) enum Outcome {
    Finished(Finish),
    Failed(Failure),
    Cancelled,
}

/// Why a generation fails whose process ends, or whose owner died.
pub(crate) fn interrupted() -> Failure {
    Failure::passing(
        "INTERRUPTED",
        "the service stopped while this was being made; please try again",
    )
}

/// Writes the end to the record, then tells it. Returns whether the journal has been told: what is written has ended without it.
pub(crate) async fn conclude(
    engine: &Generations,
    record: &GenerationRecord,
    emitter: &Emitter,
    outcome: Outcome,
) -> Result<bool, Error> {
    let lease = record.lease();
    let told = emitter.close().await;
    let mut last = Vec::new();
    let mut failure = None;
    let (mut finish_reason, mut details) = (FinishReason::Unspecified, Bytes::new());
    let state = match outcome {
        Outcome::Finished(finish) => {
            (finish_reason, details) = (finish.reason, finish.details);
            last.extend(finish.artifact.map(Event::Artifact));
            last.push(Event::Usage(finish.usage));
            last.push(Event::Completed(Completed {
                finish_reason: finish_reason.into(),
            }));
            State::Completed
        }
        Outcome::Failed(why) => {
            last.push(Event::Failed(why.clone().into()));
            failure = Some(why);
            State::Failed
        }
        Outcome::Cancelled => {
            last.extend(delivered(engine, record, &told.snapshot).await);
            last.push(Event::Cancelled(Cancelled {}));
            State::Cancelled
        }
    };
    let mut snapshot = told.snapshot;
    for event in &last {
        fold(&mut snapshot, event);
    }
    let usage = snapshot.usage.unwrap_or_default();
    let usage_event = usage_event(engine.role(), record, &snapshot, state, usage);
    let end = End {
        state,
        snapshot,
        sequence: told.sequence + i64::try_from(last.len()).unwrap_or(0),
        finish_reason,
        failure,
        details,
        usage_event,
        settlement: Settlement {
            id: record.id.clone(),
            // What failed costs nothing, and what used nothing may not even have come to a reservation.
            charge: Some(usage).filter(|usage| state != State::Failed && used_something(*usage)),
        },
    };
    write(engine, &lease, &end).await?;
    emitter.measure().end(&Ending {
        state,
        usage,
        reason: finish_reason,
        failure: end.failure.as_ref().map(|failure| &*failure.reason),
    });
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
        if let Err(error) = emitter.emit(event).await {
            tracing::warn!(
                generation = %lease.id, error = %atelier_kit::fault::chain(&error),
                "an end is written and was not journalled: watchers find it in the record"
            );
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a cancelled generation used by what was delivered of it, where its provider has not said so.
async fn delivered(
    engine: &Generations,
    record: &GenerationRecord,
    snapshot: &Snapshot,
) -> Option<Event> {
    if snapshot.usage.is_some() {
        return None;
    }
    let job = record.job();
    let estimate = engine.provider().estimate(&job, snapshot);
    let estimate = AssertUnwindSafe(estimate).catch_unwind();
    match tokio::time::timeout(ESTIMATED_WITHIN, estimate).await {
        Ok(Ok(usage)) => Some(usage)
            .filter(|usage| used_something(*usage))
            .map(Event::Usage),
        // Its end must not fail for that.
        Ok(Err(panic)) => {
            tracing::error!(generation = %record.id, panic = words(panic.as_ref()), "an estimate panicked");
            None
        }
        Err(_) => {
            tracing::error!(generation = %record.id, "an estimate took too long; nothing is charged");
            None
        }
    }
}

/// Whether there is anything to charge, however it was counted.
pub(crate) fn used_something(mut usage: Usage) -> bool {
    usage.estimated = false;
    usage != Usage::default()
}

/// A database that is busy or away is asked again, for as long as the lease may hold: the work is done and would be lost. One
/// that refuses is asked a few times.
async fn write(engine: &Generations, lease: &Lease, end: &End) -> Result<(), Error> {
    let mut pauses = Pauses::new();
    let (mut tries, mut refusals) = (0, 0);
    loop {
        let error = match engine.record().finish(lease, end).await {
            // The answer of a try before this may have been lost, and nothing else.
            Err(Error::LeaseLost) if tries > 0 && is_written(engine, lease).await => return Ok(()),
            Err(error) if error.is_passing() => error,
            Err(error @ Error::Store(_)) => {
                refusals += 1;
                if refusals == FINISH_TRIES {
                    return Err(error);
                }
                error
            }
            other => return other,
        };
        if tries == 0 {
            tracing::warn!(
                generation = %lease.id, error = %atelier_kit::fault::chain(&error), "an end was not written yet"
            );
        }
        tries += 1;
        if !pauses.pause(engine).await {
            return Err(error);
        }
    }
}

/// Whether the record has ended under this lease: then it was this owner who wrote its end.
async fn is_written(engine: &Generations, lease: &Lease) -> bool {
    let known = engine.record().find(&lease.id).await;
    let known = known.ok().flatten();
    known.is_some_and(|record| record.epoch == lease.epoch && record.has_ended())
}

fn usage_event(
    role: &str,
    record: &GenerationRecord,
    snapshot: &Snapshot,
    state: State,
    usage: Usage,
) -> UsageEvent {
    let now = moment::now();
    let (provider, model) = record.made_by(snapshot);
    UsageEvent {
        id: record.id.clone(),
        source: role.to_owned(),
        user_id: record.owner.clone(),
        provider: provider.to_owned(),
        model: model.to_owned(),
        outcome: match state {
            State::Completed => Counted::Completed,
            State::Cancelled => Counted::Cancelled,
            _ => Counted::Failed,
        }
        .into(),
        usage: Some(usage),
        duration: Some(moment::duration((now - record.create_time).max(0))),
        time: Some(moment::timestamp(now)),
    }
}
