//! Files that are read again while the mesh runs: origins, limits and the edge's certificate change, and a stream that is open
//! goes on to its end as if nothing had been.

use std::path::Path;
use std::time::Duration;

use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::users::v1::GetMeRequest;
use tonic::Code;

use crate::people::Person;
use crate::running::{Launch, Running, eventually};
use crate::told::{Told, next};
use crate::web;

/// How long a change may take to be seen on a busy machine.
const SEEN: Duration = Duration::from_secs(20);
/// A reply that lasts longer than all of it.
const SCRIPT: &str = "simulator://?seed=3&tokens=400&tokens_per_second=16";
const LIMITS: &str = "[read]\naccount = { per_minute = 60_000 }\n";

fn write(path: &Path, text: &str) {
    // As a mounted ConfigMap changes: another file in the place of the old one.
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// Whether a page of this origin may call.
async fn may_call(mesh: &Running, origin: &str) -> bool {
    let page = web::try_get(mesh.edge(), Some(("origin", origin))).await;
    let headers = page.expect("the page of the edge").headers;
    headers.contains_key("access-control-allow-origin")
}

/// What a process tells of itself.
async fn tells(mesh: &Running, line: &str) -> bool {
    let page = web::get(&format!("{}/metrics", mesh.admin())).await;
    page.text().lines().any(|told| told == line)
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_and_limits_change_and_a_wrong_file_does_not_and_a_stream_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (origins, limits) = (file("origins"), file("limits.toml"));
    write(&origins, "https://one.example\n");
    write(&limits, LIMITS);
    let mesh = Launch::serving(&[], &file("data"))
        .env("ATELIER_CORS_ORIGINS_FILE", origins.display().to_string())
        .env("ATELIER_LIMITS", limits.display().to_string())
        .env("ATELIER_CHAT_URL", SCRIPT)
        .env("ATELIER_CHAT_MODELS", "simulated")
        .start()
        .await;
    let ada = Person::register(mesh.edge()).await;
    let request = chat::CompleteRequest {
        messages: vec![chat::InputMessage {
            role: chat::Role::User.into(),
            text: "Tell me something long.".to_owned(),
        }],
        ..Default::default()
    };
    let mut stream = ada.chat().complete(request).await.unwrap().into_inner();
    let mut told = Told::default();
    told.0.push(next(&mut stream).await.expect("a first event"));
    let heard = tokio::spawn(async move {
        while let Some(event) = next(&mut stream).await {
            told.0.push(event);
        }
        told
    });

    assert!(may_call(&mesh, "https://one.example").await);
    assert!(!may_call(&mesh, "https://two.example").await);
    write(&origins, "# the pages\nhttps://two.example\n");
    eventually("the origins are read", SEEN, || {
        may_call(&mesh, "https://two.example")
    })
    .await;
    assert!(!may_call(&mesh, "https://one.example").await);

    write(&origins, "https://three.example\nno origin\n");
    eventually("the wrong origins are told", SEEN, || {
        tells(&mesh, "atelier_cors_origins_are_good 0")
    })
    .await;
    assert!(may_call(&mesh, "https://two.example").await);
    assert!(!may_call(&mesh, "https://three.example").await);
    assert!(mesh.log().contains("line 2"), "{}", mesh.log());

    write(&limits, "[read]\naccount = { per_minute = 1, burst = 1 }\n");
    eventually("the limits are read", SEEN, || async {
        let answer = ada.users().get_me(GetMeRequest {}).await;
        answer.is_err_and(|status| status.code() == Code::ResourceExhausted)
    })
    .await;
    write(&limits, "nonsense");
    eventually("the wrong limits are told", SEEN, || {
        tells(&mesh, "atelier_limits_are_good 0")
    })
    .await;
    write(&limits, LIMITS);
    eventually("the limits are as before", SEEN, || async {
        ada.users().get_me(GetMeRequest {}).await.is_ok()
    })
    .await;

    assert!(!heard.is_finished(), "the stream was too short to show it");
    let told = heard.await.unwrap();
    assert!(told.is_completed(), "{:?}", told.end());
    assert_eq!(mesh.terminate().await.code(), Some(0));
}
