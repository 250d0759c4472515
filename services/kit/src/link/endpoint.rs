//! One replica: its connection is kept, its health asked, and whoever is concerned hears how it is; who gets a call is
//! decided in `balancer`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use super::kept::Reading;
use super::line::{Broken, Closed, Counted, Failed, Line};
use super::load::Load;
use super::replicas::{Plan, Target};
use super::standing::{ASK_PATIENCE, BREATH, CONNECT, Health, Standing, State, about};

/// How often a replica is asked how it is.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What everybody who follows the replicas of a role hears.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Something about some replica changed.
    pub(super) changed: Notify,
    /// The names should be looked up again soon.
    pub(super) look: Notify,
    /// How many replicas there are,
    all: AtomicUsize,
    /// and how many of them are left out.
    left_out: AtomicUsize,
}

impl News {
    /// So many replicas are there now.
    pub(super) fn are(&self, count: usize) {
        self.all.store(count, Ordering::Relaxed);
    }

    /// One more is left out, if that leaves out no more than half of them.
    fn leave_out(&self) -> bool {
        let most = self.all.load(Ordering::Relaxed) / 2;
        let one_more = |count| (count < most).then_some(count + 1);
        self.left_out
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }

    /// One that was left out is no longer.
    fn let_in(&self) {
        self.left_out.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One replica of a role.
pub(super) struct Endpoint {
    role: Arc<str>,
    target: Arc<Target>,
    address: SocketAddr,
    /// The service that is asked for its health; without one it is well while it is connected.
    service: Option<Arc<str>>,
    load: Arc<Load>,
    news: Arc<News>,
    known: Mutex<Known>,
    /// The rank of its state, to be read without the lock.
    rank: AtomicU8,
    /// Whether calls failed since one went well, to be read without the lock.
    struck: AtomicBool,
    /// Wakes whoever keeps it.
    hurry: Notify,
}

/// How it stands, and as what it was counted last.
struct Known {
    standing: Standing,
    told: State,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({} at {})", self.role, self.address)
    }
}

impl Endpoint {
    pub(super) fn new(
        target: &Arc<Target>,
        address: SocketAddr,
        plan: &Plan,
        news: &Arc<News>,
    ) -> Self {
        gauge(&plan.role, State::New).increment(1.0);
        Self {
            role: plan.role.clone(),
            target: target.clone(),
            address,
            service: plan.service.clone(),
            load: Arc::default(),
            news: news.clone(),
            known: Mutex::new(Known {
                standing: Standing::new(plan.ejection),
                told: State::New,
            }),
            rank: AtomicU8::new(State::New.rank()),
            struck: AtomicBool::new(false),
            hurry: Notify::new(),
        }
    }

    /// What it is good for: calls go to those with the highest rank, and to none with rank 0.
    pub(super) fn rank(&self) -> u8 {
        self.rank.load(Ordering::Relaxed)
    }

    /// Whether it is still to be found out how it is.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(self.locked().told, State::New | State::Connected)
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How busy it is.
    pub(super) fn load(&self) -> &Load {
        &self.load
    }

    /// Its connection, if there is one.
    pub(super) fn line(&self) -> Option<Line> {
        let line = self.locked().standing.line()?.clone();
        if line.is_closed() {
            self.lose(&line);
            return None;
        }
        Some(line)
    }

    /// Until when it is worth to wait for it, for a call that began then; asks for a connection if none is being made.
    pub(super) fn hope(&self, begun: Instant) -> Option<Instant> {
        let known = self.locked();
        let hope = known.standing.hope(begun, Instant::now())?;
        if known.standing.is_resting() {
            self.hurry.notify_one();
        }
        Some(hope)
    }

    /// Sends a request on a connection of this replica.
    pub(super) async fn send(
        &self,
        line: &mut Line,
        request: Request<Reading>,
    ) -> Result<Response<Body>, Failed> {
        let mut under_way = self.load.begin(Instant::now());
        match line.send(request).await {
            Ok(response) => {
                let now = Instant::now();
                if is_failure(&response) {
                    under_way.failed();
                    self.strike(line);
                } else {
                    under_way.answered(now);
                    if self.struck.load(Ordering::Relaxed) {
                        self.struck.store(false, Ordering::Relaxed);
                        self.change(|standing| standing.answered(now));
                    }
                }
                Ok(response.map(|body| Body::new(Counted::new(body, under_way))))
            }
            Err(failed) => {
                under_way.failed();
                match failed {
                    Failed::Unsent => self.lose(line),
                    Failed::Refused(_) if line.is_closed() => self.lose(line),
                    Failed::Refused(_) => {}
                    Failed::Lost(_) => self.strike(line),
                }
                Err(failed)
            }
        }
    }

    /// Keeps a connection, until this is dropped.
    pub(super) async fn keep(self: Arc<Self>) {
        loop {
            self.change(|standing| standing.connecting(Instant::now()));
            match tokio::time::timeout(CONNECT, Line::open(&self.target, self.address)).await {
                Ok(Ok((line, closed))) => self.stay(line, closed).await,
                Ok(Err(error)) => self.missed(&error),
                Err(_) => self.missed(&Broken::from("it took too long to connect")),
            }
            self.rest().await;
        }
    }

    /// It is no longer one of the replicas: calls under way go on, and no more are sent.
    pub(super) fn leave(&self) {
        self.change(Standing::leave);
        tracing::info!(role = %self.role, address = %self.address, "a replica is gone");
    }

