//! The audit log: what admins did and what concerned security; each act is kept in the same transaction as what it did.

use std::collections::BTreeMap;

use atelier_kit::moment::{Micros, new_id};

use crate::accounts::Accounts;
use crate::error::Error;
use crate::sessions::SignedIn;

/// The owner of the machine, as an actor.
pub(crate) const OPERATOR: &str = "operator";

/// Something that is done, to be kept with what it does. The store adds it where the change is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Act {
    /// What is done, as in `password.changed`.
    pub(crate) action: &'static str,
    /// Who does it: an account, [`OPERATOR`], or empty where nobody is known.
    pub(crate) actor: String,
    /// Whom or what it concerns.
    pub(crate) subject: String,
    /// More about it: never a secret, and nothing that says who somebody is, since it outlives the account.
    pub(crate) details: BTreeMap<&'static str, String>,
}

impl Act {
    /// Something that `actor` does to `subject`.
    pub(crate) fn new(action: &'static str, actor: &str, subject: &str) -> Self {
        Self {
            action,
            actor: actor.to_owned(),
            subject: subject.to_owned(),
            details: BTreeMap::new(),
        }
    }

    /// With one more detail.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.insert(name, value.into());
        self
    }

    /// As it is kept.
    pub(crate) fn at(self, now: Micros) -> AuditEvent {
        AuditEvent {
            id: new_id(),
            time: now,
            action: self.action.to_owned(),
            actor: self.actor,
            subject: self.subject,
            details: self
                .details
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }
}

/// An act that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditEvent {
    pub(crate) id: String,
    pub(crate) time: Micros,
    pub(crate) action: String,
    pub(crate) actor: String,
    pub(crate) subject: String,
    pub(crate) details: BTreeMap<String, String>,
}

impl Accounts {
    /// At most `rows` acts before an id, the newest first; only those that concern `subject` unless it is empty. The
    /// caller must be an admin still.
    pub(crate) async fn list_audit_events(
        &self,
        caller: &SignedIn,
        subject: &str,
        before: Option<String>,
        rows: i64,
    ) -> Result<Vec<AuditEvent>, Error> {
        caller.must_be_admin()?;
        self.audit.list(subject, before, rows).await
    }
}
