//! What an owner keeps beside its stream. The server cannot fold events, so the owner says what stands in place of those that
//! are dropped: it remembers the whole state at a mark about half way, and what came before the mark is what goes. It keeps
//! no event.

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, Snapshot};

use crate::fold::fold;

/// What is known of a stream.
pub(super) struct Ledger {
    /// All that was told, folded; `None` while that is not known: what owners before told, until the snapshot that a new one
    /// begins with.
    state: Option<Snapshot>,
    last: i64,
    /// The state at a sequence half way.
    mark: Option<(i64, Snapshot)>,
    /// Bytes up to the mark, and after it.
    older: usize,
    newer: usize,
}

/// What an append drops.
pub(super) struct Cut {
    /// Up to which sequence, and the state there.
    pub(super) at: Option<(i64, Snapshot)>,
    /// The bytes of the stream after it.
    pub(super) bytes: usize,
}

impl Ledger {
    /// Of a stream that has so many bytes already, and this last sequence; 0 is none.
    pub(super) fn new(bytes: usize, last: i64) -> Self {
        Self {
            state: (last == 0).then(Snapshot::default),
            last,
            mark: None,
            older: 0,
            newer: bytes,
        }
    }

    /// The last sequence that was told, and the whole of it.
    pub(super) fn told(&self) -> (i64, Snapshot) {
        match &self.state {
            Some(state) => (self.last, state.clone()),
            None => (0, Snapshot::default()),
        }
    }

    /// Whether it was told under this number or a later one.
    pub(super) fn has_told(&self, sequence: i64) -> bool {
        sequence <= self.last
    }

    /// The stream is empty, with a snapshot of all that was told in place of what was there.
    pub(super) fn begin_anew(&mut self) {
        (self.mark, self.older, self.newer) = (None, 0, 0);
    }

    /// What has to go when this event comes.
    pub(super) fn cut(&self, event: &GenerationEvent, size: usize, bound: usize) -> Cut {
        let all = self.older + self.newer + size;
        let stays = Cut {
            at: None,
            bytes: all,
        };
        if all <= bound {
            return stays;
        }
        match (&event.event, &self.mark) {
            // It replaces all that was before it, and is kept as what was dropped.
            (Some(Event::Snapshot(whole)), _) => Cut {
                at: Some((event.sequence, whole.clone())),
                bytes: 0,
            },
            (_, Some(mark)) => Cut {
                at: Some(mark.clone()),
                bytes: self.newer + size,
            },
            (_, None) => stays,
        }
    }

    /// The event is in the stream.
    pub(super) fn took(&mut self, event: GenerationEvent, size: usize, cut: Cut, bound: usize) {
        self.last = event.sequence;
        match (&mut self.state, &event.event) {
            (Some(state), Some(event)) => fold(state, event),
            (state @ None, Some(Event::Snapshot(whole))) => *state = Some(whole.clone()),
            _ => {}
        }
        match cut.at {
            Some((at, _)) if at == event.sequence => self.begin_anew(),
            Some(_) => (self.mark, self.older, self.newer) = (None, 0, self.newer + size),
            None => self.newer += size,
        }
        if self.mark.is_none()
            && self.newer >= bound / 2
            && self.newer > 0
            && let Some(state) = &self.state
        {
            self.mark = Some((self.last, state.clone()));
            self.older = std::mem::take(&mut self.newer);
        }
    }
}
