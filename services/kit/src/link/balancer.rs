//! Who gets a call: of two replicas that chance picks among the healthy ones, the less busy.
//!
//! tower's `Balance` is not used: while nobody is ready it lets calls wait without an end, where ours are refused at once;
//! it drops an endpoint for good whose readiness failed once; and it needs a buffer and a task before it, since it cannot
//! be shared.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Request, Response};
use tokio::sync::futures::Notified;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;

use super::endpoint::{Endpoint, News};
use super::kept::Kept;
use super::line::{Failed, Line};
use super::replicas::Plan;
use super::standing::CONNECT;
use super::{discovery, from_transport, timeout_header, unreachable};
use crate::call::GRPC_TIMEOUT;
use crate::fault::Fault;

/// How often one call may find that a connection has just been closed.
const MOST_ATTEMPTS: u32 = 8;
/// How long to wait, for each attempt before, where one replica has refused a call twice.
const REFUSED_AGAIN: Duration = Duration::from_millis(5);

/// Which replicas a call has been sent to before: each of its attempts goes to another one, as long as there is another.
#[derive(Debug, Default)]
pub struct Tried(Option<SocketAddr>, Vec<SocketAddr>);

impl Tried {
    fn contains(&self, address: SocketAddr) -> bool {
        self.0 == Some(address) || self.1.contains(&address)
    }

    /// Most calls are sent once.
    fn add(&mut self, address: SocketAddr) {
        match self.0 {
            None => self.0 = Some(address),
            Some(_) => self.1.push(address),
        }
    }
}

/// The replicas of a role as they are known now.
#[derive(Debug)]
pub(super) struct Field {
    endpoints: RwLock<Arc<[Arc<Endpoint>]>>,
    /// When the search began, until it has been all around once.
    searching: RwLock<Option<Instant>>,
    news: Arc<News>,
}

impl Field {
    fn new() -> Self {
        Self {
            endpoints: RwLock::new(Arc::from([])),
            searching: RwLock::new(None),
            news: Arc::default(),
        }
    }

    /// What everybody who waits hears.
    pub(super) fn news(&self) -> &Arc<News> {
        &self.news
    }

    /// These are the replicas now.
    pub(super) fn set(&self, endpoints: Arc<[Arc<Endpoint>]>) {
        self.news.are(endpoints.len());
        *self
            .endpoints
            .write()
            .unwrap_or_else(PoisonError::into_inner) = endpoints;
        self.news.changed.notify_waiters();
    }

    /// Everybody was looked for once.
    pub(super) fn looked(&self) {
        *self
            .searching
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
        self.news.changed.notify_waiters();
    }

    fn endpoints(&self) -> Arc<[Arc<Endpoint>]> {
        self.endpoints
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A replica to call, with its connection; one that has not been tried, if there is such a one.
    fn choose(&self, tried: &Tried) -> Option<(Arc<Endpoint>, Line)> {
        let endpoints = self.endpoints();
        // Each that turns out to have lost its connection has no rank any more.
        for _ in 0..=endpoints.len() {
            let endpoint = choice(&endpoints, tried)?;
            if let Some(line) = endpoint.line() {
                return Some((endpoint.clone(), line));
            }
        }
        None
    }

    /// Until when it is worth to wait for a connection, for a call that began then.
    fn hope(&self, begun: Instant) -> Option<Instant> {
        let searching = *self
            .searching
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let search = searching.map(|since| since + CONNECT);
        let search = search.filter(|until| *until > Instant::now());
        if search.is_none() {
            self.news.look.notify_one();
        }
        let endpoints = self.endpoints();
        let hopes = endpoints.iter().filter_map(|endpoint| endpoint.hope(begun));
        hopes.chain(search).max()
    }
}

/// Of two that chance picks among those of the highest rank, the less busy; those that have been tried only when there is
/// no other of this rank.
fn choice<'a>(endpoints: &'a [Arc<Endpoint>], tried: &Tried) -> Option<&'a Arc<Endpoint>> {
    let best = endpoints.iter().map(|endpoint| endpoint.rank()).max()?;
    if best == 0 {
        return None;
    }
    let is_best = |endpoint: &Arc<Endpoint>| endpoint.rank() == best;
    let is_new = |endpoint: &Arc<Endpoint>| !tried.contains(endpoint.address());
    let has_new = endpoints.iter().any(|e| is_best(e) && is_new(e));
    let candidates = || {
        let best = endpoints.iter().filter(|endpoint| is_best(endpoint));
        best.filter(|endpoint| !has_new || is_new(endpoint))
    };
    let count = candidates().count();
    if count < 2 {
        return candidates().next();
    }
    let one = fastrand::usize(..count);
    let other = (one + fastrand::usize(1..count)) % count;
    // Ranks may change meanwhile; then there are fewer to choose from.
    match (candidates().nth(one), candidates().nth(other)) {
        (Some(one), Some(other)) if other.load().is_below(one.load(), Instant::now()) => {
            Some(other)
        }
        (Some(one), _) => Some(one),
        (None, other) => other.or_else(|| candidates().next()),
    }
}

