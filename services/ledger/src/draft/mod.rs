//! A part of the book on a sheet of paper: what is known of some holders and generations, the rules that move their credits,
//! and the changes to be written. All is read before, and written after; no store is named here.

mod changes;
mod end;
mod reserve;

use std::collections::{HashMap, HashSet};

use atelier_kit::moment::{Micros, new_id};

pub(crate) use changes::{Changes, Given, Kind, Transfer};
pub(crate) use end::{Hold, Paid, State};

use crate::error::Error;
use crate::hours;
use crate::known::{EntryKind, Grant, House, Medium, NewGrant, Spent};
use crate::tariff::Overflow;

/// The most that may be taken out of each account that is below zero. There are three; what is in all others together came out of
/// them, so that no sum of the book overflows.
const MOST: i64 = i64::MAX / 4;

/// The account of what is held for those who have no credits.
const HELD: &str = "held";

/// The place of a grant in the order of spending: by priority, then what expires first, then what was given first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) priority: u8,
    /// [`Micros::MAX`] for one that does not.
    pub(crate) expire_time: Micros,
    pub(crate) id: String,
}

/// A grant that something is left of.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) rank: Rank,
    pub(crate) available: i64,
}

/// What is known of a holder.
#[derive(Debug, Default)]
pub(crate) struct Holder {
    pub(crate) available: i64,
    /// How many of his generations are at work.
    pub(crate) open: u32,
    /// When his last entry was made.
    pub(crate) last: Micros,
    /// Whether he has left.
    pub(crate) left: bool,
    /// In the order of spending.
    pub(crate) grants: Vec<Live>,
    /// Which of the keys that were asked for are used.
    pub(crate) keys: HashSet<String>,
}

/// What stands in the accounts that credits come from; none is above zero.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) issued: i64,
    pub(crate) shortfall: i64,
    pub(crate) anonymous: i64,
}

/// What is known, and what has changed.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) holders: HashMap<String, Holder>,
    /// The generations that were reserved, or whose end was told.
    pub(crate) paid: HashMap<String, Paid>,
    /// How many are at work of each network.
    pub(crate) networks: HashMap<Vec<u8>, u32>,
    /// How many were begun of a medium by a holder in a day.
    pub(crate) used: HashMap<(String, Medium, i64), u32>,
    pub(crate) spent: Spent,
    pub(crate) sources: Sources,
    pub(crate) changes: Changes,
}

impl Draft {
    /// Whether something is to be given to a holder, or to be taken from him, before he is asked for anything.
    pub(crate) fn is_behind(&self, name: &str, due: &[NewGrant], now: Micros) -> bool {
        let expired = |holder: &Holder| {
            let mut grants = holder.grants.iter();
            grants.any(|live| live.rank.expire_time <= now)
        };
        self.lacks(name, due) || self.holders.get(name).is_some_and(expired)
    }

    /// Whether something of what is due has not been given.
    pub(crate) fn lacks(&self, name: &str, due: &[NewGrant]) -> bool {
        match self.holders.get(name) {
            Some(holder) if holder.left => false,
            Some(holder) => due.iter().any(|new| !holder.keys.contains(&new.key)),
            None => !due.is_empty(),
        }
    }

    /// Gives what is due, and takes what has expired.
    pub(crate) fn bring_up_to_date(
        &mut self,
        name: &str,
        due: &[NewGrant],
        now: Micros,
    ) -> Result<(), Error> {
        let holder = self.holders.entry(name.to_owned()).or_default();
        if !holder.left {
            let missing: Vec<&NewGrant> = due
                .iter()
                .filter(|new| !holder.keys.contains(&new.key))
                .collect();
            for new in missing {
                // The same may be due twice in one call.
                if !self.holder(name).keys.contains(&new.key) {
                    self.give(new, None, now)?;
                }
            }
        }
        self.take_expired(name, now);
        Ok(())
    }

    /// Gives credits; those of a generation come back out of what was charged.
    pub(crate) fn give(
        &mut self,
        new: &NewGrant,
        generation: Option<&str>,
        now: Micros,
    ) -> Result<Grant, Error> {
        let room = match generation {
            Some(_) => i64::MAX,
            None => MOST.saturating_add(self.sources.issued),
        };
        if new.amount <= 0 || new.amount > room {
            return Err(Overflow.into());
        }
        if generation.is_none() {
            self.sources.issued -= new.amount;
        }
        let left = self.holder(&new.holder).left;
        let mut grant = Grant {
            id: new_id(),
            given: new.clone(),
            available: new.amount,
            create_time: now,
        };
        if left {
            grant.given.expire_time = Some(0);
        }
        self.changes.grants.push(Given {
            grant: grant.clone(),
            generation: generation.map(str::to_owned),
        });
        let holder = self.holder(&new.holder);
        holder.keys.insert(new.key.clone());
        let rank = Rank {
            priority: new.priority,
            expire_time: grant.given.expire_time.unwrap_or(Micros::MAX),
            id: grant.id.clone(),
        };
        holder.put(rank, new.amount);
        self.enter(
            EntryKind::Granted,
            &new.holder,
            &grant.id,
            new.amount,
            generation,
            now,
        );
        if left {
            self.take_expired(&new.holder, now);
            grant.available = 0;
        }
        Ok(grant)
    }

