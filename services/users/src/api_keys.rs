//! The rules of API keys: making, ending and exchanging them; how they are kept is not known here.

use atelier_kit::identity::{AUDIENCE, AccessClaims, ISSUER, Role};
use atelier_kit::moment::{Micros, new_id};
use atelier_kit::policy::Scope;
use atelier_kit::secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::accounts::Accounts;
use crate::error::Error;
use crate::ports::Cursor;
use crate::sessions::SignedIn;
use crate::users::User;

/// How every key begins, so that people and scanners of leaked secrets know what it is.
const MARK: &str = "atk_";
/// Bytes of chance in a key.
const KEY_BYTES: usize = 32;
/// Bytes of the check at a key's end, by which a mistyped one is known without asking the store.
const CHECK_BYTES: usize = 3;
/// Characters of a key that its owner sees in the list: 48 of its 256 bits.
const PREFIX_CHARS: usize = 12;
/// How many keys of one account may work at once.
const MOST_KEYS: i64 = 100;
/// How long the token of a key is good, in seconds.
const KEY_TOKEN_SECONDS: u64 = 5 * 60;
/// How exactly the last use is kept, in microseconds: a busy key writes once in this time.
const USE_GRAIN: Micros = 60 * 1_000_000;

/// A key as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiKey {
    pub(crate) id: String,
    pub(crate) display_name: String,
    /// Its beginning.
    pub(crate) prefix: String,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) create_time: Micros,
    pub(crate) expire_time: Option<Micros>,
    pub(crate) last_use_time: Option<Micros>,
}

/// What is kept of a key: its SHA-256. A key has 256 random bits, so no slow hash is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash(pub(crate) [u8; 32]);

/// The key itself; never printed.
pub(crate) struct KeySecret(SecretString);

/// The access token of a key; never printed, so it has no `Debug`.
pub(crate) struct KeyToken {
    pub(crate) access: String,
    pub(crate) expire_time: Micros,
}

impl KeySecret {
    /// A new one.
    pub(crate) fn new() -> Result<Self, Error> {
        let bytes = secret::random::<KEY_BYTES>().map_err(Error::crypto)?;
        let mut text = MARK.to_owned();
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        let check = check(&text);
        text.push_str(&check);
        Ok(Self(text.into()))
    }

    /// One that somebody presents; `None` when it cannot be one.
    pub(crate) fn presented(text: String) -> Option<Self> {
        let at = text.len().checked_sub(check("").len())?;
        let (body, end) = text.split_at_checked(at)?;
        let holds = body.starts_with(MARK) && check(body) == end;
        holds.then(|| Self(text.into()))
    }

    /// The key, to be told to its owner.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    pub(crate) fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.expose().as_bytes()).into())
    }

    fn prefix(&self) -> String {
        self.expose().chars().take(PREFIX_CHARS).collect()
    }
}

/// The end that a key has after this beginning. It keeps nothing secret and proves nothing: it is against slips.
fn check(body: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(body.as_bytes())[..CHECK_BYTES])
}

impl ApiKey {
    /// What a token that is made now says: the key is its session, and it never outlives the key. A key speaks for an
    /// admin as for anybody else: what only admins may do, no key may.
    fn claims(&self, user: &User, weight: u8, now: Micros) -> AccessClaims {
        let seconds = |time: Micros| u64::try_from(time / 1_000_000).unwrap_or(0);
        let issued = seconds(now);
        let whole = issued + KEY_TOKEN_SECONDS;
        AccessClaims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id.clone(),
            sid: self.id.clone(),
            role: user.role.min(Role::User),
            plan: user.plan.clone(),
            weight,
            scope: Some(names(&self.scopes)),
            iat: issued,
            exp: self
                .expire_time
                .map_or(whole, |ends| whole.min(seconds(ends))),
            jti: new_id(),
        }
    }
}

