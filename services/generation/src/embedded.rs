//! Generations on the embedded engines: record and outbox in the service's own SQLite file, the journal in memory.

use std::sync::Arc;
use std::time::Duration;

use atelier_kit::service::Foundation;
use atelier_kit::sqlite::Database;

use crate::engine::{Generations, Parts};
use crate::journal::MemoryJournal;
use crate::measure::Output;
use crate::peers::{AnalyticsCourier, CreditsPurse};
use crate::ports::Provider;
use crate::queue::Turns;
use crate::store::{Projection, SqliteRecord};

/// How long an owner's heartbeat may stand still; whoever looks then takes over within ten seconds.
const LEASE: Duration = Duration::from_secs(6);

impl Generations {
    /// The generations of a service: they take `turns`, the service's own rows are written by `projection`, usage events
    /// go to analytics, and the users service pays.
    pub fn embedded(
        foundation: &Foundation,
        output: Output,
        database: Database,
        projection: impl Projection,
        provider: impl Provider,
        turns: Turns,
    ) -> Self {
        let record = Arc::new(SqliteRecord::new(database, Arc::new(projection)));
        Self::new(Parts {
            role: foundation.role,
            output,
            record: record.clone(),
            journal: Arc::new(MemoryJournal::default()),
            provider: Arc::new(provider),
            purse: Arc::new(CreditsPurse::new(foundation.links.to("users"))),
            settlements: record.clone(),
            outbox: record,
            courier: Arc::new(AnalyticsCourier::new(foundation.links.to("analytics"))),
            turns,
            lease: LEASE,
            stop: foundation.stop.clone(),
            tasks: foundation.tasks.clone(),
        })
    }
}
