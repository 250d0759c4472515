//! The settings of the process: where it keeps things, where it listens, and where the other roles are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atelier_edge::EdgeConfig;
use atelier_kit::config::{ConfigError, Setting, Settings};
use atelier_kit::secret::MeshSecret;
use atelier_kit::serve::Bounds;
use atelier_kit::service::{Engines, StartError};
use atelier_kit::stopgap::{Stopgap, Stopgaps};
use atelier_kit::telemetry::{self, TelemetryConfig};
use atelier_kit::tls::MeshTls;
use secrecy::ExposeSecret as _;
use url::Url;

use crate::args::Args;
use crate::certs::{self, CertsConfig};
use crate::connections;
use crate::engines;
use crate::limits::LimitsConfig;
use crate::objects::ObjectsConfig;
use crate::profile;
use crate::roster::{self, Plan, ROSTER};
use crate::routes::{self, RoutesConfig};

/// Where everything is kept.
pub const DATA: Setting = Setting::new(
    "ATELIER_DATA",
    "",
    "The folder that everything is kept in; by default `atelier` in the user's data folder ($XDG_DATA_HOME or ~/.local/share).",
);
/// Where it listens.
pub const HOST: Setting = Setting::new(
    "ATELIER_HOST",
    "127.0.0.1",
    "The address that all ports listen on; 0.0.0.0 for everybody.",
);
/// The edge's port.
pub const PORT: Setting = Setting::new(
    "ATELIER_PORT",
    "8080",
    "The edge's port; 0 takes a free one.",
);
/// The admin port.
pub const ADMIN_PORT: Setting = Setting::new(
    "ATELIER_ADMIN_PORT",
    "8090",
    "The port of /metrics, /livez and /readyz; 0 takes a free one.",
);
/// The mesh secret.
pub const SECRET: Setting = Setting::new(
    "ATELIER_SECRET",
    "",
    "The one secret that all replicas share, at least 32 bytes; made in the data folder on the first start when empty.",
);
/// How long running calls may go on at the end.
pub const DRAIN_SECONDS: Setting = Setting::new(
    "ATELIER_DRAIN_SECONDS",
    "10",
    "How many seconds running calls may go on after the process was told to stop.",
);
/// How long new calls are still taken at the end.
pub const LAME_DUCK_SECONDS: Setting = Setting::new(
    "ATELIER_LAME_DUCK_SECONDS",
    "",
    "How many seconds new calls are still taken after health says NOT_SERVING: 0 when all roles are in one process, else 5.",
);
/// How many calls a service takes.
pub const MAX_CALLS: Setting = Setting::new(
    "ATELIER_MAX_CALLS",
    "4096",
    "How many calls, streams included, one service has under way at once; more are turned away.",
);

/// The settings of this room; each role's address follows from its name.
pub const SETTINGS: &[Setting] = &[
    DATA,
    HOST,
    PORT,
    ADMIN_PORT,
    SECRET,
    DRAIN_SECONDS,
    LAME_DUCK_SECONDS,
    MAX_CALLS,
];

/// How the process is set up.
pub struct Config {
    /// How it is seen.
    pub telemetry: TelemetryConfig,
    /// Where everything is kept.
    pub data: PathBuf,
    /// The address that all ports listen on.
    pub host: IpAddr,
    /// The edge's port.
    pub port: u16,
    /// The admin port.
    pub admin_port: u16,
    /// The mesh secret, where it is set.
    pub secret: Option<MeshSecret>,
    /// The roles that run here, each with what it takes to build it.
    pub plans: Vec<Plan>,
    /// Whether the edge runs here.
    pub edge: Option<EdgeConfig>,
    /// What the edge's listener bears.
    pub bounds: Bounds,
    /// Whether some roles run elsewhere.
    pub split: bool,
    /// Where the replicas of each role are when the mesh is split, at least one.
    pub addresses: BTreeMap<&'static str, Vec<Url>>,
    /// Where they are for those that call them, where a file says so.
    pub routes: RoutesConfig,
    /// The servers that services keep things on.
    pub engines: Engines,
    /// What this process may stand on.
    pub stopgaps: Stopgaps,
    /// Where objects are kept.
    pub objects: ObjectsConfig,
    /// The certificates of the edge and of the roles.
    pub certs: CertsConfig,
    /// The edge's address as callers see it, where it is set.
    pub public_url: Option<Url>,
    /// How long running calls may go on at the end.
    pub drain: Duration,
    /// How long new calls are still taken at the end.
    pub lame_duck: Duration,
    /// How many calls one service has under way at once.
    pub max_calls: usize,
    /// How often what may be done.
    pub limits: LimitsConfig,
    /// How long a new signing key is published before it signs.
    pub key_lead: Duration,
}

