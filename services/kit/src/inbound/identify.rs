//! Who calls, whether the method is for them, and the [`Call`] that the handler reads.

use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;

use super::arrival::Arrived;
use super::deadline::Until;
use super::doorkeeper::Refused;
use super::{Inbound, Method, Side, refuse};
use crate::call::Call;
use crate::fault::{Fault, Kind};
use crate::identity::{Caller, Role, Verifier};
use crate::next::Next;
use crate::policy::{Access, Policy};
use crate::tls::TlsPeer;

pub(super) async fn identify(inbound: &Inbound, request: Request, next: impl Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = match &inbound.side {
        Side::Service(verifier) => match verifier.identify(&parts.headers).await {
            Ok(caller) => match as_certified(&caller, &parts.extensions) {
                Ok(()) => caller,
                Err(fault) => return refuse(fault),
            },
            Err(fault) => return refuse(fault),
        },
        Side::Edge(None) => Caller::Nobody,
        Side::Edge(Some(doorkeeper)) => match doorkeeper.recognise(&mut parts).await {
            Ok(caller) => caller,
            Err(fault) if fault.kind() == Kind::Unauthenticated => {
                // The limits count it first.
                parts.extensions.insert(Refused(fault.into()));
                Caller::Nobody
            }
            // That nobody can say is not the caller's doing.
            Err(fault) => return refuse(fault),
        },
    };
    let extensions = &mut parts.extensions;
    let (Some(arrived), Some(until), Some(Method(policy))) = (
        extensions.get::<Arrived>().cloned(),
        extensions.get::<Until>().copied(),
        extensions.get::<Method>().cloned(),
    ) else {
        return refuse(super::mapping::unknown_method());
    };
    let allowed = match &inbound.side {
        Side::Service(verifier) => {
            allowed(&policy, &caller).and_then(|()| certain(&policy, verifier))
        }
        // The service behind the edge decides; what is for services alone does not even get there.
        Side::Edge(_) if policy.access == Access::Internal => Err(internal_only()),
        Side::Edge(_) => Ok(()),
    };
    if let Err(fault) = allowed {
        return refuse(fault);
    }
    extensions.insert(Call {
        id: arrived.id,
        caller,
        deadline: until.0,
        trace: arrived.trace,
        user_agent: arrived.user_agent,
        network: arrived.network,
    });
    next.run(Request::from_parts(parts, body)).await
}

/// On a connection with certificates a service's token must be that of the role in its certificate: a token that was
/// found elsewhere is of no use.
fn as_certified(caller: &Caller, extensions: &http::Extensions) -> Result<(), Fault> {
    let (Caller::Service(role), Some(peer)) = (caller, extensions.get::<TlsPeer>()) else {
        return Ok(());
    };
    if peer.role.as_ref() == Some(role) {
        return Ok(());
    }
    Err(Fault::new(
        Kind::Unauthenticated,
        "CERTIFICATE_MISMATCH",
        "the service token is not that of the role in the certificate",
    ))
}

/// What only admins and moderators may do is refused while nobody knows which of them have been signed out.
fn certain(policy: &Policy, verifier: &Verifier) -> Result<(), Fault> {
    let powerful = matches!(policy.access, Access::Moderator | Access::Admin);
    if !powerful || verifier.knows_revocations() {
        return Ok(());
    }
    Err(Fault::new(
        Kind::Unavailable,
        "REVOCATIONS_UNKNOWN",
        "it cannot be told at the moment whether the session has been ended",
    )
    .retry_after(Duration::from_secs(1)))
}

/// Whether a method with this policy is for this caller.
pub(crate) fn allowed(policy: &Policy, caller: &Caller) -> Result<(), Fault> {
    within_scopes(policy, caller)?;
    let least = match policy.access {
        Access::Public => return Ok(()),
        Access::Anonymous => Role::Anonymous,
        Access::User => Role::User,
        Access::Moderator => Role::Moderator,
        Access::Admin => Role::Admin,
        Access::Internal => {
            return match caller {
                Caller::Service(_) => Ok(()),
                Caller::Nobody => Err(missing()),
                Caller::Account(_) => Err(internal_only()),
            };
        }
    };
    match caller {
        Caller::Account(account) if account.role >= least => Ok(()),
        Caller::Account(account) => Err(Fault::new(
            Kind::Denied,
            "ROLE_TOO_LOW",
            format!("this method needs the role {}", least.name()),
        )
        .with("role", account.role.name())
        .with("needed", least.name())),
        Caller::Service(_) => Err(Fault::new(
            Kind::Denied,
            "ACCOUNT_NEEDED",
            "this method is for accounts, and the caller is a service",
        )),
        Caller::Nobody => Err(missing()),
    }
}

/// An API key speaks for its account within its scopes alone; what everybody may call, it may too.
fn within_scopes(policy: &Policy, caller: &Caller) -> Result<(), Fault> {
    let Caller::Account(account) = caller else {
        return Ok(());
    };
    let Some(scopes) = &account.scopes else {
        return Ok(());
    };
    match policy.scope {
        Some(scope) if scopes.contains(&scope) => Ok(()),
        Some(scope) => Err(Fault::new(
            Kind::Denied,
            "SCOPE_MISSING",
            format!("the API key needs the scope {}", scope.name()),
        )
        .with("needed", scope.name())),
        None if policy.access == Access::Public => Ok(()),
        None => Err(Fault::new(
            Kind::Denied,
            "NOT_FOR_API_KEYS",
            "this method cannot be called with an API key",
        )),
    }
}

fn internal_only() -> Fault {
    Fault::new(
        Kind::Denied,
        "INTERNAL_ONLY",
        "this method is for services of the mesh alone",
    )
}

fn missing() -> Fault {
    Fault::new(
        Kind::Unauthenticated,
        "TOKEN_MISSING",
        "an access token is needed",
    )
}
