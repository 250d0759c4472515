//! The journal of running generations: in memory, or on Redis.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use atelier_generation::journal::{Holds, MemoryJournal, RedisJournal, StreamBounds};
use atelier_generation::{Journal, Lease};
use atelier_kit::moment;
use atelier_kit::redis::Redis;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, TextDelta};
use tokio::sync::Mutex;

use crate::engines::Engines;
use crate::{AT_ONCE, OWNERS, Port, Side, Turn, Verb};

/// How many events a generation has.
const EVENTS: i64 = 200;
/// After which one is read: a journal may tell no more than 64 at once.
const AFTER: i64 = EVENTS - 50;

/// The port.
pub async fn port(engines: &Engines) -> anyhow::Result<Port> {
    let redis = Redis::new(&engines.redis.server_of())?;
    let bounds = StreamBounds::default();
    // The record is not asked: nothing is lost here.
    let holds: Holds = Arc::new(|_| Box::pin(async { Ok(true) }));
    let redis = RedisJournal::new(redis, "bench", bounds, holds);
    let memory = MemoryJournal::default();
    Ok(Port {
        name: "The journal",
        about: "`MemoryJournal` and `RedisJournal`, called directly. *Append* is one event with a few words of text; each caller has a \
                generation of its own, and begins another after 200 events. *Read* is the last 50 events of 200, as for a client that \
                comes back.",
        verbs: &[(Verb::Write, "append"), (Verb::Read, "read")],
        embedded: ("memory", Journals::open(Arc::new(memory)).await?),
        servers: vec![("Redis", Journals::open(Arc::new(redis)).await?)],
    })
}

/// A generation that is being told.
struct Told {
    lease: Lease,
    events: i64,
}

impl Told {
    async fn begin(journal: &dyn Journal) -> anyhow::Result<Self> {
        let lease = Lease {
            id: moment::new_id(),
            epoch: 1,
        };
        journal.open(&lease).await?;
        Ok(Self { lease, events: 0 })
    }

    async fn append(&mut self, journal: &dyn Journal) -> anyhow::Result<()> {
        self.events += 1;
        let event = GenerationEvent {
            generation_id: self.lease.id.clone(),
            sequence: sequence(self.events),
            time: Some(moment::timestamp(moment::now())),
            event: Some(Event::TextDelta(TextDelta {
                text: "over the lazy dog".to_owned(),
            })),
        };
        journal.append(&self.lease, event).await?;
        Ok(())
    }
}

/// The sequence of an event, as the first owner of a generation numbers them.
fn sequence(event: i64) -> i64 {
    (1 << 32) + event
}

struct Journals {
    journal: Arc<dyn Journal>,
    /// One of each caller.
    told: Vec<Mutex<Told>>,
    whole: Vec<String>,
}

impl Journals {
    async fn open(journal: Arc<dyn Journal>) -> anyhow::Result<Arc<dyn Side>> {
        let mut told = Vec::new();
        for _ in 0..AT_ONCE {
            told.push(Mutex::new(Told::begin(journal.as_ref()).await?));
        }
        let mut whole = Vec::new();
        for _ in 0..OWNERS {
            let mut one = Told::begin(journal.as_ref()).await?;
            while one.events < EVENTS {
                one.append(journal.as_ref()).await?;
            }
            whole.push(one.lease.id);
        }
        Ok(Arc::new(Self {
            journal,
            told,
            whole,
        }))
    }
}

#[async_trait]
impl Side for Journals {
    async fn once(&self, verb: Verb, turn: Turn) -> anyhow::Result<()> {
        if verb == Verb::Write {
            let mut told = self.told[turn.caller].lock().await;
            if told.events == EVENTS {
                self.journal.forget(&told.lease.id).await;
                *told = Told::begin(self.journal.as_ref()).await?;
            }
            return told.append(self.journal.as_ref()).await;
        }
        let id = &self.whole[turn.number % self.whole.len()];
        let replay = self.journal.read(id, sequence(AFTER)).await?;
        let events = replay.context("a generation is gone")?.events;
        let first = events.first().map(|event| event.sequence);
        ensure!(
            events.len() as i64 == EVENTS - AFTER && first == Some(sequence(AFTER + 1)),
            "{} events were read, from {first:?} on",
            events.len()
        );
        Ok(())
    }
}
