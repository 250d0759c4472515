//! API keys: a call that carries one is given the access token it is exchanged for, before it is forwarded. The edge keeps
//! no key, prints none, and decides about none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_kit::fault::{Fault, Kind, reason_of};
use atelier_kit::moment::{self, Micros};
use atelier_kit::secret;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use quick_cache::sync::{Cache, EntryAction, EntryResult};
use secrecy::{ExposeSecret as _, SecretString};
use tonic::Status;

/// How every API key begins.
const MARK: &str = "atk_";
/// The longest that is asked about, in bytes.
const MOST_BYTES: usize = 256;
/// How many keys are remembered.
const REMEMBERED: usize = 10_000;
/// A token is used until so long before its end, so that no call is forwarded with one that ends on the way.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a refusal is remembered, and a token whose end is near.
const BRIEFLY: Duration = Duration::from_secs(1);
/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an API key was exchanged for.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// The access token.
    pub token: SecretString,
    /// When it ends, in microseconds since the Unix epoch.
    pub expire_time: Micros,
}

/// Where API keys are exchanged for access tokens.
#[async_trait]
pub trait ApiKeyExchange: Send + Sync + 'static {
    /// The access token of a key, as its owner sent it. A fault of the kind [`Kind::Unauthenticated`] says that the key
    /// does not hold; any other says nothing about the key.
    async fn exchange(&self, key: SecretString) -> Result<Exchanged, Fault>;
}

/// The keys that were seen lately, by their digests, and what became of them.
pub(crate) struct Exchange {
    source: Arc<dyn ApiKeyExchange>,
    known: Cache<[u8; 32], Known>,
}

/// What became of a key, and until when that is believed.
#[derive(Clone)]
struct Known {
    outcome: Outcome,
    until: Instant,
}

#[derive(Clone)]
enum Outcome {
    /// The `authorization` that stands for it.
    Token(HeaderValue),
    /// It does not hold.
    Invalid,
    /// Nobody could say.
    Unknown,
}

/// A key's token, as a call uses it.
#[derive(Clone)]
pub(crate) struct Stand {
    digest: [u8; 32],
    /// The `authorization` to forward.
    pub(crate) authorization: HeaderValue,
}

/// The API key of a call, where its one `authorization` is one.
pub(crate) fn key_of(headers: &HeaderMap) -> Option<SecretString> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    let is_key = scheme.eq_ignore_ascii_case("bearer") && key.starts_with(MARK);
    is_key.then(|| key.into())
}

impl Exchange {
    pub(crate) fn new(source: Arc<dyn ApiKeyExchange>) -> Self {
        Self {
            source,
            known: Cache::new(REMEMBERED),
        }
    }

    /// What stands for a key. Of calls that come at once, one asks and the others wait for its answer.
    pub(crate) async fn stand_for(&self, key: SecretString) -> Result<Stand, Fault> {
        if key.expose_secret().len() > MOST_BYTES {
            return Err(invalid());
        }
        let digest = secret::digest(&[key.expose_secret().as_bytes()]);
        // Without the write lock that `entry` takes: nearly every call ends here.
        if let Some(known) = self.known.get(&digest).filter(Known::is_fresh) {
            return known.stand(digest);
        }
        let entry = self.known.entry_async(&digest, |_, known| {
            if known.is_fresh() {
                EntryAction::Retain(known.clone())
            } else {
                EntryAction::ReplaceWithGuard
            }
        });
        match entry.await {
            EntryResult::Retained(known) => known.stand(digest),
            EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _) => {
                // A call that is dropped here drops the guard, and the next that waits asks in its place.
                let known = self.ask(key).await;
                let stand = known.stand(digest);
                // Refused only when it was removed meanwhile; the next call asks again then.
                let _ = guard.insert(known);
                stand
            }
            EntryResult::Removed(..) | EntryResult::Timeout => Err(unavailable()),
        }
    }

    async fn ask(&self, key: SecretString) -> Known {
        match tokio::time::timeout(PATIENCE, self.source.exchange(key)).await {
            Ok(Ok(exchanged)) => Known::token(&exchanged),
            Ok(Err(fault)) if fault.kind() == Kind::Unauthenticated => {
                Known::brief(Outcome::Invalid)
            }
            Ok(Err(fault)) => {
                tracing::warn!(error = %fault, "an API key cannot be exchanged");
                Known::brief(Outcome::Unknown)
            }
            Err(_) => {
                tracing::warn!("an API key cannot be exchanged in time");
                Known::brief(Outcome::Unknown)
            }
        }
    }

    /// Forgets a token when a service answered that its session has ended, so that the next call hears what became of the
    /// key. A token that another call has fetched since stays.
    pub(crate) fn heed(&self, used: &Stand, answer: &HeaderMap) {
        let ended = Status::from_header_map(answer)
            .and_then(|status| reason_of(&status))
            .is_some_and(|reason| reason == "SESSION_ENDED");
        if ended {
            self.known.remove_if(&used.digest, |known| {
                matches!(&known.outcome, Outcome::Token(kept) if *kept == used.authorization)
            });
        }
    }
}

