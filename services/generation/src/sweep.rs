//! The watch over dead owners: a generation whose heartbeat stands still for one lease is claimed, and run where nothing of
//! it was sent, else ended. One that its owner gave back is claimed at once. Time in which the record was away does not count.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use atelier_proto::generation::v1::generation_event::Event;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::emitter::Emitter;
use crate::end::{Outcome, conclude, interrupted};
use crate::engine::Generations;
use crate::error::Error;
use crate::owner::words;
use crate::ports::GenerationRecord;

/// So many are claimed in one transaction.
const BATCH: usize = 100;
/// So many are ended at the same time.
const ENDS: usize = 16;

/// What was seen of another's generation, and since when on this process's own clock: clocks between hosts are not
/// trusted.
struct Seen {
    epoch: i64,
    heartbeat: i64,
    since: Instant,
}

pub(crate) async fn watch(engine: Generations, lease: Duration, stop: CancellationToken) {
    let mut seen: HashMap<String, Seen> = HashMap::new();
    let mut ticks = tokio::time::interval((lease / 4).max(Duration::from_millis(10)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        engine.journal().sweep().await;
        if let Err(error) = round(&engine, &mut seen, lease).await {
            // A heart cannot be seen to beat in a record that is away: its owner has a whole lease after that to show that it
            // lives.
            seen.clear();
            tracing::warn!(error = %atelier_kit::fault::chain(&error), "the watch over generations failed");
        }
    }
}

async fn round(
    engine: &Generations,
    seen: &mut HashMap<String, Seen>,
    limit: Duration,
) -> Result<(), Error> {
    let open = engine.record().open().await?;
    let known: HashSet<&str> = open.iter().map(|open| open.lease.id.as_str()).collect();
    seen.retain(|id, _| known.contains(id.as_str()));
    let mut due = Vec::new();
    for open in open {
        let id = &open.lease.id;
        if engine.is_running(id) {
            seen.remove(id);
            continue;
        }
        let now = Seen {
            epoch: open.lease.epoch,
            heartbeat: open.heartbeat,
            since: Instant::now(),
        };
        let entry = seen.entry(id.clone()).or_insert(now);
        if entry.epoch != open.lease.epoch || entry.heartbeat != open.heartbeat {
            *entry = Seen {
                epoch: open.lease.epoch,
                heartbeat: open.heartbeat,
                since: Instant::now(),
            };
        }
        if open.released || entry.since.elapsed() >= limit {
            due.push(open);
        }
    }
    for due in due.chunks(BATCH) {
        if engine.is_stopping() {
            // What would be run is left to those who stay.
            return Ok(());
        }
        let claimed = engine.record().claim(due).await?;
        for record in &claimed {
            seen.remove(&record.id);
        }
        // What is run is begun first: nobody's end keeps it waiting.
        let (runs, ends): (Vec<_>, Vec<_>) = claimed.into_iter().partition(is_run_again);
        for record in runs {
            guarded(engine, record).await;
        }
        stream::iter(ends)
            .for_each_concurrent(ENDS, |record| guarded(engine, record))
            .await;
    }
    Ok(())
}

/// Whether nothing of it was sent, and nobody wants it ended.
fn is_run_again(record: &GenerationRecord) -> bool {
    !record.may_be_sent() && !record.cancel_requested
}

/// One that cannot be run or ended, for whatever reason, must not keep the others from it.
async fn guarded(engine: &Generations, record: GenerationRecord) {
    let id = record.id.clone();
    match AssertUnwindSafe(take_over(engine, record))
        .catch_unwind()
        .await
    {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(
            generation = %id, error = %atelier_kit::fault::chain(&error), "a takeover failed"
        ),
        Err(panic) => tracing::error!(
            generation = %id, panic = words(panic.as_ref()), "a takeover panicked"
        ),
    }
}

/// Runs what its owner had not sent anywhere; ends the rest with what is known of it, and says so.
async fn take_over(engine: &Generations, record: GenerationRecord) -> Result<(), Error> {
    let again = is_run_again(&record);
    tracing::warn!(
        generation = %record.id, epoch = record.epoch, again, "took over from an owner that is gone"
    );
    if again {
        return engine.adopt(record).await;
    }
    let lease = record.lease();
    let emitter = Emitter::new(
        lease.clone(),
        engine.journal().clone(),
        record.snapshot.clone(),
        engine.lease(),
        engine.output(),
    );
    let opened = match engine.journal().open(&lease).await {
        Ok(()) => emitter.emit(Event::Snapshot(record.snapshot.clone())).await,
        refused => refused,
    };
    if let Err(error) = opened {
        // The record is the truth: it ends all the same, and watchers find that out.
        tracing::warn!(generation = %lease.id, error = %atelier_kit::fault::chain(&error), "not journalled");
    }
    let outcome = if record.cancel_requested {
        Outcome::Cancelled
    } else {
        Outcome::Failed(interrupted())
    };
    let concluded = conclude(engine, &record, &emitter, outcome).await;
    if !matches!(concluded, Ok(true)) {
        engine.journal().abandon(&lease).await;
    }
    engine.tell_couriers();
    concluded.map(drop)
}
