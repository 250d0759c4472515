//! Access tokens, verified with public keys that are fetched when they are needed and kept; no call waits for a start-up order.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use quick_cache::sync::Cache;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{AUDIENCE, AccessClaims, Account, ISSUER, Revocations, expired, invalid};
use crate::fault::{Fault, Kind};
use crate::policy::Scope;

/// Seconds by which clocks may differ.
const LEEWAY: u64 = 5;
/// How long a new key is published before it signs, where nothing else is said. Every process of a mesh has the same.
pub const KEY_LEAD: Duration = Duration::from_secs(90);
/// An unknown `kid` asks for the keys again at most this often, and more often only where keys sign sooner.
const REFETCH: Duration = Duration::from_secs(60);
/// Keys that could not be fetched are asked for again after this long.
const RETRY: Duration = Duration::from_secs(1);
/// Keys that are older are fetched again beside the calls that use them, so that those that were withdrawn go.
const REFRESH: Duration = Duration::from_secs(300);
/// How long after a fetch that failed the next one beside the calls is begun.
const REFRESH_AGAIN: Duration = Duration::from_secs(10);
/// How long a source may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the public keys come from.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// The JSON Web Key Set (RFC 7517) that holds now.
    async fn fetch(&self) -> Result<String, Fault>;
}

/// A clock that only goes forward.
pub type Ticks = Arc<dyn Fn() -> Instant + Send + Sync>;

/// How many verified tokens are remembered: verifying one costs as much as a hop, and callers send each many times.
const REMEMBERED: usize = 10_000;

/// Verifies access tokens. Clones share the keys.
#[derive(Clone)]
pub struct AccessVerifier {
    keys: Arc<Keys>,
    revocations: Revocations,
    verified: Arc<Cache<String, Verified>>,
}

/// A token that held when it was verified.
#[derive(Clone)]
struct Verified {
    account: Account,
    /// The key that signed it: a key that is withdrawn takes its tokens along.
    kid: Arc<str>,
    /// When it ends, in seconds since the epoch.
    exp: u64,
}

impl AccessVerifier {
    /// Fetches from `source` when the first token arrives, when a token names a key that is not known (at most once a
    /// minute), and beside the calls when the keys in use are five minutes old.
    pub fn new(source: Arc<dyn KeySource>) -> Self {
        Self::timed(source, Arc::new(Instant::now))
    }

    /// The same, where a new key is published for `lead` before it signs: an unknown key is asked for again after two
    /// thirds of it when that is less than a minute, so that whoever asked just before it was published asks in time.
    pub fn with_lead(source: Arc<dyn KeySource>, lead: Duration) -> Self {
        Self::made(source, Arc::new(Instant::now), REFETCH.min(lead * 2 / 3))
    }

    /// The same by another clock, which tests move.
    pub fn timed(source: Arc<dyn KeySource>, ticks: Ticks) -> Self {
        Self::made(source, ticks, REFETCH)
    }

    fn made(source: Arc<dyn KeySource>, ticks: Ticks, refetch: Duration) -> Self {
        Self {
            keys: Arc::new(Keys {
                source,
                ticks,
                refetch,
                kept: RwLock::default(),
                asked: Arc::default(),
            }),
            revocations: Revocations::none(),
            verified: Arc::new(Cache::new(REMEMBERED)),
        }
    }

    /// The same, for a mesh in which sessions are revoked.
    #[must_use]
    pub fn heeding(mut self, revocations: Revocations) -> Self {
        self.revocations = revocations;
        self
    }

    /// What is known to be revoked.
    pub(super) fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// The account of a token that was verified before and still holds; whether its session has ended is another question.
    pub(super) fn remembered(&self, token: &str) -> Option<Account> {
        let verified = self.verified.get(token)?;
        let holds = jsonwebtoken::get_current_timestamp() < verified.exp + LEEWAY
            && self.keys.in_use(&verified.kid).is_some();
        holds.then_some(verified.account)
    }

