//! The rules of signing in with somebody else: how it begins, what comes back, and how it is completed. Who gets into which
//! account is decided in [`crate::identities`]; no provider's protocol is spoken here.

use std::sync::Arc;

use atelier_kit::identity::Role;
use atelier_kit::moment::Micros;
use atelier_kit::secret;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::attempts::Attempt;
use crate::error::Error;
use crate::identities::{Identity, Person, Proof, Standing, Verdict, judge};
use crate::ports::{HeldSignIn, Provider, ProviderName, SignInStore};
use crate::sessions::{Client, SignedIn};
use crate::tokens::{Opaque, Pair, TokenHash};
use crate::users::User;

/// How long a sign-in may take, in microseconds.
const LIFETIME: Micros = 10 * 60 * 1_000_000;
/// Most characters of a name.
const NAME_CHARS: usize = 100;

/// What a sign-in is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be signed in.
    SignIn,
    /// To be linked to the account that began it.
    Link,
}

impl Purpose {
    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Link => "link",
        }
    }

    /// The purpose of a name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::SignIn, Self::Link]
            .into_iter()
            .find(|purpose| purpose.name() == name)
    }
}

/// What both ends of one trip to a provider must agree on.
pub(crate) struct Journey {
    /// Where the provider sends the browser back to.
    pub(crate) redirect_uri: String,
    /// What the provider has to sign along, so that nothing it signed for another trip holds.
    pub(crate) nonce: SecretString,
    /// What shows the provider that the code comes from who asked for it: 43 characters of base64url (RFC 7636).
    pub(crate) verifier: SecretString,
}

/// What of a [`Journey`] is sealed.
#[derive(Serialize, Deserialize)]
struct Secrets {
    nonce: String,
    verifier: String,
}

/// A sign-in that begins.
pub(crate) struct NewSignIn {
    pub(crate) token: TokenHash,
    pub(crate) state: TokenHash,
    pub(crate) purpose: Purpose,
    /// The account that begins it; `None` for nobody.
    pub(crate) user_id: Option<String>,
    pub(crate) issuer: String,
    pub(crate) redirect_uri: String,
    /// Nonce and verifier, sealed.
    pub(crate) secrets: Vec<u8>,
    pub(crate) expire_time: Micros,
}

/// A sign-in that is under way.
pub(crate) struct SignIn {
    pub(crate) state: TokenHash,
    pub(crate) purpose: Purpose,
    pub(crate) user_id: Option<String>,
    pub(crate) issuer: String,
    pub(crate) redirect_uri: String,
    pub(crate) secrets: Vec<u8>,
    /// What the provider said, sealed; `None` as long as it has not.
    pub(crate) person: Option<Vec<u8>>,
}

/// What a client needs to go on with.
pub(crate) struct Started {
    pub(crate) authorization_url: String,
    pub(crate) token: SecretString,
    pub(crate) expire_time: Micros,
}

/// What comes back from the provider, with the token of who began.
pub(crate) struct Return {
    pub(crate) token: Opaque,
    pub(crate) state: Opaque,
    pub(crate) code: String,
}

/// What is shown besides, where it is asked for; empty where it was not sent.
pub(crate) struct Shown {
    pub(crate) password: SecretString,
    pub(crate) second_factor: String,
}

/// The part of the desk for signing in with somebody else.
pub(crate) struct SignIns {
    /// The one provider that is set; `None` without one.
    pub(crate) provider: Option<Arc<dyn Provider>>,
    pub(crate) store: Arc<dyn SignInStore>,
    /// Seals what is kept of sign-ins.
    pub(crate) key: [u8; 32],
}

impl SignIns {
    fn seal(&self, token: &TokenHash, value: &impl Serialize) -> Result<Vec<u8>, Error> {
        let plain = serde_json::to_vec(value).map_err(Error::crypto)?;
        secret::seal(&self.key, &token.0, &plain).map_err(Error::crypto)
    }

    fn open<T: for<'de> Deserialize<'de>>(
        &self,
        token: &TokenHash,
        sealed: &[u8],
    ) -> Result<T, Error> {
        let plain = secret::open(&self.key, &token.0, sealed).map_err(Error::crypto)?;
        serde_json::from_slice(&plain).map_err(Error::crypto)
    }

