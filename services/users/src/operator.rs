//! What the owner of the machine may do with signing keys and roles; who that is has been verified before.

use atelier_kit::identity::Role;
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::audit::{Act, OPERATOR};
use crate::email;
use crate::error::Error;
use crate::keyring::PublishedKey;
use crate::signing_key::SigningKey;

impl Accounts {
    /// The published keys, the newest first.
    pub(crate) async fn list_signing_keys(&self) -> Result<Vec<PublishedKey>, Error> {
        self.ring.published(self.clock.now()).await
    }

    /// Adds the next signing key: the one in a PEM text, or a new one.
    pub(crate) async fn rotate_signing_key(
        &self,
        pem: Option<SecretString>,
    ) -> Result<PublishedKey, Error> {
        // The store decides; that a key is made in vain can be told before.
        if self.ring.is_rotating(self.clock.now()) {
            return Err(Error::RotationUnderWay);
        }
        let origin = if pem.is_some() { "imported" } else { "made" };
        let key = match pem {
            Some(pem) => SigningKey::import(pem).await?,
            None => SigningKey::generate().await?,
        };
        let act = Act::new("keys.rotated", OPERATOR, key.kid())
            .with("origin", origin)
            .with("bits", key.bits().to_string());
        let added = self.ring.add(&key, act, self.clock.now()).await?;
        tracing::info!(kid = added.kid, origin, "signing key added");
        Ok(added)
    }

    /// Gives the account of an e-mail another role; returns its id.
    pub(crate) async fn grant_role(&self, email: &str, role: Role) -> Result<String, Error> {
        let granted = self
            .users
            .grant(&email::lookup(email), role, self.clock.now())
            .await?;
        let (user_id, before) = granted.ok_or(Error::UserUnknown)?;
        tracing::info!(
            actor = OPERATOR,
            user_id,
            before = before.name(),
            role = role.name(),
            "role set"
        );
        Ok(user_id)
    }
}
