//! The key ring: signs access tokens and tells the public keys; verifying is left to everybody's verifier.
//!
//! Which key signs is a function of the rows and the clock, so that all processes on one database agree without
//! talking. Each works with a snapshot of the rows that a task of its own keeps fresh; nobody who signs waits for the
//! database. The times below are chosen so that every token verifies with whatever key set its verifier may have, as
//! long as the clocks agree within a few seconds:
//!
//! - a key signs 90 seconds after it was published, and a verifier asks again for a key that it does not know as soon
//!   as its last question is a minute old;
//! - no key set is told from a snapshot older than 25 seconds, so what is told 60 seconds before has the key;
//! - nothing is signed with a snapshot older than two minutes, so the key before signs at most 30 seconds too long,
//!   and is published a minute longer than its tokens live.
//!
//! Where a key signs sooner (`ATELIER_KEY_LEAD_SECONDS`), the other three are shorter in proportion; where it signs
//! later they are the same.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use atelier_kit::identity::{AUDIENCE, AccessClaims, ISSUER};
use atelier_kit::moment::{Micros, new_id};
use secrecy::{ExposeSecret as _, SecretBox};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::audit::Act;
use crate::error::Error;
use crate::ports::{Clock, KeyStore, SealedKey};
use crate::signing_key::{Jwk, SigningKey};
use crate::tokens::{ACCESS_SECONDS, Pair, REFRESH_MICROS, RefreshToken};
use crate::users::User;

/// How long a key is published after the next one signs, in microseconds: its last token, and a minute.
pub(crate) const KEPT: Micros = (ACCESS_SECONDS as Micros + 60) * 1_000_000;
/// How much later its private half is erased: a clock that is set back finds it still.
const ERASED_AFTER: Micros = 3_600 * 1_000_000;
/// How often the rows are read.
const READ_EVERY: Duration = Duration::from_secs(3);
/// How long one reading may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The times that follow from how long a key is published before it signs.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// How long a key is published before it signs.
    lead: Duration,
    /// The oldest snapshot that a key set is told from.
    told_within: Duration,
    /// The oldest snapshot that is signed with.
    signed_within: Duration,
}

impl Pace {
    fn of(lead: Duration) -> Self {
        Self {
            lead,
            told_within: Duration::from_secs(25).min(lead * 25 / 90),
            signed_within: lead + Duration::from_secs(30).min(lead / 3),
        }
    }

    /// The lead, in microseconds.
    fn ahead(self) -> Micros {
        Micros::try_from(self.lead.as_micros()).unwrap_or(Micros::MAX)
    }
}

/// What a published key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyState {
    /// It is published, and will sign.
    Next,
    /// It signs.
    Signing,
    /// It signs no more, and is published until then.
    Retired(Micros),
}

/// A published key, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishedKey {
    pub(crate) kid: String,
    pub(crate) state: KeyState,
    pub(crate) create_time: Micros,
    /// From when it signs; `None` for one that signed from the beginning.
    pub(crate) sign_time: Option<Micros>,
}

/// A key with its times.
struct Turn {
    key: Arc<SigningKey>,
    create_time: Micros,
    sign_time: Option<Micros>,
}

impl Turn {
    fn has_come(&self, now: Micros) -> bool {
        self.sign_time.is_none_or(|time| time <= now)
    }
}

/// The rows as they were read, in the order in which the keys sign; never empty.
struct Snapshot {
    turns: Vec<Turn>,
    /// When the reading began.
    read: Instant,
}

impl Snapshot {
    /// The key that signs: the last one whose time has come, or the first when the clock was set back before all.
    fn signing(&self, now: Micros) -> Option<&Turn> {
        let come = self.turns.iter().rev().find(|turn| turn.has_come(now));
        come.or(self.turns.first())
    }

    /// The published keys and what each does, the newest first.
    fn published(&self, now: Micros) -> impl Iterator<Item = (&Turn, KeyState)> {
        let places = (0..self.turns.len()).rev();
        places.filter_map(move |place| {
            let (turn, next) = (&self.turns[place], self.turns.get(place + 1));
            let replaced = next.and_then(|next| next.sign_time.filter(|time| *time <= now));
            match replaced {
                Some(time) if time + KEPT <= now => None,
                Some(time) => Some((turn, KeyState::Retired(time + KEPT))),
                None if turn.has_come(now) => Some((turn, KeyState::Signing)),
                None => Some((turn, KeyState::Next)),
            }
        })
    }
}

/// The signing keys of one database. Clones share the snapshot.
#[derive(Clone)]
pub(crate) struct KeyRing(Arc<Inner>);

