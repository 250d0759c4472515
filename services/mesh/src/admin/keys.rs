//! `atelier admin keys`: the signing keys as their owner sees them, as lines for people or JSON for programs.

use atelier_proto::users::v1 as pb;
use pb::signing_key::State;
use prost_types::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::door::Door;
use crate::client::json::Json;
use crate::client::terminal::{plain, print};

const KEY: &str = "atelier.users.v1.SigningKey";

/// Lists the published keys, the newest first.
pub async fn list(door: Door, json: bool) -> anyhow::Result<()> {
    let asked = door.ask(pb::ListSigningKeysRequest {}, async |mut users, request| {
        users.list_signing_keys(request).await
    });
    let keys = asked.await?.keys;
    let mut text = String::new();
    let json = json.then(Json::new).transpose()?;
    for key in &keys {
        match &json {
            Some(json) => text.push_str(&json.line(KEY, key)?),
            None => text.push_str(&line(key)),
        }
        text.push('\n');
    }
    print(&text)
}

/// Makes the next key.
pub async fn rotate(door: Door, json: bool) -> anyhow::Result<()> {
    add(door, String::new(), json).await
}

/// Takes a private key, in PEM and not encrypted, as the next one.
pub async fn import(door: Door, pem: SecretString, json: bool) -> anyhow::Result<()> {
    add(door, pem.expose_secret().to_owned(), json).await
}

async fn add(door: Door, private_key_pem: String, json: bool) -> anyhow::Result<()> {
    let request = pb::RotateSigningKeyRequest { private_key_pem };
    let asked = door.ask(request, async |mut users, request| {
        users.rotate_signing_key(request).await
    });
    let key = asked.await?.key.unwrap_or_default();
    let told = if json {
        Json::new()?.line(KEY, &key)?
    } else {
        line(&key)
    };
    print(&format!("{told}\n"))
}

/// A key on one line.
fn line(key: &pb::SigningKey) -> String {
    let does = match key.state() {
        State::Next => format!("next, signs from {}", time(key.sign_time.as_ref())),
        State::Signing => match &key.sign_time {
            Some(since) => format!("signs since {}", time(Some(since))),
            None => "signs from the beginning".to_owned(),
        },
        State::Retired => format!(
            "retired, published until {}",
            time(key.retire_time.as_ref())
        ),
        State::Unspecified => "unknown".to_owned(),
    };
    format!("{:<43}  {does}", plain(&key.kid))
}

/// In UTC, to the second.
fn time(time: Option<&Timestamp>) -> String {
    let Some(time) = time else {
        return "-".to_owned();
    };
    match jiff::Timestamp::from_second(time.seconds) {
        Ok(time) => time.to_string(),
        Err(_) => "-".to_owned(),
    }
}
