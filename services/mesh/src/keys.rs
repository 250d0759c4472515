//! Where every service gets the public keys from: the users role, over its link.

use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::KeySource;
use atelier_kit::link::Link;
use atelier_proto::users::v1::GetKeySetRequest;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;

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
