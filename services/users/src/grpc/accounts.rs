//! Accounts on the wire: registering, signing in, the account itself, and what admins do with accounts.

use std::collections::HashMap;

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::identity::{Caller, Role};
use atelier_proto::users::v1 as pb;
use tonic::{Request, Response, Status};

use super::{Answer, UsersGrpc, wire};
use crate::email;
use crate::ports::Cursor;
use crate::users::{ProfileChange, Registration};

/// Most characters of a name.
const NAME_CHARS: usize = 100;
/// Most characters of what an account says of itself.
const BIO_CHARS: usize = 1000;
/// Most preferences, most bytes of a name of one, and most characters of a value.
const PREFERENCES: usize = 50;
const PREFERENCE_NAME_BYTES: usize = 64;
const PREFERENCE_CHARS: usize = 1000;

/// Whether preferences are within their bounds, or the rule that they break.
fn sound(preferences: &HashMap<String, String>) -> Result<(), &'static str> {
    if preferences.len() > PREFERENCES {
        return Err("must be at most 50");
    }
    for (name, value) in preferences {
        if name.is_empty() || name.len() > PREFERENCE_NAME_BYTES {
            return Err("must have names of 1 to 64 bytes");
        }
        if value.chars().count() > PREFERENCE_CHARS {
            return Err("must have values of at most 1000 characters");
        }
    }
    Ok(())
}

impl UsersGrpc {
    pub(super) async fn register(
        &self,
        request: Request<pb::RegisterRequest>,
    ) -> Answer<pb::RegisterResponse> {
        let call = Call::of(&request)?;
        // Somebody anonymous keeps what is theirs; anybody else makes an account beside the one they have.
        let anonymous = match &call.caller {
            Caller::Account(account) if account.role == Role::Anonymous => {
                Some(self.accounts.signed_in(account).await?)
            }
            _ => None,
        };
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
        let registration = Registration {
            email,
            password: request.password.into(),
            display_name: request.display_name,
        };
        let (user, pair) = self
            .accounts
            .register(registration, anonymous.as_ref(), &super::client(&call))
            .await?;
        Ok(Response::new(pb::RegisterResponse {
            user: Some(user.into()),
            tokens: Some(pair.into()),
        }))
    }

    pub(super) async fn create_anonymous_session(
        &self,
        request: Request<pb::CreateAnonymousSessionRequest>,
    ) -> Answer<pb::CreateAnonymousSessionResponse> {
        let call = Call::of(&request)?;
        let (user, pair) = self
            .accounts
            .create_anonymous_session(&super::client(&call))
            .await?;
        Ok(Response::new(pb::CreateAnonymousSessionResponse {
            user: Some(user.into()),
            tokens: Some(pair.into()),
        }))
    }

    pub(super) async fn login(
        &self,
        request: Request<pb::LoginRequest>,
    ) -> Answer<pb::LoginResponse> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        Check::new()
            .bytes("email", &request.email, 0..=email::MAX_BYTES)
            .chars("password", &request.password, 1..=256)
            .bytes(
                "second_factor",
                &request.second_factor,
                0..=super::second_factor::CODE_BYTES,
            )
            .finish()?;
        let (user, pair) = self
            .accounts
            .login(
                &request.email,
                request.password.into(),
                &request.second_factor,
                &super::client(&call),
            )
            .await?;
        Ok(Response::new(pb::LoginResponse {
            user: Some(user.into()),
            tokens: Some(pair.into()),
        }))
    }

    pub(super) async fn get_me(
        &self,
        request: Request<pb::GetMeRequest>,
    ) -> Answer<pb::GetMeResponse> {
        let caller = self.caller(&request).await?;
        Ok(Response::new(pb::GetMeResponse {
            user: Some(caller.user.into()),
        }))
    }

    pub(super) async fn update_me(
        &self,
        request: Request<pb::UpdateMeRequest>,
    ) -> Answer<pb::UpdateMeResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        let values = request.user.unwrap_or_default();
        let mut check = Check::new();
        let named = check.mask(
            request.update_mask.as_ref(),
            &["display_name", "bio", "preferences"],
        );
        check
            .chars("user.display_name", &values.display_name, 0..=NAME_CHARS)
            .chars("user.bio", &values.bio, 0..=BIO_CHARS);
        if let Err(rule) = sound(&values.preferences) {
            check.broken("user.preferences", rule);
        }
        check.finish()?;
        let named = |name: &str| named.iter().any(|path| path == name);
        let change = ProfileChange {
            display_name: named("display_name").then_some(values.display_name),
            bio: named("bio").then_some(values.bio),
            preferences: named("preferences").then(|| values.preferences.into_iter().collect()),
        };
        let user = self.accounts.update_me(&caller, &change).await?;
        Ok(Response::new(pb::UpdateMeResponse {
            user: Some(user.into()),
        }))
    }

    pub(super) async fn change_password(
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

    pub(super) async fn list_users(
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

    pub(super) async fn set_user_role(
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
}
