//! A line's further connections: each core has one of its own to the same replica, made when the first call comes from there,
//! so that a call and its answer need no other thread. Whether the replica is used at all is told by the line's first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::client::conn::http2::SendRequest;
use tokio::time::Instant;
use tonic::body::Body;

use super::line;
use super::replicas::Target;
use super::standing::CONNECT;
use crate::cores;
use std::net::SocketAddr;

/// The connections of the cores, in no order.
#[derive(Debug, Default)]
pub(super) struct Near(Mutex<Vec<(cores::Id, Way)>>);

/// How a core gets to the replica.
#[derive(Debug)]
enum Way {
    /// Over the line's first connection, until then.
    Detour(Instant),
    /// Over its own.
    Own(SendRequest<Body>),
}

impl Near {
    /// The connection of the core that this is called on. There is none elsewhere, and none before one is made: that begins
    /// here.
    pub(super) fn sender(
        self: &Arc<Self>,
        target: &Arc<Target>,
        address: SocketAddr,
    ) -> Option<SendRequest<Body>> {
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
            let opened = tokio::time::timeout(CONNECT, line::connect(&target, address)).await;
            // One that cannot be made is tried again when its time is over.
            if let (Ok(Ok((sender, _))), Some(near)) = (opened, near.upgrade()) {
                put(&mut near.ways(), core, Way::Own(sender));
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
