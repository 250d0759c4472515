//! Generations that are reserved and settled at the same time, in one transaction: a commit costs the same for one as for many,
//! and so does a statement. What cannot be written with the others is tried by itself, and fails alone.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, resume_unwind};

use atelier_kit::moment::Micros;
use atelier_kit::together::Together;
use futures_util::FutureExt as _;

use super::{SqlLedger, load};
use crate::draft::{Draft, State};
use crate::error::Error;
use crate::hours;
use crate::known::{Ask, Bounds, Payer, Reserved, Settled, Terms};
use crate::tariff::Amounts;

/// The most that are written together.
pub(super) const MOST: usize = 64;

/// `None` says that this one must be tried by itself.
pub(super) type Steps = Together<Step, Option<Result<Told, Error>>>;

/// A step of a generation.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) what: What,
    pub(super) now: Micros,
}

#[derive(Clone)]
pub(super) enum What {
    /// Its most is set aside.
    Reserve {
        ask: Box<Ask>,
        terms: Box<Terms>,
        amount: i64,
    },
    /// It has ended; `None` gives all back.
    End { id: String, used: Option<Amounts> },
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Reserved(Reserved),
    Ended(Settled),
}

impl Step {
    fn id(&self) -> &str {
        match &self.what {
            What::Reserve { ask, .. } => &ask.id,
            What::End { id, .. } => id,
        }
    }

    fn reserve(&self) -> Option<(&Ask, &Terms, i64)> {
        match &self.what {
            What::Reserve { ask, terms, amount } => Some((ask, terms, *amount)),
            What::End { .. } => None,
        }
    }
}

/// Two steps of one generation, and those of two hours: what is counted of hours and days is read for one.
fn apart(one: &Step, other: &Step) -> bool {
    one.id() == other.id() || hours::hour(one.now) != hours::hour(other.now)
}

/// What each of a group is told of what came of trying all of it; a panic is that of its one member, or each is tried by
/// itself. Where nobody can write now, nobody tries again.
fn divided(
    tried: std::thread::Result<Result<Vec<Result<Told, Error>>, Error>>,
    size: usize,
) -> Vec<Option<Result<Told, Error>>> {
    match tried {
        Ok(Ok(told)) => told.into_iter().map(Some).collect(),
        Ok(Err(Error::Busy)) => (0..size).map(|_| Some(Err(Error::Busy))).collect(),
        Ok(Err(error)) if size == 1 => vec![Some(Err(error))],
        Err(panic) if size == 1 => resume_unwind(panic),
        Ok(Err(_)) | Err(_) => (0..size).map(|_| None).collect(),
    }
}

impl SqlLedger {
    pub(super) async fn step(&self, step: Step) -> Result<Told, Error> {
        let serve = |group| self.group(group);
        match self.steps.join(step.clone(), apart, serve).await {
            Some(Some(told)) => told,
            Some(None) | None => {
                let mut told = self.try_steps(&[step]).await?;
                told.pop().unwrap_or(Err(Error::Unknown))
            }
        }
    }

    async fn group(&self, group: Vec<Step>) -> Vec<Option<Result<Told, Error>>> {
        let tried = AssertUnwindSafe(self.try_steps(&group)).catch_unwind();
        divided(tried.await, group.len())
    }

    /// Takes all of these steps, or none. What is refused for itself is in its answer, and keeps no other from it.
    async fn try_steps(&self, group: &[Step]) -> Result<Vec<Result<Told, Error>>, Error> {
        let Some(now) = group.iter().map(|step| step.now).max() else {
            return Ok(Vec::new());
        };
        let mut tx = self.begin().await?;
        let mut draft = Draft::default();
        load::paid(&mut tx, &mut draft, group.iter().map(Step::id)).await?;
        // Who asks again is answered from what is known.
        let fresh: Vec<(&Ask, &Terms, i64)> = group
            .iter()
            .filter_map(Step::reserve)
            .filter(|(ask, ..)| !draft.paid.contains_key(&ask.id))
            .collect();
        if !fresh.is_empty() {
            let names: BTreeSet<&str> = fresh.iter().map(|(ask, ..)| &*ask.holder).collect();
            let due = load::keys(fresh.iter().flat_map(|(_, terms, _)| &terms.due));
            load::holders(&mut tx, &mut draft, &names, hours::day(now)).await?;
            load::grants(&mut tx, &mut draft, &names, &due).await?;
            let networks: BTreeSet<&[u8]> = fresh
                .iter()
                .filter_map(|(_, terms, _)| terms.network.as_ref())
                .map(|(network, _)| &**network)
                .collect();
            if !networks.is_empty() {
                load::networks(&mut tx, &mut draft, &networks).await?;
            }
            if fresh
                .iter()
                .any(|(_, terms, amount)| *amount > 0 && terms.bounds != Bounds::default())
            {
                draft.spent = load::spent(&mut tx, now).await?;
            }
        }
        if moves_the_house(&draft, group, &fresh) {
            draft.sources = load::sources(&mut tx).await?;
        }
        let told: Vec<Result<Told, Error>> =
            group.iter().map(|step| take(&mut draft, step)).collect();
        if !draft.changes.is_empty() {
            self.write(&mut tx, &draft).await?;
            tx.commit().await?;
        }
        for ended in draft.changes.ended.iter().filter(|end| end.shortfall > 0) {
            tracing::error!(
                generation = %ended.generation,
                micros = ended.shortfall,
                "a generation cost more than was set aside for it, and the house bears the rest"
            );
            metrics::counter!("atelier_credits_shortfall_total").increment(1);
            metrics::counter!("atelier_credits_shortfall_micros_total")
                .increment(ended.shortfall.unsigned_abs());
        }
        Ok(told)
    }
}

/// Whether something may come out of the accounts that credits come from, so that they must be read.
fn moves_the_house(draft: &Draft, group: &[Step], fresh: &[(&Ask, &Terms, i64)]) -> bool {
    let asked = fresh.iter().any(|(ask, terms, amount)| {
        terms.payer == Payer::House && *amount > 0 || draft.lacks(&ask.holder, &terms.due)
    });
    asked
        || group.iter().any(|step| match &step.what {
            What::End {
                id,
                used: Some(used),
            } => draft
                .paid
                .get(id)
                .is_some_and(|paid| paid.state == State::Open && paid.cost(used).1 > 0),
            _ => false,
        })
}

fn take(draft: &mut Draft, step: &Step) -> Result<Told, Error> {
    match &step.what {
        What::Reserve { ask, terms, amount } => draft
            .reserve(ask, terms, *amount, step.now)
            .map(Told::Reserved),
        What::End { id, used } => Ok(Told::Ended(draft.end(id, used.as_ref(), step.now))),
    }
}
