//! The settings of the client: which Atelier it speaks to, and where it keeps what it must remember.

use std::path::PathBuf;

use atelier_kit::config::{ConfigError, Setting, Settings};
use url::Url;

use crate::config;

/// Which Atelier.
pub const URL: Setting = Setting::new(
    "ATELIER_URL",
    "",
    "Where the commands `chat`, `image`, `say` and their like find a mesh, as in `https://atelier.example.com`; without it they use the one of the data folder, or start it.",
);
/// Whom to trust.
pub const CA: Setting = Setting::new(
    "ATELIER_CA",
    "",
    "A PEM file of authorities that those commands trust beside the usual ones, for an https:// URL.",
);
/// Where the client remembers.
pub const CONFIG: Setting = Setting::new(
    "ATELIER_CONFIG",
    "",
    "The folder in which those commands keep sign-ins and the chat's history; by default `atelier` in the user's configuration folder ($XDG_CONFIG_HOME or ~/.config).",
);
/// All settings of this room.
pub const SETTINGS: &[Setting] = &[URL, CA, CONFIG];

/// How the client is set up.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// A mesh that runs somewhere.
    pub url: Option<Url>,
    /// A PEM file of authorities to trust beside the usual ones.
    pub ca: Option<PathBuf>,
    /// Where sign-ins and the history are kept.
    pub folder: PathBuf,
    /// Where the mesh keeps everything that is used, or started, without a URL.
    pub data: PathBuf,
    /// Whether the terminal can show no more than characters.
    pub dumb: bool,
}

impl ClientConfig {
    /// Reads the client's settings and no others; an unknown variable is an error here too.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let read = Self {
            url: settings.url(&URL),
            ca: settings.text(&CA).map(PathBuf::from),
            folder: settings
                .text(&CONFIG)
                .map_or_else(config::default_config, PathBuf::from),
            data: settings
                .text(&config::DATA)
                .map_or_else(config::default_data, PathBuf::from),
            dumb: config::terminal_is_dumb(),
        };
        settings.finish(&config::declared())?;
        Ok(read)
    }
}
