//! A provider with its caller, for the tests beside this file.

use std::time::Duration;

use atelier_generation::{Failure, ProviderError};
use atelier_proto::upstream::v1::{BreakerState, Upstream};
use atelier_simulator::{Script, Simulator};
use atelier_upstream::calls::{Answer, Caller, Repeats};
use atelier_upstream::registry::{Key, ProviderSpec, Timeouts};
use serde_json::json;
use url::Url;

pub const SHORT: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    first_byte: Duration::from_millis(400),
    idle: Duration::from_millis(400),
    total: Duration::from_secs(20),
};

pub fn spec(endpoints: &[&str], keys: &[&str]) -> ProviderSpec {
    ProviderSpec {
        name: "somebody".to_owned(),
        endpoints: endpoints
            .iter()
            .map(|url| Url::parse(url).unwrap())
            .collect(),
        keys: keys
            .iter()
            .enumerate()
            .map(|(at, key)| Key {
                source: format!("KEY_{at}"),
                secret: (*key).into(),
            })
            .collect(),
        at_once: None,
        timeouts: SHORT,
    }
}

pub async fn caller(endpoints: &[&str], keys: &[&str]) -> Caller {
    Caller::new(&spec(endpoints, keys)).await.unwrap()
}

/// A simulator that the test can ask how its requests went.
pub async fn simulator(parameters: &str) -> Simulator {
    let url = Url::parse(&format!("simulator://?{parameters}")).unwrap();
    let script = Script::read(&url).unwrap();
    Simulator::start(script, ([127, 0, 0, 1], 0).into())
        .await
        .unwrap()
}

pub async fn ask(caller: &Caller, repeats: Repeats) -> Result<Answer, ProviderError> {
    caller
        .post("chat/completions", &chat("hello"), repeats)
        .await
}

pub fn chat(text: &str) -> serde_json::Value {
    json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": text}]})
}

/// What an owner is told.
pub fn reason(error: ProviderError) -> String {
    Failure::from(error).reason
}

pub fn breaker(seen: &Upstream) -> BreakerState {
    BreakerState::try_from(seen.breaker).unwrap()
}
