//! Six processes with certificates between them: they come up one by one, one is killed in the middle of a sentence and
//! comes back, and nobody else is started again.

use std::time::{Duration, Instant};

use atelier_proto::llm_chat::v1::{SendMessageRequest, WatchGenerationRequest};
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{CreateAnonymousSessionRequest, GetMeRequest};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{Made, live, making};
use crate::people::{Person, connect};
use crate::running::eventually;
use crate::split::{SIX, Split};
use crate::told::{Told, listen};
use crate::web;

/// How long a mesh may take to find a role that came or came back.
const FOUND: Duration = Duration::from_secs(15);
/// How long a caller may be kept waiting for the news that a role is away.
const TOLD: Duration = Duration::from_secs(8);

/// What the readiness of a process tells: its status, and its lines.
async fn readiness(admin: &str) -> (u16, Vec<String>) {
    let page = web::get(&format!("{admin}/readyz")).await;
    let lines = page.text().lines().map(str::to_owned).collect();
    (page.status.as_u16(), lines)
}

fn is_away(status: &tonic::Status) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let details = status.get_error_details();
    assert!(details.retry_info().is_some(), "no RetryInfo: {status:?}");
}

/// The edge alone: it runs, says what is missing, and turns callers away at once.
async fn the_edge_alone(mesh: &mut Split) {
    mesh.begin("edge").await;
    let admin = mesh.admin("edge");
    let (status, lines) = readiness(&admin).await;
    assert_eq!(status, 503);
    assert_eq!(lines[0], "not ready");
    for roles in &SIX[1..] {
        let line = format!("{}: not met yet", roles[0]);
        assert!(lines.contains(&line), "no {line:?} in {lines:?}");
    }
    assert_eq!(web::get(&format!("{admin}/livez")).await.status, 200);
    let begun = Instant::now();
    let refused = UsersServiceClient::new(connect(mesh.edge()).await)
        .create_anonymous_session(CreateAnonymousSessionRequest {})
        .await;
    is_away(&refused.unwrap_err());
    assert!(begun.elapsed() < TOLD, "{:?}", begun.elapsed());
}

/// A role that has met nobody yet waits for the one that has the keys.
async fn a_service_alone(mesh: &mut Split) {
    mesh.begin("tts").await;
    let (status, lines) = readiness(&mesh.admin("tts")).await;
    assert_eq!((status, lines[1].as_str()), (503, "users: not met yet"));
}

async fn all_are_there(mesh: &mut Split) {
    for role in ["users", "analytics", "text-image", "llm-chat"] {
        mesh.begin(role).await;
    }
    for role in ["edge", "tts"] {
        let admin = mesh.admin(role);
        eventually("everybody has met", FOUND, || async {
            readiness(&admin).await.0 == 200
        })
        .await;
    }
}

/// The process of the chat is killed while it speaks.
async fn the_chat_is_killed(mesh: &mut Split, ada: &Person, conversation: &str, made: &mut Made) {
    let request = SendMessageRequest {
        conversation_id: conversation.to_owned(),
        text: "Tell me a long story about the sea.".to_owned(),
        ..Default::default()
    };
    let answer = ada.chat().send_message(request.clone()).await;
    let mut stream = answer.expect("a reply").into_inner();
    let mut told = Told::default();
    let cut = loop {
        match stream.message().await {
            Ok(Some(answer)) => told.0.push(answer.event.expect("an event")),
            Ok(None) => panic!("the story came to its end before the cut: {told:?}"),
            Err(status) => break status,
        }
        if told.text().len() > 100 && mesh.runs("llm-chat") {
            mesh.kill("llm-chat").await;
        }
    };
    assert_eq!(cut.code(), Code::Unavailable, "{cut:?}");
    made.add("llm-chat", told.id());

    // Whoever needs it is told at once, and everybody else goes on.
    let begun = Instant::now();
    is_away(&ada.chat().send_message(request).await.unwrap_err());
    assert!(begun.elapsed() < TOLD, "{:?}", begun.elapsed());
    let me = ada.users().get_me(GetMeRequest {}).await.expect("users");
    assert_eq!(me.into_inner().user.unwrap().id, ada.user.id);
    let admin = mesh.admin("edge");
    eventually("the edge knows that it is away", FOUND, || async {
        let (status, lines) = readiness(&admin).await;
        status == 200 && lines.contains(&"llm-chat: away".to_owned())
    })
    .await;

    // It comes back on the same folder: the reply has an end, and the conversation its memory.
    mesh.begin("llm-chat").await;
    let watch = WatchGenerationRequest {
        generation_id: told.id().to_owned(),
        after_sequence: 0,
    };
    eventually("it is found again", FOUND, || async {
        ada.chat().watch_generation(watch.clone()).await.is_ok()
    })
    .await;
    let ended = ada.chat().watch_generation(watch).await;
    let ended = listen(ended.expect("the generation").into_inner()).await;
    assert!(ended.end().is_some(), "{ended:?}");
    assert!(!ended.is_completed(), "half a story was called whole");
    let said = making::say(ada, conversation, "What is my name?").await;
    made.add("llm-chat", said.id());
    assert!(said.text().contains("Ada"), "{}", said.text());
}

#[tokio::test]
async fn the_story_in_six_processes_one_of_them_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut mesh = Split::plan(&SIX, folder.path())
        .with_certificates(&folder.path().join("authority"))
        .await;
    the_edge_alone(&mut mesh).await;
    a_service_alone(&mut mesh).await;
    all_are_there(&mut mesh).await;
    let edge = mesh.edge().to_owned();
    live(
        &edge,
        async |ada: &Person, conversation: &str, made: &mut Made| {
            the_chat_is_killed(&mut mesh, ada, conversation, made).await;
        },
    )
    .await;
    for ended in mesh.terminate().await {
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }
}