/// Scopes as tokens and tables write them: names with spaces between them.
pub(crate) fn names(scopes: &[Scope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    names.join(" ")
}

impl Accounts {
    /// Makes a key of the caller's account; returns it with the secret, which is nowhere else.
    pub(crate) async fn create_api_key(
        &self,
        caller: &SignedIn,
        display_name: String,
        scopes: Vec<Scope>,
        expire_time: Option<Micros>,
    ) -> Result<(ApiKey, KeySecret), Error> {
        let secret = KeySecret::new()?;
        let key = ApiKey {
            id: new_id(),
            display_name,
            prefix: secret.prefix(),
            scopes,
            create_time: self.clock.now(),
            expire_time,
            last_use_time: None,
        };
        self.api_keys
            .insert(&caller.user.id, &key, &secret.hash(), MOST_KEYS)
            .await?;
        tracing::info!(user_id = caller.user.id, api_key = key.id, "API key made");
        Ok((key, secret))
    }

    /// At most `rows` keys of the caller after a place, the newest first.
    pub(crate) async fn list_api_keys(
        &self,
        caller: &SignedIn,
        after: Option<Cursor>,
        rows: i64,
    ) -> Result<Vec<ApiKey>, Error> {
        self.api_keys.list(&caller.user.id, after, rows).await
    }

    /// Ends one of the caller's keys, and its tokens.
    pub(crate) async fn revoke_api_key(
        &self,
        caller: &SignedIn,
        key_id: &str,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        if !self.api_keys.delete(&caller.user.id, key_id, now).await? {
            return Err(Error::ApiKeyUnknown);
        }
        tracing::info!(
            user_id = caller.user.id,
            api_key = key_id,
            "API key revoked"
        );
        Ok(())
    }

    /// Exchanges a key for an access token that speaks for its account within its scopes.
    pub(crate) async fn exchange_api_key(&self, presented: String) -> Result<KeyToken, Error> {
        let secret = KeySecret::presented(presented).ok_or(Error::ApiKeyInvalid)?;
        let now = self.clock.now();
        let found = self.api_keys.find(&secret.hash(), now).await?;
        let (key, user) = found.ok_or(Error::ApiKeyInvalid)?;
        let used = now - now.rem_euclid(USE_GRAIN);
        if key.last_use_time.is_none_or(|last| last < used) {
            self.api_keys.touch(&key.id, used).await?;
        }
        let claims = key.claims(&user, self.credits.weight(&user), now);
        Ok(KeyToken {
            access: self.ring.sign(&claims, now)?,
            expire_time: i64::try_from(claims.exp).unwrap_or(i64::MAX / 1_000_000) * 1_000_000,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_mark_and_any_slip_by_its_end() {
        let key = KeySecret::new().unwrap();
        let text = key.expose().to_owned();
        assert_eq!(text.len(), 4 + 43 + 4);
        assert!(text.starts_with("atk_") && text.starts_with(&key.prefix()));
        let again = KeySecret::presented(text.clone()).unwrap();
        assert!(again.hash() == key.hash());
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'x' {
                "y"
            } else {
                "x"
            };
            let mut slip = text.clone();
            slip.replace_range(at..=at, other);
            assert!(KeySecret::presented(slip).is_none(), "{at}");
        }
        for bad in ["", "atk", "atk_", "é", "atk_é", &text[1..], &text[..50]] {
            assert!(KeySecret::presented(bad.to_owned()).is_none(), "{bad}");
        }
        assert!(KeySecret::new().unwrap().hash() != key.hash());
    }

    fn key(expire_time: Option<Micros>) -> ApiKey {
        ApiKey {
            id: "k".into(),
            display_name: String::new(),
            prefix: String::new(),
            scopes: vec![Scope::Read, Scope::Chat],
            create_time: 0,
            expire_time,
            last_use_time: None,
        }
    }

    #[test]
    fn a_token_lives_five_minutes_and_never_longer_than_its_key() {
        let user = User::new(None, String::new(), Role::User, 0);
        let end = |expire_time| key(expire_time).claims(&user, 1, 1_000_000_000).exp;
        assert_eq!(end(None), 1_300);
        assert_eq!(end(Some(2_000_000_000)), 1_300);
        assert_eq!(end(Some(1_060_999_999)), 1_060);
    }

    #[test]
    fn a_token_speaks_for_its_account_within_the_scopes_and_never_as_an_admin() {
        for (role, told) in [
            (Role::User, Role::User),
            (Role::Moderator, Role::User),
            (Role::Admin, Role::User),
            (Role::Anonymous, Role::Anonymous),
        ] {
            let user = User::new(None, String::new(), role, 0);
            let claims = key(None).claims(&user, 1, 0);
            assert_eq!(claims.role, told);
            assert_eq!((claims.sub, claims.sid.as_str()), (user.id, "k"));
            assert_eq!(claims.scope.as_deref(), Some("read chat"));
        }
    }
}
