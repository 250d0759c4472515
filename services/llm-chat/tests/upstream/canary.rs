//! An API that repeats the key in every way there is: nothing that is logged and nothing that is told has it.

use atelier_kit::testing::api::{Answer, Api};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::stage::*;

fn with_headers(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
    Answer::Whole {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        body: body.to_owned().into(),
    }
}

/// Every place of an answer that may have a key.
fn echoes(key: &str) -> Vec<Answer> {
    let said = format!("no, {key} is wrong");
    let bearer = format!("Bearer {key}");
    let error = json!({"error": {"message": said, "code": key, key: key}}).to_string();
    let mut answers = Vec::new();
    for status in [200, 400, 401, 402, 403, 404, 409, 429, 500, 503] {
        answers.push(with_headers(
            status,
            &[
                ("x-echo", &bearer),
                ("www-authenticate", &bearer),
                ("content-type", "application/json"),
            ],
            &error,
        ));
        answers.push(with_headers(
            status,
            &[("content-type", "text/plain")],
            &said.repeat(40),
        ));
    }
    answers.extend([
        with_headers(429, &[("retry-after", key)], ""),
        with_headers(
            307,
            &[("location", &format!("http://127.0.0.1:9/{key}"))],
            &said,
        ),
        with_headers(302, &[("location", &format!("http://{key}.example/"))], ""),
        with_headers(200, &[("content-type", &format!("text/{key}"))], ""),
        with_headers(
            200,
            &[("content-type", &format!("image/{key}; charset={key}"))],
            &said,
        ),
    ]);
    let stream = |body: String| Answer::whole(200, "text/event-stream", body);
    answers.extend([
        stream(format!("{}data: [DONE]\n\n", event(&delta(&said)))),
        stream(format!(
            "{}{}",
            event(&delta("Ahoy. ")),
            event(&json!({"error": said}))
        )),
        stream(format!(
            "{}data: {{\"choices\": \"{key}\"}}\n\n",
            event(&delta("Ahoy. "))
        )),
        stream(format!("data: {key}\n\n")),
        stream(format!("data: {{\"{key}\"\n\n")),
        stream(format!(
            ": {key}\nevent: {key}\nid: {key}\n{key}: {key}\n\n{}",
            event(&stop())
        )),
        stream(event(
            &json!({"choices": [{"delta": {}, "finish_reason": key}]}),
        )),
        stream(format!("data: {}\n\n", key.repeat(20_000))),
    ]);
    answers
}

#[tokio::test]
async fn no_answer_s_echo_is_told_or_logged() {
    let count = echoes(KEY).len();
    for at in 0..count {
        let api = Api::start(move |_, _| echoes(KEY).swap_remove(at)).await;
        let world = World::open(&api.url).await;
        let id = world.conversation("").await;
        let events = world.say(&id, "Hello!").await;
        world.reply(&id).await;
        assert!(!events.is_empty());
        world.kept_the_key();
        if text(&events).starts_with("no, ") {
            assert_eq!(text(&events), "no, [key] is wrong");
        }
    }
}

/// Bytes that are no HTTP, from one that answers every connection with them.
#[tokio::test]
async fn what_is_no_answer_at_all_tells_nothing_either() {
    for said in [
        format!("HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n"),
        format!("HTTP/1.1 200 {KEY}\r\ncontent-length: {KEY}\r\n\r\n"),
        format!("{KEY}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{KEY}\r\n"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut asked = [0; 8192];
                let _ = socket.read(&mut asked).await;
                let _ = socket.write_all(said.as_bytes()).await;
            }
        });
        let world = World::open(&url).await;
        world.failure().await;
        world.kept_the_key();
        task.abort();
    }
}

#[tokio::test]
async fn a_key_of_odd_characters_is_hidden_as_json_writes_it() {
    const ODD: &str = "sk-\"odd\\key\"/4711-with-more";
    let said = json!({"error": {"message": ODD}}).to_string();
    assert!(!said.contains(ODD), "JSON writes it otherwise");
    let api = Api::start(move |_, _| Answer::whole(400, "application/json", said.clone())).await;
    let world = World::open_with(&api.url, ODD).await;
    world.failure().await;
    let log = world.log.text();
    assert!(
        log.contains("[key]") && !log.contains("4711-with-more"),
        "{log}"
    );
}
