//! One for each provider: makes a call to it, and makes it again where that may help and can do no harm.

use std::sync::Arc;
use std::time::Duration;

use atelier_generation::ProviderError;
use atelier_kit::outbound;
use atelier_simulator::Simulator;
use bytes::Bytes;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use tower::retry::budget::{Budget as _, TpsBudget};
use url::Url;

use super::answer::Answer;
use super::breaker::Standing;
use super::choice::choose;
use super::endpoint::{Endpoint, Visit};
use super::keys::{KeyRing, Turn};
use super::retry::{Cause, PATIENCE, REPEATS, wait};
use super::secrets::Secrets;
use crate::registry::{ProviderSpec, Timeouts};

/// Which failures a call is made again after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// After every one that may pass: what is lost costs little.
    Freely,
    /// Not where the work may have been done and paid for, and only its answer was lost.
    Unbegun,
}

/// Why there is no caller.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// There is nowhere to call.
    #[error("the provider has no endpoint")]
    Nowhere,
    /// A key has bytes that no header takes; it is told by where it comes from.
    #[error("the key of {0} cannot be sent: it has a line break or another odd character")]
    Key(String),
    /// So have a name and a password.
    #[error("the name and the password of {0} cannot be sent")]
    Password(String),
    /// A simulator cannot be started.
    #[error("the simulator cannot be started")]
    Simulator(#[from] atelier_simulator::Error),
    /// There is no HTTP client.
    #[error("the client cannot be made")]
    Client(#[from] reqwest::Error),
}

/// Calls one provider. Clones are the same caller; what it started ends with the last of them.
#[derive(Clone)]
pub struct Caller(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) spec: ProviderSpec,
    pub(super) client: reqwest::Client,
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    pub(super) keys: KeyRing,
    pub(super) secrets: Secrets,
    /// A call that is made again costs what five that are made bring; ten a second are free (20 % + 10/s).
    budget: TpsBudget,
    /// They end with this.
    simulators: Vec<Simulator>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caller({})", self.0.spec.name)
    }
}

/// All endpoints are left alone.
#[derive(Debug, thiserror::Error)]
#[error("every endpoint fails and is left alone for a while")]
struct LeftAlone;

/// What is asked for.
pub(super) struct Ask {
    pub(super) what: What,
    pub(super) repeats: Repeats,
    pub(super) deadline: Instant,
}

pub(super) enum What {
    /// A document, for a path below the base of any endpoint.
    Post(String, Bytes),
    /// What an endpoint has at a URL; no key is sent.
    Get(usize, Url),
}

/// The URL may carry a password.
pub(super) fn unreachable(error: reqwest::Error) -> ProviderError {
    ProviderError::Unreachable(Box::new(error.without_url()))
}

impl Caller {
    /// A caller of this provider; a simulator is started for each of its endpoints that asks for one.
    pub async fn new(spec: &ProviderSpec) -> Result<Self, CallerError> {
        outbound::crypto();
        let client = reqwest::Client::builder()
            .connect_timeout(spec.timeouts.connect)
            // An API has no reason to send a key elsewhere, nor this process to an address within its own house.
            .redirect(reqwest::redirect::Policy::none())
            // A connection that was lost without a word must not take the next calls with it.
            .tcp_keepalive(Duration::from_secs(30))
            .http2_keep_alive_interval(Duration::from_secs(30))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .build()?;
        let name: Arc<str> = spec.name.as_str().into();
        let mut endpoints = Vec::new();
        let mut simulators = Vec::new();
        for url in &spec.endpoints {
            let mut url = url.clone();
            simulators.extend(Simulator::stand_in(&mut url).await?);
            endpoints.push(Arc::new(Endpoint::new(&name, url)?));
        }
        if endpoints.is_empty() {
            return Err(CallerError::Nowhere);
        }
        Ok(Self(Arc::new(Inner {
            client,
            endpoints,
            keys: KeyRing::new(&spec.name, &spec.keys)?,
            secrets: Secrets::new(spec.keys.iter().map(|key| &key.secret), &spec.endpoints),
            budget: TpsBudget::new(Duration::from_secs(10), 10, 0.2),
            simulators,
            spec: spec.clone(),
        })))
    }

    /// The provider's name.
    pub fn name(&self) -> &str {
        &self.0.spec.name
    }

    /// Whether it is a simulator that answers.
    pub fn is_simulated(&self) -> bool {
        !self.0.simulators.is_empty()
    }

    /// How long things may take.
    pub fn timeouts(&self) -> &Timeouts {
        &self.0.spec.timeouts
    }

    /// What must be hidden in whatever is told of the provider.
    pub fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// Posts a document to a path below an endpoint's base. What is answered has a status of success. Dropping this
    /// ends the call, at the other side too.
    pub async fn post(
        &self,
        path: &str,
        document: &(impl Serialize + Sync),
        repeats: Repeats,
    ) -> Result<Answer, ProviderError> {
        let body =
            serde_json::to_vec(document).map_err(|error| ProviderError::Inside(Box::new(error)))?;
        let ask = Ask {
            what: What::Post(path.to_owned(), body.into()),
            repeats,
            deadline: Instant::now() + self.timeouts().total,
        };
        self.ask(&ask).await
    }

