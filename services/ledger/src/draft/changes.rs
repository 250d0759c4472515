//! What is to be written of a draft.

use atelier_kit::moment::Micros;

use super::end::State;
use crate::known::{Ask, EntryKind, Grant, Payer};

/// What a row of the book is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One that its holder may read, or the like of it for those who have no credits.
    Entry(EntryKind),
    /// What a generation cost beyond what was set aside.
    Shortfall,
}

impl Kind {
    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Entry(kind) => kind.name(),
            Kind::Shortfall => "shortfall",
        }
    }
}

/// A row of the book.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) time: Micros,
    pub(crate) kind: Kind,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) amount: i64,
    pub(crate) holder: Option<String>,
    pub(crate) balance: Option<i64>,
    pub(crate) grant: Option<String>,
    pub(crate) generation: Option<String>,
}

/// A grant, and the generation whose charge it gives back.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) grant: Grant,
    pub(crate) generation: Option<String>,
}

/// Something that was set aside.
#[derive(Debug)]
pub(crate) struct SetAside {
    pub(crate) ask: Ask,
    pub(crate) payer: Payer,
    pub(crate) network: Option<Vec<u8>>,
    pub(crate) amount: i64,
    pub(crate) remaining: Option<u32>,
    pub(crate) lease: Micros,
    pub(crate) create_time: Micros,
}

/// What became of something that was set aside.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) generation: String,
    pub(crate) state: State,
    pub(crate) charged: i64,
    pub(crate) shortfall: i64,
    /// Whether it is counted in the day's quota still.
    pub(crate) counted: bool,
    pub(crate) time: Micros,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) grants: Vec<Given>,
    /// In their order.
    pub(crate) transfers: Vec<Transfer>,
    pub(crate) reservations: Vec<SetAside>,
    pub(crate) ended: Vec<Ended>,
    /// Generations whose end was told before anything was set aside for them, and when.
    pub(crate) ended_before: Vec<(String, Micros)>,
}

impl Changes {
    /// Whether there is nothing to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.grants.is_empty()
            && self.transfers.is_empty()
            && self.reservations.is_empty()
            && self.ended.is_empty()
            && self.ended_before.is_empty()
    }
}
