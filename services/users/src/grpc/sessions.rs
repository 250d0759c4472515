//! Sessions on the wire: their tokens, their list, their end.

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_proto::users::v1 as pb;
use tonic::{Request, Response};

use super::{Answer, UsersGrpc, wire};
use crate::ports::Cursor;

impl UsersGrpc {
    pub(super) async fn refresh_session(
        &self,
        request: Request<pb::RefreshSessionRequest>,
    ) -> Answer<pb::RefreshSessionResponse> {
        let client = super::client(&Call::of(&request)?);
        let request = request.into_inner();
        Check::new()
            .bytes("refresh_token", &request.refresh_token, 1..=512)
            .finish()?;
        let pair = self
            .accounts
            .refresh_session(request.refresh_token, &client)
            .await?;
        Ok(Response::new(pb::RefreshSessionResponse {
            tokens: Some(pair.into()),
        }))
    }

    pub(super) async fn logout(
        &self,
        request: Request<pb::LogoutRequest>,
    ) -> Answer<pb::LogoutResponse> {
        let call = Call::of(&request)?;
        self.accounts.logout(call.account()?).await?;
        Ok(Response::new(pb::LogoutResponse {}))
    }

    pub(super) async fn list_sessions(
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

    pub(super) async fn revoke_session(
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

    pub(super) async fn revoke_all_sessions(
        &self,
        request: Request<pb::RevokeAllSessionsRequest>,
    ) -> Answer<pb::RevokeAllSessionsResponse> {
        let caller = self.caller(&request).await?;
        let keep_current = request.into_inner().keep_current;
        let revoked_sessions = self
            .accounts
            .revoke_all_sessions(&caller, keep_current)
            .await?;
        Ok(Response::new(pb::RevokeAllSessionsResponse {
            revoked_sessions,
        }))
    }
}
