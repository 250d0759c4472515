//! The innermost layer: who calls, whether the method is for them, and the [`Call`] that the handler reads.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::arrival::Arrived;
use super::deadline::Until;
use super::{Inbound, Method, refuse};
use crate::call::Call;
use crate::fault::{Fault, Kind};
use crate::identity::{Caller, Role};
use crate::policy::Access;
use crate::tls::TlsPeer;

pub(super) async fn identify(
    State(inbound): State<Inbound>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match &inbound.verifier {
        Some(verifier) => match verifier.identify(request.headers()).await {
            Ok(caller) => match as_certified(&caller, request.extensions()) {
                Ok(()) => caller,
                Err(fault) => return refuse(fault),
            },
            Err(fault) => return refuse(fault),
        },
        None => Caller::Nobody,
    };
    let extensions = request.extensions();
    let (Some(arrived), Some(until), Some(Method(policy))) = (
        extensions.get::<Arrived>().cloned(),
        extensions.get::<Until>().copied(),
        extensions.get::<Method>().cloned(),
    ) else {
        return refuse(super::mapping::unknown_method());
    };
    let allowed = match &inbound.verifier {
        Some(_) => allowed(policy.access, &caller),
        // The service behind the edge verifies; what is for services alone does not even get there.
        None if policy.access == Access::Internal => Err(internal_only()),
        None => Ok(()),
    };
    if let Err(fault) = allowed {
        return refuse(fault);
    }
    request.extensions_mut().insert(Call {
        id: arrived.id,
        caller,
        deadline: until.0,
        trace: arrived.trace,
        user_agent: arrived.user_agent,
    });
    next.run(request).await
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

/// Whether a method with this access is for this caller.
pub(crate) fn allowed(access: Access, caller: &Caller) -> Result<(), Fault> {
    let least = match access {
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
