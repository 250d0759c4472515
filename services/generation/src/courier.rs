//! The courier's rounds: usage events leave the outbox when they are counted, and not before.

use std::sync::Arc;
use std::time::Duration;

use atelier_kit::fault::Kind;
use atelier_proto::analytics::v1::UsageEvent;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::ports::{Courier, Outbox};

const BATCH: u32 = 100;
const GATHERING: Duration = Duration::from_millis(50);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Whom a round had to break off for.
enum Away {
    /// The outbox: whether it is back is found out by one question.
    Outbox(String),
    /// Where events are counted.
    Courier(String),
}

pub(crate) async fn rounds(
    outbox: Arc<dyn Outbox>,
    courier: Arc<dyn Courier>,
    ended: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut wait = SHORTEST;
    loop {
        match round(outbox.as_ref(), courier.as_ref()).await {
            // There may be more of them.
            Ok(count) if count >= BATCH as usize => wait = SHORTEST,
            Ok(_) => {
                wait = SHORTEST;
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = gathered(&ended) => {}
                    // Another process may have died with events in the shared outbox.
                    () = tokio::time::sleep(LONGEST) => {}
                }
            }
            // At the end of the process the link is closed before this task is; the next start delivers.
            Err(_) if stop.is_cancelled() => return,
            Err(away) => {
                let (why, longest) = match away {
                    Away::Outbox(why) => (why, SHORTEST * 4),
                    Away::Courier(why) => (why, LONGEST),
                };
                tracing::warn!(error = %why, "usage events wait in the outbox");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                }
                wait = (wait * 2).min(longest);
            }
        }
    }
}

/// Returns a moment after something has ended. A round costs the same for one event as for a hundred, and nobody waits for it:
/// without the moment a busy service would be busy with rounds.
pub(crate) async fn gathered(ended: &Notify) {
    ended.notified().await;
    tokio::time::sleep(GATHERING).await;
}

/// Delivers one batch. Returns how many events it had.
async fn round(outbox: &dyn Outbox, courier: &dyn Courier) -> Result<usize, Away> {
    let told = |error: Error| Away::Outbox(atelier_kit::fault::chain(&error));
    let events = outbox.pending(BATCH).await.map_err(told)?;
    if events.is_empty() {
        return Ok(0);
    }
    let ids: Vec<String> = events.iter().map(|event| event.id.clone()).collect();
    match courier.deliver(events.clone()).await {
        Ok(()) => outbox.acknowledge(&ids).await.map_err(told)?,
        // One of them will never be counted, and it must not keep the others from it.
        Err(fault) if fault.kind() == Kind::Invalid => {
            for event in events {
                single(outbox, courier, event).await?;
            }
        }
        Err(fault) => return Err(Away::Courier(fault.to_string())),
    }
    Ok(ids.len())
}

async fn single(outbox: &dyn Outbox, courier: &dyn Courier, event: UsageEvent) -> Result<(), Away> {
    let ids = [event.id.clone()];
    match courier.deliver(vec![event.clone()]).await {
        Err(fault) if fault.kind() == Kind::Invalid => {
            tracing::error!(error = %fault, event = ?event, "a usage event is invalid and is not counted");
        }
        delivered => delivered.map_err(|fault| Away::Courier(fault.to_string()))?,
    }
    outbox
        .acknowledge(&ids)
        .await
        .map_err(|error| Away::Outbox(atelier_kit::fault::chain(&error)))
}
