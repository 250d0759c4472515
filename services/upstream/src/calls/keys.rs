//! A provider's keys: used in turn, and left alone for a while when the provider refused one or called it exhausted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use secrecy::ExposeSecret as _;
use tokio::time::Instant;

use super::caller::CallerError;
use crate::registry::Key;

/// How long a key rests that the provider does not take. Somebody has to see to it; it may also be new and not yet
/// known everywhere.
const REFUSED_REST: Duration = Duration::from_secs(300);
/// How long one rests that is exhausted, where the provider does not say.
const EXHAUSTED_REST: Duration = Duration::from_secs(10);
/// How long one rests that is paid for no more.
const UNPAID_REST: Duration = Duration::from_secs(60);
/// What a provider says is believed up to here, and from here on.
const LONGEST_REST: Duration = Duration::from_secs(3600);
const SHORTEST_REST: Duration = Duration::from_secs(1);

/// Which key a call goes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The provider needs none.
    Keyless,
    /// This one.
    Key(usize),
    /// All are left alone until then.
    Resting(Instant),
}

#[derive(Debug)]
struct Entry {
    source: String,
    header: HeaderValue,
    rests: metrics::Counter,
}

#[derive(Debug)]
struct Turns {
    next: usize,
    rest_until: Vec<Option<Instant>>,
}

/// All keys of a provider.
pub(super) struct KeyRing {
    entries: Vec<Entry>,
    turns: Mutex<Turns>,
}

