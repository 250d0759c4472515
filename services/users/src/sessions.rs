//! The rules of sessions: signing in, the exchange of refresh tokens, and ending; how they are kept is not known here.

use std::sync::Arc;

use atelier_kit::identity::{Account, Role};
use atelier_kit::moment::{Micros, new_id, span};
use atelier_kit::network::Network;
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::attempts::Attempt;
use crate::email;
use crate::error::Error;
use crate::ports::{Credentials, Cursor};
use crate::tokens::{Pair, REFRESH_MICROS, RefreshToken, TokenHash};
use crate::users::User;

/// Once the successor has been used, the answer that carried it has arrived, and the spent token is needed no more:
/// this is for calls that were under way, in microseconds.
const SUCCESSOR_GRACE: Micros = 10 * 1_000_000;

/// One sign-in of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user_agent: String,
    pub(crate) create_time: Micros,
    pub(crate) last_use_time: Micros,
    pub(crate) expire_time: Micros,
    /// The network that the client last called from; empty when it is not known.
    pub(crate) address: String,
}

/// A session that begins, with its first refresh token.
pub(crate) struct Opening {
    pub(crate) session_id: String,
    pub(crate) user_agent: String,
    /// The network that the client calls from; empty when it is not known.
    pub(crate) address: String,
    pub(crate) token: TokenHash,
    pub(crate) now: Micros,
    pub(crate) expire_time: Micros,
}

/// What is known of the program at the other end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// What it says it is.
    pub(crate) user_agent: Arc<str>,
    /// Where it calls from, when that is known.
    pub(crate) network: Option<Network>,
}

impl Client {
    /// The network as it is kept; empty when it is not known.
    fn address(&self) -> &str {
        self.network.as_ref().map_or("", Network::as_str)
    }
}

/// A caller whose session lives.
pub(crate) struct SignedIn {
    pub(crate) user: User,
    pub(crate) session_id: String,
}

impl SignedIn {
    /// The token may be older than the role: here the account itself is asked.
    pub(crate) fn must_be_admin(&self) -> Result<(), Error> {
        if self.user.role == Role::Admin {
            Ok(())
        } else {
            Err(Error::NoLongerAdmin)
        }
    }
}

/// How a family stands, seen from the token that is presented.
pub(crate) struct FamilyState {
    pub(crate) user: User,
    pub(crate) session_id: String,
    pub(crate) revoked: bool,
    pub(crate) expire_time: Micros,
    pub(crate) presented: Presented,
}

/// The token that is presented.
pub(crate) enum Presented {
    /// It is the family's live one.
    Unspent,
    /// It was exchanged; the sealed pair is there until its grace has passed.
    Spent {
        grace_until: Micros,
        successor: Option<Vec<u8>>,
    },
}

/// An exchange of the presented token for its successor.
pub(crate) struct Rotation {
    pub(crate) successor: TokenHash,
    /// The new pair, sealed with the presented token.
    pub(crate) sealed: Vec<u8>,
    pub(crate) now: Micros,
    /// When the successor and the session end.
    pub(crate) expire_time: Micros,
    /// Until when the presented token may come again.
    pub(crate) grace_until: Micros,
    /// Until when its own parent may come again at the most, because its successor has now been used.
    pub(crate) parent_grace_until: Micros,
    /// The network that the client calls from now; empty when it is not known.
    pub(crate) address: String,
}

/// What a presented token is entitled to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict<'a> {
    /// A new pair.
    Rotate,
    /// The pair it was exchanged for, once more.
    Again(&'a [u8]),
    /// Nothing: whoever presents it may have stolen it, or its successor was stolen.
    Reused,
    /// Nothing: the session is over.
    Ended,
}

/// The rule of rotation.
fn judge(state: &FamilyState, now: Micros) -> Verdict<'_> {
    if state.revoked || now >= state.expire_time {
        return Verdict::Ended;
    }
    match &state.presented {
        Presented::Unspent => Verdict::Rotate,
        Presented::Spent {
            grace_until,
            successor: Some(sealed),
        } if now < *grace_until => Verdict::Again(sealed),
        Presented::Spent { .. } => Verdict::Reused,
    }
}

