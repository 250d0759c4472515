//! The service on the wire: reads and checks requests, calls the rules, writes answers; it keeps nothing itself. Each
//! noun has a room; here is the list of all methods.

mod accounts;
mod api_keys;
mod audit;
mod credits;
mod emails;
mod identities;
mod keys;
mod leaving;
mod operator;
mod revocations;
mod second_factor;
mod sessions;
mod wire;

use std::sync::Arc;

use atelier_kit::call::Call;
use atelier_kit::page::Pages;
use atelier_proto::users::v1 as pb;
use pb::users_service_server::UsersService;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::accounts::Accounts;
use crate::sessions::{Client, SignedIn};

pub(crate) use credits::CreditsGrpc;

/// The handlers.
pub(crate) struct UsersGrpc {
    accounts: Arc<Accounts>,
    pages: Pages,
    closing: CancellationToken,
}

impl UsersGrpc {
    /// Streams end with `closing`.
    pub(crate) fn new(accounts: Arc<Accounts>, pages: Pages, closing: CancellationToken) -> Self {
        Self {
            accounts,
            pages,
            closing,
        }
    }

    /// The caller, whose token holds and whose session still lives.
    async fn caller<T>(&self, request: &Request<T>) -> Result<SignedIn, Status> {
        let call = Call::of(request)?;
        Ok(self.accounts.signed_in(call.account()?).await?)
    }
}

/// What is known of the program that calls.
fn client(call: &Call) -> Client {
    Client {
        user_agent: call.user_agent.clone(),
        network: call.network.clone(),
    }
}

