//! One endpoint of a provider: its breaker, how busy it is, and what is counted of its calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;
use tokio::time::Instant;
use url::Url;

use super::breaker::{Breaker, Standing};
use super::caller::CallerError;
use super::choice::Candidate;
use super::load::Load;
use super::secrets::basic;

/// How a call went, as far as the endpoint is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// An answer began.
    Answered,
    /// Its own fault: no connection, no answer, or one that says so.
    Failed,
    /// It does not take the key, which is no fault of its own.
    Key,
    /// It calls the key exhausted, which is none either.
    Exhausted,
    /// It refused what was asked, as it may.
    Refused,
}

/// What is counted and measured of an endpoint.
struct Meters {
    answered: metrics::Counter,
    failed: metrics::Counter,
    key: metrics::Counter,
    refused: metrics::Counter,
    retries: metrics::Counter,
    first_byte: metrics::Histogram,
    in_flight: metrics::Gauge,
    breaker: metrics::Gauge,
}

impl Meters {
    fn new(provider: &Arc<str>, endpoint: &Arc<str>) -> Self {
        let labels = || {
            [
                ("provider", provider.clone()),
                ("endpoint", endpoint.clone()),
            ]
        };
        let calls = |outcome: &'static str| {
            metrics::counter!(
                "atelier_upstream_calls_total",
                "provider" => provider.clone(), "endpoint" => endpoint.clone(), "outcome" => outcome
            )
        };
        Self {
            answered: calls("answered"),
            failed: calls("failed"),
            key: calls("key"),
            refused: calls("refused"),
            retries: metrics::counter!("atelier_upstream_retries_total", &labels()),
            first_byte: metrics::histogram!("atelier_upstream_first_byte_seconds", &labels()),
            in_flight: metrics::gauge!("atelier_upstream_in_flight", &labels()),
            breaker: metrics::gauge!("atelier_upstream_breaker_state", &labels()),
        }
    }
}

struct State {
    breaker: Breaker,
    load: Load,
    calls: u64,
    failures: u64,
    retries: u64,
}

/// What those who run the mesh may read of an endpoint.
pub(super) struct Sight {
    pub(super) standing: Standing,
    pub(super) in_flight: u32,
    pub(super) latency: Option<std::time::Duration>,
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) retries: u64,
}

/// One endpoint of a provider.
pub(super) struct Endpoint {
    provider: Arc<str>,
    /// Scheme, host and port: what may be told of it.
    pub(super) told: Arc<str>,
    /// Its base, without a name and a password.
    pub(super) url: Url,
    /// These, where it has them.
    pub(super) basic: Option<HeaderValue>,
    state: Mutex<State>,
    meters: Meters,
}