/// All settings there are, in the order of `.env.example`.
pub fn declared() -> Vec<&'static Setting> {
    let mut all: Vec<&Setting> = Vec::new();
    all.extend(SETTINGS);
    all.extend(atelier_edge::SETTINGS);
    all.extend(connections::SETTINGS);
    all.extend(certs::SETTINGS);
    all.extend(profile::SETTINGS);
    all.extend(engines::SETTINGS);
    all.extend(crate::objects::SETTINGS);
    all.extend(telemetry::SETTINGS);
    all.extend(atelier_generation::SETTINGS);
    all.extend(crate::client::settings::SETTINGS);
    all.push(&atelier_kit::limit::LIMITS);
    all.push(&atelier_upstream::registry::MODELS);
    all.push(&routes::ROUTES);
    for seat in ROSTER {
        all.push(&seat.url);
        all.extend(seat.settings);
    }
    all
}

impl Config {
    /// Reads all settings; the first problem is the error.
    pub fn read(settings: &Settings, args: &Args) -> Result<Self, ConfigError> {
        let mut names: Vec<&str> = args.roles.iter().map(String::as_str).collect();
        if names.is_empty() {
            names = roster::roles().collect();
        }
        let all_here = roster::roles().all(|role| names.contains(&role));
        let port = |setting| {
            settings
                .number(setting, 0..=65_535)
                .and_then(|port| u16::try_from(port).ok())
                .unwrap_or(0)
        };
        let seconds = |setting, default| {
            Duration::from_secs(settings.number(setting, 0..=3_600).unwrap_or(default))
        };
        let secret = settings.secret(&SECRET).and_then(|secret| {
            MeshSecret::new(secret.expose_secret().as_bytes())
                .inspect_err(|error| settings.problem(&SECRET, &error.to_string()))
                .ok()
        });
        let config = Self {
            telemetry: TelemetryConfig::read(settings),
            data: settings
                .text(&DATA)
                .map_or_else(default_data, PathBuf::from),
            host: settings
                .parse(&HOST)
                .unwrap_or(IpAddr::from([127, 0, 0, 1])),
            port: port(&PORT),
            admin_port: port(&ADMIN_PORT),
            secret,
            plans: ROSTER
                .iter()
                .filter(|seat| names.contains(&seat.role))
                .map(|seat| seat.plan(settings))
                .collect(),
            edge: names
                .contains(&roster::EDGE)
                .then(|| EdgeConfig::read(settings)),
            bounds: connections::read(settings),
            split: !all_here,
            addresses: ROSTER
                .iter()
                .filter_map(|seat| Some((seat.role, urls(settings, &seat.url)?)))
                .collect(),
            routes: RoutesConfig::read(settings),
            engines: engines::read(settings),
            stopgaps: profile::read(settings),
            objects: ObjectsConfig::read(settings),
            certs: CertsConfig::read(settings),
            public_url: settings.url(&atelier_edge::PUBLIC_URL),
            drain: seconds(&DRAIN_SECONDS, 10),
            lame_duck: seconds(&LAME_DUCK_SECONDS, if all_here { 0 } else { 5 }),
            max_calls: settings
                .number(&MAX_CALLS, 1..=1_000_000)
                .and_then(|calls| usize::try_from(calls).ok())
                .unwrap_or(4096),
            limits: LimitsConfig::read(settings),
            key_lead: atelier_users::key_lead(settings),
        };
        config.certificates_are_named(settings);
        settings.finish(&declared())?;
        Ok(config)
    }

    /// A role whose URL promises TLS needs certificates to keep it.
    fn certificates_are_named(&self, settings: &Settings) {
        if !self.split || self.certs.folder.is_some() {
            return;
        }
        for plan in &self.plans {
            if self.is_secured(plan.seat.role) {
                let why = format!("is https://, and {} is not set", certs::CERTS.name);
                settings.problem(&plan.seat.url, &why);
            }
        }
    }

    /// The mesh secret: as set, else the one in the data folder, which is made on the first start.
    pub fn secret(&self) -> Result<MeshSecret, atelier_kit::secret::SecretError> {
        match &self.secret {
            Some(secret) => Ok(secret.clone()),
            None => {
                let what = "the mesh secret, in the data folder (ATELIER_SECRET)";
                self.stopgaps.uses(Stopgap::LocalSecret, what);
                MeshSecret::load_or_create(&self.data.join("secret"))
            }
        }
    }

    /// The certificates that a role listens with; none when its URL promises no TLS.
    pub fn tls_of(&self, role: &str) -> Result<Option<MeshTls>, StartError> {
        match self.is_secured(role) {
            true => self.certs.of(role),
            false => Ok(None),
        }
    }

    /// The port that a role listens on: that of its first URL, which is this replica's own.
    pub fn port_of(&self, role: &str) -> Option<u16> {
        self.addresses.get(role)?.first()?.port_or_known_default()
    }

    /// Whether a role promises TLS.
    fn is_secured(&self, role: &str) -> bool {
        let urls = self.addresses.get(role);
        urls.is_some_and(|urls| urls.iter().any(|url| url.scheme() == "https"))
    }

    /// A role's own folder.
    pub fn folder(&self, role: &str) -> PathBuf {
        self.data.join(role)
    }
}

