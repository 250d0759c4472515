//! What a process may stand on: anything while one develops, and in earnest what its operator has named.

use atelier_kit::config::{ConfigError, Setting, Settings};
use atelier_kit::stopgap::{Stopgap, Stopgaps};

/// How earnest it is.
pub const PROFILE: Setting = Setting::new(
    "ATELIER_PROFILE",
    "development",
    "`production` refuses to start on embedded engines, a secret made by itself, any web page, offline providers, the simulator and mails in a folder, and names each; `development` takes all of it.",
);
/// What is wanted all the same.
pub const ALLOW: Setting = Setting::new(
    "ATELIER_ALLOW",
    "",
    "What the production profile takes all the same, divided by commas: sqlite, memory, local-objects, local-secret, any-origin, offline, simulator, mail-folder.",
);
/// All settings of this room.
pub const SETTINGS: &[Setting] = &[PROFILE, ALLOW];

/// Reads the settings of this room.
pub fn read(settings: &Settings) -> Stopgaps {
    let named = settings.text(&ALLOW).unwrap_or_default();
    let mut allowed: Vec<Stopgap> = Vec::new();
    for name in named
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        match name.parse() {
            Ok(stopgap) => allowed.push(stopgap),
            Err(why) => settings.problem(&ALLOW, &why),
        }
    }
    match settings.text(&PROFILE).as_deref() {
        Some("production") => Stopgaps::only(allowed),
        Some("development") | None => Stopgaps::default(),
        Some(_) => {
            settings.problem(&PROFILE, "must be `development` or `production`");
            Stopgaps::default()
        }
    }
}

/// Refuses what is no ground for the profile, all of it at once.
pub fn check(stopgaps: &Stopgaps) -> Result<(), ConfigError> {
    let refused = stopgaps.refused();
    if refused.is_empty() {
        return Ok(());
    }
    Err(ConfigError(format!(
        "{} is production, which does not stand on\n  {}\nset what is in brackets, or name in {} what is wanted all the same",
        PROFILE.name,
        refused.join("\n  "),
        ALLOW.name
    )))
}
