//! What is due to an account without anybody's asking: what it is given once, and what its plan gives each month.

use atelier_kit::moment::Micros;
use atelier_ledger::{NewGrant, Origin};
use quick_cache::sync::Cache;

use super::{Credits, InForce, MonthOfYear, PLAN_PRIORITY, SIGN_UP_PRIORITY};
use crate::error::Error;
use crate::plans::Plan;

/// The key of what is given once.
const SIGN_UP: &str = "sign-up";
/// A day, in microseconds.
const DAY: Micros = 24 * 3_600 * 1_000_000;
/// Of how many accounts is remembered that they have been given what was due.
const REMEMBERED: usize = 10_000;

/// How much an account was given for a month, as it was read once: it is never less later, and so the book need not be
/// asked before each generation.
pub(super) struct StoodBefore(Cache<String, (MonthOfYear, i64)>);

impl Default for StoodBefore {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Credits {
    /// What an account with a plan of this name is to have been given by now and was not.
    pub(super) async fn due(
        &self,
        holder: &str,
        in_force: &InForce,
        plan: &str,
        now: Micros,
    ) -> Result<Vec<NewGrant>, Error> {
        let plan = in_force.plan_of(plan);
        let (once, monthly) = (in_force.plans.sign_up, plan.monthly_credits);
        if once.credits == 0 && monthly == 0 {
            return Ok(Vec::new());
        }
        let month = MonthOfYear::of(now);
        let stood = in_force.stood.0.get(holder);
        if stood.is_some_and(|(of, given)| of == month && given >= monthly) {
            return Ok(Vec::new());
        }
        let told = async {
            let given_once = match once.credits {
                0 => 0,
                _ => self.ledger.given(holder, SIGN_UP).await?,
            };
            let given = self
                .ledger
                .given(holder, &format!("month:{month}:"))
                .await?;
            Ok((given_once, given))
        };
        let (given_once, given) = told.await.map_err(|error| Error::of_ledger(error, now))?;
        let mut due = Vec::new();
        if once.credits > 0 && given_once == 0 {
            due.push(NewGrant {
                key: SIGN_UP.to_owned(),
                holder: holder.to_owned(),
                origin: Origin::SignUp,
                amount: once.credits,
                priority: SIGN_UP_PRIORITY,
                expire_time: once.days.map(|days| now + Micros::from(days) * DAY),
                note: String::new(),
                actor: String::new(),
            });
        }
        due.extend(monthly_grant(holder, plan, month, given));
        if due.is_empty() {
            in_force.stood.0.insert(holder.to_owned(), (month, given));
        }
        Ok(due)
    }
}

/// What a plan gives an account more than it was given for a month. The key says how much that was: of two that ask at once,
/// also with different plans, one is first and the other changes nothing.
fn monthly_grant(holder: &str, plan: &Plan, month: MonthOfYear, given: i64) -> Option<NewGrant> {
    let amount = plan
        .monthly_credits
        .checked_sub(given)
        .filter(|amount| *amount > 0)?;
    Some(NewGrant {
        key: format!("month:{month}:{given}"),
        holder: holder.to_owned(),
        origin: Origin::Plan,
        amount,
        priority: PLAN_PRIORITY,
        expire_time: Some(month.next().begin()),
        note: String::new(),
        actor: String::new(),
    })
}
