//! Routes: two roles of a split mesh move to other processes, for the edge and for the roles that call them, while calls go on
//! and a stream is open.

use std::path::Path;
use std::time::Duration;

use atelier_proto::llm_chat::v1::ListConversationsRequest;
use atelier_proto::users::v1::GetMeRequest;

use super::{Reply, SCRIPT, SEEN, question, tells, write};
use crate::people::Person;
use crate::running::{Launch, Running, eventually, free_port};
use crate::split::SECRET;
use crate::told::listen;
use crate::web;

/// How long a mesh may take to find a role that has moved.
const MOVED: Duration = Duration::from_secs(30);

/// Where nobody listens yet.
fn at() -> String {
    format!("http://127.0.0.1:{}", free_port())
}

/// The mesh: each process finds the others by the file alone, and is itself where its own URL says.
struct Stage {
    data: tempfile::TempDir,
    port: u16,
    others: [(&'static str, String); 3],
}

impl Stage {
    fn new() -> Self {
        Self {
            data: tempfile::tempdir().unwrap(),
            port: free_port(),
            others: [
                ("ATELIER_TEXT_IMAGE_URL", at()),
                ("ATELIER_TTS_URL", at()),
                ("ATELIER_ANALYTICS_URL", at()),
            ],
        }
    }

    /// Says where the two roles are.
    fn routes(&self, users: &str, chat: &str) {
        let text = format!("[users]\nurls = [{users:?}]\n\n[llm-chat]\nurls = [{chat:?}]\n");
        write(&self.file(), &text);
    }

    fn file(&self) -> std::path::PathBuf {
        self.data.path().join("routes.toml")
    }

    /// A process, on a folder that replicas of a role share.
    async fn process(&self, roles: &[&str], folder: &str, own: &[(&str, &str)]) -> Running {
        let text = |path: &Path| path.display().to_string();
        let mut launch = Launch::new(roles)
            .args(&["--data", &text(&self.data.path().join(folder))])
            .args(&["--admin-port", "0", "--port", &self.port.to_string()])
            .env("ATELIER_SECRET", SECRET)
            .env(
                "ATELIER_PUBLIC_URL",
                format!("http://localhost:{}", self.port),
            )
            .env("ATELIER_ROUTES", text(&self.file()))
            .env("ATELIER_LAME_DUCK_SECONDS", "0")
            .envs(&self.others)
            .env("ATELIER_CHAT_URL", SCRIPT)
            .env("ATELIER_CHAT_MODELS", "simulated");
        for (name, url) in own {
            launch = launch.env(name, url);
        }
        launch.start().await
    }
}

/// How many calls of a method a process has answered.
async fn answered(process: &Running, method: &str) -> f64 {
    let page = web::get(&format!("{}/metrics", process.admin())).await;
    let text = page.text();
    text.lines()
        .filter(|line| line.starts_with("rpc_server_call_duration_seconds_count"))
        .filter(|line| line.contains(method))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Asks both roles; no call may fail.
async fn asks(ada: &Person, times: usize) {
    for time in 0..times {
        let list = ListConversationsRequest::default();
        let listed = ada.chat().list_conversations(list).await;
        listed.unwrap_or_else(|status| panic!("call {time}: {status:?}"));
        let me = ada.users().get_me(GetMeRequest {}).await;
        me.unwrap_or_else(|status| panic!("call {time}: {status:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_move_and_no_call_fails_and_a_stream_ends_where_it_began() {
    let stage = Stage::new();
    let (users, chat) = ([at(), at()], [at(), at()]);
    stage.routes(&users[0], &chat[0]);
    const USERS: &str = "ATELIER_USERS_URL";
    const CHAT: &str = "ATELIER_LLM_CHAT_URL";
    let front = ["edge", "text-image", "tts", "analytics"];
    let old_users = stage
        .process(&["users"], "users", &[(USERS, &users[0])])
        .await;
    let old_chat = stage
        .process(&["llm-chat"], "chat", &[(CHAT, &chat[0])])
        .await;
    let front = stage.process(&front, "front", &[]).await;

    let ada = Person::register(front.edge()).await;
    let reply = Reply::listen(ada.chat().complete(question()).await.unwrap().into_inner()).await;
    asks(&ada, 10).await;

    write(&stage.file(), "[edge]\nurls = [\"http://127.0.0.1:1\"]\n");
    eventually("the wrong routes are told", SEEN, || {
        tells(&front, "atelier_routes_are_good 0")
    })
    .await;
    assert!(front.log().contains("routes.toml:1:2: \"edge\" is none of"));
    asks(&ada, 10).await;

    // Those that are to come are not there yet: whoever is goes on.
    stage.routes(&users[1], &chat[1]);
    eventually("the routes are read", SEEN, || {
        tells(&front, "atelier_routes_are_good 1")
    })
    .await;
    asks(&ada, 50).await;
    let new_users = stage
        .process(&["users"], "users", &[(USERS, &users[1])])
        .await;
    let new_chat = stage
        .process(&["llm-chat"], "chat", &[(CHAT, &chat[1])])
        .await;
    const LIST: &str = "ListConversations";
    const ME: &str = "GetMe";
    eventually("the edge calls the new ones alone", MOVED, || async {
        let calls = async || answered(&old_chat, LIST).await + answered(&old_users, ME).await;
        let before = calls().await;
        asks(&ada, 10).await;
        calls().await == before
    })
    .await;
    assert!(answered(&new_chat, LIST).await > 0.0 && answered(&new_users, ME).await > 0.0);

    // The chats call the new one as well: what they reserve and settle goes nowhere else.
    old_users.kill().await;
    asks(&ada, 50).await;
    let short = ada.chat().complete(question()).await.unwrap().into_inner();
    let listened = tokio::spawn(listen(short));
    reply.goes_on_to_its_end().await;
    assert!(listened.await.unwrap().is_completed());
    eventually("what it cost is settled", MOVED, || async {
        answered(&new_users, "Settle").await + answered(&new_users, "Release").await >= 2.0
    })
    .await;
    for process in [front, old_chat, new_chat, new_users] {
        assert_eq!(process.terminate().await.code(), Some(0));
    }
}
