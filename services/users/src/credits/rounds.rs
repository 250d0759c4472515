//! Goes round in the background: takes credits that have expired, and asks after generations that nobody has settled in
//! their time. Nothing depends on its being in time: what has expired is taken before anybody can spend it.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use atelier_kit::fault::chain;
use atelier_kit::moment::Micros;
use atelier_ledger::{Error, Ledger, Overdue};
use tokio::time::{MissedTickBehavior, interval};

use super::{Credits, LEASE};
use crate::ports::{Clock, Maker, Standing};

/// How many reservations, and how many grants, are looked at before the next turn.
const AT_ONCE: u32 = 100;
/// How long a reservation is kept whose service could not be asked, in microseconds: shorter, as it may be back soon.
const AWAY: Micros = 60 * 1_000_000;

/// One who goes round.
pub(crate) struct Rounds {
    ledger: Arc<dyn Ledger>,
    makers: Vec<Arc<dyn Maker>>,
    clock: Arc<dyn Clock>,
    every: Duration,
}

impl Rounds {
    pub(crate) fn new(credits: &Credits, makers: Vec<Arc<dyn Maker>>, every: Duration) -> Self {
        Self {
            ledger: credits.ledger.clone(),
            makers,
            clock: credits.clock.clone(),
            every,
        }
    }

    /// Goes round every so often until `stopped`.
    pub(crate) async fn run(self, stopped: impl Future<Output = ()> + Send) {
        let mut ticks = interval(self.every.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                // What is cut off in the middle is found again by the next.
                () = &mut stopped => return,
                () = self.round() => {}
            }
        }
    }

    async fn round(&self) {
        for result in [self.expire().await, self.settle_overdue().await] {
            if let Err(error) = result {
                tracing::warn!(error = %chain(&error), "a round of the credits failed");
            }
        }
    }

    async fn expire(&self) -> Result<(), Error> {
        while self.ledger.expire(self.clock.now(), AT_ONCE).await? >= AT_ONCE {}
        Ok(())
    }

    /// Each reservation that is looked at is over or kept for longer, so that there are fewer each time.
    async fn settle_overdue(&self) -> Result<(), Error> {
        let mut away = HashSet::new();
        loop {
            let overdue = self.ledger.overdue(self.clock.now(), AT_ONCE).await?;
            for reservation in &overdue {
                if let Err(error) = self.look_after(reservation, &mut away).await {
                    // One that cannot be ended must not stand before all others.
                    tracing::error!(generation_id = reservation.id, error = %chain(&error), "an overdue reservation is kept");
                    let later = self.clock.now() + AWAY;
                    self.ledger.keep(&reservation.id, later).await?;
                }
            }
            if overdue.len() < AT_ONCE as usize {
                return Ok(());
            }
        }
    }

    /// Ends one as its service says, or keeps it. `away` are the roles that gave no answer in this round.
    async fn look_after(
        &self,
        reservation: &Overdue,
        away: &mut HashSet<&'static str>,
    ) -> Result<(), Error> {
        let Overdue { id, service, .. } = reservation;
        let Some(maker) = self.makers.iter().find(|maker| maker.role() == service) else {
            tracing::error!(
                generation_id = id,
                service,
                "a reservation is kept: there is no such service to ask"
            );
            return self.ledger.keep(id, self.clock.now() + LEASE).await;
        };
        let role = maker.role();
        if away.contains(role) {
            return self.ledger.keep(id, self.clock.now() + AWAY).await;
        }
        let standing = maker.inspect(id).await;
        let now = self.clock.now();
        match standing {
            Ok(Standing::Open) => self.ledger.keep(id, now + LEASE).await,
            Ok(Standing::Ended(Some(used))) => {
                let settled = self.ledger.settle(id, &used, now).await?;
                tracing::info!(
                    generation_id = id,
                    service,
                    charged = settled.charged,
                    "settled an overdue reservation"
                );
                Ok(())
            }
            Ok(Standing::Unknown | Standing::Ended(None)) => {
                tracing::info!(
                    generation_id = id,
                    service,
                    "released an overdue reservation"
                );
                self.ledger.release(id, now).await
            }
            Err(fault) => {
                // It may have cost something: it is kept, for as long as it takes.
                tracing::warn!(generation_id = id, service, error = %fault, "a reservation is kept: its service cannot be asked");
                away.insert(role);
                self.ledger.keep(id, now + AWAY).await
            }
        }
    }
}
