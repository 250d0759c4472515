//! The provider that counts on its own side, and the processes of a mesh that can die and come again.

use std::path::{Path, PathBuf};

use super::purse;
use crate::running::{Launch, Running, free_port};
use crate::split::SECRET;
use crate::web;

/// The provider, in a process that nobody kills.
pub struct Provider {
    _running: Running,
    url: String,
}

impl Provider {
    /// Starts it with these parameters.
    pub async fn start(script: &str) -> Self {
        let launch = Launch::new(&["simulator", script, "--listen", "127.0.0.1:0"]);
        let (running, url) = launch.start_command().await;
        Self {
            _running: running,
            url,
        }
    }

    /// The settings that make a mesh use it for all media, at a price, and give everybody credits; their files are in this folder.
    pub fn settings(&self, folder: &Path) -> Vec<(&'static str, String)> {
        let file = |name: &'static str, content: &str| {
            let path = folder.join(name);
            std::fs::write(&path, content).unwrap();
            path.display().to_string()
        };
        vec![
            (
                "ATELIER_MODELS",
                file("models.toml", &purse::models(&self.url)),
            ),
            ("ATELIER_PLANS", file("plans.toml", purse::PLANS)),
        ]
    }

    /// How many requests there were, and how many of them in a way of their own, as in `open`.
    pub async fn count(&self, what: &str) -> u64 {
        let base = self.url.trim_end_matches("/v1");
        let page = web::get(&format!("{base}/simulator/stats")).await;
        let counts: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
        counts[what].as_u64().expect("a count")
    }
}

/// A process of the mesh that can die and come again at the same address.
pub struct Process {
    roles: &'static [&'static str],
    data: PathBuf,
    settings: Vec<(&'static str, String)>,
    running: Option<Running>,
}

impl Process {
    /// All roles, with the edge at a port.
    pub fn whole(data: &Path, port: u16, provider: &Provider) -> Self {
        let mut settings = provider.settings(data);
        settings.push(("ATELIER_PORT", port.to_string()));
        settings.push(("ATELIER_PUBLIC_URL", format!("http://localhost:{port}")));
        Self {
            roles: &[],
            data: data.to_path_buf(),
            settings,
            running: None,
        }
    }

    /// Starts it, for the first time or again.
    pub async fn begin(&mut self) {
        let launch = Launch::new(self.roles)
            .args(&["--data", &self.data.display().to_string()])
            .args(&["--admin-port", "0"])
            .env("ATELIER_SECRET", SECRET)
            .envs(&self.settings);
        self.running = Some(launch.start().await);
    }

    /// Ends it as a power cut would.
    pub async fn kill(&mut self) {
        let running = self.running.take().expect("it runs");
        assert_eq!(running.kill().await.code(), None, "it ended by itself");
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        self.running.as_ref().expect("it runs").signal(name);
    }
}

/// A split mesh with two replicas of the chat service, which share its data.
pub struct TwoReplicas {
    /// The edge's URL.
    pub edge: String,
    /// The URLs of the two replicas.
    pub chat: [String; 2],
    /// All other roles; the edge knows the first replica.
    _others: Process,
    /// The one replica.
    pub first: Process,
    /// The other one.
    _second: Process,
}

impl TwoReplicas {
    /// Starts all of it.
    pub async fn start(data: &Path, provider: &Provider) -> Self {
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let port = free_port();
        let edge = format!("http://localhost:{port}");
        let chat = [free_port(), free_port()].map(at);
        let mut shared = provider.settings(data);
        shared.push(("ATELIER_PORT", port.to_string()));
        shared.push(("ATELIER_PUBLIC_URL", edge.clone()));
        for name in [
            "ATELIER_USERS_URL",
            "ATELIER_TEXT_IMAGE_URL",
            "ATELIER_TTS_URL",
            "ATELIER_ANALYTICS_URL",
        ] {
            shared.push((name, at(free_port())));
        }
        let process = |roles, folder: &str, chat: &String| {
            let mut settings = shared.clone();
            settings.push(("ATELIER_LLM_CHAT_URL", chat.clone()));
            Process {
                roles,
                data: data.join(folder),
                settings,
                running: None,
            }
        };
        let mut others = process(
            &["edge", "users", "text-image", "tts", "analytics"],
            "others",
            &chat[0],
        );
        let mut first = process(&["llm-chat"], "chat", &chat[0]);
        let mut second = process(&["llm-chat"], "chat", &chat[1]);
        others.begin().await;
        first.begin().await;
        second.begin().await;
        Self {
            edge,
            chat,
            _others: others,
            first,
            _second: second,
        }
    }
}
