//! What the token of an API key may do: what its scopes say, what everybody may, and nothing else.

mod probe;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::fault::Fault;
use atelier_kit::identity::{Caller, KeySource};
use atelier_kit::policy::{Access, Scope};
use atelier_kit::testing::forge::*;
use probe::*;
use serde_json::{Value, json};
use tonic::{Code, Request, Status};

/// One key for all tests of this file.
fn forge() -> &'static Forge {
    static FORGE: OnceLock<Forge> = OnceLock::new();
    FORGE.get_or_init(Forge::new)
}

struct Keys;

#[async_trait]
impl KeySource for Keys {
    async fn fetch(&self) -> Result<String, Fault> {
        Ok(forge().jwks().to_string())
    }
}

/// A probe that answers with the scopes that its caller is limited to.
fn peer() -> Peer {
    let scopes = Probe::new().one(|request| async move {
        let Caller::Account(account) = Call::of(&request)?.caller else {
            return Ok("nobody".to_owned());
        };
        Ok(account.scopes.map_or("all".to_owned(), |scopes| {
            let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
            format!("only {}", names.join(" "))
        }))
    });
    Mount {
        keys: Arc::new(Keys),
        ..Mount::default()
    }
    .in_memory(scopes)
}

async fn bear(peer: &Peer, path: &'static str, claims: &Value) -> Result<String, Status> {
    let mut request = Request::new(String::new());
    let token = format!("Bearer {}", forge().sign(&forge().header(), claims));
    request
        .metadata_mut()
        .insert("authorization", token.parse().unwrap());
    let answer = call(&peer.link(), path, request).await?;
    Ok(answer.into_inner())
}

fn key(scope: &str) -> Value {
    with(claims(), "scope", json!(scope))
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say_and_no_more() {
    let peer = peer();
    // Reviewed by eye: what each key reaches.
    for (scope, to_read, to_chat) in [
        ("read", true, false),
        ("chat", false, true),
        ("read chat", true, true),
        ("image speech", false, false),
        // What this release does not know, and what is no name, gives nothing.
        ("everything", false, false),
        ("read everything", true, false),
        ("READ", false, false),
        ("read,chat", false, false),
        ("", false, false),
    ] {
        for (path, reached) in [(TO_READ, to_read), (TO_CHAT, to_chat)] {
            match bear(&peer, path, &key(scope)).await {
                Ok(limits) => assert!(reached && limits.starts_with("only "), "{scope} {path}"),
                Err(status) => {
                    assert!(!reached, "{scope} {path}");
                    assert_refused(&status, Code::PermissionDenied, "SCOPE_MISSING");
                }
            }
        }
    }
    // A token that is no key's has no limits.
    assert_eq!(bear(&peer, TO_READ, &claims()).await.unwrap(), "all");
    assert_eq!(bear(&peer, TO_CHAT, &claims()).await.unwrap(), "all");
}

#[tokio::test]
async fn what_has_no_scope_is_for_no_key_unless_it_is_for_everybody() {
    let peer = peer();
    let every = Scope::ALL.map(Scope::name).join(" ");
    for role in ["anonymous", "user", "admin"] {
        let key = with(key(&every), "role", json!(role));
        for (path, access) in FOR_EACH {
            let answer = bear(&peer, path, &key).await;
            if access == Access::Public {
                assert_eq!(answer.unwrap(), format!("only {every}"));
            } else {
                let status = answer.expect_err(path);
                assert_refused(&status, Code::PermissionDenied, "NOT_FOR_API_KEYS");
            }
        }
    }
}

#[tokio::test]
async fn a_scope_makes_up_for_no_role() {
    let peer = peer();
    let key = with(key("read"), "role", json!("anonymous"));
    let status = bear(&peer, TO_READ, &key).await.unwrap_err();
    assert_refused(&status, Code::PermissionDenied, "ROLE_TOO_LOW");
}

#[tokio::test]
async fn a_token_that_was_believed_is_not_believed_after_its_end() {
    let peer = peer();
    // Clocks may differ by five seconds, of which three are gone.
    let ends = jsonwebtoken::get_current_timestamp() - 3;
    let all = [claims(), key("read")].map(|claims| with(claims, "exp", json!(ends)));
    for claims in &all {
        // The second time it is remembered.
        bear(&peer, TO_READ, claims).await.unwrap();
        bear(&peer, TO_READ, claims).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(3100)).await;
    for claims in &all {
        let status = bear(&peer, TO_READ, claims).await.unwrap_err();
        assert_refused(&status, Code::Unauthenticated, "TOKEN_EXPIRED");
    }
}
