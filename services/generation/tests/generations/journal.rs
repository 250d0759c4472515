//! The journal that the suites run on: as `ATELIER_TEST_JOURNAL` says, `memory` (the default) or `redis`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use atelier_generation::Journal;
use atelier_generation::journal::{Bounds, Holds, MemoryJournal, RedisJournal, StreamBounds};
use atelier_kit::moment;
use atelier_kit::redis::{Redis, RedisServer};
use atelier_kit::testing::servers;

/// Whether the suites run on a Redis server.
pub fn is_redis() -> bool {
    let chosen = std::env::var_os("ATELIER_TEST_JOURNAL").unwrap_or_default();
    match chosen.to_str() {
        Some("" | "memory") => false,
        Some("redis") => true,
        _ => panic!("ATELIER_TEST_JOURNAL cannot be {chosen:?}"),
    }
}

/// What tells a process that a test starts where this test's server is.
pub fn shared_with_children() -> Option<(&'static str, String)> {
    is_redis().then(|| (servers::Redis::URL, servers::Redis::shared().url(0)))
}

/// A journal of its own.
pub fn alone(bounds: Bounds) -> Arc<dyn Journal> {
    named(&moment::new_id(), bounds)
}

/// Two that are one: the journal of two replicas.
pub fn pair() -> (Arc<dyn Journal>, Arc<dyn Journal>) {
    let bounds = Bounds::default();
    if is_redis() {
        let name = moment::new_id();
        return (named(&name, bounds), named(&name, bounds));
    }
    let one = Arc::new(MemoryJournal::new(bounds));
    (one.clone(), one)
}

/// The journal of a process on this file: all processes on it share one, where it is one that can be shared.
pub fn of(file: &Path, bounds: Bounds) -> Arc<dyn Journal> {
    named(&file.display().to_string(), bounds)
}

fn named(name: &str, bounds: Bounds) -> Arc<dyn Journal> {
    if is_redis() {
        let server = RedisServer::parse(&servers::Redis::shared().url(0)).unwrap();
        Arc::new(on(&server, name, bounds, always()))
    } else {
        Arc::new(MemoryJournal::new(bounds))
    }
}

/// A journal on this server.
pub fn on(server: &RedisServer, name: &str, bounds: Bounds, holds: Holds) -> RedisJournal {
    let bounds = StreamBounds {
        bytes: bounds.generation_bytes,
        retention: bounds.retention,
        idle: Duration::from_secs(600),
    };
    RedisJournal::new(Redis::new(server).unwrap(), name, bounds, holds)
}

/// The word of a record that every lease holds: nothing is lost where this is used.
pub fn always() -> Holds {
    Arc::new(|_| Box::pin(async { Ok(true) }))
}
