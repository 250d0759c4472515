//! The chapters of the story, one function each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use atelier_proto::analytics::v1::analytics_service_client::AnalyticsServiceClient;
use atelier_proto::analytics::v1::{Dimension, GetUsageSummaryRequest, UsageRow};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Artifact, GenerationEvent};
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_proto::llm_chat::v1::{CreateConversationRequest, SendMessageRequest};
use atelier_proto::text_image::v1::text_image_service_client::TextImageServiceClient;
use atelier_proto::text_image::v1::{GenerateImageRequest, Size};
use atelier_proto::tts::v1::tts_service_client::TtsServiceClient;
use atelier_proto::tts::v1::{AudioFormat, SynthesizeRequest};
use atelier_proto::users::v1::credits_service_client::CreditsServiceClient;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{
    GetBalanceRequest, GetQuotasRequest, LoginRequest, RegisterRequest,
};
use tonic::Streaming;

use super::caller::Caller;
use super::show;
use crate::client::connection::Connection;
use crate::client::credits;
use crate::client::object;
use crate::client::output::Output;

/// How long the usage may take to be counted.
const COUNTED_WITHIN: Duration = Duration::from_secs(15);
/// How many generations the story makes at least.
const AT_LEAST: i64 = 4;

/// Registers a new account and logs in.
pub async fn register(connection: &Connection) -> anyhow::Result<(Caller, String, String)> {
    show::chapter("An account");
    let mut users = UsersServiceClient::new(connection.channel.clone());
    let id = uuid::Uuid::new_v4().simple().to_string();
    let email = format!("demo-{}@example.com", &id[..8]);
    let password = format!("demo-{}", &id[8..24]);
    let user = users
        .register(RegisterRequest {
            email: email.clone(),
            password: password.clone(),
            display_name: "Demo".to_owned(),
        })
        .await?
        .into_inner()
        .user
        .context("an account")?;
    show::line(&format!("registered {} as {}", user.email, user.id));
    let login = LoginRequest {
        email: email.clone(),
        password: password.clone(),
        ..LoginRequest::default()
    };
    let tokens = users
        .login(login)
        .await?
        .into_inner()
        .tokens
        .context("tokens")?;
    show::line("logged in: an access token for 15 minutes, a refresh token for 30 days");
    Ok((
        Caller::new(connection, &tokens.access_token)?,
        email,
        password,
    ))
}

/// Holds a conversation that needs memory.
pub async fn chat(caller: &Caller, ask: Option<&str>) -> anyhow::Result<()> {
    show::chapter("A chat");
    let mut chat = LlmChatServiceClient::new(caller.channel.clone());
    let conversation = chat
        .create_conversation(caller.request(CreateConversationRequest::default()))
        .await?
        .into_inner()
        .conversation
        .context("a conversation")?;
    let questions = [
        "Hello! My name is Ada and I like lighthouses.",
        "What is my name, and what do I like?",
    ];
    for text in questions.into_iter().chain(ask) {
        show::line(&format!("you: {text}"));
        let mut events = chat
            .send_message(caller.request(SendMessageRequest {
                conversation_id: conversation.id.clone(),
                text: text.to_owned(),
                ..SendMessageRequest::default()
            }))
            .await?
            .into_inner();
        while let Some(answer) = events.message().await? {
            match step(answer.event)? {
                Event::Started(started) => {
                    show::words(&format!("  {} ({}): ", started.model, started.provider));
                }
                Event::TextDelta(delta) => show::words(&delta.text),
                _ => {}
            }
        }
        show::end();
    }
    Ok(())
}

/// Draws a picture and saves it.
pub async fn draw(
    caller: &Caller,
    prompt: &str,
    (width, height): (i32, i32),
    folder: &Path,
) -> anyhow::Result<PathBuf> {
    show::chapter("A picture");
    show::line(&format!("\"{prompt}\", {width} × {height}"));
    let request = GenerateImageRequest {
        prompt: prompt.to_owned(),
        size: Some(Size { width, height }),
        ..GenerateImageRequest::default()
    };
    let mut events = TextImageServiceClient::new(caller.channel.clone())
        .generate_image(caller.request(request))
        .await?
        .into_inner();
    let bar = show::Bar::new("drawing");
    let mut stored = None;
    let mut by = String::new();
    while let Some(answer) = next(&mut events).await? {
        match step(answer.event)? {
            Event::Started(started) => by = format!("{} ({})", started.model, started.provider),
            Event::Progress(progress) => bar.set(progress.fraction),
            Event::Artifact(artifact) => stored = Some(artifact),
            _ => {}
        }
    }
    bar.end();
    let artifact = stored.context("the generation ended without a picture")?;
    show::line(&format!(
        "by {by}: {} × {}, {} bytes",
        artifact.width, artifact.height, artifact.size_bytes
    ));
    save(caller, &artifact, &folder.join("atelier-demo.png")).await
}

