//! Sends again what failed before its answer had begun, where the contract says that it does no harm; it looks into no message,
//! and waits for none to be whole.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use atelier_kit::call::Call;
use atelier_kit::idempotency;
use atelier_kit::link::{Kept, Link, Tried};
use atelier_kit::policy::{Idempotency, Policies, Policy};
use http::{HeaderMap, HeaderValue, Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower::retry::budget::{Budget as _, TpsBudget};

use crate::Destination;

/// What may be sent again of all that is asked of a service: this part of it,
const SHARE: f32 = 0.2;
/// and so many a second besides,
const A_SECOND: u32 = 10;
/// within this time.
const WITHIN: Duration = Duration::from_secs(10);
/// How often one call is sent at the most.
const MOST_SENDS: u32 = 3;
/// The longest pause before it is sent again for the first time; each is up to twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(50);
/// A service that wants to be left alone for longer is: its caller is told so.
const LONGEST: Duration = Duration::from_secs(2);
/// What an attempt after the first says of itself (gRPC, proposal A6): how many there were before.
const ATTEMPTS: &str = "grpc-previous-rpc-attempts";

/// What may be sent again, and how much of it.
pub(crate) struct Retries {
    policies: Policies,
    budgets: HashMap<&'static str, TpsBudget>,
}

impl Retries {
    /// For these services, whose methods have these policies.
    pub(crate) fn new(policies: &Policies, roster: &[Destination]) -> Self {
        let budget = || TpsBudget::new(WITHIN, A_SECOND, SHARE);
        Self {
            policies: policies.clone(),
            budgets: roster.iter().map(|d| (d.service, budget())).collect(),
        }
    }

    /// Sends a request over the link to a service, and again if that failed, is allowed, and may help. What the answer
    /// is does not matter once it has begun.
    pub(crate) async fn send(
        &self,
        service: &'static str,
        link: &Link,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        let policy = self.policies.of(request.uri().path());
        let may_repeat = policy.is_some_and(|policy| may_repeat(policy, request.headers()));
        let (mut head, body) = request.into_parts();
        let (body, mut tried) = (Kept::new(body), Tried::default());
        let (Some(budget), true) = (self.budgets.get(service), may_repeat) else {
            return link.send(&head, &body, &mut tried).await;
        };
        budget.deposit();
        let deadline = head.extensions.get::<Call>().map(|call| call.deadline);
        let mut sent = 0;
        loop {
            let answer = link.send(&head, &body, &mut tried).await;
            sent += 1;
            let Some(told) = refusal(&answer) else {
                return answer;
            };
            let pause = pause(sent, told);
            let is_late = deadline.is_some_and(|deadline| Instant::now() + pause >= deadline);
            if sent == MOST_SENDS || pause > LONGEST || is_late || !body.is_whole() {
                return answer;
            }
            if !budget.withdraw() {
                count(service, "over_budget");
                return answer;
            }
            count(service, "sent");
            tokio::time::sleep(pause).await;
            head.headers.insert(ATTEMPTS, HeaderValue::from(sent));
        }
    }
}

/// Whether a second call like this one does no harm: the contract says so, or it does where the caller says that his
/// `request_id` is a key, which the service checks. A stream is not repeated: whoever reads it knows where to go on.
fn may_repeat(policy: &Policy, headers: &HeaderMap) -> bool {
    let is_harmless = match policy.idempotency {
        Idempotency::Safe | Idempotency::Idempotent => true,
        Idempotency::Keyed => headers.contains_key(idempotency::KEY),
        Idempotency::None => false,
    };
    is_harmless && !policy.client_streaming && !policy.server_streaming
}

/// Whether this is a refusal after which another attempt may help, and for how long the service wants to be left alone.
/// When it is the link that says when to come again, nobody was there, and somebody else may be at once.
fn refusal(answer: &Result<Response<Body>, Status>) -> Option<Duration> {
    match answer {
        Ok(response) => {
            let is_away = response.headers().get("grpc-status")? == "14";
            let status = Status::from_header_map(response.headers()).filter(|_| is_away)?;
            let told = status.get_details_retry_info();
            Some(told.and_then(|info| info.retry_delay).unwrap_or_default())
        }
        // One that no address is known for says nothing of coming again.
        Err(status) => {
            let passes = status.get_details_retry_info().is_some();
            (status.code() == Code::Unavailable && passes).then_some(Duration::ZERO)
        }
    }
}

/// How long to wait after so many attempts: what the service asks for, and then any time up to a bound that grows, so that
/// those who failed together do not come again together.
fn pause(sent: u32, told: Duration) -> Duration {
    let most = PAUSE * 2_u32.pow(sent.saturating_sub(1).min(8));
    told + most.mul_f64(fastrand::f64())
}

fn count(service: &'static str, what: &'static str) {
    metrics::counter!("atelier_edge_retries_total", "service" => service, "what" => what)
        .increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    use atelier_kit::policy::Access;

    fn policy(idempotency: Idempotency, server_streaming: bool) -> Policy {
        Policy {
            access: Access::User,
            rate_bucket: "read".to_owned(),
            credit_class: "free".to_owned(),
            idempotency,
            max_request_bytes: 1024,
            deadline: Duration::from_secs(1),
            client_streaming: false,
            server_streaming,
            scope: None,
        }
    }

    #[test]
    fn what_may_be_repeated_is_what_the_contract_says_or_what_has_a_key() {
        let mut keyed = HeaderMap::new();
        keyed.insert(idempotency::KEY, HeaderValue::from_static("r-1"));
        let plain = HeaderMap::new();
        for (idempotency, without, with) in [
            (Idempotency::Safe, true, true),
            (Idempotency::Idempotent, true, true),
            (Idempotency::Keyed, false, true),
            (Idempotency::None, false, false),
        ] {
            let unary = policy(idempotency, false);
            assert_eq!(may_repeat(&unary, &plain), without, "{idempotency:?}");
            assert_eq!(may_repeat(&unary, &keyed), with, "{idempotency:?}");
            assert!(!may_repeat(&policy(idempotency, true), &keyed));
        }
    }

    #[test]
    fn pauses_grow_differ_and_begin_after_what_the_service_asked_for() {
        for (sent, most) in [(1, 50), (2, 100)] {
            let pauses: Vec<Duration> = (0..100).map(|_| pause(sent, Duration::ZERO)).collect();
            assert!(pauses.iter().all(|p| *p <= Duration::from_millis(most)));
            assert!(pauses.iter().any(|p| *p > Duration::from_millis(most / 2)));
            assert!(pauses.iter().any(|p| *p < Duration::from_millis(most / 2)));
        }
        let told = Duration::from_secs(1);
        assert!((0..100).all(|_| pause(1, told) >= told));
    }

    #[test]
    fn only_unavailable_is_a_refusal_that_may_pass() {
        let answer = |status: Status| Ok(status.into_http());
        assert_eq!(
            refusal(&answer(Status::unavailable("later"))),
            Some(Duration::ZERO)
        );
        for status in [
            Status::ok(""),
            Status::resource_exhausted("no"),
            Status::internal("no"),
            Status::deadline_exceeded("no"),
            Status::aborted("no"),
        ] {
            assert_eq!(refusal(&answer(status)), None);
        }
        assert_eq!(refusal(&Ok(Response::new(Body::empty()))), None);
        // Of one that is not in the roster of the process nothing is to be expected.
        assert_eq!(refusal(&Err(Status::unavailable("nowhere"))), None);
    }
}
