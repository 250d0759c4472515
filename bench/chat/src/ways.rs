//! The ways to the upstream that are compared: what each is made of, how it is started and how it is called.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bench_report::{Launch, Process, free_port, local, said};
use clap::Args;
use tempfile::TempDir;

use crate::ours::{Method, Ours};
use crate::upstream::Kind;
use crate::wire::Protocol;

/// Where the programs are that are measured.
#[derive(Clone, Debug, Args)]
pub struct Programs {
    /// The program, `atelier`
    #[arg(long, value_name = "FILE", default_value = "target/release/atelier")]
    pub program: PathBuf,
    /// LiteLLM's own program; its Python runs the FastAPI relay too. Both are left out without it
    #[arg(long, value_name = "FILE")]
    pub litellm: Option<PathBuf>,
    /// Envoy; it is left out without it
    #[arg(long, value_name = "FILE")]
    pub envoy: Option<PathBuf>,
    /// The cores of what is measured, as taskset has them: each in its turn has them alone
    #[arg(long, value_name = "CORES", default_value = "0")]
    pub cores: String,
    /// The cores of the upstream and of the load program
    #[arg(long, value_name = "CORES", default_value = "1")]
    pub load_cores: String,
}

impl Programs {
    /// How many cores what is measured has.
    pub fn count(&self) -> usize {
        self.cores
            .split(',')
            .map(|part| match part.split_once('-') {
                Some((from, to)) => {
                    let number = |text: &str| text.trim().parse::<usize>().unwrap_or(0);
                    number(to).saturating_sub(number(from)) + 1
                }
                None => 1,
            })
            .sum()
    }
}

/// How a way is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `POST /v1/chat/completions`.
    Completions,
    /// A method of ours.
    Ours(Method),
}

/// A way.
#[derive(Clone, Debug)]
pub struct Way {
    /// Its line in the tables.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// What is spoken.
    pub protocol: Protocol,
    /// How it is called.
    pub call: Call,
    /// Which process serves it.
    pub process: usize,
    /// The key that it wants; ours has accounts instead.
    pub key: Option<String>,
    /// Whether its answers are the upstream's; the simulator has its own.
    pub counted: bool,
}

/// Everything that runs.
pub struct Stand {
    /// The ways, the direct one first.
    pub ways: Vec<Way>,
    /// The processes.
    pub processes: Vec<Process>,
    /// What calls ours.
    pub ours: Ours,
    /// Versions and what was left out, for the page.
    pub notes: Vec<String>,
    _folder: TempDir,
}