impl Endpoint {
    pub(super) fn new(provider: &Arc<str>, mut url: Url) -> Result<Self, CallerError> {
        let told: Arc<str> = url.origin().ascii_serialization().into();
        let header = basic(&url).map(|pair| HeaderValue::from_str(&pair.header()));
        let mut header = header
            .transpose()
            .map_err(|_| CallerError::Password(told.to_string()))?;
        if let Some(header) = &mut header {
            header.set_sensitive(true);
        }
        // These fail only where a URL cannot have them, and then it has none.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let now = Instant::now();
        let state = State {
            breaker: Breaker::new(now),
            load: Load::new(now),
            calls: 0,
            failures: 0,
            retries: 0,
        };
        Ok(Self {
            provider: provider.clone(),
            meters: Meters::new(provider, &told),
            told,
            url,
            basic: header,
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn candidate(&self, was_tried: bool, now: Instant) -> Candidate {
        let state = self.state();
        Candidate {
            standing: state.breaker.standing(now),
            cost: state.load.cost(now),
            was_tried,
        }
    }

    pub(super) fn sight(&self, now: Instant) -> Sight {
        let state = self.state();
        Sight {
            standing: state.breaker.standing(now),
            in_flight: state.load.in_flight,
            latency: state.load.latency(),
            calls: state.calls,
            failures: state.failures,
            retries: state.retries,
        }
    }

    /// A call goes here, if it may.
    pub(super) fn enter(self: &Arc<Self>, now: Instant) -> Option<Visit> {
        let tries = self.change(now, |breaker| breaker.enter(now))?;
        Some(self.visit(tries, now))
    }

    /// A call goes here, because it can go nowhere else.
    pub(super) fn enter_anyway(self: &Arc<Self>, now: Instant) -> Visit {
        self.visit(false, now)
    }

    fn visit(self: &Arc<Self>, tries: bool, now: Instant) -> Visit {
        let mut state = self.state();
        state.calls += 1;
        state.load.in_flight += 1;
        self.meters.in_flight.set(state.load.in_flight);
        drop(state);
        Visit {
            endpoint: self.clone(),
            began: now,
            tries,
        }
    }

    /// A call that came here is made again, here or elsewhere.
    pub(super) fn is_repeated(&self) {
        self.state().retries += 1;
        self.meters.retries.increment(1);
    }

    /// Something befalls the breaker: where it stands then is told once.
    fn change<T>(&self, now: Instant, happen: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut state = self.state();
        let before = state.breaker.standing(now);
        let happened = happen(&mut state.breaker);
        let after = state.breaker.standing(now);
        drop(state);
        if std::mem::discriminant(&before) != std::mem::discriminant(&after) {
            let (provider, endpoint) = (&*self.provider, &*self.told);
            if let Standing::Open(until) = after {
                let seconds = (until - now).as_secs();
                tracing::warn!(
                    provider,
                    endpoint,
                    seconds,
                    "an endpoint fails and is left alone"
                );
            } else if after == Standing::Closed {
                tracing::info!(provider, endpoint, "an endpoint is well again");
            }
        }
        self.meters.breaker.set(match after {
            Standing::Closed => 0,
            Standing::HalfOpen { .. } => 1,
            Standing::Open(_) => 2,
        });
        happened
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // Nobody is left who could close it.
        self.meters.breaker.set(0);
    }
}

/// A call that is under way at an endpoint, until it is dropped.
pub(super) struct Visit {
    pub(super) endpoint: Arc<Endpoint>,
    began: Instant,
    /// Whether it is the one that tries whether the endpoint is well, and has not said so yet.
    tries: bool,
}

impl Visit {
    /// The head of an answer came, or none will. One that was answered may be judged again when its body breaks off.
    pub(super) fn ends(&mut self, outcome: Outcome) {
        let now = Instant::now();
        let meters = &self.endpoint.meters;
        match outcome {
            Outcome::Answered => meters.answered.increment(1),
            Outcome::Failed => meters.failed.increment(1),
            Outcome::Key | Outcome::Exhausted => meters.key.increment(1),
            Outcome::Refused => meters.refused.increment(1),
        }
        let mut state = self.endpoint.state();
        let failed = matches!(outcome, Outcome::Failed | Outcome::Exhausted);
        state.failures += u64::from(failed);
        if outcome == Outcome::Answered {
            let took = now - self.began;
            state.load.measure(took, now);
            meters.first_byte.record(took.as_secs_f64());
        }
        drop(state);
        let tries = self.tries;
        self.endpoint.change(now, |breaker| match outcome {
            // Nothing is known of the endpoint.
            Outcome::Key | Outcome::Exhausted => breaker.left(tries),
            Outcome::Failed => breaker.failed(tries, now),
            Outcome::Answered | Outcome::Refused => breaker.succeeded(tries, now),
        });
        self.tries = false;
    }

    /// The body broke off, or fell silent.
    pub(super) fn breaks_off(&mut self) {
        let now = Instant::now();
        self.endpoint.state().failures += 1;
        self.endpoint.meters.failed.increment(1);
        self.endpoint
            .change(now, |breaker| breaker.failed(false, now));
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut state = self.endpoint.state();
        state.load.in_flight -= 1;
        self.endpoint.meters.in_flight.set(state.load.in_flight);
        state.breaker.left(self.tries);
    }
}
