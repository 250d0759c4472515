//! What the users role has for everybody: the public keys, and at the edge tokens for API keys; asked for over its link.

use std::time::Duration;

use async_trait::async_trait;
use atelier_edge::{ApiKeyExchange, Exchanged};
use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, Kind, reason_of};
use atelier_kit::identity::KeySource;
use atelier_kit::link::Link;
use atelier_kit::moment;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{ExchangeApiKeyRequest, GetKeySetRequest};
use secrecy::{ExposeSecret as _, SecretString};

/// Fetches the key set from the users role.
pub struct UsersKeys {
    client: UsersServiceClient<Link>,
}

impl UsersKeys {
    /// Over this link.
    pub fn new(link: Link) -> Self {
        Self {
            client: UsersServiceClient::new(link),
        }
    }
}

#[async_trait]
impl KeySource for UsersKeys {
    async fn fetch(&self) -> Result<String, Fault> {
        let call = Call::background(Duration::from_secs(5));
        self.client
            .clone()
            .get_key_set(call.request(GetKeySetRequest {}))
            .await
            .map(|response| response.into_inner().jwks_json)
            .map_err(|status| {
                Fault::new(
                    Kind::of(status.code()),
                    "KEYS_UNAVAILABLE",
                    status.message().to_owned(),
                )
            })
    }
}

/// Exchanges API keys at the users role.
pub struct UsersExchange {
    client: UsersServiceClient<Link>,
}

impl UsersExchange {
    /// Over this link, which speaks for the edge.
    pub fn new(link: Link) -> Self {
        Self {
            client: UsersServiceClient::new(link),
        }
    }
}

#[async_trait]
impl ApiKeyExchange for UsersExchange {
    async fn exchange(&self, key: SecretString) -> Result<Exchanged, Fault> {
        // A call of its own: others wait for the same answer, and the first caller's deadline is not theirs.
        let call = Call::background(Duration::from_secs(5));
        let request = ExchangeApiKeyRequest {
            secret: key.expose_secret().to_owned(),
        };
        let refused = |status: tonic::Status| {
            // That the edge itself is not believed says nothing about the key.
            let is_about_key = reason_of(&status).as_deref() == Some("API_KEY_INVALID");
            let (kind, reason) = match Kind::of(status.code()) {
                kind if is_about_key => (kind, "API_KEY_INVALID"),
                Kind::Unauthenticated => (Kind::Internal, "API_KEYS_UNAVAILABLE"),
                kind => (kind, "API_KEYS_UNAVAILABLE"),
            };
            Fault::new(kind, reason, status.message().to_owned())
        };
        let answer = self
            .client
            .clone()
            .exchange_api_key(call.request(request))
            .await
            .map_err(refused)?
            .into_inner();
        let ends = answer.expire_time.as_ref();
        Ok(Exchanged {
            token: answer.access_token.into(),
            // A token that does not say when it ends is used once.
            expire_time: ends.and_then(moment::from_timestamp).unwrap_or(0),
        })
    }
}
