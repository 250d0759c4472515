//! The service on the wire: reads and checks requests, calls the rules, writes answers; it keeps nothing itself.

mod wire;

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::page::Pages;
use atelier_proto::users::v1 as pb;
use pb::users_service_server::UsersService;
use tonic::{Request, Response, Status};

use crate::accounts::Accounts;
use crate::email;
use crate::ports::Cursor;
use crate::sessions::SignedIn;

/// Most characters of a name.
const NAME_CHARS: usize = 100;

/// The handlers.
pub(crate) struct UsersGrpc {
    accounts: Accounts,
    pages: Pages,
}

impl UsersGrpc {
    pub(crate) fn new(accounts: Accounts, pages: Pages) -> Self {
        Self { accounts, pages }
    }

    /// The caller, whose token holds and whose session still lives.
    async fn caller<T>(&self, request: &Request<T>) -> Result<SignedIn, Status> {
        let call = Call::of(request)?;
        Ok(self.accounts.signed_in(call.account()?).await?)
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl UsersService for UsersGrpc {
    async fn register(
        &self,
        request: Request<pb::RegisterRequest>,
    ) -> Answer<pb::RegisterResponse> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let mut check = Check::new();
        let email = email::normalise(&request.email).unwrap_or_else(|rule| {
            check.broken("email", rule);
            String::new()
        });
        check
            .chars("password", &request.password, 8..=256)
            .chars("display_name", &request.display_name, 0..=NAME_CHARS)
            .finish()?;
        let (user, pair) = self
            .accounts
            .register(
                email,
                request.password.into(),
                request.display_name,
                &call.user_agent,
            )
            .await?;
        Ok(Response::new(pb::RegisterResponse {
            user: Some(user.into()),
            tokens: Some(pair.into()),
        }))
    }

    async fn login(&self, request: Request<pb::LoginRequest>) -> Answer<pb::LoginResponse> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        Check::new()
            .bytes("email", &request.email, 0..=email::MAX_BYTES)
            .chars("password", &request.password, 1..=256)
            .finish()?;
        let (user, pair) = self
            .accounts
            .login(&request.email, request.password.into(), &call.user_agent)
            .await?;
        Ok(Response::new(pb::LoginResponse {
            user: Some(user.into()),
            tokens: Some(pair.into()),
        }))
    }

    async fn refresh_session(
        &self,
        request: Request<pb::RefreshSessionRequest>,
    ) -> Answer<pb::RefreshSessionResponse> {
        let request = request.into_inner();
        Check::new()
            .bytes("refresh_token", &request.refresh_token, 1..=512)
            .finish()?;
        let pair = self.accounts.refresh_session(request.refresh_token).await?;
        Ok(Response::new(pb::RefreshSessionResponse {
            tokens: Some(pair.into()),
        }))
    }

    async fn logout(&self, request: Request<pb::LogoutRequest>) -> Answer<pb::LogoutResponse> {
        let call = Call::of(&request)?;
        self.accounts.logout(call.account()?).await?;
        Ok(Response::new(pb::LogoutResponse {}))
    }

    async fn get_me(&self, request: Request<pb::GetMeRequest>) -> Answer<pb::GetMeResponse> {
        let caller = self.caller(&request).await?;
        Ok(Response::new(pb::GetMeResponse {
            user: Some(caller.user.into()),
        }))
    }

