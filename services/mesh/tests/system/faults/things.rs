//! The things that people do in these tests, each once and as a caller sees it, and what he may be told instead.

use std::error::Error as _;
use std::time::Duration;

use atelier_proto::analytics::v1::{Dimension, GetUsageSummaryRequest};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::text_image::v1 as image;
use atelier_proto::tts::v1 as tts;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{GetMeRequest, LoginRequest, RegisterRequest};
use futures_util::future::try_join_all;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::people::{Person, connect, credentials};
use crate::told::{Tells, Told};

/// Makes an account.
pub async fn register(edge: &str, email: &str, password: &str) -> Result<(), Status> {
    let request = RegisterRequest {
        email: email.to_owned(),
        password: password.to_owned(),
        display_name: String::new(),
    };
    let lazy = tonic::transport::Endpoint::from_shared(edge.to_owned())
        .unwrap()
        .connect_timeout(Duration::from_secs(5))
        .connect_lazy();
    UsersServiceClient::new(lazy)
        .register(request)
        .await
        .map(drop)
}

/// Signs in, to see whether an account is there.
pub async fn is_there(edge: &str, email: &str, password: &str) -> bool {
    let request = LoginRequest {
        email: email.to_owned(),
        password: password.to_owned(),
        ..Default::default()
    };
    let mut users = UsersServiceClient::new(connect(edge).await);
    users.login(request).await.is_ok()
}

/// Reads his own account.
pub async fn look_up(me: &Person) -> Result<(), Status> {
    me.users().get_me(GetMeRequest {}).await.map(drop)
}

/// Makes a conversation, with the default model or another one.
pub async fn converse(me: &Person, model: &str) -> Result<String, Status> {
    let request = chat::CreateConversationRequest {
        model: model.to_owned(),
        ..Default::default()
    };
    let made = me.chat().create_conversation(request).await?.into_inner();
    Ok(made.conversation.expect("a conversation").id)
}

/// Says something in a conversation; the reply.
pub async fn say(
    me: &Person,
    conversation: &str,
    text: String,
) -> Result<Streaming<chat::SendMessageResponse>, Status> {
    let request = chat::SendMessageRequest {
        conversation_id: conversation.to_owned(),
        text,
        ..Default::default()
    };
    Ok(me.chat().send_message(request).await?.into_inner())
}

/// Asks for a small picture, and waits for it.
pub async fn draw(me: &Person, prompt: String) -> Result<Told, Status> {
    let request = image::GenerateImageRequest {
        prompt,
        size: Some(image::Size {
            width: 64,
            height: 64,
        }),
        ..Default::default()
    };
    hear(me.pictures().generate_image(request).await?.into_inner()).await
}

/// Has a word spoken, and waits for it.
pub async fn speak(me: &Person, text: String) -> Result<Told, Status> {
    let request = tts::SynthesizeRequest {
        text,
        ..Default::default()
    };
    hear(me.speech().synthesize(request).await?.into_inner()).await
}

/// Asks what he has used.
pub async fn sum_up(me: &Person) -> Result<(), Status> {
    let request = GetUsageSummaryRequest {
        dimensions: vec![Dimension::Service.into()],
        ..Default::default()
    };
    me.usage().get_usage_summary(request).await.map(drop)
}

/// Listens to the end of a generation; one whose stream is cut is not known to have ended.
pub async fn hear<T: Tells>(mut stream: Streaming<T>) -> Result<Told, Status> {
    let mut told = Told::default();
    while let Some(answer) = stream.message().await? {
        told.0.push(answer.tells());
    }
    match told.end() {
        Some(_) => Ok(told),
        None => Err(Status::data_loss("the stream ended before the generation")),
    }
}

/// Whether a generation ended well; one that failed has a reason that may pass.
pub fn ended_well(told: &Told) -> bool {
    match told.end() {
        Some(Event::Completed(_)) => true,
        Some(Event::Failed(failed)) => {
            assert!(failed.retryable, "{failed:?}");
            assert_ne!(failed.reason, "INTERNAL", "{failed:?}");
            false
        }
        other => panic!("an end that nobody asked for: {other:?}"),
    }
}

/// What was made, whether it was told by itself or as a part of what was known when the journal had forgotten it.
pub fn made(told: &Told) -> String {
    let artifacts = told.events().filter_map(|event| match event {
        Event::Artifact(artifact) => Some(artifact.id.clone()),
        Event::Snapshot(whole) => Some(whole.artifacts.last()?.id.clone()),
        _ => None,
    });
    let last = artifacts.last();
    last.unwrap_or_else(|| panic!("nothing was made: {told:?}"))
}

/// Whether a caller may be told this while something is away: that it is, and when to come again; or, by his own library, that
/// a connection broke. That he has waited too long is neither.
pub fn passes(status: &Status) -> bool {
    let mut cause = status.source();
    let mut broke = cause.is_some();
    while let Some(error) = cause {
        broke &= !error.is::<tonic::TimeoutExpired>();
        cause = error.source();
    }
    match status.code() {
        Code::Internal | Code::DeadlineExceeded => false,
        _ if broke => true,
        code => code == Code::Unavailable && status.get_error_details().retry_info().is_some(),
    }
}

/// Does each thing once, at each edge: whether all of the mesh works. Returns how many were acknowledged.
pub async fn all_answers(edges: &[String], person: &Person) -> Result<usize, Status> {
    let acknowledged = try_join_all(edges.iter().map(|edge| all_of_one(edge, person))).await?;
    Ok(acknowledged.into_iter().sum())
}

async fn all_of_one(edge: &str, person: &Person) -> Result<usize, Status> {
    let me = person.through(edge);
    let (email, password) = credentials();
    register(edge, &email, &password).await?;
    let conversation = converse(&me, "").await?;
    for told in [
        hear(say(&me, &conversation, "Hello".to_owned()).await?).await?,
        draw(&me, "waves".to_owned()).await?,
        speak(&me, "Hello.".to_owned()).await?,
    ] {
        if !ended_well(&told) {
            return Err(Status::unavailable("a generation failed"));
        }
    }
    Ok(5)
}
