//! A role in two processes, told by a list of URLs: one is killed and comes again while callers go on.

use std::path::Path;
use std::time::Duration;

use atelier_proto::llm_chat::v1::ListConversationsRequest;

use crate::people::Person;
use crate::running::{Launch, Running, eventually, free_port};
use crate::split::SECRET;
use crate::web;

/// How long a mesh may take to find a role that came or came back.
const FOUND: Duration = Duration::from_secs(15);

/// A process of these roles, where these are the URLs of the chat's replicas.
async fn process(
    roles: &[&str],
    data: &Path,
    chat: &str,
    shared: &[(&'static str, String)],
) -> Running {
    Launch::new(roles)
        .args(&["--data", &data.display().to_string()])
        .args(&["--admin-port", "0"])
        .env("ATELIER_SECRET", SECRET)
        .env("ATELIER_LLM_CHAT_URL", chat)
        .envs(shared)
        .start()
        .await
}

/// How many calls of a method a process has answered.
async fn answered(process: &Running, method: &str) -> f64 {
    let page = web::get(&format!("{}/metrics", process.admin()))
        .await
        .text();
    page.lines()
        .filter(|line| line.starts_with("rpc_server_call_duration_seconds_count"))
        .filter(|line| line.contains(method))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// How many replicas of the chat the links of a process know in a state.
async fn known(process: &Running, state: &str) -> f64 {
    let page = web::get(&format!("{}/metrics", process.admin()))
        .await
        .text();
    let line = format!("atelier_link_endpoints{{role=\"llm-chat\",state=\"{state}\"}}");
    page.lines()
        .filter_map(|found| found.strip_prefix(&line)?.trim().parse::<f64>().ok())
        .sum()
}

async fn asks(ada: &Person, times: usize) {
    for time in 0..times {
        let listed = ada
            .chat()
            .list_conversations(ListConversationsRequest::default())
            .await;
        let listed = listed.unwrap_or_else(|status| panic!("call {time}: {status:?}"));
        assert_eq!(listed.into_inner().conversations.len(), 1);
    }
}

#[tokio::test]
async fn a_role_in_two_replicas_goes_on_when_one_of_them_is_killed() {
    let data = tempfile::tempdir().unwrap();
    let at = |port: u16| format!("http://127.0.0.1:{port}");
    let port = free_port();
    let chat = [at(free_port()), at(free_port())];
    let mut shared = vec![
        ("ATELIER_PORT", port.to_string()),
        ("ATELIER_PUBLIC_URL", format!("http://localhost:{port}")),
    ];
    for name in [
        "ATELIER_USERS_URL",
        "ATELIER_TEXT_IMAGE_URL",
        "ATELIER_TTS_URL",
        "ATELIER_ANALYTICS_URL",
    ] {
        shared.push((name, at(free_port())));
    }
    let folder = data.path().join("chat");
    let others = process(
        &["edge", "users", "text-image", "tts", "analytics"],
        &data.path().join("others"),
        &chat.join(","),
        &shared,
    )
    .await;
    // Each replica's own URL is the first.
    let first = process(&["llm-chat"], &folder, &chat.join(","), &shared).await;
    let other_way_round = format!("{},{}", chat[1], chat[0]);
    let second = process(&["llm-chat"], &folder, &other_way_round, &shared).await;

    let ada = Person::register(others.edge()).await;
    eventually("both are found", FOUND, || async {
        known(&others, "serving").await >= 2.0 && known(&others, "away").await == 0.0
    })
    .await;
    ada.conversation().await;
    const LIST: &str = "ListConversations";
    eventually("both get calls", FOUND, || async {
        asks(&ada, 10).await;
        answered(&first, LIST).await > 0.0 && answered(&second, LIST).await > 0.0
    })
    .await;

    first.kill().await;
    eventually("its end is known", FOUND, || async {
        known(&others, "away").await > 0.0
    })
    .await;
    asks(&ada, 200).await;

    let again = process(&["llm-chat"], &folder, &chat[0], &shared).await;
    eventually("it gets calls again", FOUND, || async {
        asks(&ada, 10).await;
        answered(&again, LIST).await > 0.0
    })
    .await;
    // Each caller's link finds out by itself.
    eventually("all have found it", FOUND, || async {
        known(&others, "away").await == 0.0
    })
    .await;
}
