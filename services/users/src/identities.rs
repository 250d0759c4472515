//! The rules of identities: who may sign in to which account with what a provider says; no provider is asked here, and how
//! identities are kept is not known.

use atelier_kit::moment::Micros;
use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::error::Error;
use crate::sessions::SignedIn;

/// Somebody as a provider knows him, after what it signed has held. Sealed where it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    /// Who says so.
    pub(crate) issuer: String,
    /// The provider's name for him, which never changes.
    pub(crate) subject: String,
    /// Normalised; `None` when none was told that could be one.
    pub(crate) email: Option<String>,
    /// Whether the provider has verified the e-mail.
    pub(crate) email_verified: bool,
    /// May be empty.
    pub(crate) name: String,
}

/// A person that an account here may be signed in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: String,
    pub(crate) issuer: String,
    /// What the provider told last; may be empty.
    pub(crate) email: String,
    pub(crate) create_time: Micros,
    pub(crate) last_use_time: Micros,
}

/// The account that a person is linked to.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) user_id: String,
    pub(crate) second_factor: bool,
}

/// The account that has a person's e-mail.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) user_id: String,
    /// What is kept of its password; `None` when it has none.
    pub(crate) password_hash: Option<String>,
    pub(crate) email_verified: bool,
    pub(crate) second_factor: bool,
    /// Whether another person of the same provider is linked to it.
    pub(crate) linked: bool,
}

/// How a person stands with the accounts.
#[derive(Clone, Default)]
pub(crate) struct Standing {
    pub(crate) known: Option<Known>,
    pub(crate) holder: Option<Holder>,
}

/// What was shown besides, and held.
#[derive(Default)]
pub(crate) struct Proof {
    /// An account's password, as the account and what is kept of it.
    pub(crate) password: Option<(String, String)>,
    /// The account whose second factor was shown.
    pub(crate) second_factor: Option<String>,
}

impl Proof {
    fn has_password_of(&self, holder: &Holder) -> bool {
        self.password.as_ref().is_some_and(|(user_id, kept)| {
            *user_id == holder.user_id && Some(kept) == holder.password_hash.as_ref()
        })
    }

    fn has_factor_of(&self, user_id: &str) -> bool {
        self.second_factor.as_deref() == Some(user_id)
    }
}

/// What a person is entitled to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// To be signed in to the account that he is linked to.
    Enter(String),
    /// To be signed in to the account of his e-mail, and linked to it.
    LinkAndEnter(String),
    /// To get an account of his own.
    Create,
}

/// The rule of who gets into which account. It is asked twice: for what has to be shown, and again within the transaction
/// that signs in, because accounts change while a password is verified.
pub(crate) fn judge(person: &Person, standing: &Standing, proof: &Proof) -> Result<Verdict, Error> {
    if let Some(known) = &standing.known {
        if known.second_factor && !proof.has_factor_of(&known.user_id) {
            return Err(Error::SecondFactorRequired);
        }
        return Ok(Verdict::Enter(known.user_id.clone()));
    }
    if person.email.is_none() {
        return Err(Error::EmailMissing);
    }
    let Some(holder) = &standing.holder else {
        return Ok(Verdict::Create);
    };
    // An e-mail that only one side has verified proves nothing: anybody can claim it at the other one.
    let same = person.email_verified && holder.email_verified;
    if !same && !proof.has_password_of(holder) {
        return Err(Error::PasswordRequired);
    }
    if holder.linked {
        return Err(Error::ProviderLinked);
    }
    if holder.second_factor && !proof.has_factor_of(&holder.user_id) {
        return Err(Error::SecondFactorRequired);
    }
    Ok(Verdict::LinkAndEnter(holder.user_id.clone()))
}

impl Accounts {
    /// The persons that the caller may sign in with, the newest first.
    pub(crate) async fn list_identities(&self, caller: &SignedIn) -> Result<Vec<Identity>, Error> {
        self.identities.list(&caller.user.id).await
    }

