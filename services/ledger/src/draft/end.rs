//! Settling and releasing: what is charged, and what comes back.

use atelier_kit::moment::Micros;

use super::changes::{Ended, Kind};
use super::{Draft, HELD, MOST, Rank};
use crate::hours;
use crate::known::{EntryKind, House, Medium, Payer, Settled};
use crate::tariff::{Amounts, Tariff};

/// The most that is entered as a shortfall: a billion of the currency. A figure beyond that is no cost but a fault of whoever
/// told it, and would only spoil the account.
const MOST_SHORTFALL: i64 = 1_000_000_000_000_000;

/// What became of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing yet.
    Open,
    /// It was charged.
    Settled,
    /// All of it came back, or there was nothing.
    Released,
}

impl State {
    const ALL: [State; 3] = [State::Open, State::Settled, State::Released];

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Settled => "settled",
            State::Released => "released",
        }
    }

    /// The state of a name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What was set aside of a grant.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) rank: Rank,
    pub(crate) amount: i64,
}

/// A generation that something was set aside for, or whose end was told.
#[derive(Clone, Debug)]
pub(crate) struct Paid {
    pub(crate) holder: String,
    pub(crate) medium: Medium,
    pub(crate) payer: Payer,
    pub(crate) network: Option<Vec<u8>>,
    pub(crate) tariff: Tariff,
    pub(crate) amount: i64,
    pub(crate) charged: i64,
    pub(crate) shortfall: i64,
    pub(crate) remaining: Option<u32>,
    pub(crate) state: State,
    pub(crate) create_time: Micros,
    /// In the order of spending, for as long as it is open.
    pub(crate) holds: Vec<Hold>,
}

impl Paid {
    /// What is charged of this use, and what it costs beyond that.
    pub(crate) fn cost(&self, used: &Amounts) -> (i64, i64) {
        match self.tariff.cost(used) {
            Ok(cost) if cost <= self.amount => (cost, 0),
            Ok(cost) => (self.amount, (cost - self.amount).min(MOST_SHORTFALL)),
            // An error would be told again for ever, and the reservation would never end.
            Err(_) => (self.amount, MOST_SHORTFALL),
        }
    }
}

impl Draft {
    /// Ends a reservation: charges what was used, or gives all back where nothing is said of it.
    pub(crate) fn end(&mut self, id: &str, used: Option<&Amounts>, now: Micros) -> Settled {
        let Some(paid) = self.paid.get_mut(id) else {
            self.changes.ended_before.push((id.to_owned(), now));
            return Settled {
                charged: 0,
                shortfall: 0,
            };
        };
        if paid.state != State::Open {
            return Settled {
                charged: paid.charged,
                shortfall: paid.shortfall,
            };
        }
        let (charged, beyond) = used.map_or((0, 0), |used| paid.cost(used));
        let room = MOST.saturating_add(self.sources.shortfall);
        let shortfall = beyond.min(room);
        paid.charged = charged;
        paid.shortfall = shortfall;
        paid.state = match used {
            Some(_) => State::Settled,
            None => State::Released,
        };
        let paid = paid.clone();
        let rest = paid.amount - charged;
        match paid.payer {
            Payer::Holder => self.charge(id, &paid, now),
            Payer::House => {
                let (revenue, anonymous) = (House::Revenue.name(), House::Anonymous.name());
                let kind = Kind::Entry(EntryKind::Charged);
                self.enter_house(kind, HELD, revenue, charged, id, now);
                let kind = Kind::Entry(EntryKind::Returned);
                self.enter_house(kind, HELD, anonymous, rest, id, now);
                self.sources.anonymous += rest;
            }
        }
        let (from, to) = (House::Shortfall.name(), House::Revenue.name());
        self.enter_house(Kind::Shortfall, from, to, shortfall, id, now);
        self.sources.shortfall -= shortfall;

        let holder = self.holder(&paid.holder);
        holder.open = holder.open.saturating_sub(1);
        let network = paid.network.as_ref();
        if let Some(open) = network.and_then(|network| self.networks.get_mut(network)) {
            *open = open.saturating_sub(1);
        }
        let delivered_nothing = used.is_none_or(|used| *used == Amounts::default());
        let counted = paid.remaining.is_some() && !delivered_nothing;
        if paid.remaining.is_some() && !counted {
            let day = hours::day(paid.create_time);
            let of = (paid.holder.clone(), paid.medium, day);
            if let Some(used) = self.used.get_mut(&of) {
                *used = used.saturating_sub(1);
            }
        }
        let house = paid.payer == Payer::House;
        self.spend(house, paid.create_time, -rest, now);
        self.changes.ended.push(Ended {
            generation: id.to_owned(),
            state: paid.state,
            charged,
            shortfall,
            counted,
            time: now,
        });
        Settled { charged, shortfall }
    }

    /// Takes what is charged out of what is held, in the order of spending, and gives the rest back. What comes back to a grant
    /// that has expired is lost at once.
    fn charge(&mut self, id: &str, paid: &Paid, now: Micros) {
        let mut owed = paid.charged;
        let mut rests = Vec::with_capacity(paid.holds.len());
        for hold in &paid.holds {
            let part = hold.amount.min(owed);
            owed -= part;
            let grant = &hold.rank.id;
            let kind = EntryKind::Charged;
            self.enter(kind, &paid.holder, grant, part, Some(id), now);
            rests.push(hold.amount - part);
        }
        for (hold, rest) in paid.holds.iter().zip(rests) {
            let (grant, holder) = (&hold.rank.id, &paid.holder);
            self.enter(EntryKind::Returned, holder, grant, rest, Some(id), now);
            if hold.rank.expire_time <= now {
                // It may be live in this draft still, and is then taken with what was left of it.
                self.enter(EntryKind::Expired, holder, grant, rest, None, now);
            } else if rest > 0 {
                self.holder(holder).put(hold.rank.clone(), rest);
            }
        }
    }
}
