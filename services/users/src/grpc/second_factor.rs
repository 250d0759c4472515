//! The second factor on the wire.

use atelier_kit::check::Check;
use atelier_proto::users::v1 as pb;
use secrecy::ExposeSecret as _;
use tonic::{Request, Response};

use super::{Answer, UsersGrpc};
use crate::recovery::{Code, RecoveryCode};

/// Most bytes of a code: a recovery code with whatever people put between its groups.
pub(super) const CODE_BYTES: usize = 32;

fn told(codes: &[RecoveryCode]) -> Vec<String> {
    codes.iter().map(|code| code.expose().to_owned()).collect()
}

impl UsersGrpc {
    pub(super) async fn enroll_totp(
        &self,
        request: Request<pb::EnrollTotpRequest>,
    ) -> Answer<pb::EnrollTotpResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        Check::new()
            .chars("password", &request.password, 1..=256)
            .finish()?;
        let enrolment = self
            .accounts
            .enroll_totp(&caller, request.password.into())
            .await?;
        Ok(Response::new(pb::EnrollTotpResponse {
            secret: enrolment.secret.expose_secret().to_owned(),
            uri: enrolment.uri.expose_secret().to_owned(),
        }))
    }

    pub(super) async fn confirm_totp(
        &self,
        request: Request<pb::ConfirmTotpRequest>,
    ) -> Answer<pb::ConfirmTotpResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        let code = Code::read(&request.code);
        Check::new()
            .that(
                request.code.len() <= CODE_BYTES && matches!(code, Code::Totp(_)),
                "code",
                "must be six digits",
            )
            .finish()?;
        let codes = self.accounts.confirm_totp(&caller, &code).await?;
        Ok(Response::new(pb::ConfirmTotpResponse {
            recovery_codes: told(&codes),
        }))
    }

    pub(super) async fn disable_totp(
        &self,
        request: Request<pb::DisableTotpRequest>,
    ) -> Answer<pb::DisableTotpResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        Check::new()
            .chars("password", &request.password, 1..=256)
            .bytes("code", &request.code, 1..=CODE_BYTES)
            .finish()?;
        let code = Code::read(&request.code);
        self.accounts
            .disable_totp(&caller, request.password.into(), &code)
            .await?;
        Ok(Response::new(pb::DisableTotpResponse {}))
    }

    pub(super) async fn renew_recovery_codes(
        &self,
        request: Request<pb::RenewRecoveryCodesRequest>,
    ) -> Answer<pb::RenewRecoveryCodesResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        Check::new()
            .chars("password", &request.password, 1..=256)
            .finish()?;
        let codes = self
            .accounts
            .renew_recovery_codes(&caller, request.password.into())
            .await?;
        Ok(Response::new(pb::RenewRecoveryCodesResponse {
            recovery_codes: told(&codes),
        }))
    }
}