    /// The account, unless its session has ended.
    pub(super) fn if_not_ended(&self, account: Account) -> Result<Account, Fault> {
        if self.revocations.holds(&account.session) {
            return Err(ended());
        }
        Ok(account)
    }

    /// The account of a token, or why the token does not hold.
    pub(super) async fn verify(
        &self,
        token: &str,
        header: &jsonwebtoken::Header,
    ) -> Result<Account, Fault> {
        if header.alg != Algorithm::RS256 {
            return Err(invalid("the token is not signed with RS256"));
        }
        let kid = header
            .kid
            .as_deref()
            .ok_or_else(|| invalid("the token names no key"))?;
        // RFC 7515, 4.1.11: what must be understood and is not. Where a key could be found (`jku`, `x5u`, `jwk`) is not
        // even looked at: keys come from the source alone.
        if header.crit.is_some() {
            return Err(invalid("the token has critical headers"));
        }
        let key = self.keys.of(kid).await?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        // Replicas of one mesh keep their clocks; a generous leeway would only lengthen a stolen token's life.
        validation.leeway = LEEWAY;
        let claims = jsonwebtoken::decode::<AccessClaims>(token, &key, &validation)
            .map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::ExpiredSignature => expired(),
                jsonwebtoken::errors::ErrorKind::InvalidSignature => {
                    invalid("the signature is wrong")
                }
                jsonwebtoken::errors::ErrorKind::InvalidAudience => {
                    invalid("the audience is wrong")
                }
                jsonwebtoken::errors::ErrorKind::InvalidIssuer => invalid("the issuer is wrong"),
                jsonwebtoken::errors::ErrorKind::ImmatureSignature => {
                    invalid("the token is not valid yet")
                }
                _ => invalid("the token is malformed"),
            })?
            .claims;
        let scopes = match &claims.scope {
            None => None,
            Some(names) => {
                // A scope of tomorrow gives nothing today.
                let known: Vec<Scope> = names.split(' ').filter_map(Scope::of).collect();
                Some(known.into())
            }
        };
        let account = Account {
            id: claims.sub.into(),
            session: claims.sid.into(),
            role: claims.role,
            plan: claims.plan.into(),
            weight: claims.weight,
            scopes,
        };
        let verified = Verified {
            account: account.clone(),
            kid: kid.into(),
            exp: claims.exp,
        };
        self.verified.insert(token.to_owned(), verified);
        self.if_not_ended(account)
    }
}

/// The public keys that are known.
struct Keys {
    source: Arc<dyn KeySource>,
    ticks: Ticks,
    /// How often an unknown key asks, at most.
    refetch: Duration,
    kept: RwLock<Kept>,
    /// When the source was last asked, and whether it answered; held while it is asked.
    asked: Arc<Mutex<Option<(Instant, bool)>>>,
}

#[derive(Default)]
struct Kept {
    by_kid: HashMap<String, Arc<DecodingKey>>,
    /// When they came.
    since: Option<Instant>,
}

/// The right to ask the source.
type Turn = OwnedMutexGuard<Option<(Instant, bool)>>;

