//! Verifying who calls: access tokens of accounts and tokens of services; nothing here issues an access token.

mod keys;
mod revocations;
mod service_token;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, Kind};
use crate::network::Network;
use crate::policy::Scope;

pub use keys::{AccessVerifier, KEY_LEAD, KeySource, Ticks};
pub use revocations::{News, NewsStream, RevocationSource, Revocations};
pub use service_token::ServiceTokens;

/// The `iss` of access tokens.
pub const ISSUER: &str = "atelier";
/// The `aud` of access tokens.
pub const AUDIENCE: &str = "atelier";
/// The `typ` of access tokens (RFC 9068).
pub const ACCESS_TYPE: &str = "at+jwt";
/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// What an account may do; each role includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An account without an e-mail.
    Anonymous,
    /// A registered account.
    User,
    /// Looks after what others made.
    Moderator,
    /// May do everything.
    Admin,
}

impl Role {
    /// The role's name in tokens and tables.
    pub fn name(self) -> &'static str {
        match self {
            Role::Anonymous => "anonymous",
            Role::User => "user",
            Role::Moderator => "moderator",
            Role::Admin => "admin",
        }
    }

    /// The role of a name.
    pub fn of(name: &str) -> Option<Self> {
        [Role::Anonymous, Role::User, Role::Moderator, Role::Admin]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// The claims of an access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// [`ISSUER`].
    pub iss: String,
    /// [`AUDIENCE`].
    pub aud: String,
    /// The account.
    pub sub: String,
    /// The session.
    pub sid: String,
    /// What the account may do.
    pub role: Role,
    /// What the account has subscribed to; a token of an earlier version does not say it.
    #[serde(default = "free")]
    pub plan: String,
    /// How the account counts where generations wait, as its plan says: 1 to 10; a token of an earlier version does not say it.
    #[serde(default = "once")]
    pub weight: u8,
    /// What the token is limited to, when it was made for an API key: names of scopes with spaces between them
    /// (RFC 9068). The session is then the key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When it was made, in seconds since the epoch.
    pub iat: u64,
    /// When it ends, in seconds since the epoch.
    pub exp: u64,
    /// The token's own id.
    pub jti: String,
}

/// What an account has subscribed to that has subscribed to nothing.
fn free() -> String {
    "free".to_owned()
}

/// How an account counts whose token does not say it.
fn once() -> u8 {
    1
}

/// An account that calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account's id.
    pub id: Arc<str>,
    /// The session of the token.
    pub session: Arc<str>,
    /// What the account may do.
    pub role: Role,
    /// What it has subscribed to.
    pub plan: Arc<str>,
    /// How it counts where generations wait.
    pub weight: u8,
    /// What the token is limited to, when it is an API key's.
    pub scopes: Option<Arc<[Scope]>>,
}

/// Who calls, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// No token was sent.
    Nobody,
    /// An account, registered or anonymous.
    Account(Account),
    /// Another service of the mesh, by its role.
    Service(Arc<str>),
}

/// Verifies whatever token a call carries.
#[derive(Clone)]
pub struct Verifier {
    access: AccessVerifier,
    services: Option<ServiceTokens>,
    role: Arc<str>,
}

impl Verifier {
    /// Verifies access tokens with the keys of `access`, and service tokens meant for `role`. Without `services`
    /// (at the edge) a service token is refused like any other unknown token.
    pub fn new(access: AccessVerifier, services: Option<ServiceTokens>, role: &str) -> Self {
        Self {
            access,
            services,
            role: role.into(),
        }
    }

    /// Where the client calls from, when a role of the mesh has told it.
    pub(crate) fn network(&self, headers: &http::HeaderMap) -> Option<Network> {
        self.services.as_ref()?.networks().read(headers)
    }

    /// Whether it is known who is revoked; see [`Revocations::is_current`].
    pub fn knows_revocations(&self) -> bool {
        self.access.revocations().is_current()
    }

    /// Who sent these headers. No `authorization` is [`Caller::Nobody`]; a token that is sent must be valid.
    pub async fn identify(&self, headers: &http::HeaderMap) -> Result<Caller, Fault> {
        let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(Caller::Nobody);
        };
        if values.next().is_some() {
            return Err(invalid("more than one authorization header"));
        }
        let text = value
            .to_str()
            .map_err(|_| invalid("the authorization header is not text"))?;
        let token = match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(invalid("the authorization header must be `Bearer <token>`")),
        };
        if token.len() > MAX_TOKEN_BYTES {
            return Err(invalid("the token is too long"));
        }
        if let Some(account) = self.access.remembered(token) {
            return self.access.if_not_ended(account).map(Caller::Account);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid("not a JWT"))?;
        match (header.typ.as_deref(), &self.services) {
            (Some(ACCESS_TYPE), _) => self
                .access
                .verify(token, &header)
                .await
                .map(Caller::Account),
            (Some(service_token::TYPE), Some(services)) => {
                services.verify(token, &self.role).map(Caller::Service)
            }
            _ => Err(invalid("not an access token")),
        }
    }
}

/// A token that does not hold, and why; the why is for the caller's developer and tells no secret.
pub(crate) fn invalid(why: &str) -> Fault {
    Fault::new(Kind::Unauthenticated, "TOKEN_INVALID", why)
}

/// A token whose time is over.
pub(crate) fn expired() -> Fault {
    Fault::new(
        Kind::Unauthenticated,
        "TOKEN_EXPIRED",
        "the token has expired",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_an_earlier_version_counts_once() {
        let told = serde_json::json!({"iss": "atelier", "aud": "atelier", "sub": "a", "sid": "s", "role": "user",
            "iat": 1, "exp": 2, "jti": "j"});
        let claims: AccessClaims = serde_json::from_value(told.clone()).unwrap();
        assert_eq!((claims.plan.as_str(), claims.weight), ("free", 1));
        let mut told = told;
        told["weight"] = 7.into();
        let claims: AccessClaims = serde_json::from_value(told).unwrap();
        assert_eq!(claims.weight, 7);
    }
}