struct Inner {
    store: Arc<dyn KeyStore>,
    sealing: SecretBox<[u8; 32]>,
    pace: Pace,
    snapshot: RwLock<Arc<Snapshot>>,
    /// One reading at a time, so that no older one replaces a newer.
    reading: Mutex<()>,
}

impl KeyRing {
    /// Opens the ring, and makes its first key when it has none. Later ones are published for `lead` before they sign.
    pub(crate) async fn open(
        store: Arc<dyn KeyStore>,
        sealing: [u8; 32],
        lead: Duration,
        now: Micros,
    ) -> Result<Self, Error> {
        let mut read = Instant::now();
        let mut rows = store.all().await?;
        if rows.is_empty() {
            let first = SealedKey::of(&SigningKey::generate().await?, &sealing, now, None)?;
            read = Instant::now();
            rows = store.insert_first(&first).await?;
        }
        let snapshot = snapshot(rows, &sealing, &HashMap::new(), read)?;
        Ok(Self(Arc::new(Inner {
            store,
            sealing: SecretBox::new(Box::new(sealing)),
            pace: Pace::of(lead),
            snapshot: RwLock::new(Arc::new(snapshot)),
            reading: Mutex::default(),
        })))
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        let current = self.0.snapshot.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the rows again.
    pub(crate) async fn read(&self) -> Result<(), Error> {
        let _alone = self.0.reading.lock().await;
        self.read_alone().await
    }

    async fn read_alone(&self) -> Result<(), Error> {
        let begun = Instant::now();
        let rows = tokio::time::timeout(PATIENCE, self.0.store.all())
            .await
            .map_err(|_| Error::KeysUnread)??;
        let known = self.snapshot();
        let known = known
            .turns
            .iter()
            .map(|turn| (turn.key.kid(), turn.key.clone()));
        let fresh = snapshot(
            rows,
            self.0.sealing.expose_secret(),
            &known.collect(),
            begun,
        )?;
        let current = self.0.snapshot.write();
        *current.unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        Ok(())
    }

    /// Reads the rows every few seconds until `stopped`, and erases private keys that are of no use any more.
    pub(crate) async fn follow(self, clock: Arc<dyn Clock>, stopped: impl Future<Output = ()>) {
        let mut ticks = interval(READ_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => return,
                _ = ticks.tick() => {
                    let kept = async {
                        self.read().await?;
                        self.erase(clock.now()).await
                    };
                    // What was read last goes on for a while; the next reading is near.
                    if let Err(error) = kept.await {
                        let error = atelier_kit::fault::chain(&error);
                        tracing::warn!(error, "the signing keys cannot be read");
                    }
                }
            }
        }
    }

    /// Erases private keys that have been published no more for an hour.
    async fn erase(&self, now: Micros) -> Result<(), Error> {
        let before = now - KEPT - ERASED_AFTER;
        let snapshot = self.snapshot();
        let mut next = snapshot.turns.iter().skip(1);
        let due = next.any(|next| next.sign_time.is_some_and(|time| time <= before));
        if due {
            let erased = self.0.store.erase(before).await?;
            tracing::info!(erased, "private keys that sign no more are erased");
        }
        Ok(())
    }

    /// The key that signs.
    pub(crate) fn kid(&self, now: Micros) -> String {
        let snapshot = self.snapshot();
        let signing = snapshot.signing(now);
        signing.map_or_else(String::new, |turn| turn.key.kid().to_owned())
    }

    /// The JSON Web Key Set (RFC 7517) of all published keys.
    pub(crate) async fn key_set(&self, now: Micros) -> Result<String, Error> {
        let mut snapshot = self.snapshot();
        let within = self.0.pace.told_within;
        if snapshot.read.elapsed() > within {
            let _alone = self.0.reading.lock().await;
            // Whoever waited may find that another has read.
            if self.snapshot().read.elapsed() > within {
                self.read_alone().await.inspect_err(|error| {
                    let error = atelier_kit::fault::chain(error);
                    tracing::warn!(error, "the signing keys cannot be read");
                })?;
            }
            snapshot = self.snapshot();
        }
        let told = JwkSet {
            keys: snapshot
                .published(now)
                .map(|(turn, _)| turn.key.jwk())
                .collect(),
        };
        serde_json::to_string(&told).map_err(Error::crypto)
    }