impl Keys {
    /// A key that is known, and whether the keys have become old.
    fn known(&self, kid: &str) -> Option<(Arc<DecodingKey>, bool)> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let key = kept.by_kid.get(kid)?.clone();
        Some((key, kept.since.is_some_and(|at| self.elapsed(at) > REFRESH)))
    }

    fn elapsed(&self, since: Instant) -> Duration {
        (self.ticks)().saturating_duration_since(since)
    }

    /// A key that is known. Nobody waits when it is old, and nobody is refused because a newer set cannot be had.
    fn in_use(self: &Arc<Self>, kid: &str) -> Option<Arc<DecodingKey>> {
        let (key, old) = self.known(kid)?;
        if old && let Ok(turn) = self.asked.clone().try_lock_owned() {
            let rests = match *turn {
                Some((at, true)) => self.elapsed(at) <= REFRESH,
                Some((at, false)) => self.elapsed(at) < REFRESH_AGAIN,
                None => false,
            };
            if !rests {
                tokio::spawn(self.clone().fetch(turn));
            }
        }
        Some(key)
    }

    /// A key, for which the source is asked when it is not known.
    async fn of(self: &Arc<Self>, kid: &str) -> Result<Arc<DecodingKey>, Fault> {
        if let Some(key) = self.in_use(kid) {
            return Ok(key);
        }
        // One fetch at a time; whoever waited looks again before fetching.
        let turn = self.asked.clone().lock_owned().await;
        if let Some((key, _)) = self.known(kid) {
            return Ok(key);
        }
        match *turn {
            Some((at, true)) if self.elapsed(at) < self.refetch => {
                return Err(invalid("the key is not known"));
            }
            Some((at, false)) if self.elapsed(at) < RETRY => return Err(unreachable_keys()),
            _ => {}
        }
        // In a task of its own: a caller who goes away early would leave no trace, and many could ask without end.
        match tokio::spawn(self.clone().fetch(turn)).await {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(unreachable_keys()),
        }
        self.known(kid)
            .map(|(key, _)| key)
            .ok_or_else(|| invalid("the key is not known"))
    }

    /// Asks the source, and keeps what it answers; whether it did.
    async fn fetch(self: Arc<Self>, mut turn: Turn) -> bool {
        let asked = tokio::time::timeout(PATIENCE, self.source.fetch()).await;
        let fetched = asked
            .unwrap_or_else(|_| Err(unreachable_keys()))
            .and_then(|text| parse(&text));
        let now = (self.ticks)();
        *turn = Some((now, fetched.is_ok()));
        match fetched {
            Ok(by_kid) => {
                let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
                *kept = Kept {
                    by_kid,
                    since: Some(now),
                };
                true
            }
            Err(fault) => {
                tracing::warn!(error = %fault, "the key set cannot be fetched");
                false
            }
        }
    }
}

/// A token of a session that was ended.
fn ended() -> Fault {
    Fault::new(
        Kind::Unauthenticated,
        "SESSION_ENDED",
        "the session has ended",
    )
}

fn unreachable_keys() -> Fault {
    Fault::new(
        Kind::Unavailable,
        "KEYS_UNAVAILABLE",
        "tokens cannot be verified at the moment",
    )
    .retry_after(RETRY)
}

/// The keys of a set that can verify access tokens. One that cannot be read is left out: it is no reason to refuse
/// what the others have signed. A set without any is none.
fn parse(text: &str) -> Result<HashMap<String, Arc<DecodingKey>>, Fault> {
    #[derive(serde::Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_str(text).map_err(|error| Fault::internal(&error))?;
    let mut keys = HashMap::new();
    for value in set.keys {
        match usable(value) {
            Ok((kid, key)) => {
                keys.entry(kid).or_insert(Arc::new(key));
            }
            Err(why) => tracing::warn!(why, "a key of the key set is left out"),
        }
    }
    if keys.is_empty() {
        let none = std::io::Error::other("the key set has no key that can be used");
        return Err(Fault::internal(&none));
    }
    Ok(keys)
}

/// The id and the key, when it is one that access tokens can be signed with; else why not.
fn usable(value: serde_json::Value) -> Result<(String, DecodingKey), &'static str> {
    let jwk: Jwk = serde_json::from_value(value).map_err(|_| "it cannot be read")?;
    let common = &jwk.common;
    if !matches!(jwk.algorithm, AlgorithmParameters::RSA(_))
        || common
            .key_algorithm
            .is_some_and(|algorithm| algorithm != KeyAlgorithm::RS256)
        || common
            .public_key_use
            .as_ref()
            .is_some_and(|usage| *usage != PublicKeyUse::Signature)
    {
        return Err("it is not for RS256");
    }
    let kid = common.key_id.clone().ok_or("it has no id")?;
    let key = DecodingKey::from_jwk(&jwk).map_err(|_| "its numbers cannot be read")?;
    Ok((kid, key))
}