    /// Gets what an endpoint has at a URL of its own origin. Asking again costs nothing.
    pub(super) async fn fetch(
        &self,
        endpoint: usize,
        url: &str,
        deadline: Instant,
    ) -> Result<Answer, ProviderError> {
        let garbled = |what: &str| ProviderError::Garbled(self.0.secrets.quote(what));
        let url = Url::parse(url).map_err(|error| garbled(&error.to_string()))?;
        if url.origin() != self.0.endpoints[endpoint].url.origin() {
            return Err(garbled("a URL leads to another origin"));
        }
        let ask = Ask {
            what: What::Get(endpoint, url),
            repeats: Repeats::Freely,
            deadline,
        };
        self.ask(&ask).await
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, ProviderError> {
        let inner = &*self.0;
        inner.budget.deposit();
        let patience = ask.deadline.min(Instant::now() + PATIENCE);
        let mut tried = vec![false; inner.endpoints.len()];
        let (mut repeats, mut waits, mut other_keys) = (0, 0, 0);
        let mut last = None;
        loop {
            let key = match self.turn(ask) {
                Ok(key) => key,
                Err(until) => {
                    // Waiting asks nothing of the provider. It is not done for ever.
                    let now = Instant::now();
                    if waits < REPEATS && until <= patience {
                        waits += 1;
                        // All who wait for the same key do not come at once.
                        let chance = wait(0, None, &mut fastrand::Rng::new());
                        sleep_until(until + chance.unwrap_or_default()).await;
                        continue;
                    }
                    return Err(match last {
                        Some(error @ ProviderError::Refused { .. }) => error,
                        _ => ProviderError::Resting(until - now),
                    });
                }
            };
            let Some((index, visit)) = self.enter(ask, &tried) else {
                return Err(last.unwrap_or_else(|| ProviderError::Unreachable(Box::new(LeftAlone))));
            };
            let endpoint = visit.endpoint.clone();
            let failed = match self.send(ask, index, visit, key).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let now = Instant::now();
            if let (Cause::Key(status), Some(key)) = (failed.cause, key)
                && inner.keys.refused(key, status, failed.retry_after, now)
            {
                let (provider, source) = (self.name(), inner.keys.source(key));
                tracing::warn!(provider, source, status, "a key is refused and left alone");
                // The other keys, and those that were waited for, are not many: no budget is needed.
                other_keys += 1;
                if other_keys > inner.keys.len() + REPEATS as usize {
                    return Err(failed.error);
                }
                endpoint.is_repeated();
                last = Some(failed.error);
                continue;
            }
            tried[index] = true;
            if repeats >= REPEATS || !failed.cause.may_repeat(ask.repeats) {
                return Err(failed.error);
            }
            // What this endpoint says of its time is none of another's.
            let told = failed
                .retry_after
                .filter(|_| !self.has_other(ask, &tried, now));
            let Some(pause) = wait(repeats, told, &mut fastrand::Rng::new()) else {
                return Err(failed.error);
            };
            if now + pause >= ask.deadline || !inner.budget.withdraw() {
                return Err(failed.error);
            }
            repeats += 1;
            endpoint.is_repeated();
            let (provider, error) = (self.name(), atelier_kit::fault::chain(&failed.error));
            tracing::debug!(
                provider,
                endpoint = &*endpoint.told,
                error,
                "a call is made again"
            );
            last = Some(failed.error);
            sleep_until(now + pause).await;
        }
    }

    /// Which key to ask with, or when there is one.
    fn turn(&self, ask: &Ask) -> Result<Option<usize>, Instant> {
        if matches!(ask.what, What::Get(..)) {
            return Ok(None);
        }
        match self.0.keys.turn(Instant::now()) {
            Turn::Keyless => Ok(None),
            Turn::Key(key) => Ok(Some(key)),
            Turn::Resting(until) => Err(until),
        }
    }

    /// Where to ask; `None` when all endpoints are left alone.
    fn enter(&self, ask: &Ask, tried: &[bool]) -> Option<(usize, Visit)> {
        let endpoints = &self.0.endpoints;
        let now = Instant::now();
        if let What::Get(index, _) = ask.what {
            return Some((index, endpoints[index].enter_anyway(now)));
        }
        let mut rng = fastrand::Rng::new();
        // Another call may take the place that was seen free: then it is looked for anew.
        for _ in 0..=endpoints.len() {
            let candidates: Vec<_> = endpoints
                .iter()
                .zip(tried)
                .map(|(endpoint, tried)| endpoint.candidate(*tried, now))
                .collect();
            let index = choose(&candidates, &mut rng)?;
            if let Some(visit) = endpoints[index].enter(now) {
                return Some((index, visit));
            }
        }
        None
    }

    fn has_other(&self, ask: &Ask, tried: &[bool], now: Instant) -> bool {
        let endpoints = self.0.endpoints.iter().zip(tried);
        matches!(ask.what, What::Post(..))
            && endpoints
                .filter(|(_, tried)| !**tried)
                .any(|(endpoint, _)| endpoint.candidate(false, now).standing == Standing::Closed)
    }
}
