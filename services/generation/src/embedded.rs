//! Generations on the embedded engines: record and outbox in the service's own SQLite file, the journal in memory.

use std::sync::Arc;
use std::time::Duration;

use atelier_kit::service::Foundation;
use atelier_kit::sqlite::Database;

use crate::engine::{Generations, Parts};
use crate::journal::MemoryJournal;
use crate::peers::AnalyticsCourier;
use crate::ports::Provider;
use crate::purse::OpenPurse;
use crate::store::{Projection, SqliteRecord};

/// How long an owner's heartbeat may stand still; whoever looks then ends the generation within ten seconds.
const LEASE: Duration = Duration::from_secs(6);

impl Generations {
    /// The generations of a service: `at_once` work at the same time, the service's own rows are written by
    /// `projection`, and usage events go to analytics.
    pub fn embedded(
        foundation: &Foundation,
        database: Database,
        projection: impl Projection,
        provider: impl Provider,
        at_once: usize,
    ) -> Self {
        let record = Arc::new(SqliteRecord::new(database, Arc::new(projection)));
        Self::new(Parts {
            role: foundation.role,
            record: record.clone(),
            journal: Arc::new(MemoryJournal::default()),
            provider: Arc::new(provider),
            purse: Arc::new(OpenPurse),
            outbox: record,
            courier: Arc::new(AnalyticsCourier::new(foundation.links.to("analytics"))),
            at_once,
            lease: LEASE,
            stop: foundation.stop.clone(),
            tasks: foundation.tasks.clone(),
        })
    }
}