impl Known {
    fn token(exchanged: &Exchanged) -> Self {
        let text = format!("Bearer {}", exchanged.token.expose_secret());
        let Ok(mut authorization) = HeaderValue::from_str(&text) else {
            tracing::warn!("an API key was exchanged for what is no token");
            return Self::brief(Outcome::Unknown);
        };
        authorization.set_sensitive(true);
        let left = exchanged.expire_time.saturating_sub(moment::now());
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        let lasts = left.saturating_sub(MARGIN).max(left.min(BRIEFLY));
        Self {
            outcome: Outcome::Token(authorization),
            until: Instant::now() + lasts,
        }
    }

    fn brief(outcome: Outcome) -> Self {
        Self {
            outcome,
            until: Instant::now() + BRIEFLY,
        }
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < self.until
    }

    fn stand(&self, digest: [u8; 32]) -> Result<Stand, Fault> {
        match &self.outcome {
            Outcome::Token(authorization) => Ok(Stand {
                digest,
                authorization: authorization.clone(),
            }),
            Outcome::Invalid => Err(invalid()),
            Outcome::Unknown => Err(unavailable()),
        }
    }
}

fn invalid() -> Fault {
    Fault::new(
        Kind::Unauthenticated,
        "API_KEY_INVALID",
        "the API key is unknown, revoked or expired",
    )
}

fn unavailable() -> Fault {
    Fault::new(
        Kind::Unavailable,
        "API_KEYS_UNAVAILABLE",
        "API keys cannot be checked at the moment",
    )
    .retry_after(BRIEFLY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_in(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        key_of(&headers).map(|key| key.expose_secret().to_owned())
    }

    #[test]
    fn a_key_is_known_by_its_mark_whatever_the_case_of_the_scheme() {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(key_in(&[&format!("{scheme} atk_x")]).unwrap(), "atk_x");
        }
        assert_eq!(key_in(&["Bearer  atk_x "]).unwrap(), "atk_x");
        for other in ["", "atk_x", "Basic atk_x", "Bearer eyJ.x.y", "Bearer ATK_x"] {
            assert_eq!(key_in(&[other]), None, "{other}");
        }
        // Of two nobody could say which counts; the service refuses them.
        assert_eq!(key_in(&["Bearer atk_x", "Bearer atk_y"]), None);
        assert_eq!(key_in(&[]), None);
    }

    #[test]
    fn a_token_is_used_until_shortly_before_its_end() {
        let lasts = |seconds: i64| {
            let known = Known::token(&Exchanged {
                token: "t".into(),
                expire_time: moment::now() + seconds * 1_000_000,
            });
            known
                .until
                .saturating_duration_since(Instant::now())
                .as_secs_f64()
                .round()
        };
        assert_eq!(lasts(300), 270.0);
        assert_eq!(lasts(32), 2.0);
        assert_eq!(lasts(10), 1.0);
        assert_eq!(lasts(-10), 0.0);
    }
}