impl Accounts {
    /// The account of a verified token, when its session, or the API key that it was made for, still lives.
    pub(crate) async fn signed_in(&self, account: &Account) -> Result<SignedIn, Error> {
        let now = self.clock.now();
        let (sid, id) = (&account.session, &account.id);
        let user = if account.scopes.is_some() {
            self.api_keys.holder(sid, id, now).await?
        } else {
            self.sessions.holder(sid, id, now).await?
        };
        let user = user.ok_or(Error::SessionEnded)?;
        Ok(SignedIn {
            user,
            session_id: account.session.to_string(),
        })
    }

    /// The pair of a session of an account.
    pub(crate) fn mint(
        &self,
        user: &User,
        session_id: &str,
        refresh: &RefreshToken,
        now: Micros,
    ) -> Result<Pair, Error> {
        let weight = self.credits.weight(user);
        self.ring.mint(user, weight, session_id, refresh, now)
    }

    /// A session that begins now, and its first refresh token.
    pub(crate) fn open(&self, client: &Client) -> Result<(Opening, RefreshToken), Error> {
        let refresh = RefreshToken::new()?;
        let now = self.clock.now();
        let opening = Opening {
            session_id: new_id(),
            user_agent: client.user_agent.to_string(),
            address: client.address().to_owned(),
            token: refresh.hash(),
            now,
            expire_time: now + REFRESH_MICROS,
        };
        Ok((opening, refresh))
    }

    /// Signs in. An unknown e-mail and a wrong password are the same, in words and in time; only who knows the password
    /// learns whether there is a second factor. `code` is empty when none was sent.
    pub(crate) async fn login(
        &self,
        email: &str,
        password: SecretString,
        code: &str,
        client: &Client,
    ) -> Result<(User, Pair), Error> {
        let (verified, attempt) = self.show_password(email, password, code, client).await?;
        let (opening, refresh) = self.open(client)?;
        let user = self.sessions.insert(&verified, &opening).await?;
        let pair = self.mint(&user, &opening.session_id, &refresh, opening.now)?;
        // The session is made: that the failures before it are still counted is no reason to keep it back.
        if let Err(error) = self.attempts.succeeded(attempt, self.clock.now()).await {
            tracing::warn!(error = %atelier_kit::fault::chain(&error), "the failed attempts could not be forgiven");
        }
        Ok((user, pair))
    }

    /// Shows the password of an e-mail's account, and its second factor where it has one; returns what was verified, and the
    /// attempt, which is to be forgiven when the session is made.
    pub(crate) async fn show_password(
        &self,
        email: &str,
        password: SecretString,
        code: &str,
        client: &Client,
    ) -> Result<(Credentials, Attempt), Error> {
        // Counted as a failure until it is none. A right password without the right code stays one: codes are short.
        let attempt = self
            .attempts
            .begin(email, client.network.as_ref(), self.clock.now())
            .await?;
        let known = self.users.credentials(&email::lookup(email)).await?;
        let kept = known.as_ref().map(|known| known.password_hash.clone());
        let matches = self.passwords.verify(password.clone(), kept).await?;
        let Some(mut verified) = known.filter(|_| matches) else {
            return Err(Error::InvalidCredentials);
        };
        if verified.second_factor {
            verified.second_factor = self.show_second_factor(&verified.user_id, code).await?;
        }
        if self.passwords.needs_rehash(&verified.password_hash) {
            verified.password_hash = self.rehash(&verified, password).await?;
        }
        Ok((verified, attempt))
    }

    /// Keeps a password that was shown just now with as much work as is asked for today; returns what is kept of it.
    async fn rehash(
        &self,
        verified: &Credentials,
        password: SecretString,
    ) -> Result<String, Error> {
        let replacement = self.passwords.hash(password.clone()).await?;
        if self.users.rehash(verified, &replacement).await? {
            tracing::info!(user_id = verified.user_id, "password hashed anew");
            return Ok(replacement);
        }
        // Another sign-in was faster, and kept the same password; or it is another password by now.
        let kept = self.users.password_hash(&verified.user_id).await?;
        if !self.passwords.verify(password, kept.clone()).await? {
            return Err(Error::InvalidCredentials);
        }
        kept.ok_or(Error::InvalidCredentials)
    }