/// What every handler returns.
type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl UsersService for UsersGrpc {
    async fn register(
        &self,
        request: Request<pb::RegisterRequest>,
    ) -> Answer<pb::RegisterResponse> {
        UsersGrpc::register(self, request).await
    }

    async fn login(&self, request: Request<pb::LoginRequest>) -> Answer<pb::LoginResponse> {
        UsersGrpc::login(self, request).await
    }

    async fn refresh_session(
        &self,
        request: Request<pb::RefreshSessionRequest>,
    ) -> Answer<pb::RefreshSessionResponse> {
        UsersGrpc::refresh_session(self, request).await
    }

    async fn logout(&self, request: Request<pb::LogoutRequest>) -> Answer<pb::LogoutResponse> {
        UsersGrpc::logout(self, request).await
    }

    async fn get_me(&self, request: Request<pb::GetMeRequest>) -> Answer<pb::GetMeResponse> {
        UsersGrpc::get_me(self, request).await
    }

    async fn update_me(
        &self,
        request: Request<pb::UpdateMeRequest>,
    ) -> Answer<pb::UpdateMeResponse> {
        UsersGrpc::update_me(self, request).await
    }

    async fn change_password(
        &self,
        request: Request<pb::ChangePasswordRequest>,
    ) -> Answer<pb::ChangePasswordResponse> {
        UsersGrpc::change_password(self, request).await
    }

    async fn list_sessions(
        &self,
        request: Request<pb::ListSessionsRequest>,
    ) -> Answer<pb::ListSessionsResponse> {
        UsersGrpc::list_sessions(self, request).await
    }

    async fn revoke_session(
        &self,
        request: Request<pb::RevokeSessionRequest>,
    ) -> Answer<pb::RevokeSessionResponse> {
        UsersGrpc::revoke_session(self, request).await
    }

    async fn create_anonymous_session(
        &self,
        request: Request<pb::CreateAnonymousSessionRequest>,
    ) -> Answer<pb::CreateAnonymousSessionResponse> {
        UsersGrpc::create_anonymous_session(self, request).await
    }

    async fn list_users(
        &self,
        request: Request<pb::ListUsersRequest>,
    ) -> Answer<pb::ListUsersResponse> {
        UsersGrpc::list_users(self, request).await
    }

    async fn set_user_role(
        &self,
        request: Request<pb::SetUserRoleRequest>,
    ) -> Answer<pb::SetUserRoleResponse> {
        UsersGrpc::set_user_role(self, request).await
    }

    async fn get_key_set(
        &self,
        request: Request<pb::GetKeySetRequest>,
    ) -> Answer<pb::GetKeySetResponse> {
        UsersGrpc::get_key_set(self, request).await
    }

    async fn revoke_all_sessions(
        &self,
        request: Request<pb::RevokeAllSessionsRequest>,
    ) -> Answer<pb::RevokeAllSessionsResponse> {
        UsersGrpc::revoke_all_sessions(self, request).await
    }

    async fn request_password_reset(
        &self,
        request: Request<pb::RequestPasswordResetRequest>,
    ) -> Answer<pb::RequestPasswordResetResponse> {
        UsersGrpc::request_password_reset(self, request).await
    }

    async fn reset_password(
        &self,
        request: Request<pb::ResetPasswordRequest>,
    ) -> Answer<pb::ResetPasswordResponse> {
        UsersGrpc::reset_password(self, request).await
    }

    async fn request_email_verification(
        &self,
        request: Request<pb::RequestEmailVerificationRequest>,
    ) -> Answer<pb::RequestEmailVerificationResponse> {
        UsersGrpc::request_email_verification(self, request).await
    }

    async fn request_email_change(
        &self,
        request: Request<pb::RequestEmailChangeRequest>,
    ) -> Answer<pb::RequestEmailChangeResponse> {
        UsersGrpc::request_email_change(self, request).await
    }

    async fn confirm_email(
        &self,
        request: Request<pb::ConfirmEmailRequest>,
    ) -> Answer<pb::ConfirmEmailResponse> {
        UsersGrpc::confirm_email(self, request).await
    }

    async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Answer<pb::CreateApiKeyResponse> {
        UsersGrpc::create_api_key(self, request).await
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Answer<pb::ListApiKeysResponse> {
        UsersGrpc::list_api_keys(self, request).await
    }

    async fn revoke_api_key(
        &self,
        request: Request<pb::RevokeApiKeyRequest>,
    ) -> Answer<pb::RevokeApiKeyResponse> {
        UsersGrpc::revoke_api_key(self, request).await
    }

    async fn exchange_api_key(
        &self,
        request: Request<pb::ExchangeApiKeyRequest>,
    ) -> Answer<pb::ExchangeApiKeyResponse> {
        UsersGrpc::exchange_api_key(self, request).await
    }

    async fn enroll_totp(
        &self,
        request: Request<pb::EnrollTotpRequest>,
    ) -> Answer<pb::EnrollTotpResponse> {
        UsersGrpc::enroll_totp(self, request).await
    }

    async fn confirm_totp(
        &self,
        request: Request<pb::ConfirmTotpRequest>,
    ) -> Answer<pb::ConfirmTotpResponse> {
        UsersGrpc::confirm_totp(self, request).await
    }

    async fn disable_totp(
        &self,
        request: Request<pb::DisableTotpRequest>,
    ) -> Answer<pb::DisableTotpResponse> {
        UsersGrpc::disable_totp(self, request).await
    }

    async fn renew_recovery_codes(
        &self,
        request: Request<pb::RenewRecoveryCodesRequest>,
    ) -> Answer<pb::RenewRecoveryCodesResponse> {
        UsersGrpc::renew_recovery_codes(self, request).await
    }

    async fn list_audit_events(
        &self,
        request: Request<pb::ListAuditEventsRequest>,
    ) -> Answer<pb::ListAuditEventsResponse> {
        UsersGrpc::list_audit_events(self, request).await
    }

    type WatchRevocationsStream = revocations::Told;

    async fn watch_revocations(
        &self,
        request: Request<pb::WatchRevocationsRequest>,
    ) -> Answer<Self::WatchRevocationsStream> {
        UsersGrpc::watch_revocations(self, request).await
    }

    async fn list_signing_keys(
        &self,
        request: Request<pb::ListSigningKeysRequest>,
    ) -> Answer<pb::ListSigningKeysResponse> {
        UsersGrpc::list_signing_keys(self, request).await
    }

    async fn rotate_signing_key(
        &self,
        request: Request<pb::RotateSigningKeyRequest>,
    ) -> Answer<pb::RotateSigningKeyResponse> {
        UsersGrpc::rotate_signing_key(self, request).await
    }

    async fn grant_role(
        &self,
        request: Request<pb::GrantRoleRequest>,
    ) -> Answer<pb::GrantRoleResponse> {
        UsersGrpc::grant_role(self, request).await
    }

    async fn list_sign_in_providers(
        &self,
        request: Request<pb::ListSignInProvidersRequest>,
    ) -> Answer<pb::ListSignInProvidersResponse> {
        UsersGrpc::list_sign_in_providers(self, request).await
    }

    async fn start_sign_in(
        &self,
        request: Request<pb::StartSignInRequest>,
    ) -> Answer<pb::StartSignInResponse> {
        UsersGrpc::start_sign_in(self, request).await
    }

    async fn complete_sign_in(
        &self,
        request: Request<pb::CompleteSignInRequest>,
    ) -> Answer<pb::CompleteSignInResponse> {
        UsersGrpc::complete_sign_in(self, request).await
    }

    async fn list_identities(
        &self,
        request: Request<pb::ListIdentitiesRequest>,
    ) -> Answer<pb::ListIdentitiesResponse> {
        UsersGrpc::list_identities(self, request).await
    }

    async fn link_identity(
        &self,
        request: Request<pb::LinkIdentityRequest>,
    ) -> Answer<pb::LinkIdentityResponse> {
        UsersGrpc::link_identity(self, request).await
    }

    async fn unlink_identity(
        &self,
        request: Request<pb::UnlinkIdentityRequest>,
    ) -> Answer<pb::UnlinkIdentityResponse> {
        UsersGrpc::unlink_identity(self, request).await
    }

    type ExportAccountStream = leaving::Told;

    async fn export_account(
        &self,
        request: Request<pb::ExportAccountRequest>,
    ) -> Answer<Self::ExportAccountStream> {
        UsersGrpc::export_account(self, request).await
    }

    async fn delete_account(
        &self,
        request: Request<pb::DeleteAccountRequest>,
    ) -> Answer<pb::DeleteAccountResponse> {
        UsersGrpc::delete_account(self, request).await
    }

    async fn get_deletion(
        &self,
        request: Request<pb::GetDeletionRequest>,
    ) -> Answer<pb::GetDeletionResponse> {
        UsersGrpc::get_deletion(self, request).await
    }
}