    /// The person whom the provider says came back. The code is taken to the provider once, whatever comes of it; after
    /// that what it said is told again, and neither state nor code is looked at.
    async fn person(
        &self,
        token: &TokenHash,
        sign_in: &SignIn,
        returned: Return,
        now: Micros,
    ) -> Result<Person, Error> {
        if let Some(sealed) = &sign_in.person {
            return self.open(token, sealed);
        }
        if returned.state.hash() != sign_in.state || returned.code.is_empty() {
            return Err(Error::SignInInvalid);
        }
        let provider = self
            .provider
            .as_ref()
            .filter(|provider| provider.name().issuer == sign_in.issuer)
            .ok_or(Error::SignInInvalid)?;
        let secrets: Secrets = self.open(token, &sign_in.secrets)?;
        let journey = Journey {
            redirect_uri: sign_in.redirect_uri.clone(),
            nonce: secrets.nonce.into(),
            verifier: secrets.verifier.into(),
        };
        // Asked before the code is spent: a provider that is away now may be tried again.
        provider.ready().await?;
        if !self.store.exchange(token, now).await? {
            return Err(Error::SignInInvalid);
        }
        let person = provider.person(returned.code, &journey).await?;
        let sealed = self.seal(token, &person)?;
        self.store.answered(token, &sealed).await?;
        Ok(person)
    }
}

impl Accounts {
    /// Who else accounts may sign in with.
    pub(crate) fn sign_in_providers(&self) -> Vec<ProviderName> {
        let provider = self.sign_ins.provider.iter();
        provider.map(|provider| provider.name().clone()).collect()
    }

    /// Begins to sign in with a provider, or for a caller who is registered to link an account there.
    pub(crate) async fn start_sign_in(
        &self,
        provider: &str,
        redirect_uri: String,
        caller: Option<&SignedIn>,
    ) -> Result<Started, Error> {
        let provider = self
            .sign_ins
            .provider
            .as_ref()
            .filter(|known| known.name().id == provider)
            .ok_or(Error::ProviderUnknown)?;
        if !provider.returns_to(&redirect_uri) {
            return Err(Error::RedirectUriUnknown);
        }
        let (token, state) = (Opaque::new()?, Opaque::new()?);
        let (nonce, verifier) = (Opaque::new()?, Opaque::new()?);
        let secrets = Secrets {
            nonce: nonce.expose().to_owned(),
            verifier: verifier.expose().to_owned(),
        };
        let journey = Journey {
            redirect_uri,
            nonce: nonce.into_secret(),
            verifier: verifier.into_secret(),
        };
        let authorization_url = provider.authorization_url(state.expose(), &journey).await?;
        let purpose = match caller {
            Some(caller) if caller.user.role != Role::Anonymous => Purpose::Link,
            _ => Purpose::SignIn,
        };
        let hashed = token.hash();
        let sign_in = NewSignIn {
            token: hashed,
            state: state.hash(),
            purpose,
            user_id: caller.map(|caller| caller.user.id.clone()),
            issuer: provider.name().issuer.clone(),
            redirect_uri: journey.redirect_uri,
            secrets: self.sign_ins.seal(&hashed, &secrets)?,
            expire_time: self.clock.now() + LIFETIME,
        };
        self.sign_ins.store.begin(&sign_in).await?;
        Ok(Started {
            authorization_url,
            token: token.into_secret(),
            expire_time: sign_in.expire_time,
        })
    }

