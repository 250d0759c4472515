//! Who pays for generations: the credits of the users service, over a link.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::fault::reason_of;
use atelier_kit::link::Link;
use atelier_kit::money;
use atelier_proto::generation::v1::{Allowance, Usage};
use atelier_proto::users::v1::credits_service_client::CreditsServiceClient;
use atelier_proto::users::v1::{ReleaseRequest, ReserveRequest, SettleRequest};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::end::interrupted;
use crate::error::Error;
use crate::ports::{Failure, Job, Purse, Quote};
use crate::reasons;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(5);
/// How long a reservation is tried: a restart of the users service is waited for, an outage is not.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest pause after the first try that failed; each further one may be twice as long.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the purse may take with an end that it is told; it is told again.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Pays from the credits that the users service keeps.
#[derive(Clone, Debug)]
pub struct CreditsPurse {
    client: CreditsServiceClient<Link>,
}

impl CreditsPurse {
    /// Over this link.
    pub fn new(link: Link) -> Self {
        Self {
            client: CreditsServiceClient::new(link),
        }
    }
}

#[async_trait]
impl Purse for CreditsPurse {
    async fn reserve(&self, job: &Job, quote: &Quote) -> Result<Allowance, Failure> {
        let request = ReserveRequest {
            generation_id: job.id.clone(),
            user_id: job.owner.clone(),
            medium: quote.medium.into(),
            model: quote.model.clone(),
            worst_case: Some(quote.worst),
            prices: quote.prices.clone(),
        };
        let mut client = self.client.clone();
        let begun = Instant::now();
        let mut pause = PAUSE;
        loop {
            // The service's own call: it has neither the token nor the time of whoever asked for the generation.
            let call = Call::background(CALL);
            let status = match client.reserve(call.request(request.clone())).await {
                Ok(answer) => {
                    let answer = answer.into_inner().allowance;
                    return answer.ok_or_else(|| refused(&Status::internal("no allowance"), quote));
                }
                Err(status) => status,
            };
            if !passes(status.code()) || begun.elapsed() + pause >= PATIENCE {
                return Err(refused(&status, quote));
            }
            tracing::debug!(generation = %job.id, error = %status, "a reservation is tried again");
            // Half of it by chance, so that all who were refused together do not come back together.
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause *= 2;
        }
    }

    async fn settle(&self, id: &str, usage: &Usage) -> Result<(), Error> {
        let request = SettleRequest {
            generation_id: id.to_owned(),
            usage: Some(*usage),
        };
        let call = Call::background(TOLD_WITHIN);
        let settled = self.client.clone().settle(call.request(request)).await;
        settled.map(drop).map_err(Error::store)
    }

    async fn release(&self, id: &str) -> Result<(), Error> {
        let request = ReleaseRequest {
            generation_id: id.to_owned(),
        };
        let call = Call::background(TOLD_WITHIN);
        let released = self.client.clone().release(call.request(request)).await;
        released.map(drop).map_err(Error::store)
    }
}

/// Whether the same call may be answered a moment later.
fn passes(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::Aborted | Code::DeadlineExceeded
    )
}

/// What the owner of a generation is told of a reservation that was not made.
fn refused(status: &Status, quote: &Quote) -> Failure {
    if passes(status.code()) {
        tracing::warn!(error = %status, "credits cannot be asked");
        return Failure::passing(
            reasons::CREDITS_UNAVAILABLE,
            "it cannot be told at the moment what your credits allow; please try again",
        );
    }
    let reason = reason_of(status).unwrap_or_default();
    let failure = match (status.code(), &*reason) {
        (Code::ResourceExhausted, reasons::INSUFFICIENT_CREDITS) => {
            Failure::lasting(reasons::INSUFFICIENT_CREDITS, too_few(status, quote))
        }
        (Code::ResourceExhausted, reasons::QUOTA_EXHAUSTED) => Failure::passing(
            reasons::QUOTA_EXHAUSTED,
            "you have had as many of these today as your plan allows",
        ),
        (Code::ResourceExhausted, reasons::TOO_MANY_AT_ONCE) => Failure::passing(
            reasons::TOO_MANY_AT_ONCE,
            "as many are being made for you as may be at once; try again when one of them has ended",
        ),
        (Code::ResourceExhausted, reasons::SPENDING_STOPPED) => Failure::passing(
            reasons::SPENDING_STOPPED,
            "this installation has spent what it may for now",
        ),
        (Code::ResourceExhausted, reasons::ANONYMOUS_BUDGET_SPENT) => Failure::passing(
            reasons::ANONYMOUS_BUDGET_SPENT,
            "what may be spent for guests today is spent; sign in to go on",
        ),
        (Code::NotFound, _) => Failure::lasting(
            reasons::ACCOUNT_UNKNOWN,
            "there is no account that this could be paid from",
        ),
        // Another owner has ended it by now, and this one was too slow: where its lease is lost nobody hears of this.
        (Code::FailedPrecondition, "GENERATION_ENDED") => interrupted(),
        _ => Failure::internal(status),
    };
    let wait = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    match wait {
        Some(wait) if failure.retryable => failure.not_before(wait),
        _ => failure,
    }
}

/// How much is needed and how much is there, where the purse says it.
fn too_few(status: &Status, quote: &Quote) -> String {
    let known = status.get_details_error_info().map(|info| info.metadata);
    let micros = |name: &str| -> Option<i64> { known.as_ref()?.get(name)?.parse().ok() };
    let currency = quote.prices.first().map(|price| &*price.currency_code);
    match (
        micros("needed_micros"),
        micros("available_micros"),
        currency,
    ) {
        (Some(needed), Some(available), Some(currency)) => format!(
            "this can cost up to {} {currency}, and your credits are {} {currency}",
            money::shown(needed),
            money::shown(available)
        ),
        _ => "your credits do not cover the most that this can cost".to_owned(),
    }
}