/// A balanced link to the replicas of a role. Nothing is looked up or connected before the first call.
#[derive(Debug)]
pub(super) struct Balancer {
    plan: Plan,
    field: Arc<Field>,
    search: OnceLock<AbortOnDropHandle<()>>,
}

impl Balancer {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            field: Arc::new(Field::new()),
            search: OnceLock::new(),
        }
    }

    fn begin(&self) {
        self.search.get_or_init(|| {
            *self
                .field
                .searching
                .write()
                .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            let search = discovery::follow(self.plan.clone(), self.field.clone());
            AbortOnDropHandle::new(tokio::spawn(search))
        });
    }

    /// Calls a replica. What could not be sent at all, or came back unseen, is sent to another; what may have been received
    /// is not repeated.
    pub(super) async fn call(
        &self,
        dressed: impl Fn() -> Result<Parts, Fault>,
        body: &Kept,
        tried: &mut Tried,
        deadline: Option<Instant>,
    ) -> Result<Response<Body>, Status> {
        self.begin();
        let begun = Instant::now();
        for attempt in 0..MOST_ATTEMPTS {
            let chosen = self.field.choose(tried);
            let has_waited = chosen.is_none();
            let (endpoint, mut line) = match chosen {
                Some(chosen) => chosen,
                None => self.wait(begun, deadline, tried).await?,
            };
            let Some(body) = body.again() else {
                return Err(unreachable());
            };
            let mut head = dressed()?;
            if has_waited {
                // The time that it has now is what is left of it.
                dress_again(&mut head, deadline);
            }
            if attempt > 0 {
                metrics::counter!("atelier_link_moved_total", "role" => self.plan.role.to_string())
                    .increment(1);
            }
            match endpoint
                .send(&mut line, Request::from_parts(head, body))
                .await
            {
                Ok(response) => {
                    tried.add(endpoint.address());
                    return Ok(response);
                }
                Err(Failed::Unsent) => {}
                Err(Failed::Refused(_)) => {
                    if tried.contains(endpoint.address()) {
                        // Nobody else was there to be asked; somebody may be about to.
                        tokio::time::sleep(REFUSED_AGAIN * attempt).await;
                    }
                    tried.add(endpoint.address());
                }
                Err(Failed::Lost(error)) => {
                    tried.add(endpoint.address());
                    return Err(from_transport(&error));
                }
            }
        }
        Err(unreachable())
    }

    /// Waits until a replica is connected, for as long as there is hope.
    async fn wait(
        &self,
        begun: Instant,
        deadline: Option<Instant>,
        tried: &Tried,
    ) -> Result<(Arc<Endpoint>, Line), Status> {
        loop {
            let changed = self.field.news.changed.notified();
            tokio::pin!(changed);
            // From here on nothing is missed, so now look again.
            Notified::enable(changed.as_mut());
            if let Some(chosen) = self.field.choose(tried) {
                return Ok(chosen);
            }
            let hope = self.field.hope(begun).ok_or_else(unreachable)?;
            let until = deadline.map_or(hope, |deadline| deadline.min(hope));
            let _ = tokio::time::timeout_at(until, changed).await;
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(Fault::deadline_exceeded().into());
            }
        }
    }
}

fn dress_again(parts: &mut Parts, deadline: Option<Instant>) {
    let Some(deadline) = deadline else {
        return;
    };
    let remaining = deadline.saturating_duration_since(Instant::now());
    if let Ok(value) = HeaderValue::from_str(&timeout_header(remaining)) {
        parts.headers.insert(GRPC_TIMEOUT, value);
    }
}
