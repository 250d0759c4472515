//! Folds events into a snapshot: whoever reads the snapshot knows what whoever read the events knows.

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, Snapshot, State};

/// Takes an event into the snapshot. Warnings and previews are of their moment and are not kept.
pub(crate) fn fold(snapshot: &mut Snapshot, event: &Event) {
    match event {
        Event::Queued(_) => snapshot.set_state(State::Queued),
        Event::Started(started) => {
            snapshot.set_state(State::Running);
            snapshot.provider.clone_from(&started.provider);
            snapshot.model.clone_from(&started.model);
            // Another that takes the place of the first is paid from the same.
            if started.allowance.is_some() {
                snapshot.allowance.clone_from(&started.allowance);
            }
        }
        Event::Snapshot(whole) => snapshot.clone_from(whole),
        Event::TextDelta(delta) => snapshot.text.push_str(&delta.text),
        Event::AudioChunk(chunk) => {
            let length = i64::try_from(chunk.data.len()).unwrap_or(i64::MAX);
            snapshot.audio_bytes = chunk.offset.saturating_add(length);
        }
        Event::Progress(progress) => snapshot.fraction = progress.fraction,
        Event::Artifact(artifact) => snapshot.artifacts.push(artifact.clone()),
        Event::Usage(usage) => snapshot.usage = Some(*usage),
        Event::ImagePreview(_) | Event::Warning(_) => {}
        Event::Failed(_) => snapshot.set_state(State::Failed),
        Event::Cancelled(_) => snapshot.set_state(State::Cancelled),
        Event::Completed(_) => {
            snapshot.set_state(State::Completed);
            snapshot.fraction = 1.0;
        }
    }
}

/// Whether an event is the last of its generation.
pub(crate) fn is_last(event: &GenerationEvent) -> bool {
    matches!(
        event.event,
        Some(Event::Completed(_) | Event::Failed(_) | Event::Cancelled(_))
    )
}

/// The first sequence number before any event of an epoch.
pub(crate) fn base(epoch: i64) -> i64 {
    epoch << 32
}
