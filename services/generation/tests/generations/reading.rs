//! Reading streams: to their end or for a while, and what a reader knows afterwards; runs no engine.

use atelier_generation::EventStream;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, Snapshot, State};
use futures_util::StreamExt as _;

use crate::stage::PATIENCE;

/// All events to the end of a stream.
pub async fn collect(stream: EventStream) -> Vec<GenerationEvent> {
    let all = stream.map(|event| event.unwrap()).collect::<Vec<_>>();
    tokio::time::timeout(PATIENCE, all)
        .await
        .expect("the stream ends")
}

/// The next events, so many.
pub async fn next(stream: &mut EventStream, count: usize) -> Vec<GenerationEvent> {
    let some = stream
        .take(count)
        .map(|event| event.unwrap())
        .collect::<Vec<_>>();
    tokio::time::timeout(PATIENCE, some)
        .await
        .expect("the events come")
}

/// What a reader knows after these events. Written anew and not taken from the crate, which it is held against.
pub fn fold<'a>(
    mut known: Snapshot,
    events: impl IntoIterator<Item = &'a GenerationEvent>,
) -> Snapshot {
    for event in events {
        match event.event.clone().expect("every event tells something") {
            Event::Queued(_) => known.state = State::Queued.into(),
            Event::Started(started) => {
                known.state = State::Running.into();
                known.provider = started.provider;
                known.model = started.model;
                known.allowance = started.allowance;
            }
            Event::Snapshot(whole) => known = whole,
            Event::TextDelta(delta) => known.text += &delta.text,
            Event::AudioChunk(chunk) => {
                assert_eq!(
                    chunk.offset, known.audio_bytes,
                    "audio has neither gap nor overlap"
                );
                known.audio_bytes += chunk.data.len() as i64;
            }
            Event::Progress(progress) => known.fraction = progress.fraction,
            Event::Artifact(artifact) => known.artifacts.push(artifact),
            Event::Usage(usage) => known.usage = Some(usage),
            Event::ImagePreview(_) | Event::Warning(_) => {}
            Event::Failed(_) => known.state = State::Failed.into(),
            Event::Cancelled(_) => known.state = State::Cancelled.into(),
            Event::Completed(_) => {
                known.state = State::Completed.into();
                known.fraction = 1.0;
            }
        }
    }
    known
}

/// All text of these events.
pub fn text(events: &[GenerationEvent]) -> String {
    fold(Snapshot::default(), events).text
}

/// Whether an event ends its generation.
pub fn is_last(event: &GenerationEvent) -> bool {
    matches!(
        event.event,
        Some(Event::Completed(_) | Event::Failed(_) | Event::Cancelled(_))
    )
}

/// Sequences grow strictly, and the last event, and no other, ends the generation.
pub fn assert_whole(events: &[GenerationEvent]) {
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence),
        "{events:?}"
    );
    let ends: Vec<usize> = (0..events.len())
        .filter(|at| is_last(&events[*at]))
        .collect();
    assert_eq!(ends, [events.len() - 1], "{events:?}");
}

/// The events without the time at which each was told.
pub fn timeless(events: &[GenerationEvent]) -> Vec<GenerationEvent> {
    events
        .iter()
        .cloned()
        .map(|event| GenerationEvent {
            time: None,
            ..event
        })
        .collect()
}
