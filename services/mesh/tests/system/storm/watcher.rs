//! What one watcher has seen of a generation, over all the times that it came back, and the rules that hold for it.

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, Usage};

/// Where the numbers of an epoch's events begin.
const EPOCH: i64 = 1 << 32;

/// One watcher.
#[derive(Clone, Debug, Default)]
pub struct Watcher {
    /// The generation, once an event has named it.
    pub id: Option<String>,
    /// The last sequence seen.
    pub last: i64,
    /// The text as it would be shown.
    pub text: String,
    /// What was used, as far as it was told.
    pub usage: Option<Usage>,
    /// The stored result's URL.
    pub artifact: Option<String>,
    /// The end, once it has come.
    pub end: Option<Event>,
    /// How many bytes of audio were told.
    audio: i64,
}

impl Watcher {
    /// The next event; one that breaks a rule fails the test.
    pub fn hear(&mut self, told: GenerationEvent) {
        let known = self.id.get_or_insert_with(|| told.generation_id.clone());
        assert_eq!(*known, told.generation_id, "another generation's event");
        assert!(self.end.is_none(), "an event after the end: {told:?}");
        let sequence = told.sequence;
        assert!(
            sequence > self.last,
            "no growth after {}: {told:?}",
            self.last
        );
        let event = told.event.expect("an event");
        if !matches!(event, Event::Snapshot(_)) {
            let next = if self.last == 0 {
                EPOCH + 1
            } else {
                self.last + 1
            };
            assert_eq!(sequence, next, "a gap after {}: {event:?}", self.last);
        }
        self.last = sequence;
        match event {
            Event::Snapshot(whole) => {
                self.text = whole.text;
                self.audio = whole.audio_bytes;
                self.usage = whole.usage;
                self.artifact = whole.artifacts.last().map(|artifact| artifact.url.clone());
            }
            Event::TextDelta(delta) => self.text.push_str(&delta.text),
            Event::AudioChunk(chunk) => {
                assert_eq!(chunk.offset, self.audio, "a gap in the audio");
                self.audio += i64::try_from(chunk.data.len()).unwrap();
            }
            Event::Artifact(artifact) => self.artifact = Some(artifact.url),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Completed(_) | Event::Failed(_) | Event::Cancelled(_) => self.end = Some(event),
            _ => {}
        }
    }

    /// Whether it ended well.
    pub fn is_completed(&self) -> bool {
        matches!(self.end, Some(Event::Completed(_)))
    }

    /// Whether it failed since its owner died.
    pub fn is_interrupted(&self) -> bool {
        matches!(&self.end, Some(Event::Failed(failed)) if failed.reason == "INTERRUPTED" && failed.retryable)
    }
}
