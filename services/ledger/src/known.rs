//! What is known of credits, in domain words; nothing here is done. All amounts are millionths of one currency.

use atelier_kit::moment::Micros;

use crate::tariff::{Amounts, Tariff};

/// What a generation is paid as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Medium {
    /// Chat replies.
    Chat,
    /// Pictures.
    Image,
    /// Spoken texts.
    Speech,
}

impl Medium {
    /// All.
    pub const ALL: [Medium; 3] = [Medium::Chat, Medium::Image, Medium::Speech];

    /// Its name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Medium::Chat => "chat",
            Medium::Image => "image",
            Medium::Speech => "speech",
        }
    }

    /// The medium of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|medium| medium.name() == name)
    }
}

/// Who pays for a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payer {
    /// Its holder, from the credits that were given.
    Holder,
    /// The house, within the bound for those who have no credits.
    House,
}

/// A generation that asks for money.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The generation.
    pub id: String,
    /// Whose it is.
    pub holder: String,
    /// The service that makes it, by its role: it is asked when nobody settles.
    pub service: String,
    /// What it is paid as.
    pub medium: Medium,
    /// The model whose prices hold.
    pub model: String,
    /// The most it can use.
    pub worst: Amounts,
    /// The prices that hold until it is settled.
    pub tariff: Tariff,
}

/// How many generations of a medium there may be in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Which.
    pub medium: Medium,
    /// How many.
    pub daily: u32,
}

/// The most that may be spent of all holders together, reservations included; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// In an hour, UTC.
    pub hour: Option<i64>,
    /// In a day, UTC.
    pub day: Option<i64>,
    /// In a day by the house for those who have no credits.
    pub house_day: Option<i64>,
}

/// On what terms somebody is given money.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who pays.
    pub payer: Payer,
    /// How many of this medium there may be in a day; `None`: they are not counted.
    pub daily: Option<u32>,
    /// How many of the holder may be at work at once, all media together.
    pub concurrency: u32,
    /// The network that he calls from, as a key that tells it to nobody, and how many of it may be at work at once.
    pub network: Option<(Vec<u8>, u32)>,
    /// What all may spend.
    pub bounds: Bounds,
    /// Until when the reservation is kept before its service is asked.
    pub lease: Micros,
    /// What the holder is to have been given by now: what is not there yet is given first, in the same transaction.
    pub due: Vec<NewGrant>,
}

/// What was set aside for a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The most it can cost.
    pub amount: i64,
    /// How many of its medium are left today; `None` where they are not counted.
    pub remaining: Option<u32>,
}

/// What a generation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What was charged; never more than was set aside.
    pub charged: i64,
    /// What it cost beyond that, which the house bears.
    pub shortfall: i64,
}

/// Where credits come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An admin gave them.
    Admin,
    /// The plan gives them each month.
    Plan,
    /// The account was registered.
    SignUp,
    /// A charge was given back.
    Refund,
}

impl Origin {
    /// All.
    pub const ALL: [Origin; 4] = [Origin::Admin, Origin::Plan, Origin::SignUp, Origin::Refund];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Admin => "admin",
            Origin::Plan => "plan",
            Origin::SignUp => "sign_up",
            Origin::Refund => "refund",
        }
    }

    /// The origin of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.name() == name)
    }
}

/// Credits to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// What makes it the same when it is given again, as in `month:2026-11:…`; at most one of a holder has it.
    pub key: String,
    /// To whom.
    pub holder: String,
    /// Where they come from.
    pub origin: Origin,
    /// How much; above 0.
    pub amount: i64,
    /// The lower, the sooner it is spent.
    pub priority: u8,
    /// When what is left is lost.
    pub expire_time: Option<Micros>,
    /// For the holder to read.
    pub note: String,
    /// Who gave it: an account, or empty.
    pub actor: String,
}

/// Credits that were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// What was given.
    pub given: NewGrant,
    /// How much of it may be spent now.
    pub available: i64,
    /// When it was given.
    pub create_time: Micros,
}

/// Something to be given back of what a generation was charged.
#[derive(Clone, Debug)]
pub struct Refund {
    /// What makes it the same when it is asked for again.
    pub key: String,
    /// The generation.
    pub generation: String,
    /// How much; `None`: all that is left of its charge.
    pub amount: Option<i64>,
    /// For the holder to read.
    pub note: String,
    /// Who gives it back.
    pub actor: String,
}

/// What a holder may spend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Now.
    pub available: i64,
    /// Held by generations that have not ended.
    pub reserved: i64,
    /// What something is left of, in the order in which it is spent; at most 100.
    pub grants: Vec<Grant>,
}

/// What happened to a holder's credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// They were given.
    Granted,
    /// They were set aside.
    Reserved,
    /// They were taken from what was set aside.
    Charged,
    /// They came back from what was set aside.
    Returned,
    /// They expired.
    Expired,
}

impl EntryKind {
    /// All.
    pub const ALL: [EntryKind; 5] = [
        EntryKind::Granted,
        EntryKind::Reserved,
        EntryKind::Charged,
        EntryKind::Returned,
        EntryKind::Expired,
    ];

    /// Its name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            EntryKind::Granted => "granted",
            EntryKind::Reserved => "reserved",
            EntryKind::Charged => "charged",
            EntryKind::Returned => "returned",
            EntryKind::Expired => "expired",
        }
    }

    /// The kind of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One movement of a holder's credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Grows with each entry.
    pub number: i64,
    /// What happened.
    pub kind: EntryKind,
    /// How much; above 0.
    pub amount: i64,
    /// What may be spent after it.
    pub balance: i64,
    /// The grant whose credits were moved.
    pub grant: String,
    /// The generation it is for; empty without one.
    pub generation: String,
    /// What that is paid as.
    pub medium: Option<Medium>,
    /// The model whose prices hold; empty without one.
    pub model: String,
    /// When.
    pub time: Micros,
}

/// A part of a holder's entries: from the beginning of a time to the beginning of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    /// Its beginning.
    pub from: Micros,
    /// The beginning of the next.
    pub to: Micros,
}

/// One of the house's own accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum House {
    /// Where what is given comes from; below zero.
    Issued,
    /// What generations were charged.
    Revenue,
    /// What was lost by its holders.
    Expired,
    /// What generations cost beyond what was set aside; below zero.
    Shortfall,
    /// What was paid for those who have no credits; below zero.
    Anonymous,
}

impl House {
    /// All.
    pub const ALL: [House; 5] = [
        House::Issued,
        House::Revenue,
        House::Expired,
        House::Shortfall,
        House::Anonymous,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            House::Issued => "issued",
            House::Revenue => "revenue",
            House::Expired => "expired",
            House::Shortfall => "shortfall",
            House::Anonymous => "anonymous",
        }
    }
}

/// What was spent of each of the [`Bounds`], reservations included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// In this hour.
    pub hour: i64,
    /// In this day.
    pub day: i64,
    /// In this day by the house.
    pub house_day: i64,
}

/// A reservation that nobody has settled in its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// The generation.
    pub id: String,
    /// The service that makes it, by its role.
    pub service: String,
    /// Until when it was kept.
    pub lease: Micros,
}