/// The URLs of a role.
fn urls(settings: &Settings, setting: &Setting) -> Option<Vec<Url>> {
    let parts = settings.list(setting);
    routes::parse(parts.iter().map(String::as_str))
        .inspect_err(|(_, what)| settings.problem(setting, what))
        .ok()
}

/// `$XDG_DATA_HOME/atelier`, `~/.local/share/atelier`, or a folder beside the caller where there is no home.
pub fn default_data() -> PathBuf {
    own_folder("XDG_DATA_HOME", ".local/share", "atelier-data")
}

/// `$XDG_CONFIG_HOME/atelier`, `~/.config/atelier`, or a folder beside the caller where there is no home.
pub fn default_config() -> PathBuf {
    own_folder("XDG_CONFIG_HOME", ".config", "atelier-config")
}

fn own_folder(named: &str, in_home: &str, homeless: &str) -> PathBuf {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable(named)
        .or_else(|| variable("HOME").map(|home| home.join(in_home)))
        .map_or_else(
            || Path::new(homeless).to_path_buf(),
            |folder| folder.join("atelier"),
        )
}

/// Whether the terminal says that it can do no more than show characters.
pub fn terminal_is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|name| name == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.env.example` as the declarations have it.
    fn example() -> String {
        let mut text = String::from(
            "# All settings of Atelier, with what holds when they are not set. Flags of the same meaning win.\n\
             # Made by `ATELIER_REGENERATE=1 cargo test -p atelier env_example`; a test fails when it is stale.\n",
        );
        for setting in declared() {
            text.push_str(&format!(
                "\n# {}\n# {}={}\n",
                setting.about, setting.name, setting.default
            ));
        }
        text
    }

    #[test]
    fn env_example_lists_every_setting() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env.example");
        if std::env::vars().any(|(name, _)| name == "ATELIER_REGENERATE") {
            std::fs::write(&path, example()).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == example(),
            ".env.example is stale: run `just gen`"
        );
    }

    #[test]
    fn settings_have_names_of_their_own() {
        let mut names: Vec<&str> = declared().iter().map(|setting| setting.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn the_defaults_can_be_read() {
        use clap::Parser as _;
        let args = Args::parse_from(["atelier"]);
        let config = Config::read(&args.settings(std::iter::empty()), &args).unwrap();
        assert_eq!((config.port, config.split), (8080, false));
        let args = Args::parse_from(["atelier", "users", "--port", "1"]);
        let config = Config::read(&args.settings(std::iter::empty()), &args).unwrap();
        assert_eq!(
            (config.port, config.split, config.plans.len()),
            (1, true, 1)
        );
    }

    #[test]
    fn a_wrong_setting_is_told_by_its_name() {
        use clap::Parser as _;
        let args = Args::parse_from(["atelier"]);
        for (name, value) in [
            ("ATELIER_PORT", "70000"),
            ("ATELIER_SECRET", "short"),
            ("ATELIER_HOST", "nowhere"),
            ("ATELIER_CHAT_URL", "ftp://x"),
            ("ATELIER_TTS_URL", "tts:8001"),
            ("ATELIER_TTS_URL", "http://tts-0:8001,tts-1:8001"),
            ("ATELIER_TTS_URL", "http://tts-0:8001,https://tts-1:8001"),
            ("ATELIER_TTS_URL", ","),
            ("ATELIER_CHAT_MODELS", "a"),
            ("ATELIER_LOG_FORMAT", "xml"),
            ("ATELIER_S3_ENDPOINT", "http://s3"),
            ("ATELIER_LIMITS", "/no/such/file"),
            ("ATELIER_PLANS", "/no/such/file"),
            ("ATELIER_ROUTES", "/no/such/file"),
            ("ATELIER_TRUSTED_PROXIES", "10.1.2.3/8"),
            ("ATELIER_TYPO", "1"),
        ] {
            let settings = args.settings([(name.to_owned(), value.to_owned())].into_iter());
            let error = Config::read(&settings, &args)
                .err()
                .unwrap_or_else(|| panic!("{name}={value} was taken"));
            assert!(error.to_string().starts_with("ATELIER_"), "{error}");
        }
    }

    #[test]
    fn a_role_may_have_several_urls_and_listens_on_the_port_of_the_first() {
        use clap::Parser as _;
        let args = Args::parse_from(["atelier", "tts"]);
        let set = [(
            "ATELIER_TTS_URL".to_owned(),
            " http://tts-1:9001 ,http://tts-0:8001,".to_owned(),
        )];
        let config = Config::read(&args.settings(set.into_iter()), &args).unwrap();
        let urls: Vec<&str> = config.addresses["tts"].iter().map(Url::as_str).collect();
        assert_eq!(urls, ["http://tts-1:9001/", "http://tts-0:8001/"]);
        assert_eq!(config.port_of("tts"), Some(9001));
        assert_eq!(config.port_of("users"), Some(3000));
    }
}
