//! The callers of a service's providers, kept as long as what they were made from stays, and told to those who run the mesh.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use atelier_proto::upstream::v1 as wire;
use secrecy::ExposeSecret as _;
use tokio::time::Instant;

use super::breaker::Standing;
use super::caller::{Caller, CallerError};
use super::endpoint::Sight;
use crate::registry::ProviderSpec;

/// The callers of a service. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Callers(Arc<RwLock<Vec<Caller>>>);

impl Callers {
    /// Takes these providers in place of those before, and returns their callers in the same order. One that stays as it was
    /// keeps its caller, and with it what is known of its endpoints and keys. After an error everything is as it was.
    ///
    /// Calls that are under way at others go on to their end.
    pub async fn take(&self, specs: &[ProviderSpec]) -> Result<Vec<Caller>, CallerError> {
        let before = self.all();
        let mut callers = Vec::with_capacity(specs.len());
        for spec in specs {
            let kept = before.iter().find(|caller| same(&caller.0.spec, spec));
            callers.push(match kept {
                Some(caller) => caller.clone(),
                None => Caller::new(spec).await?,
            });
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = callers.clone();
        Ok(callers)
    }

    /// All of them.
    pub fn all(&self) -> Vec<Caller> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The one of a provider; none for one that is built in.
    pub fn get(&self, provider: &str) -> Option<Caller> {
        let callers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        callers
            .iter()
            .find(|caller| caller.name() == provider)
            .cloned()
    }

    /// Every endpoint as this process sees it, in the order of the registry.
    pub fn upstreams(&self) -> Vec<wire::Upstream> {
        let callers = self.all();
        callers.iter().flat_map(Caller::upstreams).collect()
    }
}

/// Whether two are the same to whoever calls them.
fn same(one: &ProviderSpec, other: &ProviderSpec) -> bool {
    let keys = |spec: &ProviderSpec| -> Vec<(String, String)> {
        let keys = spec.keys.iter();
        keys.map(|key| (key.source.clone(), key.secret.expose_secret().to_owned()))
            .collect()
    };
    one.name == other.name
        && one.endpoints == other.endpoints
        && one.timeouts == other.timeouts
        && keys(one) == keys(other)
}

impl Caller {
    /// Its endpoints as this process sees them.
    pub fn upstreams(&self) -> Vec<wire::Upstream> {
        let now = Instant::now();
        let keys: Vec<wire::Key> = self
            .0
            .keys
            .standing(now)
            .into_iter()
            .map(|(source, until)| wire::Key {
                source,
                rest_until: until.map(|until| time(until, now)),
            })
            .collect();
        let seen = |sight: Sight, told: &str| wire::Upstream {
            provider: self.name().to_owned(),
            endpoint: told.to_owned(),
            breaker: state(sight.standing).into(),
            retry_time: match sight.standing {
                Standing::Open(until) => Some(time(until, now)),
                _ => None,
            },
            in_flight: i32::try_from(sight.in_flight).unwrap_or(i32::MAX),
            latency: sight.latency.and_then(|latency| latency.try_into().ok()),
            calls: count(sight.calls),
            failures: count(sight.failures),
            retries: count(sight.retries),
            keys: keys.clone(),
        };
        let endpoints = self.0.endpoints.iter();
        endpoints
            .map(|endpoint| seen(endpoint.sight(now), &endpoint.told))
            .collect()
    }
}

fn state(standing: Standing) -> wire::BreakerState {
    match standing {
        Standing::Closed => wire::BreakerState::Closed,
        Standing::HalfOpen { .. } => wire::BreakerState::HalfOpen,
        Standing::Open(_) => wire::BreakerState::Open,
    }
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A point of our own clock on everybody's.
fn time(until: Instant, now: Instant) -> prost_types::Timestamp {
    let ahead: Duration = until.saturating_duration_since(now);
    (SystemTime::now() + ahead).into()
}
