//! A conversation at the prompt: its history, its own few words, and Ctrl-C.

use std::os::unix::fs::PermissionsExt as _;

use atelier_proto::generation::v1::State;

use super::Desk;
use super::model::{Model, STUCK};
use super::screen::{CTRL_C, CTRL_D, Screen, UP};
use crate::people::Person;
use crate::running::{Launch, Running, eventually};

async fn desk(model: &Model, data: &std::path::Path) -> (Running, Desk, Person) {
    let mesh = Launch::serving(&[], data)
        .envs(&model.settings())
        .start()
        .await;
    let mut desk = Desk::at(mesh.edge());
    let email = desk.register().await;
    let password = desk.passwords[0].clone();
    let person = Person::sign_in(mesh.edge(), &email, &password).await;
    (mesh, desk, person)
}

/// Where the last reply of the conversation changed last stands.
async fn last_reply(person: &Person) -> State {
    let conversations = person.conversations().await;
    let Some(conversation) = conversations.first() else {
        return State::Unspecified;
    };
    let messages = person.messages(&conversation.id).await;
    messages
        .last()
        .map_or(State::Unspecified, |last| last.state())
}

#[tokio::test]
async fn a_conversation_has_a_history_and_an_end() {
    let data = tempfile::tempdir().unwrap();
    let model = Model::saying("A **bold** answer.").await;
    let (_mesh, desk, person) = desk(&model, data.path()).await;
    let mut screen = Screen::open(&desk, &["chat"]);
    screen.shows("›").await;
    screen.press("first question\r");
    screen.shows("A bold answer.").await;
    assert!(screen.cell("bold answer").bold());
    screen.press("second question\r");
    screen
        .until("two answers", |screen| {
            screen.text().matches("A bold answer.").count() == 2
        })
        .await;
    // Up twice is the first one again.
    screen.press(UP);
    screen.press(UP);
    screen.press("\r");
    screen
        .until("three answers", |screen| {
            screen.text().matches("A bold answer.").count() == 3
        })
        .await;
    screen.press("/model nothing\r");
    screen.shows("there is no model nothing").await;
    screen.press("/frobnicate\r");
    screen.shows("there is no /frobnicate").await;
    screen.press("/help\r");
    screen.shows("Ctrl-C ends a reply.").await;
    screen.prompt().await;
    screen.press("/new\r");
    screen.shows("\na new conversation").await;
    screen.prompt().await;
    screen.press(CTRL_C);
    screen.shows("Ctrl-D ends").await;
    screen.press("third question\r");
    screen.until("asked", |_| model.asked() == 4).await;
    screen.prompt().await;
    screen.press(CTRL_D);
    assert_eq!(screen.ended().await, 0);
    assert!(
        screen.text().contains("--conversation"),
        "{}",
        screen.text()
    );

    let conversations = person.conversations().await;
    assert_eq!(conversations.len(), 2);
    let asked: Vec<String> = person
        .messages(&conversations[1].id)
        .await
        .into_iter()
        .map(|message| message.text)
        .step_by(2)
        .collect();
    assert_eq!(
        asked,
        ["first question", "second question", "first question"]
    );
    let history = desk.folder().join(".config/atelier/history");
    let mode = std::fs::metadata(&history).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // The history outlives the program.
    let mut screen = Screen::open(&desk, &["chat", "--continue"]);
    screen.shows("›").await;
    screen.press(UP);
    screen.shows("third question").await;
    screen.press("\r");
    screen.shows("A bold answer.").await;
    screen.prompt().await;
    screen.press("/exit\r");
    assert_eq!(screen.ended().await, 0);
    assert_eq!(person.conversations().await.len(), 2);
}

#[tokio::test]
async fn ctrl_c_ends_the_reply_and_not_the_conversation() {
    let data = tempfile::tempdir().unwrap();
    let model = Model::saying("Some words and then silence").await;
    let (_mesh, desk, person) = desk(&model, data.path()).await;
    let mut screen = Screen::open(&desk, &["chat", "--model", STUCK]);
    screen.shows("›").await;
    screen.press("hello\r");
    screen.shows("silence").await;
    screen.press(CTRL_C);
    screen.shows("cancelled").await;
    assert_eq!(last_reply(&person).await, State::Cancelled);
    screen.press("/model quick\r");
    screen.shows("quick is asked").await;
    screen.press("once more\r");
    screen.until("asked", |_| model.asked() == 2).await;
    eventually(
        "a reply that is complete",
        std::time::Duration::from_secs(30),
        async || last_reply(&person).await == State::Completed,
    )
    .await;
    screen.prompt().await;
    screen.press(CTRL_D);
    assert_eq!(screen.ended().await, 0);
    assert_eq!(person.conversations().await.len(), 1);
}

#[tokio::test]
async fn ctrl_c_cancels_a_single_reply_with_130() {
    let data = tempfile::tempdir().unwrap();
    let model = Model::saying("Some words and then silence").await;
    let (_mesh, desk, person) = desk(&model, data.path()).await;
    let mut screen = Screen::open(&desk, &["chat", "--model", STUCK, "hello"]);
    screen.shows("silence").await;
    screen.press(CTRL_C);
    assert_eq!(screen.ended().await, 130);
    assert!(
        screen.text().contains("atelier: cancelled"),
        "{}",
        screen.text()
    );
    assert_eq!(last_reply(&person).await, State::Cancelled);
}
