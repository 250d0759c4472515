//! The owner of a running generation: waits for its turn, works, checkpoints, and ends it exactly once.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Allowance, Queued, Started, State};
use futures_util::FutureExt as _;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::again::Pauses;
use crate::emitter::{Emitter, Told};
use crate::end::{Outcome, conclude, interrupted};
use crate::engine::{Generations, Handle};
use crate::error::Error;
use crate::ports::{Failure, GenerationRecord, Job, Lease};
use crate::queue::{Place, Ticket};
use crate::reasons::STORE_BUSY;

/// The record is never further behind than this.
const CHECKPOINT: Duration = Duration::from_millis(900);
/// A place in the queue is told anew no more often than this.
const BREATH: Duration = Duration::from_secs(1);

/// Why this process leaves a generation without an end.
enum Left {
    /// Another owner has it; there is nothing left to write.
    Lost,
    /// This process stops, and nothing was sent: whoever comes next runs it.
    HandedOver,
}

/// How the work came to its end.
type Worked = Result<Outcome, Left>;

/// Runs a generation that this process owns, to its end. Returns whether its journal has been told of the end.
pub(crate) async fn run(
    engine: &Generations,
    record: &GenerationRecord,
    ticket: Ticket,
    handle: &Handle,
) -> bool {
    let lease = record.lease();
    let emitter = Emitter::new(
        lease.clone(),
        engine.journal().clone(),
        record.snapshot.clone(),
        engine.lease(),
        engine.output(),
    );
    let ended = match work(engine, record, &emitter, ticket, handle).await {
        Err(Left::Lost) => Err(Error::LeaseLost),
        Err(Left::HandedOver) => {
            engine.hand_over(lease);
            return false;
        }
        Ok(outcome) => conclude(engine, record, &emitter, outcome).await,
    };
    match ended {
        Ok(told) => return told,
        Err(Error::LeaseLost) => {
            tracing::info!(generation = %lease.id, "another owner has this generation")
        }
        // Its heartbeat stands still from now on, so that whoever looks will end it.
        Err(error) => tracing::error!(
            generation = %lease.id, error = %atelier_kit::fault::chain(&error), "a generation could not be ended"
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
    emitter: &Emitter,
    mut ticket: Ticket,
    handle: &Handle,
) -> Worked {
    let lease = record.lease();
    // Cancelled when the record says that a provider may have heard of it: from then on it is never run again.
    let sent = CancellationToken::new();
    if record.may_be_sent() {
        sent.cancel();
    }
    let provider = async {
        if record.epoch > 1 {
            // In place of all that the owner before may have told.
            let known = record.snapshot.clone();
            emitter.emit(Event::Snapshot(known)).await?;
        }
        // A turn is the whole of the work, for as long as the ticket is there; the end is written after it.
        turn(emitter, &mut ticket).await?;
        let job = record.job();
        let allowance = match pay(engine, &job).await {
            Ok(allowance) => allowance,
            Err(failure) => return Ok(Ok(Outcome::Failed(failure))),
        };
        if !sent.is_cancelled() {
            sent.cancel();
            if send(engine, &lease, emitter).await? {
                return Ok(Ok(Outcome::Cancelled));
            }
        }
        let started = Started {
            provider: record.provider.clone(),
            model: record.model.clone(),
            allowance: Some(allowance),
        };
        emitter.emit(Event::Started(started)).await?;
        let operation = emitter.measure().operation(record);
        let work = engine.provider().run(&job, emitter);
        let outcome = match work.instrument(operation).await {
            Ok(finish) => Outcome::Finished(finish),
            Err(failure) => Outcome::Failed(failure),
        };
        Ok::<_, Error>(Ok(outcome))
    };
    let hearts = async {
        // One heart beats for all that wait here, and each that works beats for itself.
        if !sent.is_cancelled() {
            let beaten = engine.waiting().enter(&lease);
            tokio::select! {
                () = sent.cancelled() => {}
                () = beaten.lost() => return Err(Left::Lost),
            }
        }
        checkpoints(engine, &lease, emitter).await
    };
    tokio::select! {
        // In this order: an end that was asked for wins over a result that comes in the same moment.
        biased;
        () = handle.cancel.cancelled() => Ok(Outcome::Cancelled),
        () = handle.interrupt.cancelled() => match sent.is_cancelled() {
            true => Ok(Outcome::Failed(interrupted())),
            false => Err(Left::HandedOver),
        },
        worked = hearts => worked,
        outcome = AssertUnwindSafe(provider).catch_unwind() => match outcome {
            Ok(Ok(worked)) => worked,
            Ok(Err(Error::LeaseLost)) => Err(Left::Lost),
            Ok(Err(error)) if error.is_passing() => {
                tracing::warn!(
                    generation = %lease.id, error = %atelier_kit::fault::chain(&error), "a generation failed for its store"
                );
                let away = "what keeps the generation was away for too long; please try again";
                Ok(Outcome::Failed(Failure::passing(STORE_BUSY, away)))
            }
            Ok(Err(error)) => Ok(Outcome::Failed(Failure::internal(&error))),
            Err(panic) => {
                tracing::error!(generation = %lease.id, panic = words(panic.as_ref()), "a provider panicked");
                Ok(Outcome::Failed(Failure::passing("INTERNAL", "an internal error ended the generation")))
            }
        },
    }
}

/// Sets aside the most that it can cost.
async fn pay(engine: &Generations, job: &Job) -> Result<Allowance, Failure> {
    let quote = engine.provider().quote(job).await?;
    let begun = Instant::now();
    let reserved = engine.purse().reserve(job, &quote).await;
    metrics::histogram!("atelier_reserve_seconds", "service" => engine.role())
        .record(begun.elapsed().as_secs_f64());
    if let Err(why) = &reserved {
        metrics::counter!(
            "atelier_reserve_refused_total", "service" => engine.role(), "reason" => why.reason.clone()
        )
        .increment(1);
    }
    reserved
}

/// Waits for the turn, and tells the place in the queue whenever it has changed.
async fn turn(emitter: &Emitter, ticket: &mut Ticket) -> Result<(), Error> {
    let mut place = ticket.place();
    let told = |position| Event::Queued(Queued { position });
    // A turn that comes at once is told as a place before it, so that all streams begin alike.
    emitter
        .emit(told(match place {
            Place::Waiting(position) => position,
            Place::Turn => 0,
        }))
        .await?;
    while place != Place::Turn {
        let breath = tokio::time::Instant::now() + BREATH;
        place = ticket.moved().await;
        while place != Place::Turn {
            // The last of several changes is the one that is told.
            match tokio::time::timeout_at(breath, ticket.moved()).await {
                Ok(moved) => place = moved,
                Err(_) => break,
            }
        }
        if let Place::Waiting(position) = place {
            emitter.emit(told(position)).await?;
        }
    }
    Ok(())
}

/// Writes that a provider is about to hear of it, before it does; waits for a store that is away. Returns whether a cancel was
/// asked for.
async fn send(engine: &Generations, lease: &Lease, emitter: &Emitter) -> Result<bool, Error> {
    let mut pauses = Pauses::new();
    loop {
        let mut told = emitter.told().await;
        told.snapshot.set_state(State::Running);
        match checkpoint(engine, lease, emitter, &told).await {
            Err(error) if error.is_passing() && pauses.pause(engine).await => {}
            other => return other,
        }
    }
}

/// Writes the state so far, which proves that the lease holds. Returns whether a cancel was asked for.
async fn checkpoint(
    engine: &Generations,
    lease: &Lease,
    emitter: &Emitter,
    told: &Told,
) -> Result<bool, Error> {
    let begun = Instant::now();
    let state = told.snapshot.state();
    let cancel = engine
        .record()
        .checkpoint(lease, state, &told.snapshot, told.sequence)
        .await?;
    emitter.prove(begun);
    Ok(cancel)
}

/// Writes the state so far at least every second, and learns of a cancel that another process recorded. What could not be
/// written is in the next one: the work goes on while the store is away.
async fn checkpoints(engine: &Generations, lease: &Lease, emitter: &Emitter) -> Worked {
    // Several times a lease, however short: a heart that beats slower than others wait is taken for dead.
    let pace = CHECKPOINT
        .min(engine.lease() / 4)
        .max(Duration::from_millis(10));
    let mut ticks = tokio::time::interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut is_away = false;
    loop {
        ticks.tick().await;
        let told = emitter.told().await;
        match checkpoint(engine, lease, emitter, &told).await {
            Ok(false) => is_away = false,
            Ok(true) => return Ok(Outcome::Cancelled),
            Err(Error::LeaseLost) => return Err(Left::Lost),
            // Once: thousands at work would fill the log of as many checkpoints as there are until it is back.
            Err(error) => {
                if !std::mem::replace(&mut is_away, true) {
                    tracing::warn!(
                        generation = %lease.id, error = %atelier_kit::fault::chain(&error), "a checkpoint was not written"
                    );
                }
            }
        }
    }
}
