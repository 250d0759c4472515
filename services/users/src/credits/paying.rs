//! The rules of paying: on what terms a generation is given money, and what becomes of it.

use atelier_kit::identity::Role;
use atelier_kit::moment::Micros;
use atelier_ledger::{Amounts, Ask, Medium, Payer, Reserved, Terms};
use aws_lc_rs::hmac;

use super::{Credits, LEASE, midnight_after};
use crate::error::Error;
use crate::ports::Holder;

/// What a generation was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) reserved: Reserved,
    /// How many of its medium there may be in a day; `None` where they are not counted.
    pub(crate) daily: Option<u32>,
    /// When all of them are there again.
    pub(crate) reset: Micros,
}

impl Credits {
    /// On what terms an account is given money for a medium.
    async fn terms(&self, holder: &Holder, medium: Medium, now: Micros) -> Result<Terms, Error> {
        let in_force = self.in_force();
        let (bounds, lease) = (in_force.plans.bounds(), now + LEASE);
        if holder.role == Role::Anonymous {
            let anonymous = &in_force.plans.anonymous;
            // Without an address there is no network to count; the account's own bound holds all the same.
            let network = (!holder.address.is_empty())
                .then(|| (self.network(&holder.address), anonymous.network_concurrency));
            return Ok(Terms {
                payer: Payer::House,
                daily: anonymous.daily(medium),
                concurrency: anonymous.concurrency,
                network,
                bounds,
                lease,
                due: Vec::new(),
            });
        }
        let plan = in_force.plan_of(&holder.plan);
        Ok(Terms {
            payer: Payer::Holder,
            daily: plan.daily(medium),
            concurrency: plan.concurrency,
            network: None,
            bounds,
            lease,
            due: self.due(&holder.id, &in_force, &plan.name, now).await?,
        })
    }

    /// A network as the book keeps it.
    fn network(&self, address: &str) -> Vec<u8> {
        hmac::sign(&self.network_key, address.as_bytes())
            .as_ref()
            .to_vec()
    }

    /// Sets aside the most that a generation can cost.
    pub(crate) async fn reserve(&self, ask: &Ask) -> Result<Allowed, Error> {
        let now = self.clock.now();
        let holder = self.holders.find(&ask.holder).await?;
        let holder = holder.ok_or(Error::UserUnknown)?;
        let terms = self.terms(&holder, ask.medium, now).await?;
        let reserved = self.ledger.reserve(ask, &terms, now).await;
        Ok(Allowed {
            reserved: reserved.map_err(|error| Error::of_ledger(error, now))?,
            daily: terms.daily,
            reset: midnight_after(now),
        })
    }

    /// Charges what a generation used; returns how much. Services believe each other: which of them reserved it is not asked.
    pub(crate) async fn settle(&self, id: &str, used: &Amounts) -> Result<i64, Error> {
        let now = self.clock.now();
        let settled = self.ledger.settle(id, used, now).await;
        Ok(settled
            .map_err(|error| Error::of_ledger(error, now))?
            .charged)
    }

    /// Gives back what was set aside for a generation.
    pub(crate) async fn release(&self, id: &str) -> Result<(), Error> {
        let now = self.clock.now();
        let released = self.ledger.release(id, now).await;
        released.map_err(|error| Error::of_ledger(error, now))
    }
}
