//! The journal that replicas share: a stream of Redis or Valkey for each generation, bounded and expiring.
//!
//! Each generation has two keys on one slot: a stream of its events, whose ids are their sequences (`epoch-n`), and a hash of
//! what is known beside them: the epoch that may append, the last sequence, how many events there are, and the snapshot in place
//! of those that were dropped. Whatever is written is one script, so that an epoch which is over appends nothing; whatever is
//! read is one too. Nothing here has to last: a server that comes back empty knows no generation, watchers look at the record
//! then, and an owner that still has its lease by the record begins the stream anew, with a snapshot of all that it told.
//!
//! | room | what it is |
//! |---|---|
//! | `scripts` | what the server is asked to do, each in one go |
//! | `ledger` | what an owner keeps beside its stream: how large it is, and the snapshot of what may be dropped |
//! | `ear` | one connection that hears of all streams that are watched here |
//! | `weather` | how long the server is waited for, and that its absence is told once |

mod ear;
mod ledger;
mod scripts;
mod weather;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::redis::{Redis, RedisAway};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, Snapshot};
use prost::Message as _;
use tokio::sync::watch;

use crate::error::Error;
use crate::fold::is_last;
use crate::ports::{Journal, Lease, Replay};

use ear::Ear;
use ledger::{Cut, Ledger};
use scripts::{APPEND, Keys, LOOK, OPEN, READ, Read};
use weather::Weather;

/// A running generation does not fail because the server was restarted, or a replica of it had to take over.
const APPENDED_WITHIN: Duration = Duration::from_secs(30);
/// Somebody waits for the rest, who can come again.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// How often one append begins a lost stream anew.
const LOSSES: u32 = 3;

/// The bounds of a stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamBounds {
    /// Bytes of events kept for one generation, with [`StreamBounds::ENTRY`] for each event on top; older ones become a
    /// snapshot. So the number of events is bounded too.
    pub bytes: usize,
    /// How long a generation is kept that nothing more is told of, and that has not ended.
    pub idle: Duration,
    /// How long an ended generation is kept.
    pub retention: Duration,
}

impl StreamBounds {
    /// What an event takes beside its bytes, about.
    pub const ENTRY: usize = 64;
}

impl Default for StreamBounds {
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            idle: Duration::from_secs(3600),
            retention: Duration::from_secs(120),
        }
    }
}

/// Whether a lease still holds, by the record: asked before a stream is begun anew that the server has lost, and with it the
/// epoch that fenced it.
pub type Holds =
    Arc<dyn Fn(Lease) -> Pin<Box<dyn Future<Output = Result<bool, Error>> + Send>> + Send + Sync>;

/// Keeps events on a server.
pub struct RedisJournal {
    redis: Redis,
    keys: Keys,
    bounds: StreamBounds,
    holds: Holds,
    own: Mutex<HashMap<String, Arc<Own>>>,
    ear: Ear,
    reads: Weather,
    writes: Weather,
}

/// A generation that this process appends to.
struct Own {
    epoch: i64,
    ledger: tokio::sync::Mutex<Ledger>,
    tide: watch::Sender<Tide>,
}

/// What those who wait are told.
#[derive(Clone, Copy, Debug, Default)]
struct Tide {
    last: i64,
    /// It has ended, or was dropped: nothing more comes.
    over: bool,
}

impl Tide {
    fn is_beyond(&self, after: i64) -> bool {
        self.over || self.last > after
    }
}

impl RedisJournal {
    /// The journal of a role; roles and tests are kept apart by their names.
    pub fn new(redis: Redis, role: &str, bounds: StreamBounds, holds: Holds) -> Self {
        Self {
            ear: Ear::new(redis.clone()),
            redis,
            keys: Keys::of(role),
            bounds,
            holds,
            own: Mutex::default(),
            reads: Weather::new("read"),
            writes: Weather::new("written"),
        }
    }

