//! Generations on the engines of their service: record and outbox in its database, the journal on the Redis server that its
//! replicas share, or where there is none in memory.

use std::sync::Arc;
use std::time::Duration;

use atelier_kit::redis::Redis;
use atelier_kit::service::{Foundation, Need, StartError};
use atelier_kit::sql::Database;
use atelier_kit::stopgap::Stopgap;

use crate::engine::{Generations, Parts};
use crate::journal::{Holds, MemoryJournal, RedisJournal, StreamBounds};
use crate::measure::Output;
use crate::peers::{AnalyticsCourier, CreditsPurse};
use crate::ports::{Journal, Outbox, Provider, Record, Settlements};
use crate::queue::Turns;
use crate::store::{Projection, SqlRecord};

/// How long an owner's heartbeat may stand still; whoever looks then takes over within ten seconds.
const LEASE: Duration = Duration::from_secs(6);

impl Generations {
    /// The generations of a service: they take `turns`, the service's own rows are written by `projection`, usage events
    /// go to analytics, and the users service pays.
    ///
    /// # Errors
    ///
    /// When a file that the URL of the Redis server names cannot be used.
    pub fn embedded(
        foundation: &Foundation,
        output: Output,
        database: Database,
        projection: impl Projection,
        provider: impl Provider,
        turns: Turns,
    ) -> Result<Self, StartError> {
        let record = Arc::new(SqlRecord::new(database, Arc::new(projection)));
        Self::kept_in(foundation, output, record, provider, turns)
    }

    /// The generations of a service whose records are kept here.
    pub fn kept_in<R: Record + Outbox + Settlements>(
        foundation: &Foundation,
        output: Output,
        record: Arc<R>,
        provider: impl Provider,
        turns: Turns,
    ) -> Result<Self, StartError> {
        Ok(Self::new(Parts {
            role: foundation.role,
            output,
            record: record.clone(),
            journal: journal(foundation, record.clone())?,
            provider: Arc::new(provider),
            purse: Arc::new(CreditsPurse::new(foundation.links.to("users"))),
            settlements: record.clone(),
            outbox: record,
            courier: Arc::new(AnalyticsCourier::new(foundation.links.to("analytics"))),
            turns,
            lease: LEASE,
            stop: foundation.stop.clone(),
            tasks: foundation.tasks.clone(),
        }))
    }

    /// The server that they cannot do without, where their journal is on one.
    pub fn needs(&self, foundation: &Foundation) -> Vec<Need> {
        let server = foundation.engines.redis.iter();
        let needs = server.map(|server| {
            let asked = self.clone();
            Need {
                engine: server.to_string(),
                ask: Arc::new(move || {
                    let asked = asked.clone();
                    Box::pin(async move { asked.ask_journal().await })
                }),
            }
        });
        needs.collect()
    }
}

/// The journal of a service whose record this is.
pub fn journal(
    foundation: &Foundation,
    record: Arc<dyn Record>,
) -> Result<Arc<dyn Journal>, StartError> {
    let role = foundation.role;
    let Some(server) = &foundation.engines.redis else {
        let what = format!("running generations of {role} (ATELIER_REDIS_URL)");
        foundation.stopgaps.uses(Stopgap::Memory, what);
        return Ok(Arc::new(MemoryJournal::default()));
    };
    let redis = Redis::new(server).map_err(|error| StartError::other(server.to_string(), error))?;
    let bounds = StreamBounds::default();
    Ok(Arc::new(RedisJournal::new(
        redis,
        role,
        bounds,
        holds(record),
    )))
}

/// Whether a lease still holds by a record.
pub fn holds(record: Arc<dyn Record>) -> Holds {
    Arc::new(move |lease| {
        let record = record.clone();
        Box::pin(async move {
            let known = record.find(&lease.id).await?;
            Ok(known.is_some_and(|known| known.epoch == lease.epoch))
        })
    })
}