    /// A connection from its beginning to its end.
    async fn stay(&self, mut line: Line, mut closed: Closed) {
        let is_asked = self.service.is_some();
        self.change(|standing| standing.connected(line.clone(), is_asked, Instant::now()));
        let mut next_question = Instant::now();
        loop {
            let pardon = self.locked().standing.ejected_until();
            tokio::select! {
                _ = &mut closed => break,
                () = self.hurry.notified() => if line.is_closed() { break },
                () = tokio::time::sleep_until(next_question), if is_asked => {
                    self.ask(&mut line).await;
                    if line.is_closed() {
                        break;
                    }
                    next_question = Instant::now() + about(ASK_EVERY);
                }
                () = until(pardon), if pardon.is_some() => {
                    self.change(Standing::pardoned);
                    self.news.let_in();
                }
            }
        }
        self.change(|standing| standing.lost(&line, Instant::now()));
    }

    /// Asks it how it is.
    async fn ask(&self, line: &mut Line) {
        let Some(service) = &self.service else {
            return;
        };
        let mut question = tonic::Request::new(HealthCheckRequest {
            service: service.to_string(),
        });
        question.set_timeout(ASK_PATIENCE);
        let mut client = HealthClient::new(line.clone());
        let asked = tokio::time::timeout(ASK_PATIENCE, client.check(question));
        let health = match asked.await {
            Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving => Health::Good,
            Ok(Ok(_)) => Health::Bad,
            // Whoever has no such service has nothing to say against being called.
            Ok(Err(status)) if status.code() == Code::Unimplemented => Health::Good,
            Ok(Err(status)) if status.code() == Code::NotFound => Health::Bad,
            Ok(Err(_)) | Err(_) => Health::Silent,
        };
        self.change(|standing| standing.heard(health));
    }

    /// A connection that could not be made.
    fn missed(&self, error: &Broken) {
        if self.change(Standing::missed) {
            let error = crate::fault::chain(error.as_ref());
            tracing::info!(role = %self.role, address = %self.address, error, "a replica cannot be reached");
        }
    }

    /// A connection that takes no more calls, as a call found out.
    fn lose(&self, line: &Line) {
        self.change(|standing| standing.lost(line, Instant::now()));
        self.hurry.notify_one();
    }

    /// A call broke on a connection that was taken to be good.
    fn strike(&self, line: &Line) {
        if line.is_closed() {
            self.lose(line);
        }
        self.struck.store(true, Ordering::Relaxed);
        // Whether it may be left out is asked only when it is to be.
        let may_go = || self.news.leave_out();
        if self.change(|standing| standing.struck(Instant::now(), may_go)) {
            metrics::counter!("atelier_link_ejections_total", "role" => self.role.to_string())
                .increment(1);
            // Whoever keeps it learns when to let it in again.
            self.hurry.notify_one();
        }
    }

    /// The pause before the next attempt; a call that waits for one cuts it short.
    async fn rest(&self) {
        let begun = Instant::now();
        let pause = self.locked().standing.pause();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.hurry.notified() => tokio::time::sleep_until(begun + BREATH).await,
        }
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes how it stands, and tells whom it concerns.
    fn change<T>(&self, how: impl FnOnce(&mut Standing) -> T) -> T {
        let (changed, before, after) = {
            let mut known = self.locked();
            let changed = how(&mut known.standing);
            if known.standing.is_gone() {
                // It stays counted as it was until it is dropped.
                self.rank.store(0, Ordering::Relaxed);
                return changed;
            }
            let after = known.standing.state();
            self.rank.store(after.rank(), Ordering::Relaxed);
            (changed, std::mem::replace(&mut known.told, after), after)
        };
        if before != after {
            gauge(&self.role, before).decrement(1.0);
            gauge(&self.role, after).increment(1.0);
            self.log(before, after);
            if after == State::Away {
                // Where replicas are replaced, their names change.
                self.news.look.notify_one();
            }
        }
        self.news.changed.notify_waiters();
        changed
    }

    fn log(&self, before: State, after: State) {
        let (role, address) = (&self.role, self.address);
        match after {
            // It has just been told why it cannot be reached.
            State::Away if before == State::New => {}
            State::Away => tracing::info!(%role, %address, "a replica is away"),
            State::Ejected => {
                tracing::warn!(%role, %address, "a replica fails, and is left out for a while");
            }
            State::NotServing => tracing::info!(%role, %address, "a replica takes no calls"),
            State::Serving => tracing::info!(%role, %address, "a replica is there"),
            State::New | State::Connected => {}
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let known = self.locked();
        gauge(&self.role, known.told).decrement(1.0);
        if known.standing.ejected_until().is_some() {
            self.news.let_in();
        }
    }
}

/// Whether an answer is as good as none: it is UNAVAILABLE before it began, or of a proxy that reaches nobody.
///
/// A service that says when to come again is well itself, and lacks what all replicas lack alike, as their database: would that
/// count, half of them would still be left out for half a minute when it is back. If one lacks it alone, its health says so.
fn is_failure<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let Some(status) = headers.get("grpc-status") else {
        return matches!(response.status().as_u16(), 502..=504);
    };
    let says_when = || {
        let status = Status::from_header_map(headers);
        status.is_some_and(|status| status.get_details_retry_info().is_some())
    };
    status == "14" && !says_when()
}

fn gauge(role: &str, state: State) -> metrics::Gauge {
    metrics::gauge!("atelier_link_endpoints", "role" => role.to_owned(), "state" => state.name())
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
