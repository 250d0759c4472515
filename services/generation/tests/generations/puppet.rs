//! A provider on strings: each generation does what its test tells it, when it tells it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use atelier_generation::{Emitter, Failure, Finish, Job, Provider, Quote};
use atelier_proto::generation::v1::{Artifact, FinishReason, Snapshot, Usage};
use atelier_proto::model::v1::{Price, PriceUnit};
use atelier_proto::users::v1::Medium;
use bytes::Bytes;
use tokio::sync::mpsc;

/// One thing that a generation is told to do.
pub enum Act {
    Text(String),
    Audio(Bytes),
    Progress(f64),
    Warning,
    /// Another takes its place, as a fallback does.
    Replaced,
    Artifact(Artifact),
    Finish,
    Fail(Failure),
    Panic,
    /// Leaves a task behind that keeps telling, against the rules, and finishes.
    Haunt,
}

/// What a generation of these tests is quoted: a thousand tokens that cost something, and nothing at all where its body says
/// that it can be had no more.
pub fn quote(job: &Job) -> Result<Quote, Failure> {
    if job.task.as_ref() == b"sold out" {
        return Err(Failure::lasting("SOLD_OUT", "it can be had no more"));
    }
    Ok(Quote {
        medium: Medium::Chat,
        model: job.model.clone(),
        worst: Usage {
            output_tokens: 1000,
            ..Usage::default()
        },
        prices: vec![Price {
            unit: PriceUnit::MillionOutputTokens.into(),
            micros: 1_000_000,
            currency_code: "USD".into(),
        }],
    })
}

#[derive(Default)]
struct Strings {
    hands: HashMap<String, mpsc::Sender<Act>>,
    waiting: HashMap<String, mpsc::Receiver<Act>>,
    began: Vec<String>,
    dropped: Vec<String>,
}

/// The provider. Clones are the same.
#[derive(Clone, Default)]
pub struct Puppets {
    strings: Arc<Mutex<Strings>>,
}

struct Mourner(Puppets, String);

impl Drop for Mourner {
    fn drop(&mut self) {
        self.0.strings.lock().unwrap().dropped.push(self.1.clone());
    }
}

impl Puppets {
    fn prepare(&self, id: &str) {
        let mut strings = self.strings.lock().unwrap();
        if !strings.hands.contains_key(id) {
            let (hand, acts) = mpsc::channel(10_000);
            strings.hands.insert(id.to_owned(), hand);
            strings.waiting.insert(id.to_owned(), acts);
        }
    }

    /// Tells a generation to do something, now or as soon as it runs.
    pub fn tell(&self, id: &str, act: Act) {
        self.prepare(id);
        let hand = self.strings.lock().unwrap().hands[id].clone();
        // One that has ended hears nothing any more.
        let _ = hand.try_send(act);
    }

    pub fn say(&self, id: &str, text: &str) {
        self.tell(id, Act::Text(text.to_owned()));
    }

    pub fn finish(&self, id: &str) {
        self.tell(id, Act::Finish);
    }

    /// Which generations were begun, in order.
    pub fn began(&self) -> Vec<String> {
        self.strings.lock().unwrap().began.clone()
    }

    /// Whether the future of a generation's work is gone.
    pub fn is_dropped(&self, id: &str) -> bool {
        self.strings
            .lock()
            .unwrap()
            .dropped
            .iter()
            .any(|dropped| dropped == id)
    }
}

#[async_trait]
impl Provider for Puppets {
    async fn quote(&self, job: &Job) -> Result<Quote, Failure> {
        quote(job)
    }

    async fn run(&self, job: &Job, out: &Emitter) -> Result<Finish, Failure> {
        self.prepare(&job.id);
        let mut acts = {
            let mut strings = self.strings.lock().unwrap();
            strings.began.push(job.id.clone());
            strings
                .waiting
                .remove(&job.id)
                .expect("a generation is begun once")
        };
        let _mourner = Mourner(self.clone(), job.id.clone());
        let mut written = 0;
        let mut artifact = None;
        let finish = |written, artifact| Finish {
            usage: Usage {
                output_tokens: written,
                ..Usage::default()
            },
            reason: FinishReason::Stop,
            artifact,
            details: Bytes::from_static(b"details"),
        };
        while let Some(act) = acts.recv().await {
            match act {
                Act::Text(text) => {
                    out.text(&text).await?;
                    written += 1;
                }
                Act::Audio(data) => out.audio(data, "audio/wav").await?,
                Act::Progress(fraction) => out.progress(fraction).await?,
                Act::Warning => out.warning("ODD", "something is odd").await?,
                Act::Replaced => out.started("understudies", "straw").await?,
                Act::Artifact(made) => artifact = Some(made),
                Act::Finish => return Ok(finish(written, artifact)),
                Act::Fail(failure) => return Err(failure),
                Act::Panic => panic!("the puppet fell off the stage"),
                Act::Haunt => {
                    let out = out.clone();
                    tokio::spawn(async move {
                        while out.text("boo").await.is_ok() {
                            tokio::time::sleep(Duration::from_micros(200)).await;
                        }
                    });
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    return Ok(finish(written, artifact));
                }
            }
        }
        // Nobody holds the strings any more: as if the upstream never answered again.
        std::future::pending().await
    }

    async fn estimate(&self, _: &Job, delivered: &Snapshot) -> Usage {
        Usage {
            output_tokens: delivered.text.len() as i64,
            estimated: !delivered.text.is_empty(),
            ..Usage::default()
        }
    }

    async fn present(&self, mut artifact: Artifact) -> Artifact {
        artifact.url = format!("https://fresh.example/{}", artifact.id);
        artifact
    }
}