    /// The published keys as they are now, the newest first.
    pub(crate) async fn published(&self, now: Micros) -> Result<Vec<PublishedKey>, Error> {
        self.read().await?;
        let snapshot = self.snapshot();
        let told = snapshot.published(now).map(|(turn, state)| PublishedKey {
            kid: turn.key.kid().to_owned(),
            state,
            create_time: turn.create_time,
            sign_time: turn.sign_time,
        });
        Ok(told.collect())
    }

    /// Whether a key waits to sign, as far as is known here.
    pub(crate) fn is_rotating(&self, now: Micros) -> bool {
        let snapshot = self.snapshot();
        let last = snapshot.turns.last();
        last.is_some_and(|turn| !turn.has_come(now))
    }

    /// Adds a key, which is published at once and signs a while later, and keeps what is done.
    pub(crate) async fn add(
        &self,
        key: &SigningKey,
        act: Act,
        now: Micros,
    ) -> Result<PublishedKey, Error> {
        let sign_time = Some(now + self.0.pace.ahead());
        let sealed = SealedKey::of(key, self.0.sealing.expose_secret(), now, sign_time)?;
        self.0.store.insert_next(&sealed, act, now).await?;
        if let Err(error) = self.read().await {
            // It is added all the same, and read soon.
            let error = atelier_kit::fault::chain(&error);
            tracing::warn!(error, "the signing keys cannot be read");
        }
        Ok(PublishedKey {
            kid: sealed.kid,
            state: KeyState::Next,
            create_time: now,
            sign_time,
        })
    }

    /// The pair of a session: a new access token, and the refresh token that goes with it. `weight` is how the account counts
    /// where generations wait.
    pub(crate) fn mint(
        &self,
        user: &User,
        weight: u8,
        session_id: &str,
        refresh: &RefreshToken,
        now: Micros,
    ) -> Result<Pair, Error> {
        let issued = u64::try_from(now / 1_000_000).unwrap_or(0);
        let ends = issued + ACCESS_SECONDS;
        let claims = AccessClaims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id.clone(),
            sid: session_id.to_owned(),
            role: user.role,
            plan: user.plan.clone(),
            weight,
            scope: None,
            iat: issued,
            exp: ends,
            jti: new_id(),
        };
        Ok(Pair {
            access: self.sign(&claims, now)?,
            access_expire_time: i64::try_from(ends).unwrap_or(i64::MAX / 1_000_000) * 1_000_000,
            refresh: refresh.expose().to_owned(),
            refresh_expire_time: now + REFRESH_MICROS,
        })
    }

    /// An access token of these claims, which must end within [`ACCESS_SECONDS`] from `now`.
    pub(crate) fn sign(&self, claims: &AccessClaims, now: Micros) -> Result<String, Error> {
        let snapshot = self.snapshot();
        let within = self.0.pace.signed_within;
        snapshot.sign(claims, now, snapshot.read.elapsed(), within)
    }
}

impl Snapshot {
    /// A token of these claims; `age` is how long ago the rows were read, and `within` the most that it may be.
    fn sign(
        &self,
        claims: &AccessClaims,
        now: Micros,
        age: Duration,
        within: Duration,
    ) -> Result<String, Error> {
        if age > within {
            return Err(Error::KeysUnread);
        }
        let signing = self.signing(now).ok_or(Error::KeysUnread)?;
        signing.key.sign(claims)
    }
}

impl SealedKey {
    fn of(
        key: &SigningKey,
        sealing: &[u8; 32],
        create_time: Micros,
        sign_time: Option<Micros>,
    ) -> Result<Self, Error> {
        Ok(Self {
            kid: key.kid().to_owned(),
            sealed: key.seal(sealing)?,
            create_time,
            sign_time,
        })
    }
}

/// The rows, opened; those that are `known` are open already.
fn snapshot(
    rows: Vec<SealedKey>,
    sealing: &[u8; 32],
    known: &HashMap<&str, Arc<SigningKey>>,
    read: Instant,
) -> Result<Snapshot, Error> {
    if rows.is_empty() {
        return Err(Error::crypto("the key ring is empty"));
    }
    let open = |row: SealedKey| {
        let key = match known.get(row.kid.as_str()) {
            Some(key) => key.clone(),
            None => Arc::new(SigningKey::open(sealing, &row.kid, &row.sealed)?),
        };
        Ok(Turn {
            key,
            create_time: row.create_time,
            sign_time: row.sign_time,
        })
    };
    let turns = rows.into_iter().map(open).collect::<Result<_, Error>>()?;
    Ok(Snapshot { turns, read })
}

#[derive(Serialize)]
struct JwkSet<'a> {
    keys: Vec<&'a Jwk>,
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
