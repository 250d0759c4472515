//! Two whole meshes that share a Redis server: they hold one limit together, tell what they stand on, and take no harm when it is
//! killed.

use std::path::Path;
use std::time::Duration;

use atelier_kit::testing::servers::Redis;
use atelier_proto::tts::v1::SynthesizeRequest;
use bytes::Bytes;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::people::{Person, connect};
use crate::raw::call;
use crate::running::{Launch, Running, eventually};
use crate::web;

const LOGIN: &str = "/atelier.users.v1.UsersService/Login";

/// As many at once as are built in, and one a minute after that; nobody is kept from anything else.
const SLOW: &str = "
[register]
address = { per_minute = 60_000 }
[read]
account = { per_minute = 60_000 }
[speech]
account = { per_minute = 60_000 }
[login]
address = { per_minute = 1, burst = 5 }
";

/// Longer than a busy machine takes.
const PATIENCE: Duration = Duration::from_secs(30);

async fn mesh(folder: &Path, redis: &Redis, name: &str) -> Running {
    let file = folder.join("limits.toml");
    std::fs::write(&file, SLOW).unwrap();
    Launch::serving(&[], &folder.join(name))
        .env("ATELIER_LIMITS", file.display().to_string())
        .env("ATELIER_REDIS_URL", redis.url(0))
        .start()
        .await
}

/// Speaks, to the end.
async fn speak(person: &Person) -> Result<(), Status> {
    let request = SynthesizeRequest {
        text: "One word.".to_owned(),
        ..SynthesizeRequest::default()
    };
    let mut told = person.speech().synthesize(request).await?.into_inner();
    while let Some(event) = told.next().await {
        event?;
    }
    Ok(())
}

#[tokio::test]
async fn two_meshes_on_one_redis_hold_a_limit_together_and_go_on_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut redis = Redis::start();
    let one = mesh(folder.path(), &redis, "one").await;
    let other = mesh(folder.path(), &redis, "other").await;
    let at = redis.server_of().to_string();
    let log = one.log();
    for port in ["journal", "limits"] {
        let told = |line: &&str| line.trim_start().starts_with(port) && line.contains(&at);
        assert!(log.lines().any(|line| told(&line)), "{port}: {log}");
    }

    let ada = Person::register(one.edge()).await;
    speak(&ada).await.expect("a sound");
    let ready = async || web::get(&format!("{}/readyz", one.admin())).await.text();
    for role in ["llm-chat", "text-image", "tts"] {
        let line = format!("{role} on {at}: there");
        eventually("it is told", PATIENCE, async || {
            ready().await.contains(&line)
        })
        .await;
    }

    // Five at once, whichever is asked.
    let channels = [connect(one.edge()).await, connect(other.edge()).await];
    let mut through = 0;
    for n in 0..20 {
        let answer = call(&channels[n % 2], LOGIN, None, Bytes::new()).await;
        through += usize::from(answer.code != Code::ResourceExhausted);
    }
    assert_eq!(through, 5);

    redis.server().kill();
    let line = format!("tts on {at}: missing");
    eventually("it is missed", PATIENCE, async || {
        ready().await.contains(&line)
    })
    .await;
    let began = std::time::Instant::now();
    let refused = loop {
        let refused = speak(&ada).await.unwrap_err();
        // Whoever counts alone begins with nothing, and a moment later has something to give.
        if refused.code() != Code::ResourceExhausted {
            break refused;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    assert!(refused.get_details_retry_info().is_some(), "{refused:?}");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    // Nobody is let in who would not have been; and what needs no journal goes on.
    for channel in &channels {
        let answer = call(channel, LOGIN, None, Bytes::new()).await;
        assert_eq!(answer.code, Code::ResourceExhausted);
    }
    assert!(ada.conversions().await.len() == 1);

    redis.server().begin();
    eventually("it is used again", PATIENCE, async || {
        speak(&ada).await.is_ok()
    })
    .await;
    let line = format!("tts on {at}: there");
    eventually("it is told", PATIENCE, async || {
        ready().await.contains(&line)
    })
    .await;
}
