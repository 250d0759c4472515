//! The journal of one process, in memory: bounded for each generation and in all.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, Snapshot};
use prost::Message as _;
use tokio::sync::watch;

use crate::error::Error;
use crate::fold::{fold, is_last};
use crate::ports::{Journal, Lease, Replay};

/// The bounds of a journal.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of events kept for one generation; older ones become a snapshot.
    pub generation_bytes: usize,
    /// Bytes of memory kept in all, by estimate; the generations that ended first are dropped first.
    pub total_bytes: usize,
    /// How long an ended generation is kept.
    pub retention: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            generation_bytes: 32 << 20,
            total_bytes: 32 << 20,
            retention: Duration::from_secs(120),
        }
    }
}

/// Keeps events in memory.
#[derive(Default)]
pub struct MemoryJournal {
    bounds: Bounds,
    tracks: Mutex<HashMap<String, Arc<Track>>>,
}

struct Track {
    pages: Mutex<Pages>,
    tide: watch::Sender<Tide>,
}

/// What those who wait are told.
#[derive(Clone, Copy, Default)]
struct Tide {
    last: i64,
    /// It has ended, or was dropped: nothing more comes.
    over: bool,
}

impl Track {
    /// Nothing more comes here. Whoever waits holds the track, so that dropping it alone would tell nobody.
    fn close(&self) {
        self.tide.send_modify(|tide| tide.over = true);
    }
}

struct Pages {
    epoch: i64,
    /// What was dropped, folded, and the sequence up to which.
    dropped: Snapshot,
    dropped_sequence: i64,
    events: VecDeque<(usize, GenerationEvent)>,
    bytes: usize,
    ended: Option<Instant>,
}

impl MemoryJournal {
    /// A journal with these bounds.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            tracks: Mutex::default(),
        }
    }

    fn track(&self, id: &str) -> Option<Arc<Track>> {
        self.tracks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }
}

/// What a generation takes beside its events: its entry, its channel, its id twice.
const TRACK_BYTES: usize = size_of::<Track>() + 256;

impl Pages {
    /// What it takes of memory, as far as that is known: an event of a few words is many times as large as its words.
    fn memory(&self) -> usize {
        let places = self.events.capacity() * size_of::<(usize, GenerationEvent)>();
        TRACK_BYTES + places + self.bytes + self.dropped.encoded_len()
    }

    /// Folds the oldest half away when there is too much.
    fn shrink(&mut self, bound: usize) {
        if self.bytes <= bound {
            return;
        }
        while self.bytes > bound / 2 && self.events.len() > 1 {
            let Some((size, event)) = self.events.pop_front() else {
                return;
            };
            self.bytes -= size;
            self.dropped_sequence = event.sequence;
            if let Some(event) = &event.event {
                fold(&mut self.dropped, event);
            }
        }
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn open(&self, lease: &Lease) -> Result<(), Error> {
        let mut tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        let track = tracks.entry(lease.id.clone()).or_insert_with(|| {
            Arc::new(Track {
                pages: Mutex::new(Pages {
                    epoch: lease.epoch,
                    dropped: Snapshot::default(),
                    dropped_sequence: 0,
                    events: VecDeque::new(),
                    bytes: 0,
                    ended: None,
                }),
                tide: watch::Sender::default(),
            })
        });
        let mut pages = track.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if lease.epoch < pages.epoch {
            return Err(Error::LeaseLost);
        }
        pages.epoch = lease.epoch;
        Ok(())
    }

    async fn append(&self, lease: &Lease, event: GenerationEvent) -> Result<(), Error> {
        let track = self.track(&lease.id).ok_or(Error::LeaseLost)?;
        let sequence = event.sequence;
        let over = is_last(&event);
        {
            let mut pages = track.pages.lock().unwrap_or_else(PoisonError::into_inner);
            let last = pages
                .events
                .back()
                .map_or(pages.dropped_sequence, |(_, event)| event.sequence);
            if pages.epoch != lease.epoch || pages.ended.is_some() || sequence <= last {
                return Err(Error::LeaseLost);
            }
            let size = event.encoded_len();
            pages.bytes += size;
            pages.events.push_back((size, event));
            if over {
                pages.ended = Some(Instant::now());
                // Nothing more comes.
                pages.events.shrink_to_fit();
            }
            pages.shrink(self.bounds.generation_bytes);
        }
        // Only ever forward: the track may have been closed in between.
        track.tide.send_modify(|tide| {
            tide.last = tide.last.max(sequence);
            tide.over |= over;
        });
        Ok(())
    }

    async fn read(&self, id: &str, after: i64) -> Result<Option<Replay>, Error> {
        let Some(track) = self.track(id) else {
            return Ok(None);
        };
        let pages = track.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = Vec::new();
        if after < pages.dropped_sequence {
            events.push(GenerationEvent {
                generation_id: id.to_owned(),
                sequence: pages.dropped_sequence,
                time: Some(atelier_kit::moment::timestamp(atelier_kit::moment::now())),
                event: Some(Event::Snapshot(pages.dropped.clone())),
            });
        }
        let from = pages
            .events
            .partition_point(|(_, event)| event.sequence <= after);
        events.extend(pages.events.range(from..).map(|(_, event)| event.clone()));
        Ok(Some(Replay {
            events,
            ended: pages.ended.is_some(),
        }))
    }

    async fn wait(&self, id: &str, after: i64) {
        let Some(track) = self.track(id) else { return };
        let mut tide = track.tide.subscribe();
        // The channel cannot close: its sender is in the track.
        let _ = tide.wait_for(|tide| tide.over || tide.last > after).await;
    }

    async fn sweep(&self) {
        let mut tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ended = Vec::new();
        let mut total = 0;
        for (id, track) in tracks.iter() {
            let pages = track.pages.lock().unwrap_or_else(PoisonError::into_inner);
            let bytes = pages.memory();
            total += bytes;
            if let Some(at) = pages.ended {
                ended.push((at, id.clone(), bytes));
            }
        }
        ended.sort();
        for (at, id, bytes) in ended {
            if at.elapsed() > self.bounds.retention || total > self.bounds.total_bytes {
                if let Some(track) = tracks.remove(&id) {
                    track.close();
                }
                total -= bytes;
            }
        }
    }

    async fn forget(&self, id: &str) {
        let track = self
            .tracks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        if let Some(track) = track {
            track.close();
        }
    }

    async fn abandon(&self, lease: &Lease) {
        let mut tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(track) = tracks.get(&lease.id).cloned() else {
            return;
        };
        {
            let pages = track.pages.lock().unwrap_or_else(PoisonError::into_inner);
            if pages.epoch != lease.epoch || pages.ended.is_some() {
                return;
            }
        }
        tracks.remove(&lease.id);
        track.close();
    }

    fn told(&self) -> String {
        "memory".to_owned()
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }
}
