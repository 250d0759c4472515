//! Finds the method's policy and bounds the call: its handler, and a stream to its last frame.

use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::response::Response;
use http_body::Body as _;

use super::body::Timed;
use super::mapping::unknown_method;
use super::{Inbound, Method, refuse};
use crate::call::GRPC_TIMEOUT;
use crate::fault::{Fault, Kind};
use crate::next::Next;

/// Whoever calls measures the same time and gives up when it is over; a client of tonic calls that CANCELLED and knows
/// no reason. Our answer has to be there before, even on a busy machine. What is left of a deadline as short as that is
/// spent on the way back.
fn ahead(asked: Duration) -> Duration {
    (asked / 10).clamp(Duration::from_millis(5), Duration::from_millis(20))
}

/// When the call must be over.
#[derive(Clone, Copy)]
pub(super) struct Until(pub(super) Instant);

pub(super) async fn bound(inbound: &Inbound, mut request: Request, next: impl Next) -> Response {
    let Some(policy) = inbound.policies.of(request.uri().path()).cloned() else {
        return refuse(unknown_method());
    };
    let asked = match request.headers().get(GRPC_TIMEOUT) {
        None => None,
        Some(value) => match value.to_str().ok().and_then(parse) {
            Some(timeout) => Some(timeout),
            None => {
                return refuse(Fault::new(
                    Kind::Invalid,
                    "DEADLINE_MALFORMED",
                    "grpc-timeout is malformed",
                ));
            }
        },
    };
    let limit = asked.map_or(policy.deadline, |asked| {
        asked.saturating_sub(ahead(asked)).min(policy.deadline)
    });
    if limit.is_zero() {
        return refuse(Fault::deadline_exceeded());
    }
    let until = Instant::now() + limit;
    request.extensions_mut().insert(Until(until));
    request.extensions_mut().insert(Method(policy));
    let mut sleep = Box::pin(tokio::time::sleep_until(until.into()));
    tokio::select! {
        response = next.run(request) => {
            // A refusal has its status in the headers and nothing that could last.
            if response.body().is_end_stream() {
                return response;
            }
            response.map(|body| axum::body::Body::new(Timed::new(inbound.leases.lend(body, sleep))))
        }
        () = &mut sleep => refuse(Fault::deadline_exceeded()),
    }
}

/// Reads a `grpc-timeout`: at most eight digits and a unit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_specification_writes_them() {
        assert_eq!(parse("5S"), Some(Duration::from_secs(5)));
        assert_eq!(
            parse("99999999H"),
            Some(Duration::from_secs(99_999_999 * 3600))
        );
        assert_eq!(parse("50m"), Some(Duration::from_millis(50)));
        for bad in ["", "S", "5", "5s", "-5S", "123456789S", "5é"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
