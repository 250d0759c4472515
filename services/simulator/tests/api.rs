//! The simulator as its callers meet it, over HTTP: what it says, what befalls them, and what it counts.

use std::time::{Duration, Instant};

use atelier_simulator::{Counts, Script, Simulator};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use url::Url;

fn script(query: &str) -> Script {
    Script::read(&Url::parse(&format!("simulator://?{query}")).unwrap()).unwrap()
}

async fn start(query: &str) -> Simulator {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Simulator::start(script(query), ([127, 0, 0, 1], 0).into())
        .await
        .unwrap()
}

fn client() -> &'static Client {
    static CLIENT: std::sync::LazyLock<Client> = std::sync::LazyLock::new(|| {
        // A connection that was cut is not taken again.
        Client::builder().pool_max_idle_per_host(0).build().unwrap()
    });
    &CLIENT
}

async fn post(simulator: &Simulator, path: &str, body: &Value) -> Response {
    let url = format!("{}/{path}", simulator.url());
    client().post(url).json(body).send().await.unwrap()
}

fn ask(prompt: &str, stream: bool) -> Value {
    json!({
        "model": "simulated", "stream": stream, "stream_options": {"include_usage": true},
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}],
    })
}

async fn chat(simulator: &Simulator, prompt: &str) -> Response {
    post(simulator, "chat/completions", &ask(prompt, true)).await
}

/// The chunks of a streamed reply.
fn chunks(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// Waits until the simulator has counted so.
async fn counted(simulator: &Simulator, holds: impl Fn(&Counts) -> bool) -> Counts {
    let until = Instant::now() + Duration::from_secs(10);
    while !holds(&simulator.counts()) && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    simulator.counts()
}

#[tokio::test]
async fn a_reply_is_the_same_streamed_and_whole_and_is_known_beforehand() {
    let simulator = start("seed=3&tokens=12").await;
    let expected = script("seed=3&tokens=12").reply_to("Tell me of boats.");
    assert_eq!(expected.split(' ').count(), 12);

    let streamed = chat(&simulator, "Tell me of boats.").await;
    assert_eq!(
        streamed.headers()["content-type"],
        "text/event-stream; charset=utf-8"
    );
    let streamed = streamed.text().await.unwrap();
    assert!(streamed.ends_with("data: [DONE]\n\n"));
    let chunks = chunks(&streamed);
    let text: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, expected);
    let usage = &chunks.last().unwrap()["usage"];
    assert_eq!(
        [&usage["prompt_tokens"], &usage["completion_tokens"]],
        [6, 12]
    );

    let whole: Value = post(
        &simulator,
        "chat/completions",
        &ask("Tell me of boats.", false),
    )
    .await
    .json()
    .await
    .unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], expected);
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");

    let mut short = ask("Tell me of boats.", false);
    short["max_tokens"] = json!(4);
    let short: Value = post(&simulator, "chat/completions", &short)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(short["choices"][0]["finish_reason"], "length");
    assert_eq!(short["usage"]["completion_tokens"], 4);

    let served = counted(&simulator, |counts| counts.served == 3).await;
    assert_eq!(
        served,
        Counts {
            requests: 3,
            served: 3,
            ..Counts::default()
        }
    );
    let told: Value = client()
        .get(simulator.url().join("/simulator/stats").unwrap())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(told["served"], 3);
}

#[tokio::test]
async fn tokens_come_at_their_pace() {
    let simulator = start("tokens=11&tokens_per_second=50&latency=100ms").await;
    let began = Instant::now();
    let response = chat(&simulator, "Slowly.").await;
    let first = began.elapsed();
    response.text().await.unwrap();
    let all = began.elapsed();
    assert!(first >= Duration::from_millis(100), "{first:?}");
    // The eleventh word comes a fifth of a second after the first.
    assert!(all >= Duration::from_millis(300), "{all:?}");
}