impl KeyRing {
    pub(super) fn new(provider: &str, keys: &[Key]) -> Result<Self, CallerError> {
        let mut entries = Vec::new();
        for key in keys
            .iter()
            .filter(|key| !key.secret.expose_secret().is_empty())
        {
            let value = format!("Bearer {}", key.secret.expose_secret());
            let mut header =
                HeaderValue::from_str(&value).map_err(|_| CallerError::Key(key.source.clone()))?;
            header.set_sensitive(true);
            entries.push(Entry {
                source: key.source.clone(),
                header,
                rests: metrics::counter!(
                    "atelier_upstream_key_rests_total",
                    "provider" => provider.to_owned(),
                    "source" => key.source.clone()
                ),
            });
        }
        let turns = Turns {
            next: 0,
            rest_until: vec![None; entries.len()],
        };
        Ok(Self {
            entries,
            turns: Mutex::new(turns),
        })
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn header(&self, key: usize) -> &HeaderValue {
        &self.entries[key].header
    }

    pub(super) fn source(&self, key: usize) -> &str {
        &self.entries[key].source
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The next key that is not left alone.
    pub(super) fn turn(&self, now: Instant) -> Turn {
        let count = self.entries.len();
        if count == 0 {
            return Turn::Keyless;
        }
        let mut turns = self.turns();
        for step in 0..count {
            let key = (turns.next + step) % count;
            if turns.rest_until[key].is_none_or(|until| until <= now) {
                turns.rest_until[key] = None;
                turns.next = (key + 1) % count;
                return Turn::Key(key);
            }
        }
        let earliest = turns.rest_until.iter().flatten().min();
        earliest.map_or(Turn::Keyless, |until| Turn::Resting(*until))
    }

    /// The provider gave this status because of a key, and perhaps a time to come again. Whether the key rests now, so that
    /// another, or the same after its rest, may be tried.
    ///
    /// An only key rests only where the provider says how long: there is none to take its place, so that what the
    /// provider says of it now is worth more than what it said before.
    pub(super) fn refused(
        &self,
        key: usize,
        status: u16,
        retry_after: Option<Duration>,
        now: Instant,
    ) -> bool {
        let told = retry_after.filter(|_| matches!(status, 402 | 429));
        if self.entries.len() == 1 && told.is_none() {
            return false;
        }
        let rest = told.unwrap_or(match status {
            429 => EXHAUSTED_REST,
            402 => UNPAID_REST,
            _ => REFUSED_REST,
        });
        let until = now + rest.clamp(SHORTEST_REST, LONGEST_REST);
        let mut turns = self.turns();
        // Of two that say so, the later one.
        let before = turns.rest_until[key].filter(|before| *before > until);
        turns.rest_until[key] = Some(before.unwrap_or(until));
        self.entries[key].rests.increment(1);
        true
    }

    /// Where the keys come from, and until when they rest.
    pub(super) fn standing(&self, now: Instant) -> Vec<(String, Option<Instant>)> {
        let turns = self.turns();
        let sources = self.entries.iter().map(|entry| entry.source.clone());
        sources
            .zip(
                turns
                    .rest_until
                    .iter()
                    .map(|until| until.filter(|until| *until > now)),
            )
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::*;

    fn ring(count: usize) -> KeyRing {
        let keys: Vec<Key> = (0..count)
            .map(|at| Key {
                source: format!("KEY_{at}"),
                secret: SecretString::from(format!("sk-{at}")),
            })
            .collect();
        KeyRing::new("test", &keys).unwrap()
    }

    #[test]
    fn keys_take_turns_and_one_that_is_refused_is_left_out_until_its_rest_is_over() {
        let (ring, now) = (ring(3), Instant::now());
        let turns = |at: Instant| (0..3).map(|_| ring.turn(at)).collect::<Vec<_>>();
        assert_eq!(turns(now), [Turn::Key(0), Turn::Key(1), Turn::Key(2)]);
        assert!(ring.refused(1, 429, Some(Duration::from_secs(7)), now));
        assert_eq!(turns(now), [Turn::Key(0), Turn::Key(2), Turn::Key(0)]);
        assert!(ring.refused(0, 401, Some(Duration::from_secs(1)), now));
        assert!(ring.refused(2, 429, None, now));
        assert_eq!(ring.turn(now), Turn::Resting(now + Duration::from_secs(7)));
        assert_eq!(ring.turn(now + Duration::from_secs(7)), Turn::Key(1));
        assert_eq!(
            ring.standing(now)[0],
            ("KEY_0".to_owned(), Some(now + REFUSED_REST))
        );
    }

    #[test]
    fn an_only_key_rests_only_as_long_as_the_provider_says() {
        let (ring, now) = (ring(1), Instant::now());
        for (status, retry_after) in [
            (401, Some(Duration::from_secs(9))),
            (403, None),
            (429, None),
            (402, None),
        ] {
            assert!(!ring.refused(0, status, retry_after, now));
            assert_eq!(ring.turn(now), Turn::Key(0));
        }
        assert!(ring.refused(0, 429, Some(Duration::from_secs(100_000)), now));
        assert_eq!(ring.turn(now), Turn::Resting(now + LONGEST_REST));
        assert_eq!(self::ring(0).turn(now), Turn::Keyless);
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_told_by_where_it_comes_from() {
        let key = Key {
            source: "KEY_FILE".to_owned(),
            secret: SecretString::from("sk-with-a\nnewline"),
        };
        let error = KeyRing::new("test", &[key]).err().unwrap().to_string();
        assert!(
            error.contains("KEY_FILE") && !error.contains("sk-with"),
            "{error}"
        );
    }

    proptest! {
        /// A key that rests is never given, and one that does not always is.
        #[test]
        fn whatever_is_refused_the_rules_hold(
            count in 1_usize..5,
            steps in prop::collection::vec((0_u64..4000, prop::option::of((any::<prop::sample::Index>(), 0_u64..20))), 0..100),
        ) {
            let ring = ring(count);
            let mut now = Instant::now();
            let mut rests = vec![now; count];
            for (millis, refused) in steps {
                now += Duration::from_millis(millis);
                if let Some((at, seconds)) = refused {
                    let key = at.index(count);
                    ring.refused(key, 429, Some(Duration::from_secs(seconds)), now);
                    rests[key] = rests[key].max(now + Duration::from_secs(seconds.max(1)));
                }
                match ring.turn(now) {
                    Turn::Key(key) => prop_assert!(rests[key] <= now),
                    Turn::Resting(until) => prop_assert!(until > now && rests.iter().all(|rest| *rest > now) && rests.contains(&until)),
                    Turn::Keyless => prop_assert!(false, "it has keys"),
                }
            }
        }
    }
}