/// Speaks a text and saves it.
pub async fn say(caller: &Caller, text: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    show::chapter("A voice");
    show::line(&format!("\"{text}\""));
    let request = SynthesizeRequest {
        text: text.to_owned(),
        format: AudioFormat::Wav.into(),
        ..SynthesizeRequest::default()
    };
    let mut events = TtsServiceClient::new(caller.channel.clone())
        .synthesize(caller.request(request))
        .await?
        .into_inner();
    let bar = show::Bar::new("speaking");
    let (mut stored, mut streamed, mut by) = (None, 0, String::new());
    while let Some(answer) = next(&mut events).await? {
        match step(answer.event)? {
            Event::Started(started) => by = format!("{} ({})", started.model, started.provider),
            Event::AudioChunk(chunk) => streamed += chunk.data.len(),
            Event::Progress(progress) => bar.set(progress.fraction),
            Event::Artifact(artifact) => stored = Some(artifact),
            _ => {}
        }
    }
    bar.end();
    let artifact = stored.context("the generation ended without audio")?;
    let duration = artifact.duration.unwrap_or_default();
    show::line(&format!(
        "by {by}: {}.{} s, {streamed} bytes streamed as they were made",
        duration.seconds,
        duration.nanos / 100_000_000
    ));
    save(caller, &artifact, &folder.join("atelier-demo.wav")).await
}

/// Reads back what was used; analytics hears of it a moment later.
pub async fn usage(caller: &Caller) -> anyhow::Result<()> {
    show::chapter("What it used");
    let mut analytics = AnalyticsServiceClient::new(caller.channel.clone());
    let begun = std::time::Instant::now();
    loop {
        let request = GetUsageSummaryRequest {
            dimensions: vec![Dimension::Service.into(), Dimension::Model.into()],
            ..GetUsageSummaryRequest::default()
        };
        let rows = analytics
            .get_usage_summary(caller.request(request))
            .await?
            .into_inner()
            .rows;
        let counted: i64 = rows.iter().map(|row| row.generations).sum();
        if counted >= AT_LEAST {
            for row in rows {
                show::line(&summary(&row));
            }
            return Ok(());
        }
        if begun.elapsed() > COUNTED_WITHIN {
            bail!(
                "only {counted} generations were counted after {} s",
                COUNTED_WITHIN.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Tells what the account may still spend and make today.
pub async fn left(caller: &Caller) -> anyhow::Result<()> {
    show::chapter("What is left");
    let mut client = CreditsServiceClient::new(caller.channel.clone());
    let balance = client
        .get_balance(caller.request(GetBalanceRequest {}))
        .await?
        .into_inner()
        .balance
        .context("a balance")?;
    let quotas = client
        .get_quotas(caller.request(GetQuotasRequest {}))
        .await?
        .into_inner();
    show::line(&credits::total(&balance));
    for line in credits::quotas(&quotas).lines() {
        show::line(line);
    }
    Ok(())
}

/// A row on one line, as a person reads it.
pub fn summary(row: &UsageRow) -> String {
    let usage = row.usage.unwrap_or_default();
    let plural = if row.generations == 1 { "" } else { "s" };
    let mut parts = vec![format!("{} generation{plural}", row.generations)];
    for (amount, unit) in [
        (usage.input_tokens, "tokens read"),
        (usage.output_tokens, "tokens written"),
        (usage.images, "picture(s)"),
        (usage.characters, "characters spoken"),
        (usage.audio_millis, "ms of audio"),
    ] {
        if amount > 0 {
            parts.push(format!("{amount} {unit}"));
        }
    }
    format!("{:<11} {:<18} {}", row.service, row.model, parts.join(", "))
}

async fn next<T>(events: &mut Streaming<T>) -> anyhow::Result<Option<T>> {
    Ok(events.message().await?)
}

/// The event of an answer; a failure ends the story.
fn step(event: Option<GenerationEvent>) -> anyhow::Result<Event> {
    match event.and_then(|event| event.event) {
        Some(Event::Failed(failed)) => Err(anyhow!("{}: {}", failed.reason, failed.message)),
        Some(event) => Ok(event),
        None => Err(anyhow!("an event without content")),
    }
}

async fn save(caller: &Caller, artifact: &Artifact, path: &Path) -> anyhow::Result<PathBuf> {
    let mut draft = Output::decide(Some(path), true, "")?.draft()?;
    object::fetch_once(&caller.connection, artifact, &mut draft).await?;
    draft
        .persist(path)
        .with_context(|| format!("{}", path.display()))?;
    Ok(path.to_path_buf())
}
