//! The rounds of the purse: what an end costs is told until it is acknowledged, by whichever process is there.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::courier::gathered;
use crate::error::Error;
use crate::ports::{Purse, Settlement, Settlements};

const BATCH: u32 = 100;
/// How many the purse is told at the same time.
const AT_ONCE: usize = 16;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Nothing is left.
    Empty,
    /// The purse would not have some.
    Partly,
    /// The purse is away.
    Away,
    /// The record is.
    Unread,
}

pub(crate) async fn rounds(
    settlements: Arc<dyn Settlements>,
    purse: Arc<dyn Purse>,
    owed: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut wait = SHORTEST;
    loop {
        let came_to = match round(settlements.as_ref(), purse.as_ref()).await {
            Ok(came_to) => came_to,
            Err(_) if stop.is_cancelled() => return,
            Err(error) => {
                tracing::warn!(error = %atelier_kit::fault::chain(&error), "settlements wait");
                Round::Unread
            }
        };
        match came_to {
            Round::Empty => {
                wait = SHORTEST;
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = gathered(&owed) => {}
                    // Another process may have died with something to settle.
                    () = tokio::time::sleep(LONGEST) => {}
                }
            }
            Round::Partly | Round::Away | Round::Unread => {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                }
                // One that the purse will not have must not keep the others waiting for long, and whether the record is back
                // is found out by one question.
                let longest = match came_to {
                    Round::Away => LONGEST,
                    _ => SHORTEST * 4,
                };
                wait = (wait * 2).min(longest);
            }
        }
    }
}

/// Tells the purse all that waits, page by page.
async fn round(settlements: &dyn Settlements, purse: &dyn Purse) -> Result<Round, Error> {
    let mut after = String::new();
    let mut came_to = Round::Empty;
    loop {
        let page = settlements.unsettled(&after, BATCH).await?;
        let Some(last) = page.last() else {
            return Ok(came_to);
        };
        after.clone_from(&last.id);
        let size = page.len();
        let told: Vec<Option<String>> = stream::iter(page)
            .map(|settlement| tell(purse, settlement))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let ids: Vec<String> = told.into_iter().flatten().collect();
        if ids.is_empty() {
            return Ok(Round::Away);
        }
        settlements.settled(&ids).await?;
        if ids.len() < size {
            came_to = Round::Partly;
        }
    }
}

/// Returns the id when the purse has it.
async fn tell(purse: &dyn Purse, settlement: Settlement) -> Option<String> {
    let Settlement { id, charge } = settlement;
    let told = match &charge {
        Some(usage) => purse.settle(&id, usage).await,
        None => purse.release(&id).await,
    };
    match told {
        Ok(()) => Some(id),
        Err(error) => {
            tracing::warn!(generation = %id, error = %atelier_kit::fault::chain(&error), "not settled yet");
            None
        }
    }
}
