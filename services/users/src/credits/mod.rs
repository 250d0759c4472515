//! The desk that the rules of credits work at, and what accounts read there. The book itself is the ledger's.

mod calendar;
mod gifts;
mod paying;
mod rounds;
mod standing;
mod statement;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use atelier_kit::followed::FollowedFile;
use atelier_kit::identity::Role;
use atelier_kit::moment::Micros;
use atelier_ledger::{Balance, Entry, Ledger, Medium};
use aws_lc_rs::hmac;

use crate::error::Error;
use crate::plans::{ANONYMOUS, Plan, Plans};
use crate::ports::{Clock, HolderStore};
use crate::users::User;

pub(crate) use calendar::{MonthOfYear, hour_after, midnight_after};
pub(crate) use gifts::{Gift, GiveBack, Occasion};
pub(crate) use rounds::Rounds;
pub(crate) use statement::Statement;

use standing::StoodBefore;

/// How long a reservation is kept before its service is asked, in microseconds.
const LEASE: Micros = 15 * 60 * 1_000_000;
/// In which order credits are spent: those of the plan, which end with the month, before those of the sign-up; what is given
/// back comes first, as it was spent first. What admins give is in an order of their own.
const PLAN_PRIORITY: u8 = 10;
const SIGN_UP_PRIORITY: u8 = 20;

/// The desk that the rules of credits work at.
pub(crate) struct Credits {
    ledger: Arc<dyn Ledger>,
    holders: Arc<dyn HolderStore>,
    in_force: RwLock<Arc<InForce>>,
    clock: Arc<dyn Clock>,
    /// Networks are told to the book under this key, so that it tells nobody's.
    network_key: hmac::Key,
}

/// The plans as they are now, and what is remembered while they hold. Whoever asks for more than one thing of them takes
/// them once: the file may change in between.
pub(crate) struct InForce {
    pub(crate) plans: Plans,
    stood: StoodBefore,
    /// The plans of accounts that the file does not know, each told once.
    strangers: Mutex<HashSet<String>>,
}

/// What is left of a medium today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) medium: Medium,
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) reset: Micros,
}

/// The terms of an account as it reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnTerms {
    pub(crate) plan: String,
    pub(crate) quotas: Vec<Left>,
    pub(crate) concurrency: u32,
}

impl InForce {
    fn new(plans: Plans) -> Self {
        Self {
            plans,
            stood: StoodBefore::default(),
            strangers: Mutex::default(),
        }
    }

    /// The plan that holds for an account: `free` where the file knows its own no longer.
    fn plan_of(&self, name: &str) -> &Arc<Plan> {
        let found = self.plans.find(name);
        found.unwrap_or_else(|| {
            let mut told = self
                .strangers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if told.insert(name.to_owned()) {
                tracing::warn!(
                    plan = name,
                    "accounts have a plan that is not configured: it counts as free"
                );
            }
            self.plans.of(name)
        })
    }
}