impl Stand {
    /// Starts all.
    pub async fn build(programs: &Programs) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let place = folder.path();
        let launch = |name, variables| Launch {
            name,
            cores: &programs.cores,
            folder: place,
            variables,
        };
        let (mut ways, mut processes, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        let mut add = |name, port, protocol, call, process, counted| {
            ways.push(Way {
                name,
                address: local(port),
                protocol,
                call,
                process,
                key: None,
                counted,
            });
        };

        let mut master = None;
        let upstream = free_port()?;
        let own = std::env::current_exe()?;
        let load = Launch {
            name: "upstream",
            cores: &programs.load_cores,
            folder: place,
            variables: Vec::new(),
        };
        let process = load.start(&own, ["upstream", "--port", &upstream.to_string()])?;
        processes.push(process.listening(local(upstream)).await?);
        add(
            "the upstream itself",
            upstream,
            Protocol::Json,
            Call::Completions,
            0,
            true,
        );
        let url = format!("http://127.0.0.1:{upstream}/v1");

        let program = std::path::absolute(&programs.program)?;
        let simulator = free_port()?;
        let process = Launch {
            name: "simulator",
            ..load
        }
        .start(
            &program,
            [
                "simulator",
                "tokens=100",
                "--listen",
                &local(simulator).to_string(),
            ],
        )?;
        add(
            "`atelier simulator` itself",
            simulator,
            Protocol::Json,
            Call::Completions,
            processes.len(),
            false,
        );
        processes.push(process.listening(local(simulator)).await?);

        if let Some(envoy) = &programs.envoy {
            let port = free_port()?;
            let config = place.join("envoy.yaml");
            let text = include_str!("../peers/envoy.yaml")
                .replace("{PORT}", &port.to_string())
                .replace("{UPSTREAM}", &upstream.to_string());
            std::fs::write(&config, text)?;
            let envoy = std::path::absolute(envoy)?;
            notes.push(format!("Envoy: {}", said(&envoy, &["--version"])));
            let process = launch("envoy", Vec::new()).start(
                &envoy,
                [
                    "--config-path",
                    &config.to_string_lossy(),
                    "--concurrency",
                    &programs.count().to_string(),
                    "--log-level",
                    "warn",
                    "--disable-hot-restart",
                ],
            )?;
            add(
                "Envoy, a plain HTTP proxy",
                port,
                Protocol::Json,
                Call::Completions,
                processes.len(),
                true,
            );
            processes.push(process.listening(local(port)).await?);
        } else {
            notes.push("Envoy was left out.".to_owned());
        }

        if let Some(litellm) = &programs.litellm {
            let litellm = std::path::absolute(litellm)?;
            let python = litellm.with_file_name("python");
            let port = free_port()?;
            std::fs::write(place.join("relay.py"), include_str!("../peers/relay.py"))?;
            let variables = vec![("UPSTREAM".to_owned(), url.clone())];
            let process = launch("relay", variables).start(
                &python,
                [
                    "-m",
                    "uvicorn",
                    "relay:app",
                    "--host",
                    "127.0.0.1",
                    "--port",
                    &port.to_string(),
                    "--workers",
                    &programs.count().to_string(),
                    "--no-access-log",
                    "--log-level",
                    "warning",
                ],
            )?;
            add(
                "a FastAPI relay",
                port,
                Protocol::Json,
                Call::Completions,
                processes.len(),
                true,
            );
            processes.push(process.listening(local(port)).await?);

            let port = free_port()?;
            // It does not start without one.
            let key = format!("sk-{}", chance()?);
            master = Some(key.clone());
            let config = place.join("litellm.yaml");
            std::fs::write(&config, litellm_config(&url))?;
            let variables = [
                ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
                ("LITELLM_MODE", "PRODUCTION"),
                ("LITELLM_LOG", "ERROR"),
                ("LITELLM_MASTER_KEY", &key),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
            let process = launch("litellm", variables).start(
                &litellm,
                [
                    "--config",
                    &config.to_string_lossy(),
                    "--host",
                    "127.0.0.1",
                    "--port",
                    &port.to_string(),
                    "--num_workers",
                    &programs.count().to_string(),
                    "--telemetry",
                    "False",
                ],
            )?;
            add(
                LITELLM,
                port,
                Protocol::Json,
                Call::Completions,
                processes.len(),
                true,
            );
            processes.push(process.listening(local(port)).await?);
            notes.push(said(&python, &["-c", VERSIONS]));
        } else {
            notes.push("LiteLLM's proxy and the FastAPI relay were left out.".to_owned());
        }

        let port = free_port()?;
        let data = place.join("data");
        let process = launch("atelier", variables(&url, place)?).start(
            &program,
            [
                "--port",
                &port.to_string(),
                "--admin-port",
                "0",
                "--data",
                &data.to_string_lossy(),
            ],
        )?;
        let number = processes.len();
        processes.push(process.listening(local(port)).await?);
        for (name, protocol, method) in [
            ("Complete, gRPC", Protocol::Grpc, Method::Complete),
            ("Complete, grpc-web", Protocol::Web, Method::Complete),
            ("SendMessage, gRPC", Protocol::Grpc, Method::SendMessage),
            ("SendMessage, grpc-web", Protocol::Web, Method::SendMessage),
        ] {
            add(name, port, protocol, Call::Ours(method), number, true);
        }
        for way in &mut ways {
            if way.name == LITELLM {
                way.key.clone_from(&master);
            }
        }
        let ours = Ours::register(local(port))
            .await
            .with_context(|| processes[number].end_of_log())?;
        Ok(Self {
            ways,
            processes,
            ours,
            notes,
            _folder: folder,
        })
    }

    /// Ends all.
    pub async fn stop(self) {
        for process in self.processes {
            process.stop().await;
        }
    }
}

/// LiteLLM's line in the tables.
const LITELLM: &str = "LiteLLM's proxy";

/// A secret of this run.
fn chance() -> std::io::Result<String> {
    use std::io::Read as _;
    let mut bytes = [0_u8; 24];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Room for a thousand streams, a price for every reply and credits for it, and limits that count and are never reached; all
/// else is as it comes.
fn variables(url: &str, place: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let models = place.join("models.toml");
    std::fs::write(&models, registry(url))?;
    let here = |name: &str| format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    Ok([
        ("ATELIER_MODELS", models.display().to_string()),
        ("ATELIER_PLANS", here("plans.toml")),
        ("ATELIER_LIMITS", here("limits.toml")),
        ("ATELIER_EDGE_MAX_CALLS", "1100".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec())
}

/// The upstream's models, each at a price.
fn registry(url: &str) -> String {
    let models: String = Kind::ALL
        .iter()
        .map(|kind| {
            format!(
                "[[models]]\nid = \"{}\"\nmedium = \"chat\"\nprovider = \"upstream\"\nlimits = {{ output_tokens = 4_096 }}\n\
                 prices = {{ million_input_tokens = 0.25, million_output_tokens = 2 }}\n\n",
                kind.model()
            )
        })
        .collect();
    format!("[providers.upstream]\nurl = \"{url}\"\nat_once = 1100\n\n{models}")
}

fn litellm_config(url: &str) -> String {
    let models: String = Kind::ALL
        .iter()
        .map(|kind| {
            let model = kind.model();
            format!(
                "  - model_name: {model}\n    litellm_params:\n      model: openai/{model}\n      api_base: {url}\n      api_key: unused\n"
            )
        })
        .collect();
    format!(
        "model_list:\n{models}litellm_settings:\n  set_verbose: false\n  request_timeout: 120\n"
    )
}

const VERSIONS: &str = "from importlib.metadata import version as v; import sys; print(f'LiteLLM {v(\"litellm\")}, FastAPI \
     {v(\"fastapi\")}, httpx {v(\"httpx\")}, uvicorn {v(\"uvicorn\")}, Python {sys.version.split()[0]}')";
