//! API keys on the wire.

use atelier_kit::check::Check;
use atelier_kit::moment::{self, Micros, timestamp};
use atelier_kit::policy::Scope;
use atelier_proto::policy::v1 as policy;
use atelier_proto::users::v1 as pb;
use tonic::{Request, Response};

use super::{Answer, UsersGrpc};
use crate::api_keys::ApiKey;
use crate::ports::Cursor;

/// Most characters of a key's name.
const NAME_CHARS: usize = 100;

fn scope(given: policy::Scope) -> Option<Scope> {
    match given {
        policy::Scope::Unspecified => None,
        policy::Scope::Read => Some(Scope::Read),
        policy::Scope::Chat => Some(Scope::Chat),
        policy::Scope::Image => Some(Scope::Image),
        policy::Scope::Speech => Some(Scope::Speech),
    }
}

fn told(scope: Scope) -> policy::Scope {
    match scope {
        Scope::Read => policy::Scope::Read,
        Scope::Chat => policy::Scope::Chat,
        Scope::Image => policy::Scope::Image,
        Scope::Speech => policy::Scope::Speech,
    }
}

/// The scopes in the contract's order, or the rule that they break.
fn scopes(given: &[i32]) -> Result<Vec<Scope>, &'static str> {
    // Looked at before anything is kept of them: there are never more good ones.
    if given.is_empty() || given.len() > Scope::ALL.len() {
        return Err("must be at least one, each once");
    }
    let mut scopes = Vec::with_capacity(given.len());
    for number in given {
        let known = policy::Scope::try_from(*number).ok().and_then(scope);
        let known = known.ok_or("must be scopes of the contract")?;
        if scopes.contains(&known) {
            return Err("must be at least one, each once");
        }
        scopes.push(known);
    }
    scopes.sort_unstable();
    Ok(scopes)
}

impl From<ApiKey> for pb::ApiKey {
    fn from(key: ApiKey) -> Self {
        pb::ApiKey {
            id: key.id,
            display_name: key.display_name,
            prefix: key.prefix,
            scopes: key
                .scopes
                .into_iter()
                .map(|scope| told(scope).into())
                .collect(),
            create_time: Some(timestamp(key.create_time)),
            expire_time: key.expire_time.map(timestamp),
            last_use_time: key.last_use_time.map(timestamp),
        }
    }
}

impl UsersGrpc {
    pub(super) async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Answer<pb::CreateApiKeyResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        let mut check = Check::new();
        check
            .chars("display_name", &request.display_name, 1..=NAME_CHARS)
            .not_blank("display_name", &request.display_name);
        let scopes = scopes(&request.scopes).unwrap_or_else(|rule| {
            check.broken("scopes", rule);
            Vec::new()
        });
        let expire_time: Option<Micros> = request.expire_time.as_ref().and_then(|time| {
            let ends =
                moment::from_timestamp(time).filter(|ends| *ends > self.accounts.clock.now());
            check.that(
                ends.is_some(),
                "expire_time",
                "must be a time in the future",
            );
            ends
        });
        check.finish()?;
        let (key, secret) = self
            .accounts
            .create_api_key(&caller, request.display_name, scopes, expire_time)
            .await?;
        Ok(Response::new(pb::CreateApiKeyResponse {
            api_key: Some(key.into()),
            secret: secret.expose().to_owned(),
        }))
    }

    pub(super) async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Answer<pb::ListApiKeysResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        let mut check = Check::new();
        let limit = check.page_size(request.page_size);
        check.finish()?;
        let scope = ["api-keys", caller.user.id.as_str()];
        let after: Option<Cursor> = self.pages.cursor(&scope, &request.page_token)?;
        let mut found = self
            .accounts
            .list_api_keys(&caller, after, limit + 1)
            .await?;
        let next_page_token = self.pages.cut(&scope, &mut found, limit, |last| {
            (last.create_time, last.id.clone())
        });
        Ok(Response::new(pb::ListApiKeysResponse {
            api_keys: found.into_iter().map(Into::into).collect(),
            next_page_token,
        }))
    }

    pub(super) async fn revoke_api_key(
        &self,
        request: Request<pb::RevokeApiKeyRequest>,
    ) -> Answer<pb::RevokeApiKeyResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        Check::new()
            .bytes("api_key_id", &request.api_key_id, 1..=64)
            .finish()?;
        self.accounts
            .revoke_api_key(&caller, &request.api_key_id)
            .await?;
        Ok(Response::new(pb::RevokeApiKeyResponse {}))
    }

    /// The policy has made sure that a service asks.
    pub(super) async fn exchange_api_key(
        &self,
        request: Request<pb::ExchangeApiKeyRequest>,
    ) -> Answer<pb::ExchangeApiKeyResponse> {
        let request = request.into_inner();
        Check::new()
            .bytes("secret", &request.secret, 1..=256)
            .finish()?;
        let token = self.accounts.exchange_api_key(request.secret).await?;
        Ok(Response::new(pb::ExchangeApiKeyResponse {
            access_token: token.access,
            expire_time: Some(timestamp(token.expire_time)),
        }))
    }
}