impl Credits {
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        holders: Arc<dyn HolderStore>,
        plans: Plans,
        clock: Arc<dyn Clock>,
        network_key: &[u8; 32],
    ) -> Self {
        Self {
            ledger,
            holders,
            in_force: RwLock::new(Arc::new(InForce::new(plans))),
            clock,
            network_key: hmac::Key::new(hmac::HMAC_SHA256, network_key),
        }
    }

    /// Keeps the plans as their file says; runs until it is dropped. What is reserved keeps the terms that it has.
    pub(crate) async fn follow(&self, file: FollowedFile) {
        let take = |plans: Plans| self.change(plans);
        file.keep("the plans", "atelier_plans_are_good", Plans::read, take)
            .await;
    }

    /// Whether these are other plans than before.
    fn change(&self, plans: Plans) -> Result<bool, String> {
        let now = self.in_force();
        if plans.currency != now.plans.currency {
            // What everybody has would turn into something else.
            return Err("another currency is taken at a start alone".to_owned());
        }
        let is_other = plans != now.plans;
        if is_other {
            let plans = Arc::new(InForce::new(plans));
            *self
                .in_force
                .write()
                .unwrap_or_else(PoisonError::into_inner) = plans;
        }
        Ok(is_other)
    }

    /// Whether the book is in the currency of the plans: another is taken for one in which nothing stands yet, and else it
    /// would turn what everybody has into something else.
    pub(crate) async fn settle_currency(&self) -> Result<(), Error> {
        let currency = &self.in_force().plans.currency;
        let kept = self.holders.currency().await?;
        if kept.as_ref() == Some(currency) {
            return Ok(());
        }
        let house = self.ledger.house().await;
        let house = house.map_err(|error| Error::of_ledger(error, self.clock.now()))?;
        match kept {
            Some(kept) if house.iter().any(|(_, amount)| *amount != 0) => {
                Err(Error::CurrencyMismatch(kept))
            }
            Some(_) | None => self.holders.set_currency(currency).await,
        }
    }

    /// All plans, and the currency.
    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.in_force
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How an account counts where generations wait.
    pub(crate) fn weight(&self, user: &User) -> u8 {
        self.in_force().plans.weight(user.role, &user.plan)
    }

    /// What an account may spend.
    pub(crate) async fn balance(&self, user: &User) -> Result<Balance, Error> {
        if user.role == Role::Anonymous {
            return Ok(Balance::default());
        }
        self.balance_on(&user.id, &user.plan).await
    }

    async fn balance_on(&self, user_id: &str, plan: &str) -> Result<Balance, Error> {
        let (now, in_force) = (self.clock.now(), self.in_force());
        let due = self.due(user_id, &in_force, plan, now).await?;
        let balance = self.ledger.balance(user_id, &due, now).await;
        balance.map_err(|error| Error::of_ledger(error, now))
    }

    /// The plan of an account, and what is left of its quotas.
    pub(crate) async fn own_terms(&self, user: &User) -> Result<OwnTerms, Error> {
        let now = self.clock.now();
        let used = self.ledger.used_today(&user.id, now).await;
        let used = used.map_err(|error| Error::of_ledger(error, now))?;
        let left = |medium: Medium, limit: u32| {
            let used = used.iter().find(|(of, _)| *of == medium);
            Left {
                medium,
                limit,
                remaining: limit.saturating_sub(used.map_or(0, |(_, count)| *count)),
                reset: midnight_after(now),
            }
        };
        let in_force = self.in_force();
        let anonymous = &in_force.plans.anonymous;
        let plan = in_force.plan_of(&user.plan);
        let is_anonymous = user.role == Role::Anonymous;
        let daily = |medium| {
            let daily = if is_anonymous {
                anonymous.daily(medium)
            } else {
                plan.daily(medium)
            };
            daily.map(|limit| left(medium, limit))
        };
        let quotas = Medium::ALL.into_iter().filter_map(daily).collect();
        Ok(if is_anonymous {
            OwnTerms {
                plan: ANONYMOUS.to_owned(),
                quotas,
                concurrency: anonymous.concurrency,
            }
        } else {
            OwnTerms {
                plan: plan.name.clone(),
                quotas,
                concurrency: plan.concurrency,
            }
        })
    }

    /// At most so many entries of an account before a number, the newest first.
    pub(crate) async fn entries(
        &self,
        user_id: &str,
        before: Option<i64>,
        rows: u32,
    ) -> Result<Vec<Entry>, Error> {
        let entries = self.ledger.entries(user_id, before, rows).await;
        entries.map_err(|error| Error::of_ledger(error, self.clock.now()))
    }

    /// Takes what a deleted account may spend; how many of its entries stay.
    pub(crate) async fn leave(&self, user_id: &str) -> Result<u64, Error> {
        let now = self.clock.now();
        let left = self.ledger.leave(user_id, now).await;
        left.map_err(|error| Error::of_ledger(error, now))
    }
}