    /// Signs in with what came back from the provider; returns whether the account was made just now.
    pub(crate) async fn complete_sign_in(
        &self,
        returned: Return,
        shown: Shown,
        client: &Client,
    ) -> Result<(User, Pair, bool), Error> {
        let token = returned.token.hash();
        let now = self.clock.now();
        let sign_in = self
            .sign_ins
            .store
            .find(&token, now)
            .await?
            .filter(|sign_in| sign_in.purpose == Purpose::SignIn)
            .ok_or(Error::SignInInvalid)?;
        let person = self
            .sign_ins
            .person(&token, &sign_in, returned, now)
            .await?;
        let standing = self.sign_ins.store.standing(&person).await?;
        let (proof, attempt) = self.prove(&person, &standing, shown, client).await?;
        let held = self.held_sign_in(&token, &person).await?;
        let verdict = judge(&person, held.standing(), &proof)?;
        let (opening, refresh) = self.open(client)?;
        let (user, pair, created) = match verdict {
            Verdict::Enter(id) | Verdict::LinkAndEnter(id) => {
                let link = held.standing().known.is_none();
                let user = held.enter(&id, link, &opening).await?;
                let pair = self.mint(&user, &opening.session_id, &refresh, opening.now)?;
                (user, pair, false)
            }
            Verdict::Create => {
                let mut user = User::new(
                    person.email.clone(),
                    person.name.chars().take(NAME_CHARS).collect(),
                    Role::User,
                    opening.now,
                );
                user.email_verified = person.email_verified;
                let anonymous = sign_in.user_id.is_some();
                if let Some(id) = sign_in.user_id {
                    user.id = id;
                }
                // Signed before anything is kept: a failure leaves no account behind.
                let pair = self.mint(&user, &opening.session_id, &refresh, opening.now)?;
                (held.create(&user, anonymous, &opening).await?, pair, true)
            }
        };
        self.bell.notify_one();
        let (user_id, issuer) = (&user.id, &person.issuer);
        tracing::info!(user_id, issuer, created, "signed in with a provider");
        let email = user.email.as_deref().unwrap_or_default();
        let forgiven = match attempt {
            Some(attempt) => self.attempts.succeeded(attempt, opening.now).await,
            None => {
                let network = client.network.as_ref();
                self.attempts.met(email, network, opening.now).await
            }
        };
        // The session is made: that the failures before it are still counted is no reason to keep it back.
        if let Err(error) = forgiven {
            tracing::warn!(error = %atelier_kit::fault::chain(&error), "the failed attempts could not be forgiven");
        }
        Ok((user, pair, created))
    }

    /// Looks at what was shown, as far as the rule asks for it. A password is tried as by [`Accounts::login`]; the attempt is
    /// to be forgiven when the sign-in is completed.
    async fn prove(
        &self,
        person: &Person,
        standing: &Standing,
        shown: Shown,
        client: &Client,
    ) -> Result<(Proof, Option<Attempt>), Error> {
        let mut proof = Proof::default();
        match judge(person, standing, &proof) {
            Ok(_) => Ok((proof, None)),
            Err(Error::PasswordRequired) if !shown.password.expose_secret().is_empty() => {
                let email = person.email.as_deref().unwrap_or_default();
                let (verified, attempt) = self
                    .show_password(email, shown.password, &shown.second_factor, client)
                    .await?;
                proof.second_factor = verified.second_factor.then(|| verified.user_id.clone());
                proof.password = Some((verified.user_id, verified.password_hash));
                Ok((proof, Some(attempt)))
            }
            Err(Error::SecondFactorRequired) => {
                let known = standing.known.as_ref().map(|known| &known.user_id);
                let holder = standing.holder.as_ref().map(|holder| &holder.user_id);
                let user_id = known.or(holder).ok_or(Error::SignInInvalid)?;
                if self
                    .show_second_factor(user_id, &shown.second_factor)
                    .await?
                {
                    proof.second_factor = Some(user_id.clone());
                }
                Ok((proof, None))
            }
            Err(error) => Err(error),
        }
    }

    async fn held_sign_in(
        &self,
        token: &TokenHash,
        person: &Person,
    ) -> Result<Box<dyn HeldSignIn>, Error> {
        let now = self.clock.now();
        let held = self.sign_ins.store.hold(token, person.clone(), now).await?;
        held.ok_or(Error::SignInInvalid)
    }

    /// Links what came back from the provider to the caller's account.
    pub(crate) async fn link_identity(
        &self,
        caller: &SignedIn,
        returned: Return,
    ) -> Result<Identity, Error> {
        let token = returned.token.hash();
        let now = self.clock.now();
        let user_id = caller.user.id.as_str();
        let sign_in = self
            .sign_ins
            .store
            .find(&token, now)
            .await?
            .filter(|sign_in| {
                sign_in.purpose == Purpose::Link && sign_in.user_id.as_deref() == Some(user_id)
            })
            .ok_or(Error::SignInInvalid)?;
        let person = self
            .sign_ins
            .person(&token, &sign_in, returned, now)
            .await?;
        let held = self.held_sign_in(&token, &person).await?;
        let identity = held.link(user_id, self.clock.now()).await?;
        let (identity_id, issuer) = (&identity.id, &identity.issuer);
        tracing::info!(user_id, identity_id, issuer, "identity linked");
        Ok(identity)
    }
}
