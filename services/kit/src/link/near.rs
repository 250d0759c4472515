//! A line's further connections: each core has one of its own to the same replica, made when the first call comes from there,
//! so that a call and its answer need no other thread. Whether the replica is used at all is told by the line's first.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::client::conn::http2::SendRequest;
use tokio::time::Instant;

use super::kept::Reading;
use super::line;
use super::replicas::Target;
use super::standing::CONNECT;
use crate::cores;

/// The connections of the cores, in no order.
#[derive(Debug, Default)]
pub(super) struct Near(Mutex<Vec<(cores::Id, Way)>>);

/// How a core gets to the replica.
#[derive(Debug)]
enum Way {
    /// Over the line's first connection, until then.
    Detour(Instant),
    /// Over its own.
    Own(SendRequest<Reading>),
}

impl Near {
    /// The connection of the core that this is called on. There is none elsewhere, and none before one is made: that begins
    /// here.
    pub(super) fn sender(
        self: &Arc<Self>,
        target: &Arc<Target>,
        address: SocketAddr,
    ) -> Option<SendRequest<Reading>> {
        let core = cores::here()?;
        let mut ways = self.ways();
        let at = ways.iter().position(|(of, _)| *of == core);
        match at.and_then(|at| ways.get(at)) {
            Some((_, Way::Own(sender))) if !sender.is_closed() => return Some(sender.clone()),
            Some((_, Way::Detour(until))) if *until > Instant::now() => return None,
            _ => {}
        }
        put(&mut ways, core, Way::Detour(Instant::now() + CONNECT));
        drop(ways);
        let (target, near) = (target.clone(), Arc::downgrade(self));
        tokio::spawn(async move {
            let opened = async {
                let (mut sender, _) = line::connect(&target, address).await?;
                line::prove(&target, &mut sender).await?;
                Ok::<_, line::Broken>(sender)
            };
            match tokio::time::timeout(CONNECT, opened).await {
                Ok(Ok(sender)) => {
                    if let Some(near) = near.upgrade() {
                        put(&mut near.ways(), core, Way::Own(sender));
                    }
                }
                // It is tried again when the time of the detour is over.
                Ok(Err(error)) => {
                    let error = crate::fault::chain(error.as_ref());
                    tracing::debug!(%address, error, "a core's own connection cannot be made");
                }
                Err(_) => {
                    tracing::debug!(%address, "a core's own connection took too long to make")
                }
            }
        });
        None
    }

    /// The connection of this core takes no more calls.
    pub(super) fn forget(&self) {
        if let Some(core) = cores::here() {
            self.ways().retain(|(of, _)| *of != core);
        }
    }

    fn ways(&self) -> MutexGuard<'_, Vec<(cores::Id, Way)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(ways: &mut Vec<(cores::Id, Way)>, core: cores::Id, way: Way) {
    match ways.iter_mut().find(|(of, _)| *of == core) {
        Some((_, before)) => *before = way,
        None => ways.push((core, way)),
    }
}