    /// Takes what has expired from a holder; how many grants it were.
    pub(crate) fn take_expired(&mut self, name: &str, now: Micros) -> u32 {
        self.take(name, now, |live| live.rank.expire_time <= now)
    }

    /// Takes all that a holder may spend.
    pub(crate) fn take_all(&mut self, name: &str, now: Micros) -> u32 {
        self.take(name, now, |_| true)
    }

    fn take(&mut self, name: &str, now: Micros, which: impl Fn(&Live) -> bool) -> u32 {
        let holder = self.holder(name);
        let taken: Vec<Live> = holder.grants.extract_if(.., |live| which(live)).collect();
        let mut grants = 0;
        for live in taken {
            grants += 1;
            let (grant, amount) = (&live.rank.id, live.available);
            self.enter(EntryKind::Expired, name, grant, amount, None, now);
        }
        grants
    }

    fn holder(&mut self, name: &str) -> &mut Holder {
        self.holders.entry(name.to_owned()).or_default()
    }

    /// Moves credits of a holder. What may be spent of a grant is the caller's.
    fn enter(
        &mut self,
        kind: EntryKind,
        name: &str,
        grant: &str,
        amount: i64,
        generation: Option<&str>,
        now: Micros,
    ) {
        if amount == 0 {
            return;
        }
        let holder = self.holders.entry(name.to_owned()).or_default();
        holder.available += match kind {
            EntryKind::Granted | EntryKind::Returned => amount,
            EntryKind::Reserved | EntryKind::Expired => -amount,
            EntryKind::Charged => 0,
        };
        // A statement adds up by time: nothing is entered before what was entered before it, whatever another's clock says.
        holder.last = holder.last.max(now);
        let available = format!("available:{name}");
        let held = format!("held:{name}");
        let (source, target) = match kind {
            EntryKind::Granted if generation.is_some() => (House::Revenue.name().into(), available),
            EntryKind::Granted => (House::Issued.name().into(), available),
            EntryKind::Reserved => (available, held),
            EntryKind::Charged => (held, House::Revenue.name().into()),
            EntryKind::Returned => (held, available),
            EntryKind::Expired => (available, House::Expired.name().into()),
        };
        self.changes.transfers.push(Transfer {
            time: holder.last,
            kind: Kind::Entry(kind),
            source,
            target,
            amount,
            holder: Some(name.to_owned()),
            balance: Some(holder.available),
            grant: Some(grant.to_owned()),
            generation: generation.map(str::to_owned),
        });
    }

    /// Moves the house's own.
    fn enter_house(
        &mut self,
        kind: Kind,
        from: &'static str,
        to: &'static str,
        amount: i64,
        generation: &str,
        now: Micros,
    ) {
        if amount == 0 {
            return;
        }
        self.changes.transfers.push(Transfer {
            time: now,
            kind,
            source: from.to_owned(),
            target: to.to_owned(),
            amount,
            holder: None,
            balance: None,
            grant: None,
            generation: Some(generation.to_owned()),
        });
    }

    /// Knows what was spent of the bounds in the hour of a reservation, or no longer is. It is written with the reservation itself.
    fn spend(&mut self, house: bool, at: Micros, amount: i64, now: Micros) {
        let (hour, day) = (hours::hour(at), hours::day(at));
        let spent = &mut self.spent;
        if hour == hours::hour(now) {
            spent.hour = spent.hour.saturating_add(amount);
        }
        if day == hours::day(now) {
            spent.day = spent.day.saturating_add(amount);
            if house {
                spent.house_day = spent.house_day.saturating_add(amount);
            }
        }
    }
}

impl Holder {
    /// Makes more of a grant available.
    fn put(&mut self, rank: Rank, amount: i64) {
        match self.grants.binary_search_by(|live| live.rank.cmp(&rank)) {
            Ok(at) => {
                if let Some(live) = self.grants.get_mut(at) {
                    live.available += amount;
                }
            }
            Err(at) => self.grants.insert(
                at,
                Live {
                    rank,
                    available: amount,
                },
            ),
        }
    }
}
