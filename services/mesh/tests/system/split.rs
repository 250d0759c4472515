//! A mesh that is split over processes: each on its own folder, as on machines of their own, sharing one secret.

use std::path::Path;
use std::time::Duration;

use crate::running::{Ended, Launch, Running, free_port};

/// The secret that all processes of a split mesh share.
pub const SECRET: &str = "one secret for every process of the mesh";

/// The roles that are services, with the variable that says where each is.
pub const SERVICES: [(&str, &str); 5] = [
    ("users", "ATELIER_USERS_URL"),
    ("llm-chat", "ATELIER_LLM_CHAT_URL"),
    ("text-image", "ATELIER_TEXT_IMAGE_URL"),
    ("tts", "ATELIER_TTS_URL"),
    ("analytics", "ATELIER_ANALYTICS_URL"),
];

/// A running mesh of several processes.
pub struct Split {
    processes: Vec<Running>,
    edge: String,
    addresses: Vec<(&'static str, String)>,
}

impl Split {
    /// Starts a process for each group of roles; the group of the edge comes first.
    pub async fn start(groups: &[&[&str]], data: &Path) -> Self {
        let addresses: Vec<(&'static str, &'static str, String)> = SERVICES
            .iter()
            .map(|(role, name)| (*role, *name, format!("http://127.0.0.1:{}", free_port())))
            .collect();
        let port = free_port();
        let edge = format!("http://localhost:{port}");
        let mut processes = Vec::new();
        for (at, roles) in groups.iter().enumerate() {
            let mut launch = Launch::new(roles)
                .args(&["--data"])
                .args(&[&data.join(format!("machine-{at}")).display().to_string()])
                .args(&["--port", &port.to_string(), "--admin-port", "0"])
                .env("ATELIER_SECRET", SECRET)
                .env("ATELIER_PUBLIC_URL", &edge)
                .env("ATELIER_LAME_DUCK_SECONDS", "0");
            for (_, name, url) in &addresses {
                launch = launch.env(name, url);
            }
            processes.push(launch.start().await);
        }
        Self {
            processes,
            edge,
            addresses: addresses
                .into_iter()
                .map(|(role, _, url)| (role, url))
                .collect(),
        }
    }

    /// The edge's URL.
    pub fn edge(&self) -> &str {
        &self.edge
    }

    /// The URL of a role's own listener.
    pub fn of(&self, role: &str) -> &str {
        let found = self.addresses.iter().find(|(name, _)| *name == role);
        &found.expect("a role of the mesh").1
    }

    /// Tells all to stop at once, and waits until they have.
    pub async fn terminate(self) -> Vec<Ended> {
        for process in &self.processes {
            process.signal("TERM");
        }
        let mut ended = Vec::new();
        for process in self.processes {
            ended.push(process.ended(Duration::from_secs(40)).await);
        }
        ended
    }
}
