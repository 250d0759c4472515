//! Unary calls at a fixed pace to every service: what only reads, and what changes something and may be sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use atelier_kit::link::Link;
use atelier_proto::analytics::v1 as analytics;
use atelier_proto::analytics::v1::analytics_service_client::AnalyticsServiceClient;
use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_proto::text_image::v1 as image;
use atelier_proto::text_image::v1::text_image_service_client::TextImageServiceClient;
use atelier_proto::tts::v1 as tts;
use atelier_proto::tts::v1::tts_service_client::TtsServiceClient;
use atelier_proto::users::v1 as users;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tonic::{Request, Status};

use crate::people::Person;

/// How many calls wait for their answer at once at the most: a machine that cannot hold the pace begins fewer.
const AT_ONCE: usize = 32;
/// How long one may take on a busy machine.
const LONGEST: Duration = Duration::from_secs(30);

/// A request that a person signs.
pub fn signed<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().expect("a header's value");
    request.metadata_mut().insert("authorization", value);
    request
}

/// What came of the calls.
#[derive(Default)]
pub struct Done {
    pub answered: u64,
    pub failed: Vec<String>,
    pub lasted: Duration,
}

/// Calls that go on.
pub struct Calls {
    stop: Arc<AtomicBool>,
    running: JoinHandle<Done>,
}

impl Calls {
    /// Begins so many a second.
    pub fn begin(link: &Link, people: &[Person], per_second: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tokens = people.iter().map(|one| one.tokens.access_token.clone());
        let running = run(link.clone(), tokens.collect(), per_second, stop.clone());
        Self {
            stop,
            running: tokio::spawn(running),
        }
    }

    /// Begins no more, and waits for the answers to all.
    pub async fn end(self) -> Done {
        self.stop.store(true, Ordering::SeqCst);
        self.running.await.unwrap()
    }
}

async fn run(link: Link, tokens: Vec<String>, per_second: u32, stop: Arc<AtomicBool>) -> Done {
    let begun = Instant::now();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut calls, mut done) = (JoinSet::new(), Done::default());
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        ticks.tick().await;
        let place = places.clone().acquire_owned().await.unwrap();
        let (link, token) = (link.clone(), tokens[number % tokens.len()].clone());
        calls.spawn(async move {
            let called = tokio::time::timeout(LONGEST, call(link, &token, number)).await;
            drop(place);
            let answer = called.unwrap_or_else(|_| Err(Status::unknown("no answer")));
            answer.map_err(|status| format!("call {number}: {status:?}"))
        });
        number += 1;
        while let Some(answer) = calls.try_join_next() {
            done.take(answer.unwrap());
        }
    }
    done.lasted = begun.elapsed();
    while let Some(answer) = calls.join_next().await {
        done.take(answer.unwrap());
    }
    done
}

impl Done {
    fn take(&mut self, answer: Result<(), String>) {
        match answer {
            Ok(()) => self.answered += 1,
            Err(why) => self.failed.push(why),
        }
    }
}

async fn call(link: Link, token: &str, number: usize) -> Result<(), Status> {
    match number % 6 {
        0 => {
            let request = signed(token, users::GetMeRequest {});
            UsersServiceClient::new(link).get_me(request).await?;
        }
        1 => {
            let request = signed(token, image::ListImagesRequest::default());
            let mut pictures = TextImageServiceClient::new(link);
            pictures.list_images(request).await?;
        }
        2 => {
            let request = signed(token, tts::ListConversionsRequest::default());
            TtsServiceClient::new(link)
                .list_conversions(request)
                .await?;
        }
        3 => {
            let request = signed(token, analytics::ListUsageEventsRequest::default());
            let mut usage = AnalyticsServiceClient::new(link);
            usage.list_usage_events(request).await?;
        }
        4 => {
            let page = chat::ListConversationsRequest {
                page_size: 10,
                ..Default::default()
            };
            let mut chat = LlmChatServiceClient::new(link);
            chat.list_conversations(signed(token, page)).await?;
        }
        _ => {
            // Idempotent, and so the edge may send it again.
            let request = users::UpdateMeRequest {
                user: Some(users::User {
                    display_name: format!("A person of call {number}"),
                    ..Default::default()
                }),
                update_mask: Some(prost_types::FieldMask {
                    paths: vec!["display_name".to_owned()],
                }),
            };
            let mut users = UsersServiceClient::new(link);
            users.update_me(signed(token, request)).await?;
        }
    }
    Ok(())
}
