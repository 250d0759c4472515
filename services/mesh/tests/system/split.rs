//! A mesh that is split over processes: each on its own folder, as on machines of their own, sharing one secret and, if
//! it is wanted, an authority. Each can be killed and started again while the others go on.

use std::fs;
use std::path::{Path, PathBuf};
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

/// Six processes of one role each, the edge first.
pub const SIX: [&[&str]; 6] = [
    &["edge"],
    &["users"],
    &["llm-chat"],
    &["text-image"],
    &["tts"],
    &["analytics"],
];

/// A mesh of several processes, of which some run.
pub struct Split {
    machines: Vec<Machine>,
    port: u16,
    edge: String,
    addresses: Vec<(&'static str, &'static str, String)>,
    settings: Vec<(&'static str, String)>,
}

/// What runs, or can be started, on a folder of its own.
struct Machine {
    roles: Vec<String>,
    data: PathBuf,
    certificates: Option<PathBuf>,
    running: Option<Running>,
}

impl Split {
    /// A process for each group of roles; none is started.
    pub fn plan(groups: &[&[&str]], data: &Path) -> Self {
        let port = free_port();
        Self {
            machines: groups
                .iter()
                .enumerate()
                .map(|(at, roles)| Machine {
                    roles: roles.iter().map(|role| (*role).to_owned()).collect(),
                    data: data.join(format!("machine-{at}")),
                    certificates: None,
                    running: None,
                })
                .collect(),
            port,
            edge: format!("http://localhost:{port}"),
            addresses: SERVICES
                .iter()
                .map(|(role, name)| (*role, *name, format!("http://127.0.0.1:{}", free_port())))
                .collect(),
            settings: Vec::new(),
        }
    }

    /// Gives every machine the certificates of its own roles, made by the program itself, and speaks TLS between them.
    pub async fn with_certificates(mut self, folder: &Path) -> Self {
        for machine in &mut self.machines {
            machine.certificates = Some(machine.data.join("certificates"));
        }
        self.renew_certificates(folder).await;
        for (_, _, url) in &mut self.addresses {
            *url = url.replacen("http://", "https://", 1);
        }
        self
    }

    /// Makes new certificates for all roles, by the authority of the folder they came from, and brings each machine its own.
    pub async fn renew_certificates(&self, folder: &Path) {
        let to = folder.display().to_string();
        let made = Launch::new(&["admin", "certs", "--to", &to]).run().await;
        assert_eq!(made.code(), Some(0), "{made:?}");
        for machine in &self.machines {
            let own = machine.certificates.as_ref().expect("certificates");
            fs::create_dir_all(own).unwrap();
            // The key before its certificate, as the program itself writes them.
            let of_roles = machine
                .roles
                .iter()
                .flat_map(|role| [format!("{role}-key.pem"), format!("{role}.pem")]);
            for name in of_roles.chain(["ca.pem".to_owned()]) {
                fs::copy(folder.join(&name), own.join(&name)).unwrap();
            }
        }
    }

    /// Sets a variable of every process.
    pub fn set(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }

    /// Starts a process for each group of roles; the group of the edge comes first.
    pub async fn start(groups: &[&[&str]], data: &Path) -> Self {
        let mut mesh = Self::plan(groups, data);
        for roles in groups {
            mesh.begin(roles[0]).await;
        }
        mesh
    }

    fn machine(&mut self, role: &str) -> &mut Machine {
        let found = self
            .machines
            .iter_mut()
            .find(|machine| machine.roles.iter().any(|name| name == role));
        found.expect("a role of the mesh")
    }

    /// Starts the process that has a role, for the first time or again.
    pub async fn begin(&mut self, role: &str) {
        let (port, edge) = (self.port.to_string(), self.edge.clone());
        let (addresses, settings) = (self.addresses.clone(), self.settings.clone());
        let machine = self.machine(role);
        assert!(machine.running.is_none(), "{role} runs already");
        let roles: Vec<&str> = machine.roles.iter().map(String::as_str).collect();
        let mut launch = Launch::new(&roles)
            .args(&["--data", &machine.data.display().to_string()])
            .args(&["--port", &port, "--admin-port", "0"])
            .env("ATELIER_SECRET", SECRET)
            .env("ATELIER_PUBLIC_URL", &edge)
            .env("ATELIER_LAME_DUCK_SECONDS", "0")
            .envs(&settings);
        if let Some(folder) = &machine.certificates {
            launch = launch.env("ATELIER_CERTS", folder.display().to_string());
        }
        for (_, name, url) in &addresses {
            launch = launch.env(name, url);
        }
        machine.running = Some(launch.start().await);
    }

    /// Whether the process that has a role runs.
    pub fn runs(&mut self, role: &str) -> bool {
        self.machine(role).running.is_some()
    }

    /// Ends the process that has a role as a power cut would.
    pub async fn kill(&mut self, role: &str) {
        let running = self.machine(role).running.take();
        running.expect("a running process").kill().await;
    }

    /// The folder of the process that has a role.
    pub fn data(&mut self, role: &str) -> String {
        self.machine(role).data.display().to_string()
    }

    /// The admin port of the process that has a role.
    pub fn admin(&mut self, role: &str) -> String {
        let running = self.machine(role).running.as_ref();
        running.expect("a running process").admin().to_owned()
    }

    /// The edge's URL.
    pub fn edge(&self) -> &str {
        &self.edge
    }

    /// The URL of a role's own listener.
    pub fn of(&self, role: &str) -> &str {
        let found = self.addresses.iter().find(|(name, _, _)| *name == role);
        &found.expect("a role of the mesh").2
    }

    /// Tells all to stop at once, and waits until they have.
    pub async fn terminate(self) -> Vec<Ended> {
        let processes: Vec<Running> = self
            .machines
            .into_iter()
            .filter_map(|machine| machine.running)
            .collect();
        for process in &processes {
            process.signal("TERM");
        }
        let mut ended = Vec::new();
        for process in processes {
            ended.push(process.ended(Duration::from_secs(40)).await);
        }
        ended
    }
}
