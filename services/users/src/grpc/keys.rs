//! Signing keys on the wire: the public halves for everybody, their life for the owner of the machine.

use atelier_kit::check::Check;
use atelier_kit::moment::timestamp;
use atelier_proto::users::v1 as pb;
use secrecy::SecretString;
use tonic::{Request, Response, Status};

use super::operator::for_the_operator;
use super::{Answer, UsersGrpc};
use crate::error::Error;
use crate::keyring::{KeyState, PublishedKey};

/// Most bytes of a private key's text.
const PEM_BYTES: usize = 16 * 1024;
const PEM: &str = "private_key_pem";

impl UsersGrpc {
    pub(super) async fn get_key_set(
        &self,
        _: Request<pb::GetKeySetRequest>,
    ) -> Answer<pb::GetKeySetResponse> {
        let now = self.accounts.clock.now();
        Ok(Response::new(pb::GetKeySetResponse {
            jwks_json: self.accounts.ring.key_set(now).await?,
        }))
    }

    pub(super) async fn list_signing_keys(
        &self,
        request: Request<pb::ListSigningKeysRequest>,
    ) -> Answer<pb::ListSigningKeysResponse> {
        for_the_operator(&request)?;
        let keys = self.accounts.list_signing_keys().await?;
        Ok(Response::new(pb::ListSigningKeysResponse {
            keys: keys.into_iter().map(Into::into).collect(),
        }))
    }

    pub(super) async fn rotate_signing_key(
        &self,
        request: Request<pb::RotateSigningKeyRequest>,
    ) -> Answer<pb::RotateSigningKeyResponse> {
        for_the_operator(&request)?;
        // Wiped when it is dropped.
        let pem = request.into_inner().private_key_pem;
        let length = pem.len();
        let pem = (length > 0).then(|| SecretString::from(pem));
        Check::new()
            .that(length <= PEM_BYTES, PEM, "must be at most 16384 bytes")
            .finish()?;
        let added = self.accounts.rotate_signing_key(pem).await;
        let added = added.map_err(|error| match error {
            Error::KeyUnusable(rule) => broken(rule),
            other => other.into(),
        })?;
        Ok(Response::new(pb::RotateSigningKeyResponse {
            key: Some(added.into()),
        }))
    }
}

/// A key that cannot be used, told as the field's broken rule.
fn broken(rule: &'static str) -> Status {
    match Check::new().broken(PEM, rule).finish() {
        Err(fault) => fault.into(),
        Ok(()) => Status::invalid_argument(rule),
    }
}

impl From<PublishedKey> for pb::SigningKey {
    fn from(key: PublishedKey) -> Self {
        use pb::signing_key::State;
        let (state, retire_time) = match key.state {
            KeyState::Next => (State::Next, None),
            KeyState::Signing => (State::Signing, None),
            KeyState::Retired(time) => (State::Retired, Some(timestamp(time))),
        };
        pb::SigningKey {
            kid: key.kid,
            state: state.into(),
            create_time: Some(timestamp(key.create_time)),
            sign_time: key.sign_time.map(timestamp),
            retire_time,
        }
    }
}
