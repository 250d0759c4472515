//! Draws from the method's rate bucket, below everything that tells who calls.
//!
//! Address limits are the edge's, account limits the services', since each counts what it knows for certain. The edge
//! sees the address; a service verifies the account and is told the network. So no call is counted twice for the same key:
//!
//! - The edge counts by address what comes without a token or with one that does not hold, and whatever anyone may call to
//!   sign in or to register: a token beside it says nothing about whose password is tried.
//! - A service counts by account what comes with a token, the rest of those two buckets included. An anonymous account
//!   costs nothing to make, so its network is counted too.
//! - A service that calls a service draws nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::doorkeeper::Refused;
use super::{Inbound, Method, Side, refuse};
use crate::call::Call;
use crate::fault::{Fault, Kind};
use crate::identity::{Caller, Role};
use crate::limit::{Bucket, Counted, Drawn, Limits, Scope, Verdict};
use crate::next::Next;
use crate::policy::{Access, Policy};

/// What is told of a limit, by the names of draft-ietf-httpapi-ratelimit-headers up to its version 06; later ones put
/// all of it into one field that few clients read.
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

pub(super) async fn draw(inbound: &Inbound, request: Request, next: impl Next) -> Response {
    let Some((limits, bucket, call, policy)) = known(inbound, &request) else {
        return go_on(request, next).await;
    };
    let counted = match inbound.side {
        Side::Service(_) => as_account(&policy, bucket, &call),
        Side::Edge(_) => as_address(&policy, bucket, &call, has_token(&request)),
    };
    let Some(verdict) = limits.draw(bucket, &counted).await else {
        return go_on(request, next).await;
    };
    let mut response = match verdict.drawn {
        Drawn::Allowed { .. } => go_on(request, next).await,
        Drawn::Refused { retry_after, .. } => {
            metrics::counter!(
                "atelier_rate_limited_total",
                "bucket" => bucket.name(), "scope" => verdict.scope.name()
            )
            .increment(1);
            refuse(limited(bucket, &verdict, retry_after))
        }
    };
    tell(response.headers_mut(), &verdict);
    response
}

/// Lets a call pass, unless its token does not hold.
async fn go_on(mut request: Request, next: impl Next) -> Response {
    match request.extensions_mut().remove::<Refused>() {
        Some(Refused(status)) => status.into_http(),
        None => next.run(request).await,
    }
}

/// Whether a call has a token, and not one that does not hold. One that nobody can judge at the moment is judged by the
/// service.
fn has_token(request: &Request) -> bool {
    request.headers().contains_key(AUTHORIZATION) && request.extensions().get::<Refused>().is_none()
}

/// What the layers above have found out; `None` where nothing is limited.
fn known<'i>(
    inbound: &'i Inbound,
    request: &Request,
) -> Option<(&'i Limits, Bucket, Call, Arc<Policy>)> {
    let limits = inbound.limits.as_deref()?;
    let Method(policy) = request.extensions().get::<Method>()?;
    // A name that is not a bucket's is INTERNAL; the start has refused any other.
    let bucket = Bucket::of(&policy.rate_bucket)?;
    let call = request.extensions().get::<Call>()?;
    Some((limits, bucket, call.clone(), policy.clone()))
}

/// Whom the edge counts.
fn as_address<'c>(
    policy: &Policy,
    bucket: Bucket,
    call: &'c Call,
    has_token: bool,
) -> Vec<Counted<'c>> {
    if has_token && !is_open_door(policy, bucket) {
        return Vec::new();
    }
    let network = call.network.iter();
    let counted = network.map(|network| Counted {
        scope: Scope::Address,
        who: network.as_str(),
    });
    counted.collect()
}

/// Whom a service counts.
fn as_account<'c>(policy: &Policy, bucket: Bucket, call: &'c Call) -> Vec<Counted<'c>> {
    let Caller::Account(account) = &call.caller else {
        return Vec::new();
    };
    if is_open_door(policy, bucket) {
        return Vec::new();
    }
    if account.role > Role::Anonymous {
        return vec![Counted {
            scope: Scope::Account,
            who: &account.id,
        }];
    }
    // An id and a network are never the same text: an id has neither a dot nor a colon.
    let network = call.network.iter().map(|network| network.as_str());
    std::iter::once(&*account.id)
        .chain(network)
        .map(|who| Counted {
            scope: Scope::Anonymous,
            who,
        })
        .collect()
}

/// Whether a method is one by which nobody becomes somebody.
fn is_open_door(policy: &Policy, bucket: Bucket) -> bool {
    policy.access == Access::Public && bucket.is_before_identity()
}

fn limited(bucket: Bucket, verdict: &Verdict, retry_after: Duration) -> Fault {
    let per_minute = verdict.quota.per_minute();
    Fault::new(
        Kind::Exhausted,
        "RATE_LIMITED",
        format!(
            "more than {per_minute} calls a minute of the kind {}; the next one may be made in {} s",
            bucket.name(),
            whole_seconds(retry_after)
        ),
    )
    .with("bucket", bucket.name())
    .with("limit", per_minute.to_string())
    .with("scope", verdict.scope.name())
    .retry_after(retry_after)
}

fn tell(headers: &mut HeaderMap, verdict: &Verdict) {
    let (remaining, reset) = match verdict.drawn {
        Drawn::Allowed {
            remaining, reset, ..
        } => (remaining, reset),
        Drawn::Refused { retry_after, .. } => (0, retry_after),
    };
    for (name, number) in [
        (LIMIT, verdict.quota.burst().into()),
        (REMAINING, remaining.into()),
        (RESET, whole_seconds(reset)),
    ] {
        // `HeaderValue::from` takes two or three pieces of memory for a number; this takes one.
        if let Ok(value) = HeaderValue::try_from(number.to_string()) {
            headers.insert(name, value);
        }
    }
}

/// Rounded up: who waits so long has waited long enough.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
