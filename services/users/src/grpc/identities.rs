//! Signing in with somebody else, on the wire.

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::identity::Caller;
use atelier_kit::moment::timestamp;
use atelier_proto::users::v1 as pb;
use secrecy::ExposeSecret as _;
use tonic::{Request, Response};
use url::Url;

use super::{Answer, UsersGrpc};
use crate::identities::Identity;
use crate::ports::ProviderName;
use crate::sign_in::{Return, Shown};
use crate::tokens::Opaque;

/// The most bytes of a token and of a state; ours have 43.
const TOKEN_BYTES: usize = 512;
/// The most bytes of a code.
const CODE_BYTES: usize = 4096;

impl From<ProviderName> for pb::SignInProvider {
    fn from(provider: ProviderName) -> Self {
        pb::SignInProvider {
            id: provider.id,
            display_name: provider.display_name,
            issuer: provider.issuer,
        }
    }
}

impl From<Identity> for pb::Identity {
    fn from(identity: Identity) -> Self {
        pb::Identity {
            id: identity.id,
            issuer: identity.issuer,
            email: identity.email,
            create_time: Some(timestamp(identity.create_time)),
            last_use_time: Some(timestamp(identity.last_use_time)),
        }
    }
}

impl UsersGrpc {
    pub(super) async fn list_sign_in_providers(
        &self,
        _: Request<pb::ListSignInProvidersRequest>,
    ) -> Answer<pb::ListSignInProvidersResponse> {
        let providers = self.accounts.sign_in_providers();
        Ok(Response::new(pb::ListSignInProvidersResponse {
            providers: providers.into_iter().map(Into::into).collect(),
        }))
    }

    pub(super) async fn start_sign_in(
        &self,
        request: Request<pb::StartSignInRequest>,
    ) -> Answer<pb::StartSignInResponse> {
        let call = Call::of(&request)?;
        let caller = match &call.caller {
            Caller::Account(account) => Some(self.accounts.signed_in(account).await?),
            _ => None,
        };
        let request = request.into_inner();
        Check::new()
            .bytes("provider", &request.provider, 0..=64)
            .bytes("redirect_uri", &request.redirect_uri, 1..=2048)
            .that(
                Url::parse(&request.redirect_uri).is_ok(),
                "redirect_uri",
                "must be an absolute URI",
            )
            .finish()?;
        let started = self
            .accounts
            .start_sign_in(&request.provider, request.redirect_uri, caller.as_ref())
            .await?;
        Ok(Response::new(pb::StartSignInResponse {
            authorization_url: started.authorization_url,
            sign_in_token: started.token.expose_secret().to_owned(),
            expire_time: Some(timestamp(started.expire_time)),
        }))
    }

    pub(super) async fn complete_sign_in(
        &self,
        request: Request<pb::CompleteSignInRequest>,
    ) -> Answer<pb::CompleteSignInResponse> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        Check::new()
            .bytes("sign_in_token", &request.sign_in_token, 1..=TOKEN_BYTES)
            .bytes("state", &request.state, 0..=TOKEN_BYTES)
            .bytes("code", &request.code, 0..=CODE_BYTES)
            .chars("password", &request.password, 0..=256)
            .bytes(
                "second_factor",
                &request.second_factor,
                0..=super::second_factor::CODE_BYTES,
            )
            .finish()?;
        let returned = Return {
            token: Opaque::presented(request.sign_in_token),
            state: Opaque::presented(request.state),
            code: request.code,
        };
        let shown = Shown {
            password: request.password.into(),
            second_factor: request.second_factor,
        };
        let (user, pair, created) = self
            .accounts
            .complete_sign_in(returned, shown, &super::client(&call))
            .await?;
        Ok(Response::new(pb::CompleteSignInResponse {
            user: Some(user.into()),
            tokens: Some(pair.into()),
            created,
        }))
    }

    pub(super) async fn list_identities(
        &self,
        request: Request<pb::ListIdentitiesRequest>,
    ) -> Answer<pb::ListIdentitiesResponse> {
        let caller = self.caller(&request).await?;
        let identities = self.accounts.list_identities(&caller).await?;
        Ok(Response::new(pb::ListIdentitiesResponse {
            identities: identities.into_iter().map(Into::into).collect(),
        }))
    }

    pub(super) async fn link_identity(
        &self,
        request: Request<pb::LinkIdentityRequest>,
    ) -> Answer<pb::LinkIdentityResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        Check::new()
            .bytes("sign_in_token", &request.sign_in_token, 1..=TOKEN_BYTES)
            .bytes("state", &request.state, 1..=TOKEN_BYTES)
            .bytes("code", &request.code, 1..=CODE_BYTES)
            .finish()?;
        let returned = Return {
            token: Opaque::presented(request.sign_in_token),
            state: Opaque::presented(request.state),
            code: request.code,
        };
        let identity = self.accounts.link_identity(&caller, returned).await?;
        Ok(Response::new(pb::LinkIdentityResponse {
            identity: Some(identity.into()),
        }))
    }

    pub(super) async fn unlink_identity(
        &self,
        request: Request<pb::UnlinkIdentityRequest>,
    ) -> Answer<pb::UnlinkIdentityResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        Check::new()
            .bytes("identity_id", &request.identity_id, 1..=64)
            .finish()?;
        let revoked_sessions = self
            .accounts
            .unlink_identity(&caller, &request.identity_id)
            .await?;
        Ok(Response::new(pb::UnlinkIdentityResponse {
            revoked_sessions,
        }))
    }
}