    fn owned(&self) -> MutexGuard<'_, HashMap<String, Arc<Own>>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own(&self, id: &str) -> Option<Arc<Own>> {
        self.owned().get(id).cloned()
    }

    /// This process appends nothing more to it. Of another epoch nothing is changed where one is named.
    fn disown(&self, id: &str, epoch: Option<i64>) {
        let mut owned = self.owned();
        let is_meant = |own: &Arc<Own>| epoch.is_none_or(|epoch| epoch == own.epoch);
        if owned.get(id).is_some_and(is_meant)
            && let Some(own) = owned.remove(id)
        {
            own.tide.send_modify(|tide| tide.over = true);
        }
    }

    /// Opens a stream, or begins it with what was told before. Returns how large it is and its last sequence; `None` when a
    /// higher epoch has it.
    async fn open_with(
        &self,
        lease: &Lease,
        last: i64,
        dropped: &Snapshot,
    ) -> Result<Option<(usize, i64)>, RedisAway> {
        let mut call = OPEN.prepare_invoke();
        self.keys.name(&mut call, &lease.id);
        call.arg(lease.epoch)
            .arg(millis(self.bounds.idle))
            .arg(last)
            .arg(dropped.encode_to_vec());
        self.redis.run(&call).await
    }

    async fn append_once(
        &self,
        lease: &Lease,
        event: &GenerationEvent,
        data: &[u8],
        cut: &Cut,
        again: bool,
    ) -> Result<i64, RedisAway> {
        let over = is_last(event);
        let kept = if over {
            self.bounds.retention
        } else {
            self.bounds.idle
        };
        let mut call = APPEND.prepare_invoke();
        self.keys.name(&mut call, &lease.id);
        call.arg(lease.epoch)
            .arg(event.sequence)
            .arg(scripts::entry(event.sequence))
            .arg(data)
            .arg(cut.bytes)
            .arg(millis(kept))
            .arg(i64::from(over))
            .arg(i64::from(again));
        match &cut.at {
            Some((sequence, snapshot)) => call
                .arg(scripts::entry(sequence.saturating_add(1)))
                .arg(*sequence)
                .arg(snapshot.encode_to_vec()),
            None => call.arg("").arg("").arg(""),
        };
        self.redis.run(&call).await
    }

    /// Begins a stream anew that the server does not know any more, where the lease still holds.
    async fn begin_anew(&self, lease: &Lease, ledger: &mut Ledger) -> Result<(), Error> {
        let holds = (self.holds)(lease.clone()).await?;
        let (last, state) = ledger.told();
        let opened = match holds {
            true => self.open_with(lease, last, &state).await,
            false => Ok(None),
        };
        match opened.map_err(Error::unavailable)? {
            Some(_) => {
                tracing::info!(generation = %lease.id, "a journal that was lost begins anew");
                ledger.begin_anew();
                Ok(())
            }
            None => Err(Error::LeaseLost),
        }
    }

    async fn look(&self, id: &str) -> Result<Option<Tide>, RedisAway> {
        let mut call = LOOK.prepare_invoke();
        self.keys.name(&mut call, id);
        let known: Option<(i64, i64)> = self.redis.run(&call).await?;
        Ok(known.map(|(last, over)| Tide {
            last,
            over: over > 0,
        }))
    }

    /// Drops what is known of a generation. What cannot be dropped now expires.
    async fn drop_keys(&self, id: &str, epoch: Option<i64>) {
        let mut call = scripts::DROP.prepare_invoke();
        self.keys.name(&mut call, id);
        call.arg(epoch.map(|epoch| epoch.to_string()).unwrap_or_default());
        let mut tries = self.writes.tries(ANSWERED_WITHIN);
        while let Err(away) = self.redis.run::<i64>(&call).await {
            if tries.again(away).await.is_err() {
                return;
            }
        }
        self.writes.is_fair();
    }
}

#[async_trait]
impl Journal for RedisJournal {
    async fn open(&self, lease: &Lease) -> Result<(), Error> {
        let mut tries = self.writes.tries(ANSWERED_WITHIN);
        let opened = loop {
            match self.open_with(lease, 0, &Snapshot::default()).await {
                Ok(opened) => break opened,
                Err(away) => tries.again(away).await?,
            }
        };
        self.writes.is_fair();
        let (bytes, last) = opened.ok_or(Error::LeaseLost)?;
        let mut owned = self.owned();
        if owned
            .get(&lease.id)
            .is_some_and(|own| own.epoch == lease.epoch)
        {
            return Ok(());
        }
        let own = Own {
            epoch: lease.epoch,
            ledger: tokio::sync::Mutex::new(Ledger::new(bytes, last)),
            tide: watch::Sender::new(Tide { last, over: false }),
        };
        if let Some(before) = owned.insert(lease.id.clone(), Arc::new(own)) {
            before.tide.send_modify(|tide| tide.over = true);
        }
        Ok(())
    }

