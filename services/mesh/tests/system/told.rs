//! What the stream of a generation told: its events in order, and the rules that hold for every such stream.

use std::time::Duration;

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Artifact, GenerationEvent, Usage};
use atelier_proto::{llm_chat, text_image, tts};
use tonic::Streaming;

/// How long one event may take to come.
const NEXT: Duration = Duration::from_secs(60);

/// An answer that carries an event.
pub trait Tells {
    /// The event.
    fn tells(self) -> GenerationEvent;
}

macro_rules! tells {
    ($($answer:ty),+ $(,)?) => {
        $(impl Tells for $answer {
            fn tells(self) -> GenerationEvent {
                self.event.expect("an answer with an event")
            }
        })+
    };
}

tells!(
    llm_chat::v1::SendMessageResponse,
    llm_chat::v1::CompleteResponse,
    llm_chat::v1::WatchGenerationResponse,
    text_image::v1::GenerateImageResponse,
    text_image::v1::WatchGenerationResponse,
    tts::v1::SynthesizeResponse,
    tts::v1::WatchGenerationResponse,
);

/// The events of a stream so far.
#[derive(Clone, Debug, Default)]
pub struct Told(pub Vec<GenerationEvent>);

/// The next event; none at the end of the stream.
pub async fn next<T: Tells>(stream: &mut Streaming<T>) -> Option<GenerationEvent> {
    let answer = tokio::time::timeout(NEXT, stream.message())
        .await
        .expect("an event within a minute");
    answer.expect("a stream without an error").map(T::tells)
}

/// Listens to the end, which must be an end as the contract has it.
pub async fn listen<T: Tells>(mut stream: Streaming<T>) -> Told {
    let mut told = Told::default();
    while let Some(event) = next(&mut stream).await {
        told.0.push(event);
    }
    told.check_order();
    assert!(told.end().is_some(), "a stream without an end: {told:?}");
    told
}

/// Listens until a condition holds, and then goes away.
pub async fn listen_until<T: Tells>(
    mut stream: Streaming<T>,
    enough: impl Fn(&Told) -> bool,
) -> Told {
    let mut told = Told::default();
    while !enough(&told) {
        let event = next(&mut stream).await.expect("more events");
        told.0.push(event);
    }
    told
}

impl Told {
    /// The generation.
    pub fn id(&self) -> &str {
        &self.0.first().expect("an event").generation_id
    }

    /// The last sequence seen.
    pub fn sequence(&self) -> i64 {
        self.0.last().map_or(0, |event| event.sequence)
    }

    /// The content of all events.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.0.iter().filter_map(|event| event.event.as_ref())
    }

    /// The text as a client would show it: a snapshot replaces everything before it.
    pub fn text_after(&self, before: &str) -> String {
        let mut text = before.to_owned();
        for event in self.events() {
            match event {
                Event::Snapshot(snapshot) => text.clone_from(&snapshot.text),
                Event::TextDelta(delta) => text.push_str(&delta.text),
                _ => {}
            }
        }
        text
    }

    /// The text of a stream that was heard from its beginning.
    pub fn text(&self) -> String {
        self.text_after("")
    }

    /// The audio of a stream that was heard from its beginning; a gap fails the test.
    pub fn audio(&self) -> Vec<u8> {
        let mut audio = Vec::new();
        for event in self.events() {
            if let Event::AudioChunk(chunk) = event {
                assert_eq!(chunk.offset, audio.len() as i64, "a gap in the audio");
                assert!(chunk.data.len() <= 64 * 1024, "a chunk is too large");
                audio.extend_from_slice(&chunk.data);
            }
        }
        audio
    }

    /// The stored result.
    pub fn artifact(&self) -> &Artifact {
        self.events()
            .find_map(|event| match event {
                Event::Artifact(artifact) => Some(artifact),
                _ => None,
            })
            .expect("an artifact")
    }

    /// What was used.
    pub fn usage(&self) -> Usage {
        self.events()
            .filter_map(|event| match event {
                Event::Usage(usage) => Some(*usage),
                _ => None,
            })
            .last()
            .expect("a usage")
    }

    /// The last event, when it is one that ends a generation.
    pub fn end(&self) -> Option<&Event> {
        self.0
            .last()
            .and_then(|event| event.event.as_ref())
            .filter(|event| is_end(event))
    }

    /// Whether it ended well.
    pub fn is_completed(&self) -> bool {
        matches!(self.end(), Some(Event::Completed(_)))
    }

    /// Whether a provider has begun.
    pub fn has_started(&self) -> bool {
        self.events()
            .any(|event| matches!(event, Event::Started(_)))
    }

    /// One generation, sequences that grow, and one end at the most.
    fn check_order(&self) {
        for pair in self.0.windows(2) {
            assert!(
                pair[0].sequence < pair[1].sequence,
                "sequences do not grow: {pair:?}"
            );
            assert_eq!(pair[0].generation_id, pair[1].generation_id);
        }
        let ends = self.events().filter(|event| is_end(event)).count();
        assert!(ends <= 1, "more than one end: {self:?}");
    }
}

fn is_end(event: &Event) -> bool {
    matches!(
        event,
        Event::Completed(_) | Event::Failed(_) | Event::Cancelled(_)
    )
}
