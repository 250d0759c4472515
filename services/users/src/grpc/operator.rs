//! What only the owner of the machine may call, through the admin port: roles; signing keys have a room of their own.

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::{Caller, Role};
use atelier_proto::users::v1 as pb;
use tonic::{Request, Response, Status};

use super::{Answer, UsersGrpc};
use crate::audit::OPERATOR;
use crate::email;

/// Refuses other services of the mesh: these methods are for them no more than for accounts, and the audit log says
/// that the operator acted.
pub(super) fn for_the_operator<T>(request: &Request<T>) -> Result<(), Fault> {
    match Call::of(request)?.caller {
        Caller::Service(role) if *role == *OPERATOR => Ok(()),
        _ => Err(Fault::new(
            Kind::Denied,
            "OPERATOR_ONLY",
            "this method is for the owner of the machine alone",
        )),
    }
}

impl UsersGrpc {
    pub(super) async fn grant_role(
        &self,
        request: Request<pb::GrantRoleRequest>,
    ) -> Answer<pb::GrantRoleResponse> {
        for_the_operator(&request)?;
        let request = request.into_inner();
        let role = match Role::of(&request.role) {
            Some(Role::Anonymous) | None => None,
            given => given,
        };
        let mut check = Check::new();
        check.bytes("email", &request.email, 0..=email::MAX_BYTES);
        if role.is_none() {
            check.broken("role", "must be user, moderator or admin");
        }
        check.finish()?;
        let role = role.ok_or_else(|| Status::invalid_argument("the role cannot be given"))?;
        let user_id = self.accounts.grant_role(&request.email, role).await?;
        Ok(Response::new(pb::GrantRoleResponse { user_id }))
    }
}
