//! Files that are read again while the mesh runs: origins, limits, plans, routes and the edge's certificate change, and a stream
//! that is open goes on to its end as if nothing had been.

mod certificates;
mod files;
mod routes;

use std::path::Path;
use std::time::Duration;

use atelier_proto::llm_chat::v1 as chat;
use tokio::task::JoinHandle;
use tonic::Streaming;

use crate::running::Running;
use crate::told::{Told, next};
use crate::web;

/// How long a change may take to be seen on a busy machine.
const SEEN: Duration = Duration::from_secs(20);
/// A reply that lasts longer than all of it.
const SCRIPT: &str = "simulator://?seed=3&tokens=640&tokens_per_second=16";

fn write(path: &Path, text: &str) {
    // As a mounted ConfigMap changes: another file in the place of the old one.
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// What a process tells of itself.
async fn tells(mesh: &Running, line: &str) -> bool {
    let page = web::get(&format!("{}/metrics", mesh.admin())).await;
    page.text().lines().any(|told| told == line)
}

fn question() -> chat::CompleteRequest {
    chat::CompleteRequest {
        messages: vec![chat::InputMessage {
            role: chat::Role::User.into(),
            text: "Tell me something long.".to_owned(),
        }],
        ..Default::default()
    }
}

/// A reply that has begun, and is listened to.
struct Reply(JoinHandle<Told>);

impl Reply {
    async fn listen(mut stream: Streaming<chat::CompleteResponse>) -> Self {
        let mut told = Told::default();
        told.0.push(next(&mut stream).await.expect("a first event"));
        Self(tokio::spawn(async move {
            while let Some(event) = next(&mut stream).await {
                told.0.push(event);
            }
            told
        }))
    }

    /// It goes on until now, and from here to its end.
    async fn goes_on_to_its_end(self) {
        assert!(!self.0.is_finished(), "the stream was too short to show it");
        let told = self.0.await.unwrap();
        assert!(told.is_completed(), "{:?}", told.end());
    }
}
