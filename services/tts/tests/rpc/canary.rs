//! An API of speech that repeats the key in every way there is: nothing that is logged, told or stored has it.

use atelier_kit::testing::api::{Answer, Api};
use atelier_kit::testing::log::Log;
use serde_json::json;

use crate::house::{FOX, House, text};

const KEY: &str = "sk-never-to-be-seen-4711";

fn whole(status: u16, headers: &[(&'static str, String)], body: String) -> Answer {
    Answer::Whole {
        status,
        headers: headers.to_vec(),
        body: body.into(),
    }
}

/// Every place of an answer that may have a key.
fn echoes() -> Vec<Answer> {
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
        whole(
            200,
            &[("content-type", "audio/wav".to_owned())],
            KEY.repeat(10),
        ),
        whole(
            200,
            &[("content-type", "audio/wav".to_owned())],
            format!("RIFF{KEY}"),
        ),
        whole(
            200,
            &[("content-type", "audio/wav".to_owned())],
            format!("RIFF....WAVE{KEY}"),
        ),
    ]);
    answers
}

#[tokio::test]
async fn no_answer_s_echo_is_told_logged_or_stored() {
    let house = House::new().await;
    let count = echoes().len();
    for at in 0..count {
        let log = Log::new();
        let api = Api::start(move |_, _| echoes().swap_remove(at)).await;
        let room = house
            .open(&[
                ("ATELIER_SPEECH_URL", &api.url),
                ("ATELIER_SPEECH_API_KEY", KEY),
                ("ATELIER_SPEECH_MODEL", "speech-7"),
                ("ATELIER_SPEECH_VOICES", "alloy"),
            ])
            .await;
        let told = room.say("ana", text(FOX)).await.unwrap();
        let failed = told.failed();
        assert!(!failed.message.contains(KEY), "{failed:?}");
        let found = room.get("ana", told.id()).await.unwrap();
        assert!(!format!("{found:?}").contains(KEY));
        room.shut().await;
        let log = log.text();
        assert!(log.contains("a provider failed"), "nothing was logged");
        let line = log.lines().find(|line| line.contains(KEY));
        assert!(line.is_none(), "the key is in the log: {line:?}");
    }
    for key in house.keys().await {
        let stored = house.object(&key).await;
        assert!(!String::from_utf8_lossy(&stored).contains(KEY), "{key}");
    }
}
