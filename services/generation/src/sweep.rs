//! The watch over dead owners: a generation whose heartbeat stands still for one lease is claimed and ended.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;
use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use crate::emitter::Emitter;
use crate::engine::Generations;
use crate::error::Error;
use crate::owner::{conclude, interrupted, words};
use crate::ports::Lease;

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
    let known: HashSet<&str> = open.iter().map(|(lease, _)| lease.id.as_str()).collect();
    seen.retain(|id, _| known.contains(id.as_str()));
    for (lease, heartbeat) in open {
        if engine.is_running(&lease.id) {
            seen.remove(&lease.id);
            continue;
        }
        let now = Seen {
            epoch: lease.epoch,
            heartbeat,
            since: Instant::now(),
        };
        let entry = seen.entry(lease.id.clone()).or_insert(now);
        if entry.epoch != lease.epoch || entry.heartbeat != heartbeat {
            *entry = Seen {
                epoch: lease.epoch,
                heartbeat,
                since: Instant::now(),
            };
        } else if entry.since.elapsed() >= limit {
            seen.remove(&lease.id);
            // One that cannot be ended, for whatever reason, must not keep the others from it.
            match AssertUnwindSafe(take_over(engine, &lease, heartbeat))
                .catch_unwind()
                .await
            {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(
                    generation = %lease.id, error = %atelier_kit::fault::chain(&error), "a takeover failed"
                ),
                Err(panic) => tracing::error!(
                    generation = %lease.id, panic = words(panic.as_ref()), "a takeover panicked"
                ),
            }
        }
    }
    Ok(())
}

/// Ends a dead owner's generation with what is known of it, and says so.
async fn take_over(engine: &Generations, dead: &Lease, heartbeat: i64) -> Result<(), Error> {
    let Some(record) = engine.record().claim(dead, heartbeat).await? else {
        return Ok(());
    };
    tracing::warn!(generation = %record.id, epoch = record.epoch, "took over from an owner that died");
    let lease = record.lease();
    let emitter = Emitter::new(
        lease.clone(),
        engine.journal().clone(),
        record.snapshot.clone(),
    );
    let opened = match engine.journal().open(&lease).await {
        Ok(()) => emitter.emit(Event::Snapshot(record.snapshot.clone())).await,
        refused => refused,
    };
    if let Err(error) = opened {
        // The record is the truth: it ends all the same, and watchers find that out.
        tracing::warn!(generation = %lease.id, error = %atelier_kit::fault::chain(&error), "not journalled");
    }
    let (failure, state) = if record.cancel_requested {
        (None, State::Cancelled)
    } else {
        (Some(interrupted()), State::Failed)
    };
    let concluded = conclude(engine, &record, &lease, &emitter, None, failure, state).await;
    if concluded.is_err() {
        engine.journal().abandon(&lease).await;
    }
    engine.tell_courier();
    concluded
}