    async fn append(&self, lease: &Lease, event: GenerationEvent) -> Result<(), Error> {
        let own = self.own(&lease.id).filter(|own| own.epoch == lease.epoch);
        let own = own.ok_or(Error::LeaseLost)?;
        // One after the other; those of other generations go along on the same connection.
        let mut ledger = own.ledger.lock().await;
        let data = event.encode_to_vec();
        let size = data.len() + StreamBounds::ENTRY;
        let mut cut = ledger.cut(&event, size, self.bounds.bytes);
        let mut tries = self.writes.tries(APPENDED_WITHIN);
        let mut losses = 0;
        loop {
            let again = tries.is_repeated();
            match self.append_once(lease, &event, &data, &cut, again).await {
                Ok(scripts::DONE) => break,
                // One that loses it again and again has no room for it.
                Ok(scripts::UNKNOWN) if losses == LOSSES => {
                    return Err(Error::unavailable(
                        "the journal is lost as soon as it is begun",
                    ));
                }
                Ok(scripts::UNKNOWN) => match self.begin_anew(lease, &mut ledger).await {
                    Ok(()) => {
                        losses += 1;
                        cut = ledger.cut(&event, size, self.bounds.bytes);
                    }
                    Err(error) if error.is_passing() => tries.again(error).await?,
                    Err(error) => {
                        self.disown(&lease.id, Some(lease.epoch));
                        return Err(error);
                    }
                },
                Ok(_) => {
                    // A sequence that comes twice is no sign that the lease is lost.
                    if !ledger.has_told(event.sequence) {
                        self.disown(&lease.id, Some(lease.epoch));
                    }
                    return Err(Error::LeaseLost);
                }
                Err(away) => tries.again(away).await?,
            }
        }
        self.writes.is_fair();
        let over = is_last(&event);
        let sequence = event.sequence;
        ledger.took(event, size, cut, self.bounds.bytes);
        own.tide.send_modify(|tide| {
            tide.last = tide.last.max(sequence);
            tide.over |= over;
        });
        drop(ledger);
        if over {
            self.disown(&lease.id, Some(lease.epoch));
        }
        Ok(())
    }

    async fn read(&self, id: &str, after: i64) -> Result<Option<Replay>, Error> {
        let after = after.max(0);
        let mut call = READ.prepare_invoke();
        self.keys.name(&mut call, id);
        call.arg(after)
            .arg(scripts::after(after))
            .arg(scripts::PAGE);
        let mut tries = self.reads.tries(ANSWERED_WITHIN);
        let read = loop {
            match self.redis.run::<Option<Read>>(&call).await {
                Ok(read) => break read,
                Err(away) => tries.again(away).await?,
            }
        };
        self.reads.is_fair();
        let Some((dropped_sequence, ended, dropped, entries)) = read else {
            return Ok(None);
        };
        let is_whole = entries.len() < scripts::PAGE;
        let mut events = Vec::with_capacity(entries.len() + 1);
        if after < dropped_sequence {
            let dropped = Snapshot::decode(&*dropped.unwrap_or_default()).map_err(Error::store)?;
            events.push(GenerationEvent {
                generation_id: id.to_owned(),
                sequence: dropped_sequence,
                time: Some(atelier_kit::moment::timestamp(atelier_kit::moment::now())),
                event: Some(Event::Snapshot(dropped)),
            });
        }
        for (_, (_, data)) in entries {
            events.push(GenerationEvent::decode(&*data).map_err(Error::store)?);
        }
        Ok(Some(Replay {
            events,
            ended: ended > 0 && is_whole,
        }))
    }

    async fn wait(&self, id: &str, after: i64) {
        // What this process tells it need not hear from the server.
        if let Some(own) = self.own(id) {
            let mut tide = own.tide.subscribe();
            // The channel cannot close: its sender is in what is held here.
            let _ = tide.wait_for(|tide| tide.is_beyond(after)).await;
            return;
        }
        let channel = self.keys.channel(id);
        self.ear.wait(&channel, after, || self.look(id)).await;
    }

    async fn sweep(&self) {
        // The server lets go of what has expired.
    }

    async fn forget(&self, id: &str) {
        self.disown(id, None);
        self.drop_keys(id, None).await;
    }

    async fn abandon(&self, lease: &Lease) {
        self.disown(&lease.id, Some(lease.epoch));
        self.drop_keys(&lease.id, Some(lease.epoch)).await;
    }

    fn told(&self) -> String {
        self.redis.to_string()
    }

    async fn ping(&self) -> Result<(), Error> {
        self.redis.ping().await.map_err(Error::unavailable)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}
