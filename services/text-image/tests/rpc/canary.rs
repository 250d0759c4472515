//! An API of pictures that repeats the key in every way there is: nothing that is logged, told or stored has it.

use atelier_kit::testing::api::{Answer, Api};
use atelier_kit::testing::log::Log;
use serde_json::json;

use crate::stage::*;
use crate::upstream::{KEY, kept_the_key, open};

fn whole(status: u16, headers: &[(&'static str, String)], body: String) -> Answer {
    Answer::Whole {
        status,
        headers: headers.to_vec(),
        body: body.into(),
    }
}

/// Every place of an answer that may have a key.
fn echoes(host: &str) -> Vec<Answer> {
    let error = json!({"error": {"message": KEY, KEY: KEY}});
    let mut answers: Vec<Answer> = [200, 400, 401, 402, 403, 429, 500]
        .map(|status| whole(status, &[("x-echo", KEY.to_owned())], error.to_string()))
        .into();
    answers.extend([
        whole(429, &[("retry-after", KEY.to_owned())], String::new()),
        whole(
            307,
            &[("location", format!("http://127.0.0.1:9/{KEY}"))],
            String::new(),
        ),
        whole(
            200,
            &[("content-type", format!("text/{KEY}"))],
            String::new(),
        ),
        Answer::json(200, &json!({"data": KEY})),
        Answer::json(200, &json!({"data": [{"b64_json": KEY}]})),
        Answer::json(200, &json!({"data": [{"url": KEY}]})),
        Answer::json(
            200,
            &json!({"data": [{"url": format!("http://{KEY}.example/")}]}),
        ),
        Answer::json(
            200,
            &json!({"data": [{"url": format!("http://{host}/{KEY}")}]}),
        ),
        Answer::whole(200, "application/json", format!("{{\"{KEY}")),
    ]);
    answers
}

#[tokio::test]
async fn no_answer_s_echo_is_told_logged_or_stored() {
    for at in 0..echoes("").len() {
        let log = Log::new();
        let folder = tempfile::tempdir().unwrap();
        let api = Api::start(move |asked, _| match asked.method.as_str() {
            "POST" => echoes(asked.header("host")).swap_remove(at),
            _ => whole(404, &[("x-echo", KEY.to_owned())], format!("no {KEY}")),
        })
        .await;
        let world = open(&folder, &api.url).await;
        world.paint(ask("a red boat")).await;
        kept_the_key(&world, &log).await;
    }
}
