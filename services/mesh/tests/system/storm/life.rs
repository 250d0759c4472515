//! A generation from its client's side: begun under a request id, cut off and joined again until its end has come.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use atelier_proto::generation::v1::GenerationEvent;
use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::text_image::v1 as image;
use atelier_proto::tts::v1 as tts;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tonic::{Code, Response, Status, Streaming};

use super::watcher::Watcher;
use crate::people::Person;
use crate::told::Tells;

/// How long a generation may take, cuts and kills included.
const LONGEST: Duration = Duration::from_secs(180);
/// How long a client waits after an error.
const PAUSE: Duration = Duration::from_millis(150);
/// The longest that a client stays before it is cut off.
const STAY_MILLIS: u64 = 2_500;

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A reply in a conversation of its own.
    Message,
    /// A reply without a conversation.
    Reply,
    /// A picture.
    Picture,
    /// A spoken text.
    Speech,
}

impl Medium {
    /// The service that makes it.
    pub fn service(self) -> &'static str {
        match self {
            Medium::Message | Medium::Reply => "llm-chat",
            Medium::Picture => "text-image",
            Medium::Speech => "tts",
        }
    }
}

/// When clients met errors: only while something was away may they.
pub type Errors = Arc<Mutex<Vec<(Instant, Status)>>>;

/// A generation to be.
pub struct Life {
    /// What is made.
    pub medium: Medium,
    /// What is asked for; nobody else asks for it.
    pub prompt: String,
    /// Its owner, through each door that leads to its service.
    pub doors: Vec<Person>,
    /// The conversation of a message.
    pub conversation: String,
    /// Chance.
    pub chance: fastrand::Rng,
    /// Where errors are told.
    pub errors: Errors,
}

/// A generation that has ended.
pub struct Ended {
    /// What it was.
    pub life: Life,
    /// What was seen of it.
    pub watcher: Watcher,
    /// When the end was heard.
    pub at: Instant,
    /// How often its client came back.
    pub returns: u32,
}

type Events = BoxStream<'static, Result<GenerationEvent, Status>>;

fn events<T: Tells + Send + 'static>(answer: Response<Streaming<T>>) -> Events {
    Box::pin(answer.into_inner().map(|answer| answer.map(T::tells)))
}

impl Life {
    fn door(&mut self) -> Person {
        let at = self.chance.usize(..self.doors.len());
        self.doors[at].clone()
    }

    /// Begins it, or joins what the same request began.
    async fn begin(&mut self) -> Result<Events, Status> {
        let door = self.door();
        let (text, request_id) = (self.prompt.clone(), self.prompt.replace(' ', "-"));
        match self.medium {
            Medium::Message => {
                let request = chat::SendMessageRequest {
                    conversation_id: self.conversation.clone(),
                    text,
                    request_id,
                    ..Default::default()
                };
                door.chat().send_message(request).await.map(events)
            }
            Medium::Reply => {
                let request = chat::CompleteRequest {
                    messages: vec![chat::InputMessage {
                        role: chat::Role::User.into(),
                        text,
                    }],
                    request_id,
                    ..Default::default()
                };
                door.chat().complete(request).await.map(events)
            }
            Medium::Picture => {
                let request = image::GenerateImageRequest {
                    prompt: text,
                    size: Some(image::Size {
                        width: 64,
                        height: 64,
                    }),
                    request_id,
                    ..Default::default()
                };
                door.pictures().generate_image(request).await.map(events)
            }
            Medium::Speech => {
                let request = tts::SynthesizeRequest {
                    text,
                    request_id,
                    ..Default::default()
                };
                door.speech().synthesize(request).await.map(events)
            }
        }
    }

    /// Watches it after a sequence, from any door.
    pub async fn watch(&mut self, id: &str, after_sequence: i64) -> Result<Events, Status> {
        let door = self.door();
        let generation_id = id.to_owned();
        match self.medium {
            Medium::Message | Medium::Reply => {
                let request = chat::WatchGenerationRequest {
                    generation_id,
                    after_sequence,
                };
                door.chat().watch_generation(request).await.map(events)
            }
            Medium::Picture => {
                let request = image::WatchGenerationRequest {
                    generation_id,
                    after_sequence,
                };
                door.pictures().watch_generation(request).await.map(events)
            }
            Medium::Speech => {
                let request = tts::WatchGenerationRequest {
                    generation_id,
                    after_sequence,
                };
                door.speech().watch_generation(request).await.map(events)
            }
        }
    }

    /// Lives to the end: a client that is cut off at random and comes back, by watching on or by asking anew.
    pub async fn run(mut self, begin_after: Duration) -> Ended {
        tokio::time::sleep(begin_after).await;
        let begun = Instant::now();
        let mut watcher = Watcher::default();
        let mut returns = 0;
        loop {
            let waited = begun.elapsed();
            assert!(
                waited < LONGEST,
                "{:?} has no end: {watcher:?}",
                self.prompt
            );
            let opened = match watcher.id.clone() {
                Some(id) if self.chance.u8(..4) > 0 => self.watch(&id, watcher.last).await,
                _ => {
                    // Whoever asks anew hears all of it again.
                    watcher = Watcher::default();
                    self.begin().await
                }
            };
            let stay = Duration::from_millis(self.chance.u64(..STAY_MILLIS));
            let heard = match opened {
                Ok(events) => tokio::time::timeout(stay, hear(events, &mut watcher)).await,
                Err(status) => Ok(Err(status)),
            };
            if watcher.end.is_some() {
                return Ended {
                    life: self,
                    watcher,
                    at: Instant::now(),
                    returns,
                };
            }
            returns += 1;
            if let Ok(Err(status)) = heard {
                assert!(passes(&status), "{:?}: {status:?}", self.prompt);
                self.errors.lock().unwrap().push((Instant::now(), status));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Hears a stream to its end, which comes without an error only after the generation's.
pub async fn hear(mut events: Events, watcher: &mut Watcher) -> Result<(), Status> {
    while let Some(event) = events.next().await {
        watcher.hear(event?);
    }
    match watcher.end {
        Some(_) => Ok(()),
        None => Err(Status::data_loss("the stream ended before the generation")),
    }
}

/// Whether a client that meets this has reason to come back: nobody is there, or a connection broke.
fn passes(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable => true,
        // A connection that breaks in the middle is told by the client's own library.
        Code::Unknown | Code::Internal | Code::Cancelled => {
            std::error::Error::source(status).is_some()
        }
        _ => false,
    }
}
