//! When a call is made again, and after how long; it makes none.
//!
//! A repeated call must do no harm. A status says how it ended, and what ends so is charged by nobody. Where a call was
//! sent and nothing is known of its end (the connection broke, no answer came in time, a gateway says 504), the work may
//! have been done: a reply costs little and is asked for again, a picture or a spoken text is not.

use std::time::Duration;

use atelier_generation::ProviderError;
use http::HeaderMap;

use super::caller::Repeats;
use super::endpoint::Outcome;

/// How often a call is made again at most.
pub(super) const REPEATS: u32 = 2;
/// The longest wait for an endpoint or a key that a caller is made to sit through.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The first wait is by chance between nothing and this, the next twice as long, up to a bound (full jitter).
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// No connection: nothing was sent.
    Unconnected,
    /// It was sent, and the connection broke before an answer.
    Lost,
    /// It was sent, and no answer came in time.
    Late,
    /// The answer has a status that is no success.
    Status(u16),
    /// The provider does not take the key, or calls it exhausted.
    Key(u16),
}

impl Cause {
    /// What a status says; `words` is what was said with it.
    pub(super) fn of(status: u16, words: &str, has_key: bool) -> Self {
        let key = match status {
            401 | 402 | 429 => has_key,
            // A 403 may be about anything: the country, the model, what was asked for.
            403 => has_key && is_about_the_key(words),
            _ => false,
        };
        if key {
            Self::Key(status)
        } else {
            Self::Status(status)
        }
    }

    /// Whether the same call may be made again.
    pub(super) fn may_repeat(self, repeats: Repeats) -> bool {
        match self {
            Self::Unconnected => true,
            Self::Status(408 | 425 | 429 | 500 | 502 | 503 | 529) | Self::Key(429) => true,
            Self::Status(504) | Self::Lost | Self::Late => repeats == Repeats::Freely,
            Self::Status(_) | Self::Key(_) => false,
        }
    }

    /// What it says of the endpoint.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Unconnected | Self::Lost | Self::Late => Outcome::Failed,
            Self::Status(408 | 429 | 500..=599) => Outcome::Failed,
            Self::Status(_) => Outcome::Refused,
            Self::Key(429) => Outcome::Exhausted,
            Self::Key(_) => Outcome::Key,
        }
    }

    /// Whether a status is told as one that may pass.
    pub(super) fn is_busy(status: u16) -> bool {
        matches!(status, 402 | 408 | 409 | 425 | 429 | 500..=599)
    }
}

fn is_about_the_key(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    [
        "api_key",
        "api key",
        "apikey",
        "api-key",
        "invalid key",
        "invalid_key",
        "access token",
        "credential",
    ]
    .iter()
    .any(|sign| words.contains(sign))
}

/// A call that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) cause: Cause,
    pub(super) error: ProviderError,
    /// When the provider wants to be asked again.
    pub(super) retry_after: Option<Duration>,
}

/// When the provider wants to be asked again, in seconds. A date is taken for nothing: whose clock it is by is not known.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let millis = headers
        .get("retry-after-ms")
        .and_then(|value| value.to_str().ok());
    if let Some(millis) = millis.and_then(|value| value.trim().parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let told = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    let seconds: f64 = told.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// How long to wait before a call is made for the `repeat`th time again; `None` when the provider wants to be left alone
/// for longer than its caller should sit through.
pub(super) fn wait(
    repeat: u32,
    told: Option<Duration>,
    rng: &mut fastrand::Rng,
) -> Option<Duration> {
    let most = FIRST_WAIT
        .saturating_mul(2_u32.saturating_pow(repeat))
        .min(LONGEST_WAIT);
    let chance = most.mul_f64(rng.f64());
    match told {
        // All who were told the same time do not come at once.
        Some(told) if told <= PATIENCE => Some(told + chance),
        Some(_) => None,
        None => Some(chance),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_have_been_paid_for_is_not_asked_for_again() {
        use Repeats::{Freely, Unbegun};
        for (cause, freely, unbegun) in [
            (Cause::Unconnected, true, true),
            (Cause::Status(503), true, true),
            (Cause::Status(429), true, true),
            (Cause::Status(500), true, true),
            (Cause::Lost, true, false),
            (Cause::Late, true, false),
            (Cause::Status(504), true, false),
            (Cause::Status(400), false, false),
            (Cause::Status(409), false, false),
            (Cause::Status(307), false, false),
            (Cause::Status(501), false, false),
            (Cause::Key(401), false, false),
        ] {
            assert_eq!(
                (cause.may_repeat(Freely), cause.may_repeat(Unbegun)),
                (freely, unbegun),
                "{cause:?}"
            );
        }
    }

    #[test]
    fn a_status_is_about_the_key_only_where_there_is_one_and_a_403_where_it_says_so() {
        assert_eq!(Cause::of(401, "", true), Cause::Key(401));
        assert_eq!(Cause::of(401, "", false), Cause::Status(401));
        assert_eq!(Cause::of(429, "", false), Cause::Status(429));
        assert_eq!(
            Cause::of(403, "{\"code\":\"invalid_api_key\"}", true),
            Cause::Key(403)
        );
        assert_eq!(
            Cause::of(403, "not in your country", true),
            Cause::Status(403)
        );
        assert_eq!(Cause::of(500, "api key", true), Cause::Status(500));
    }

    #[test]
    fn a_time_is_read_in_seconds() {
        let read = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(read("retry-after", "2"), Some(Duration::from_secs(2)));
        assert_eq!(read("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(
            read("retry-after-ms", "40"),
            Some(Duration::from_millis(40))
        );
        for odd in ["-1", "NaN", "1e400", "Wed, 21 Oct 2026 07:28:00 GMT", ""] {
            assert_eq!(read("retry-after", odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn a_wait_has_its_bounds(repeat in 0_u32..40, told in prop::option::of(0_u64..30), seed: u64) {
            let told = told.map(Duration::from_secs);
            let wait = wait(repeat, told, &mut fastrand::Rng::with_seed(seed));
            prop_assert_eq!(wait.is_some(), told.is_none_or(|told| told <= PATIENCE));
            if let Some(wait) = wait {
                prop_assert!(wait >= told.unwrap_or_default() && wait <= told.unwrap_or_default() + LONGEST_WAIT);
            }
        }
    }
}