    /// Exchanges a refresh token for a new pair.
    pub(crate) async fn refresh_session(
        &self,
        presented: String,
        client: &Client,
    ) -> Result<Pair, Error> {
        let token = RefreshToken::presented(presented);
        let family = self.sessions.family(&token.hash()).await?;
        let family = family.ok_or(Error::InvalidRefreshToken)?;
        // Read after the family is held: waiting for it must not make a token look fresher than it is.
        let now = self.clock.now();
        let state = family.state();
        match judge(state, now) {
            Verdict::Rotate => {
                let next = RefreshToken::new()?;
                let pair = self.mint(&state.user, &state.session_id, &next, now)?;
                let rotation = Rotation {
                    successor: next.hash(),
                    sealed: token.seal(&pair)?,
                    now,
                    expire_time: pair.refresh_expire_time,
                    grace_until: now + span(self.grace),
                    parent_grace_until: now + SUCCESSOR_GRACE,
                    address: client.address().to_owned(),
                };
                family.rotate(rotation).await?;
                Ok(pair)
            }
            Verdict::Again(sealed) => {
                let pair = token.open(sealed)?;
                family.release(now).await?;
                Ok(pair)
            }
            Verdict::Reused => {
                let (user_id, session_id) = (state.user.id.clone(), state.session_id.clone());
                family.revoke(now).await?;
                tracing::warn!(user_id, session_id, "refresh token reused, session ended");
                Err(Error::RefreshTokenReused)
            }
            Verdict::Ended => {
                family.release(now).await?;
                Err(Error::SessionEnded)
            }
        }
    }

    /// Ends the session of a verified token. One that has ended already stays so, and that is no error: the first
    /// answer may have been lost.
    pub(crate) async fn logout(&self, account: &Account) -> Result<(), Error> {
        self.sessions
            .revoke(&account.id, &account.session, self.clock.now())
            .await?;
        Ok(())
    }

    /// Ends all live sessions of the caller, or all but the one that calls; returns how many.
    pub(crate) async fn revoke_all_sessions(
        &self,
        caller: &SignedIn,
        keep_current: bool,
    ) -> Result<u32, Error> {
        let keep = keep_current.then_some(caller.session_id.as_str());
        self.sessions
            .revoke_all(&caller.user.id, keep, self.clock.now())
            .await
    }

    /// At most `rows` live sessions of the caller after a place, the newest first.
    pub(crate) async fn list_sessions(
        &self,
        caller: &SignedIn,
        after: Option<Cursor>,
        rows: i64,
    ) -> Result<Vec<Session>, Error> {
        self.sessions
            .list(&caller.user.id, self.clock.now(), after, rows)
            .await
    }

    /// Ends one of the caller's live sessions.
    pub(crate) async fn revoke_session(
        &self,
        caller: &SignedIn,
        session_id: &str,
    ) -> Result<(), Error> {
        if self
            .sessions
            .revoke(&caller.user.id, session_id, self.clock.now())
            .await?
        {
            Ok(())
        } else {
            Err(Error::SessionUnknown)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(revoked: bool, presented: Presented) -> FamilyState {
        let user = User::new(None, String::new(), Role::Anonymous, 0);
        FamilyState {
            user,
            session_id: "s".into(),
            revoked,
            expire_time: 1_000,
            presented,
        }
    }

    fn spent() -> Presented {
        Presented::Spent {
            grace_until: 100,
            successor: Some(vec![1]),
        }
    }

    #[test]
    fn an_unspent_token_is_exchanged_until_its_session_expires() {
        assert_eq!(
            judge(&state(false, Presented::Unspent), 999),
            Verdict::Rotate
        );
        assert_eq!(
            judge(&state(false, Presented::Unspent), 1_000),
            Verdict::Ended
        );
        assert_eq!(judge(&state(true, Presented::Unspent), 0), Verdict::Ended);
    }

    #[test]
    fn a_spent_token_gets_its_pair_again_until_its_grace_has_passed() {
        assert_eq!(judge(&state(false, spent()), 99), Verdict::Again(&[1]));
        assert_eq!(judge(&state(false, spent()), 100), Verdict::Reused);
        assert_eq!(judge(&state(true, spent()), 99), Verdict::Ended);
        let erased = Presented::Spent {
            grace_until: 100,
            successor: None,
        };
        assert_eq!(judge(&state(false, erased), 99), Verdict::Reused);
    }
}