    /// Lets the caller's account no longer be signed in with one of its identities, and ends its other sessions; returns
    /// how many ended.
    pub(crate) async fn unlink_identity(
        &self,
        caller: &SignedIn,
        identity_id: &str,
    ) -> Result<u32, Error> {
        let (user_id, session_id) = (&caller.user.id, &caller.session_id);
        let now = self.clock.now();
        let revoked = self
            .identities
            .unlink(user_id, identity_id, session_id, now)
            .await?;
        tracing::info!(user_id, identity_id, revoked, "identity unlinked");
        Ok(revoked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(verified: bool) -> Person {
        Person {
            issuer: "https://id.example".into(),
            subject: "1".into(),
            email: Some("ana@x.org".into()),
            email_verified: verified,
            name: String::new(),
        }
    }

    fn held(email_verified: bool, second_factor: bool, linked: bool) -> Standing {
        Standing {
            known: None,
            holder: Some(Holder {
                user_id: "ana".into(),
                password_hash: Some("hash".into()),
                email_verified,
                second_factor,
                linked,
            }),
        }
    }

    fn proof(password: Option<(&str, &str)>, factor: Option<&str>) -> Proof {
        Proof {
            password: password.map(|(user, kept)| (user.into(), kept.into())),
            second_factor: factor.map(Into::into),
        }
    }

    #[test]
    fn the_password_is_needed_unless_both_sides_have_verified_the_email() {
        let good = proof(Some(("ana", "hash")), None);
        for (here, there) in [(false, false), (false, true), (true, false)] {
            let standing = held(here, false, false);
            for bad in [
                Proof::default(),
                proof(Some(("ana", "older")), None),
                proof(Some(("bob", "hash")), None),
            ] {
                let verdict = judge(&person(there), &standing, &bad);
                assert!(matches!(verdict, Err(Error::PasswordRequired)));
            }
            let verdict = judge(&person(there), &standing, &good).unwrap();
            assert_eq!(verdict, Verdict::LinkAndEnter("ana".into()));
        }
        let verdict = judge(&person(true), &held(true, false, false), &Proof::default());
        assert_eq!(verdict.unwrap(), Verdict::LinkAndEnter("ana".into()));
    }

    #[test]
    fn an_account_without_a_password_is_entered_by_no_password() {
        let mut standing = held(false, false, false);
        standing.holder.as_mut().unwrap().password_hash = None;
        for kept in ["", "hash"] {
            let verdict = judge(&person(true), &standing, &proof(Some(("ana", kept)), None));
            assert!(matches!(verdict, Err(Error::PasswordRequired)));
        }
    }

    #[test]
    fn the_second_factor_is_needed_whichever_way_an_account_is_entered() {
        let known = Standing {
            known: Some(Known {
                user_id: "ana".into(),
                second_factor: true,
            }),
            holder: None,
        };
        let mine = proof(None, Some("ana"));
        for standing in [known, held(true, true, false)] {
            for bad in [Proof::default(), proof(None, Some("bob"))] {
                let verdict = judge(&person(true), &standing, &bad);
                assert!(matches!(verdict, Err(Error::SecondFactorRequired)));
            }
            assert!(judge(&person(true), &standing, &mine).is_ok());
        }
    }

    #[test]
    fn one_person_of_a_provider_is_linked_to_an_account_and_that_is_told_to_its_owner_alone() {
        let verdict = judge(&person(true), &held(true, false, true), &Proof::default());
        assert!(matches!(verdict, Err(Error::ProviderLinked)));
        let verdict = judge(&person(false), &held(true, false, true), &Proof::default());
        assert!(matches!(verdict, Err(Error::PasswordRequired)));
    }

    #[test]
    fn who_is_known_needs_no_email_and_who_is_not_does() {
        let mut nameless = person(true);
        nameless.email = None;
        let verdict = judge(&nameless, &Standing::default(), &Proof::default());
        assert!(matches!(verdict, Err(Error::EmailMissing)));
        let known = Standing {
            known: Some(Known {
                user_id: "ana".into(),
                second_factor: false,
            }),
            ..held(false, true, false)
        };
        let verdict = judge(&nameless, &known, &Proof::default());
        assert_eq!(verdict.unwrap(), Verdict::Enter("ana".into()));
        let verdict = judge(&person(false), &Standing::default(), &Proof::default());
        assert_eq!(verdict.unwrap(), Verdict::Create);
    }
}