#[tokio::test]
async fn a_script_befalls_the_same_request_in_its_order() {
    let simulator = start("script=429,503,cut@120,ok&retry_after=2s").await;
    for status in [429, 503] {
        let refused = chat(&simulator, "One.").await;
        assert_eq!(refused.status(), status);
        assert_eq!(refused.headers()["retry-after"], "2");
        let words: Value = refused.json().await.unwrap();
        assert_eq!(words["error"]["type"], "simulated");
    }
    // Another request begins at the beginning.
    assert_eq!(chat(&simulator, "Two.").await.status(), 429);
    let cut = chat(&simulator, "One.").await;
    assert_eq!(cut.status(), 200);
    assert!(cut.text().await.is_err(), "a cut is no end");
    for _ in 0..2 {
        let served = chat(&simulator, "One.").await.text().await.unwrap();
        assert!(served.ends_with("data: [DONE]\n\n"));
    }
    let counts = counted(&simulator, |counts| counts.served == 2).await;
    let expected = Counts {
        requests: 6,
        refused: 3,
        cut: 1,
        served: 2,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn a_cut_comes_after_as_many_bytes_as_it_says() {
    let whole = chat(&start("").await, "Long.").await.bytes().await.unwrap();
    for after in [0, 1, 100, whole.len() - 1] {
        let simulator = start(&format!("script=cut@{after}")).await;
        let mut response = chat(&simulator, "Long.").await;
        let mut got = Vec::new();
        let broken = loop {
            match response.chunk().await {
                Ok(Some(piece)) => got.extend_from_slice(&piece),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken, "after {after} bytes");
        // What was sent before the connection broke may be lost with it, but nothing after it is there.
        assert!(
            got.len() <= after && whole.starts_with(&got),
            "{} of {after}",
            got.len()
        );
    }
}

#[tokio::test]
async fn a_stall_stays_open_until_its_caller_goes() {
    let simulator = start("script=stall@50").await;
    let mut response = chat(&simulator, "Well?").await;
    let mut got = 0;
    let silent = loop {
        match tokio::time::timeout(Duration::from_millis(300), response.chunk()).await {
            Ok(piece) => got += piece.unwrap().unwrap().len(),
            Err(_) => break true,
        }
    };
    assert!(silent);
    assert_eq!((got, simulator.counts().open), (50, 1));
    drop(response);
    let counts = counted(&simulator, |counts| counts.dropped == 1).await;
    assert_eq!((counts.open, counts.dropped), (0, 1));
}

#[tokio::test]
async fn what_is_malformed_has_bytes_that_are_no_text() {
    let simulator = start("script=malformed@200").await;
    let bytes = chat(&simulator, "Hm.").await.bytes().await.unwrap();
    assert!(std::str::from_utf8(&bytes).is_err());
    assert!(bytes.ends_with(b"data: [DONE]\n\n"));
}

#[tokio::test]
async fn chances_come_as_often_as_they_should_and_the_same_seed_is_the_same_run() {
    let query = "seed=11&tokens=1&chance=429:20,500:5";
    let run = async |query: &str| {
        let simulator = start(query).await;
        let mut statuses = Vec::new();
        for at in 0..400 {
            statuses.push(chat(&simulator, &format!("{at}")).await.status().as_u16());
        }
        statuses
    };
    let first = run(query).await;
    let of = |status| first.iter().filter(|it| **it == status).count();
    assert!((50..=110).contains(&of(429)), "{}", of(429));
    assert!((6..=40).contains(&of(500)), "{}", of(500));
    assert_eq!(of(429) + of(500) + of(200), 400);
    assert_eq!(run(query).await, first);
    assert_ne!(run(&query.replace("11", "12")).await, first);
}

#[tokio::test]
async fn pictures_and_sounds_are_what_they_say() {
    use base64::Engine as _;
    let simulator = start("seed=5").await;
    let order = json!({"prompt": "a boat", "size": "64x48", "response_format": "b64_json"});
    let answer: Value = post(&simulator, "images/generations", &order)
        .await
        .json()
        .await
        .unwrap();
    let encoded = answer["data"][0]["b64_json"].as_str().unwrap();
    let picture = base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .unwrap();
    assert_eq!(
        picture,
        script("seed=5").picture_of("a boat", 64, 48).unwrap()
    );
    let reader = png::Decoder::new(std::io::Cursor::new(&picture))
        .read_info()
        .unwrap();
    assert_eq!((reader.info().width, reader.info().height), (64, 48));
    assert_ne!(
        script("seed=5").picture_of("a cat", 64, 48).unwrap(),
        picture
    );

    let order =
        json!({"model": "m", "voice": "v", "input": "Hello there", "response_format": "wav"});
    let sound = post(&simulator, "audio/speech", &order).await;
    assert_eq!(sound.headers()["content-type"], "audio/wav");
    let sound = sound.bytes().await.unwrap();
    assert_eq!(sound, script("seed=5").sound_of("Hello there").unwrap());
    let reader = hound::WavReader::new(&sound[..]).unwrap();
    // Ten letters and the silence after two words, 50 ms each.
    assert_eq!(reader.duration(), 12 * 800);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_words() {
    let simulator = start("").await;
    for (path, body, why) in [
        ("chat/completions", json!({"model": "m"}), "messages"),
        (
            "images/generations",
            json!({"prompt": "p", "size": "9999x1"}),
            "size",
        ),
        (
            "images/generations",
            json!({"prompt": "p", "response_format": "url"}),
            "response_format",
        ),
        (
            "audio/speech",
            json!({"input": "", "response_format": "wav"}),
            "input",
        ),
        (
            "audio/speech",
            json!({"input": "x", "response_format": "mp3"}),
            "response_format",
        ),
    ] {
        let refused = post(&simulator, path, &body).await;
        assert_eq!(refused.status(), 400, "{path}");
        let words: Value = refused.json().await.unwrap();
        assert!(
            words["error"]["message"].as_str().unwrap().contains(why),
            "{words}"
        );
    }
    assert_eq!(simulator.counts().refused, 5);
}

#[tokio::test]
async fn only_its_own_scheme_asks_for_one() {
    let other = Url::parse("https://api.example/v1").unwrap();
    let mut url = other.clone();
    assert!(Simulator::stand_in(&mut url).await.unwrap().is_none());
    assert_eq!(url, other);
    let mut wrong = Url::parse("simulator://?speed=1").unwrap();
    let error = Script::check(&wrong).unwrap_err();
    assert_eq!(error.to_string(), "speed: there is no such parameter");
    assert!(Simulator::stand_in(&mut wrong).await.is_err());
    let mut right = Url::parse("simulator://?tokens=2").unwrap();
    let simulator = Simulator::stand_in(&mut right).await.unwrap().unwrap();
    assert_eq!(right, simulator.url());
    assert_eq!(chat(&simulator, "Hi").await.status(), 200);
}
