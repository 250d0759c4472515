//! The rules of plans and gifts: who is moved to which plan, what admins give and give back, and what they read of it.

use std::sync::Arc;

use atelier_kit::identity::Role;
use atelier_kit::moment::Micros;
use atelier_ledger::{Balance, Grant, House, NewGrant, Origin, Refund, Spent};

use super::Credits;
use crate::error::Error;
use crate::plans::Plan;
use crate::ports::{PlanChange, UsedRequest};
use crate::sessions::SignedIn;

/// What an admin gives.
#[derive(Clone, Debug)]
pub(crate) struct Gift {
    pub(crate) user_id: String,
    pub(crate) amount: i64,
    pub(crate) priority: u8,
    pub(crate) expire_time: Option<Micros>,
    pub(crate) note: String,
    pub(crate) request_id: String,
}

/// What an admin gives back.
#[derive(Clone, Debug)]
pub(crate) struct GiveBack {
    pub(crate) generation: String,
    /// `None`: all that is left of the charge.
    pub(crate) amount: Option<i64>,
    pub(crate) note: String,
    pub(crate) request_id: String,
}

/// What an admin does under a request id; the key of what is given says it, so that the book keeps it.
pub(crate) struct Occasion<'a> {
    pub(crate) actor: &'a str,
    pub(crate) request_id: &'a str,
    /// The generation whose charge is given back; `None` for credits that are given.
    pub(crate) generation: Option<&'a str>,
}

impl<'a> Occasion<'a> {
    /// The key: no account and no request id has a slash in it.
    fn key(&self) -> String {
        let Self {
            actor, request_id, ..
        } = self;
        match self.generation {
            None => format!("admin/{actor}/{request_id}"),
            Some(generation) => format!("refund/{actor}/{request_id}/{generation}"),
        }
    }

    /// The occasion of a key; `None` for what no admin gave.
    pub(crate) fn of_key(key: &'a str) -> Option<Self> {
        let (kind, rest) = key.split_once('/')?;
        let (actor, rest) = rest.split_once('/')?;
        let (request_id, generation) = match kind {
            "admin" => (rest, None),
            "refund" => {
                let (request_id, generation) = rest.split_once('/')?;
                (request_id, Some(generation))
            }
            _ => return None,
        };
        Some(Self {
            actor,
            request_id,
            generation,
        })
    }
}

impl Credits {
    /// Moves the caller to a plan that is open.
    pub(crate) async fn change_plan(
        &self,
        caller: &SignedIn,
        name: &str,
    ) -> Result<(Arc<Plan>, Balance), Error> {
        let in_force = self.in_force();
        let plan = in_force.plans.find(name).ok_or(Error::PlanUnknown)?;
        // Who has it already asks for nothing that is not his.
        if !plan.is_open && caller.user.plan != plan.name {
            return Err(Error::PlanClosed);
        }
        self.move_to(plan, &caller.user.id, &caller.user.id, false)
            .await
    }

    /// Moves an account to a plan, in the name of an admin.
    pub(crate) async fn set_plan(
        &self,
        caller: &SignedIn,
        user_id: &str,
        name: &str,
    ) -> Result<(Arc<Plan>, Balance), Error> {
        caller.must_be_admin()?;
        let in_force = self.in_force();
        let plan = in_force.plans.find(name).ok_or(Error::PlanUnknown)?;
        self.move_to(plan, user_id, &caller.user.id, true).await
    }

    async fn move_to(
        &self,
        plan: &Arc<Plan>,
        user_id: &str,
        actor: &str,
        by_admin: bool,
    ) -> Result<(Arc<Plan>, Balance), Error> {
        let change = PlanChange {
            user_id,
            plan: &plan.name,
            actor,
            by_admin,
            now: self.clock.now(),
        };
        self.holders.set_plan(&change).await?;
        tracing::info!(user_id, actor, plan = plan.name, "plan set");
        // What the plan gives more is given here; a crash before it leaves it to whoever asks for the balance next.
        let balance = self.balance_on(user_id, &plan.name).await?;
        Ok((plan.clone(), balance))
    }

