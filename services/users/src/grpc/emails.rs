//! Mails on the wire: resetting passwords, verifying and changing e-mails.

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_proto::users::v1 as pb;
use tonic::{Request, Response};

use super::{Answer, UsersGrpc};
use crate::email;

/// The most bytes of a token; ours have 43.
const TOKEN_BYTES: usize = 512;

impl UsersGrpc {
    pub(super) async fn request_password_reset(
        &self,
        request: Request<pb::RequestPasswordResetRequest>,
    ) -> Answer<pb::RequestPasswordResetResponse> {
        let request = request.into_inner();
        Check::new()
            .bytes("email", &request.email, 0..=email::MAX_BYTES)
            .finish()?;
        self.accounts.request_password_reset(&request.email).await?;
        Ok(Response::new(pb::RequestPasswordResetResponse {}))
    }

    pub(super) async fn reset_password(
        &self,
        request: Request<pb::ResetPasswordRequest>,
    ) -> Answer<pb::ResetPasswordResponse> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        Check::new()
            .bytes("token", &request.token, 1..=TOKEN_BYTES)
            .chars("new_password", &request.new_password, 8..=256)
            .finish()?;
        let revoked = self
            .accounts
            .reset_password(
                request.token,
                request.new_password.into(),
                call.network.as_ref(),
            )
            .await?;
        Ok(Response::new(pb::ResetPasswordResponse {
            revoked_sessions: u32::try_from(revoked).unwrap_or(u32::MAX),
        }))
    }

    pub(super) async fn request_email_verification(
        &self,
        request: Request<pb::RequestEmailVerificationRequest>,
    ) -> Answer<pb::RequestEmailVerificationResponse> {
        let caller = self.caller(&request).await?;
        self.accounts.request_email_verification(&caller).await?;
        Ok(Response::new(pb::RequestEmailVerificationResponse {}))
    }

    pub(super) async fn request_email_change(
        &self,
        request: Request<pb::RequestEmailChangeRequest>,
    ) -> Answer<pb::RequestEmailChangeResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        let mut check = Check::new();
        let new_email = email::normalise(&request.new_email).unwrap_or_else(|rule| {
            check.broken("new_email", rule);
            String::new()
        });
        check
            .chars("password", &request.password, 1..=256)
            .finish()?;
        self.accounts
            .request_email_change(&caller, &new_email, request.password.into())
            .await?;
        Ok(Response::new(pb::RequestEmailChangeResponse {}))
    }

    pub(super) async fn confirm_email(
        &self,
        request: Request<pb::ConfirmEmailRequest>,
    ) -> Answer<pb::ConfirmEmailResponse> {
        let request = request.into_inner();
        Check::new()
            .bytes("token", &request.token, 1..=TOKEN_BYTES)
            .finish()?;
        let email = self.accounts.confirm_email(request.token).await?;
        Ok(Response::new(pb::ConfirmEmailResponse { email }))
    }
}