    async fn update_me(
        &self,
        request: Request<pb::UpdateMeRequest>,
    ) -> Answer<pb::UpdateMeResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        let values = request.user.unwrap_or_default();
        let mut check = Check::new();
        check.mask(request.update_mask.as_ref(), &["display_name"]);
        check
            .chars("user.display_name", &values.display_name, 0..=NAME_CHARS)
            .finish()?;
        let user = self
            .accounts
            .update_me(&caller, &values.display_name)
            .await?;
        Ok(Response::new(pb::UpdateMeResponse {
            user: Some(user.into()),
        }))
    }

    async fn change_password(
        &self,
        request: Request<pb::ChangePasswordRequest>,
    ) -> Answer<pb::ChangePasswordResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        Check::new()
            .chars("current_password", &request.current_password, 1..=256)
            .chars("new_password", &request.new_password, 8..=256)
            .finish()?;
        let revoked_sessions = self
            .accounts
            .change_password(
                &caller,
                request.current_password.into(),
                request.new_password.into(),
            )
            .await?;
        Ok(Response::new(pb::ChangePasswordResponse {
            revoked_sessions,
        }))
    }

    async fn list_sessions(
        &self,
        request: Request<pb::ListSessionsRequest>,
    ) -> Answer<pb::ListSessionsResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        let mut check = Check::new();
        let limit = check.page_size(request.page_size);
        check.finish()?;
        let scope = ["sessions", caller.user.id.as_str()];
        let after: Option<Cursor> = self.pages.cursor(&scope, &request.page_token)?;
        let mut found = self
            .accounts
            .list_sessions(&caller, after, limit + 1)
            .await?;
        let next_page_token = self.pages.cut(&scope, &mut found, limit, |last| {
            (last.create_time, last.id.clone())
        });
        let sessions = found
            .into_iter()
            .map(|session| wire::session(session, &caller.session_id))
            .collect();
        Ok(Response::new(pb::ListSessionsResponse {
            sessions,
            next_page_token,
        }))
    }

    async fn revoke_session(
        &self,
        request: Request<pb::RevokeSessionRequest>,
    ) -> Answer<pb::RevokeSessionResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        Check::new()
            .bytes("session_id", &request.session_id, 1..=64)
            .finish()?;
        self.accounts
            .revoke_session(&caller, &request.session_id)
            .await?;
        Ok(Response::new(pb::RevokeSessionResponse {}))
    }

    async fn create_anonymous_session(
        &self,
        request: Request<pb::CreateAnonymousSessionRequest>,
    ) -> Answer<pb::CreateAnonymousSessionResponse> {
        let call = Call::of(&request)?;
        let (user, pair) = self
            .accounts
            .create_anonymous_session(&call.user_agent)
            .await?;
        Ok(Response::new(pb::CreateAnonymousSessionResponse {
            user: Some(user.into()),
            tokens: Some(pair.into()),
        }))
    }

    async fn list_users(
        &self,
        request: Request<pb::ListUsersRequest>,
    ) -> Answer<pb::ListUsersResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        let mut check = Check::new();
        let limit = check.page_size(request.page_size);
        check.finish()?;
        let scope = ["users"];
        let after: Option<Cursor> = self.pages.cursor(&scope, &request.page_token)?;
        let mut found = self.accounts.list_users(&caller, after, limit + 1).await?;
        let next_page_token = self.pages.cut(&scope, &mut found, limit, |last| {
            (last.create_time, last.id.clone())
        });
        let users = found.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::ListUsersResponse {
            users,
            next_page_token,
        }))
    }

    async fn set_user_role(
        &self,
        request: Request<pb::SetUserRoleRequest>,
    ) -> Answer<pb::SetUserRoleResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        let mut check = Check::new();
        check.bytes("user_id", &request.user_id, 1..=64);
        let role = wire::role_to_give(request.role());
        if role.is_none() {
            check.broken("role", "must be USER, MODERATOR or ADMIN");
        }
        check.finish()?;
        let role = role.ok_or_else(|| Status::invalid_argument("the role cannot be given"))?;
        let user = self
            .accounts
            .set_user_role(&caller, &request.user_id, role)
            .await?;
        Ok(Response::new(pb::SetUserRoleResponse {
            user: Some(user.into()),
        }))
    }

    async fn get_key_set(&self, _: Request<pb::GetKeySetRequest>) -> Answer<pb::GetKeySetResponse> {
        Ok(Response::new(pb::GetKeySetResponse {
            jwks_json: self.accounts.ring.key_set().to_owned(),
        }))
    }
}