    /// Gives an account credits, in the name of an admin.
    pub(crate) async fn grant(
        &self,
        caller: &SignedIn,
        gift: Gift,
    ) -> Result<(Grant, Balance), Error> {
        caller.must_be_admin()?;
        let holder = self.holders.find(&gift.user_id).await?;
        let holder = holder.ok_or(Error::UserUnknown)?;
        if holder.role == Role::Anonymous {
            return Err(Error::AnonymousAccount);
        }
        let occasion = Occasion {
            actor: &caller.user.id,
            request_id: &gift.request_id,
            generation: None,
        };
        self.unused_for_others(&occasion, "admin", &gift.user_id)
            .await?;
        let grant = NewGrant {
            key: occasion.key(),
            holder: gift.user_id,
            origin: Origin::Admin,
            amount: gift.amount,
            priority: gift.priority,
            expire_time: gift.expire_time,
            note: gift.note,
            actor: caller.user.id.clone(),
        };
        let now = self.clock.now();
        let given = self.ledger.grant(&grant, now).await;
        let given = given.map_err(|error| Error::of_ledger(error, now))?;
        // The book compares amounts alone.
        let again = &given.given;
        if (again.priority, again.expire_time) != (grant.priority, grant.expire_time)
            || again.note != grant.note
        {
            return Err(Error::RequestIdReused);
        }
        tracing::info!(
            actor = grant.actor,
            user_id = holder.id,
            grant = given.id,
            "credits granted"
        );
        let balance = self.balance_on(&holder.id, &holder.plan).await?;
        Ok((given, balance))
    }

    /// Gives back what a generation was charged, in the name of an admin.
    pub(crate) async fn refund(&self, caller: &SignedIn, back: GiveBack) -> Result<Grant, Error> {
        caller.must_be_admin()?;
        let occasion = Occasion {
            actor: &caller.user.id,
            request_id: &back.request_id,
            generation: Some(&back.generation),
        };
        self.unused_for_others(&occasion, "refund", &back.generation)
            .await?;
        let refund = Refund {
            key: occasion.key(),
            generation: back.generation.clone(),
            amount: back.amount,
            note: back.note,
            actor: caller.user.id.clone(),
        };
        let now = self.clock.now();
        let given = self.ledger.refund(&refund, now).await;
        let given = given.map_err(|error| Error::of_ledger(error, now))?;
        tracing::info!(
            actor = refund.actor,
            generation_id = refund.generation,
            grant = given.id,
            "charge refunded"
        );
        Ok(given)
    }

    /// A request id that gave somebody else something gives nothing here. The book itself knows the keys of one holder alone.
    async fn unused_for_others(
        &self,
        occasion: &Occasion<'_>,
        kind: &str,
        subject: &str,
    ) -> Result<(), Error> {
        let used = self
            .holders
            .used_request(occasion.actor, occasion.request_id)
            .await?;
        let ours = UsedRequest {
            kind: kind.to_owned(),
            subject: subject.to_owned(),
        };
        match used {
            Some(used) if used != ours => Err(Error::RequestIdReused),
            Some(_) | None => Ok(()),
        }
    }

    /// What was spent of the bounds, and what stands in the house's accounts. The caller must be an admin still.
    pub(crate) async fn spending(
        &self,
        caller: &SignedIn,
    ) -> Result<(Spent, Vec<(House, i64)>, Micros), Error> {
        caller.must_be_admin()?;
        let now = self.clock.now();
        let told = async { Ok((self.ledger.spent(now).await?, self.ledger.house().await?)) };
        let (spent, house) = told.await.map_err(|error| Error::of_ledger(error, now))?;
        Ok((spent, house, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_its_occasion() {
        for generation in [None, Some("g"), Some("a/b:c")] {
            let occasion = Occasion {
                actor: "root",
                request_id: "r-1:2",
                generation,
            };
            let key = occasion.key();
            let read = Occasion::of_key(&key).unwrap();
            assert_eq!((read.actor, read.request_id), ("root", "r-1:2"));
            assert_eq!(read.generation, generation);
        }
        for key in ["sign-up", "month:2026-11:0", "admin/root", "refund/root/r"] {
            assert!(Occasion::of_key(key).is_none(), "{key}");
        }
    }
}
