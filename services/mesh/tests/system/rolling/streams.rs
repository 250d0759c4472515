//! Open streams: each follows a reply to its end, and where it is cut goes on after the last event that it has heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use atelier_kit::link::Link;
use atelier_proto::generation::v1::GenerationEvent;
use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_simulator::Script;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::task::JoinSet;
use tonic::{Response, Status, Streaming};
use url::Url;

use super::callers::signed;
use crate::faults::streams::PATIENT;
use crate::people::Person;
use crate::storm::watcher::Watcher;
use crate::told::Tells;

/// How long a reply may take, its cuts included.
const LONGEST: Duration = Duration::from_secs(120);
/// How long a client waits that was refused.
const PAUSE: Duration = Duration::from_millis(100);

type Events = BoxStream<'static, Result<GenerationEvent, Status>>;

fn events<T: Tells + Send + 'static>(answer: Response<Streaming<T>>) -> Events {
    Box::pin(answer.into_inner().map(|answer| answer.map(T::tells)))
}

/// What came of the streams.
#[derive(Default)]
pub struct Done {
    /// How many replies came whole.
    pub completed: u64,
    /// How many streams ended before their reply,
    pub cut: u64,
    /// and how many of them went on, without a gap.
    pub resumed: u64,
    /// What came of the other replies.
    pub unfinished: Vec<String>,
}

/// Streams that go on.
pub struct Streams {
    stop: Arc<AtomicBool>,
    all: JoinSet<Done>,
}

impl Streams {
    /// Opens so many; where one has come to its end another begins.
    pub fn begin(link: &Link, people: &[Person], count: usize, script: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let script = Url::parse(&format!("simulator://?{script}")).unwrap();
        let mut all = JoinSet::new();
        for number in 0..count {
            let listener = Listener {
                chat: LlmChatServiceClient::new(link.clone()),
                token: people[number % people.len()].tokens.access_token.clone(),
                done: Done::default(),
            };
            let script = Script::read(&script).unwrap();
            all.spawn(listener.listen(number, script, stop.clone()));
        }
        Self { stop, all }
    }

    /// Begins no more, and hears all to their ends.
    pub async fn end(mut self) -> Done {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Done::default();
        while let Some(done) = self.all.join_next().await {
            let done = done.expect("a stream without a gap");
            all.completed += done.completed;
            all.cut += done.cut;
            all.resumed += done.resumed;
            all.unfinished.extend(done.unfinished);
        }
        all
    }
}

struct Listener {
    chat: LlmChatServiceClient<Link>,
    token: String,
    done: Done,
}

impl Listener {
    async fn listen(mut self, number: usize, script: Script, stop: Arc<AtomicBool>) -> Done {
        let mut reply = 0;
        while !stop.load(Ordering::SeqCst) {
            let prompt = format!("stream {number} reply {reply}");
            let heard = self.follow(&prompt).await;
            if heard.is_completed() && heard.text == script.reply_to(&prompt) {
                self.done.completed += 1;
            } else {
                let told = format!("{prompt}: {:?} after {:?}", heard.end, heard.text);
                self.done.unfinished.push(told);
            }
            reply += 1;
        }
        self.done
    }

    /// Asks for a reply, and hears it to its end.
    async fn follow(&mut self, prompt: &str) -> Watcher {
        let (begun, mut heard) = (Instant::now(), Watcher::default());
        let mut was_cut = false;
        while heard.end.is_none() && begun.elapsed() < LONGEST {
            let Ok(mut events) = self.open(prompt, &heard).await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            while let Some(Ok(event)) = events.next().await {
                heard.hear(event);
                self.done.resumed += u64::from(std::mem::take(&mut was_cut));
            }
            if heard.end.is_none() {
                self.done.cut += u64::from(!was_cut);
                was_cut = true;
            }
        }
        heard
    }

    /// The reply from its beginning, or where it was heard before, from there.
    async fn open(&mut self, prompt: &str, heard: &Watcher) -> Result<Events, Status> {
        let Some(generation_id) = heard.id.clone() else {
            let request = chat::CompleteRequest {
                messages: vec![chat::InputMessage {
                    role: chat::Role::User.into(),
                    text: prompt.to_owned(),
                }],
                model: PATIENT.to_owned(),
                request_id: prompt.replace(' ', "-"),
                ..Default::default()
            };
            let request = signed(&self.token, request);
            return self.chat.complete(request).await.map(events);
        };
        let request = chat::WatchGenerationRequest {
            generation_id,
            after_sequence: heard.last,
        };
        let request = signed(&self.token, request);
        self.chat.watch_generation(request).await.map(events)
    }
}
