//! Setting aside: who may not, and out of which grants.

use atelier_kit::moment::Micros;

use super::changes::{Kind, SetAside};
use super::end::{Hold, Paid, State};
use super::{Draft, HELD, MOST};
use crate::error::{Error, Refusal};
use crate::hours;
use crate::known::{Ask, EntryKind, House, Payer, Reserved, Terms};
use crate::tariff::Overflow;

impl Draft {
    /// Sets an amount aside for a generation, or says why not; then nothing has changed but what was due.
    pub(crate) fn reserve(
        &mut self,
        ask: &Ask,
        terms: &Terms,
        amount: i64,
        now: Micros,
    ) -> Result<Reserved, Error> {
        if let Some(paid) = self.paid.get(&ask.id) {
            return match paid.state {
                State::Released => Err(Refusal::Ended.into()),
                State::Open | State::Settled => Ok(Reserved {
                    amount: paid.amount,
                    remaining: paid.remaining,
                }),
            };
        }
        self.bring_up_to_date(&ask.holder, &terms.due, now)?;
        let remaining = self.refusals(ask, terms, amount, now)?;

        let holds = match terms.payer {
            Payer::Holder => self.hold(ask, amount, now)?,
            Payer::House => {
                self.sources.anonymous -= amount;
                let kind = Kind::Entry(EntryKind::Reserved);
                self.enter_house(kind, House::Anonymous.name(), HELD, amount, &ask.id, now);
                Vec::new()
            }
        };
        self.holder(&ask.holder).open += 1;
        let network = terms.network.as_ref().map(|(network, _)| network.clone());
        if let Some(network) = &network {
            *self.networks.entry(network.clone()).or_default() += 1;
        }
        if remaining.is_some() {
            let day = hours::day(now);
            *self
                .used
                .entry((ask.holder.clone(), ask.medium, day))
                .or_default() += 1;
        }
        self.spend(terms.payer == Payer::House, now, amount, now);
        self.changes.reservations.push(SetAside {
            ask: ask.clone(),
            payer: terms.payer,
            network: network.clone(),
            amount,
            remaining,
            lease: terms.lease,
            create_time: now,
        });
        let paid = Paid {
            holder: ask.holder.clone(),
            medium: ask.medium,
            payer: terms.payer,
            network,
            tariff: ask.tariff,
            amount,
            charged: 0,
            shortfall: 0,
            remaining,
            state: State::Open,
            create_time: now,
            holds,
        };
        self.paid.insert(ask.id.clone(), paid);
        Ok(Reserved { amount, remaining })
    }

    /// Why nothing is set aside, or how many are left of the day's quota after it.
    fn refusals(
        &self,
        ask: &Ask,
        terms: &Terms,
        amount: i64,
        now: Micros,
    ) -> Result<Option<u32>, Error> {
        let holder = self.holders.get(&ask.holder);
        let (open, available) = holder.map_or((0, 0), |holder| (holder.open, holder.available));
        if open >= terms.concurrency {
            return Err(Refusal::TooManyAtOnce(open).into());
        }
        if let Some((network, most)) = &terms.network {
            let open = self.networks.get(network).copied().unwrap_or(0);
            if open >= *most {
                return Err(Refusal::NetworkTooManyAtOnce(open).into());
            }
        }
        let remaining = match terms.daily {
            Some(limit) => {
                let of = (ask.holder.clone(), ask.medium, hours::day(now));
                let used = self.used.get(&of).copied().unwrap_or(0);
                let left = limit.checked_sub(used).and_then(|left| left.checked_sub(1));
                let reset = hours::next_day(now);
                Some(left.ok_or(Refusal::QuotaExhausted { limit, reset })?)
            }
            None => None,
        };
        self.bounds(terms, amount, now)?;
        match terms.payer {
            Payer::Holder if amount > available => Err(Refusal::Insufficient {
                needed: amount,
                available,
            }
            .into()),
            Payer::House if amount > MOST.saturating_add(self.sources.anonymous) => {
                Err(Overflow.into())
            }
            Payer::Holder | Payer::House => Ok(remaining),
        }
    }

    /// Whether the bounds for all allow it. What costs nothing is bounded by none.
    fn bounds(&self, terms: &Terms, amount: i64, now: Micros) -> Result<(), Refusal> {
        let reached = |bound: Option<i64>, spent: i64| {
            amount > 0 && bound.is_some_and(|bound| spent.saturating_add(amount) > bound)
        };
        // The day first: who waits for the next hour would be refused again.
        let day = hours::next_day(now);
        if reached(terms.bounds.day, self.spent.day) {
            return Err(Refusal::SpendingStopped { reset: day });
        }
        if reached(terms.bounds.hour, self.spent.hour) {
            let reset = hours::next_hour(now);
            return Err(Refusal::SpendingStopped { reset });
        }
        let house = terms.payer == Payer::House;
        if house && reached(terms.bounds.house_day, self.spent.house_day) {
            return Err(Refusal::HouseBudgetSpent { reset: day });
        }
        Ok(())
    }

    /// Takes an amount that is there from a holder's grants, in the order of spending.
    fn hold(&mut self, ask: &Ask, amount: i64, now: Micros) -> Result<Vec<Hold>, Error> {
        let mut missing = amount;
        let mut holds = Vec::new();
        let holder = self.holder(&ask.holder);
        let left: i64 = holder.grants.iter().map(|live| live.available).sum();
        if left != holder.available {
            // Whatever has spoilt the file: no more is held than there is.
            return Err(Error::store("a balance is not what is left of its grants"));
        }
        for live in &mut holder.grants {
            if missing == 0 {
                break;
            }
            let part = live.available.min(missing);
            live.available -= part;
            missing -= part;
            holds.push(Hold {
                rank: live.rank.clone(),
                amount: part,
            });
        }
        holder.grants.retain(|live| live.available > 0);
        for hold in &holds {
            self.enter(
                EntryKind::Reserved,
                &ask.holder,
                &hold.rank.id,
                hold.amount,
                Some(&ask.id),
                now,
            );
        }
        Ok(holds)
    }
}
