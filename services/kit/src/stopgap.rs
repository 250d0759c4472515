//! What is fine on a laptop and no ground for a service in earnest: each room says when it stands on such a thing, and the
//! production profile refuses those that its operator has not named.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// A thing that only one process, or nobody in earnest, should stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stopgap {
    /// Rows in a file.
    Sqlite,
    /// What replicas would share is in this process alone.
    Memory,
    /// Objects in a folder, served by this process.
    LocalObjects,
    /// The mesh secret made in the data folder.
    LocalSecret,
    /// Any web page may call the edge.
    AnyOrigin,
    /// Built-in models, painters and voices.
    Offline,
    /// A provider that answers as it is told.
    Simulator,
    /// Mails that are files.
    MailFolder,
}

impl Stopgap {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Sqlite,
        Self::Memory,
        Self::LocalObjects,
        Self::LocalSecret,
        Self::AnyOrigin,
        Self::Offline,
        Self::Simulator,
        Self::MailFolder,
    ];

    /// As an operator names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Memory => "memory",
            Self::LocalObjects => "local-objects",
            Self::LocalSecret => "local-secret",
            Self::AnyOrigin => "any-origin",
            Self::Offline => "offline",
            Self::Simulator => "simulator",
            Self::MailFolder => "mail-folder",
        }
    }
}

impl FromStr for Stopgap {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|one| one.name()).collect();
            format!("there is no {name:?}; there are {}", all.join(", "))
        })
    }
}

/// What a process may stand on, and what it does. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Stopgaps {
    /// `None` allows all.
    allowed: Option<Arc<BTreeSet<Stopgap>>>,
    used: Arc<Mutex<BTreeSet<(Stopgap, String)>>>,
}

impl Stopgaps {
    /// Those of a process in earnest, which may stand on these alone.
    pub fn only(allowed: impl IntoIterator<Item = Stopgap>) -> Self {
        Self {
            allowed: Some(Arc::new(allowed.into_iter().collect())),
            used: Arc::default(),
        }
    }

    /// Whether a process may stand on it.
    pub fn may(&self, stopgap: Stopgap) -> bool {
        self.allowed
            .as_ref()
            .is_none_or(|allowed| allowed.contains(&stopgap))
    }

    /// Something stands on it; `what` says so to the operator, with the setting that would change it.
    pub fn uses(&self, stopgap: Stopgap, what: impl Into<String>) {
        self.used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((stopgap, what.into()));
    }

    /// What it stands on and must not, each with its name.
    pub fn refused(&self) -> Vec<String> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = used.iter().filter(|(stopgap, _)| !self.may(*stopgap));
        refused
            .map(|(stopgap, what)| format!("{}: {what}", stopgap.name()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for stopgap in Stopgap::ALL {
            assert_eq!(stopgap.name().parse(), Ok(stopgap));
        }
        assert!("ofline".parse::<Stopgap>().unwrap_err().contains("offline"));
    }

    #[test]
    fn what_was_not_named_is_refused_by_its_name() {
        let anything = Stopgaps::default();
        anything.uses(Stopgap::Offline, "models of tts");
        assert!(anything.refused().is_empty());
        let earnest = Stopgaps::only([Stopgap::Sqlite]);
        earnest.uses(Stopgap::Sqlite, "rows of users");
        earnest.uses(Stopgap::Offline, "models of tts");
        earnest.uses(Stopgap::Memory, "journal of tts");
        assert_eq!(
            earnest.refused(),
            ["memory: journal of tts", "offline: models of tts"]
        );
        assert!(earnest.may(Stopgap::Sqlite) && !earnest.may(Stopgap::Offline));
    }
}
