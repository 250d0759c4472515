//! The settings of the service; token lifetimes are constants of the contract and no settings.

use std::time::Duration;

use atelier_kit::config::{Setting, Settings};

/// How long a spent refresh token may be presented again.
pub const REFRESH_GRACE_SECONDS: Setting = Setting::new(
    "ATELIER_REFRESH_GRACE_SECONDS",
    "60",
    "How many seconds after its exchange a refresh token may be presented again and gets the identical pair: 0 to 600.",
);

/// All settings of the service.
pub const SETTINGS: &[Setting] = &[REFRESH_GRACE_SECONDS];

/// How the service behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// `ATELIER_REFRESH_GRACE_SECONDS`, 60 seconds by default.
    pub refresh_grace: Duration,
    /// How often what has passed is erased. No variable sets it: it bounds how long a sealed pair outlives its grace.
    pub sweep_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            refresh_grace: Duration::from_secs(60),
            sweep_every: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Reads the settings; what cannot be used is told by `Settings::finish`.
    pub fn read(settings: &Settings) -> Self {
        let fallback = Self::default();
        Self {
            refresh_grace: settings
                .number(&REFRESH_GRACE_SECONDS, 0..=600)
                .map_or(fallback.refresh_grace, Duration::from_secs),
            sweep_every: fallback.sweep_every,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_in_the_table_is_the_default_in_the_code() {
        let read = Config::read(&Settings::default());
        assert_eq!(read.refresh_grace, Config::default().refresh_grace);
        let set = Settings::new([("ATELIER_REFRESH_GRACE_SECONDS".to_owned(), "5".to_owned())]);
        assert_eq!(Config::read(&set).refresh_grace, Duration::from_secs(5));
    }

    #[test]
    fn a_grace_out_of_bounds_is_refused() {
        let set = Settings::new([("ATELIER_REFRESH_GRACE_SECONDS".to_owned(), "601".to_owned())]);
        Config::read(&set);
        let declared: Vec<&Setting> = SETTINGS.iter().collect();
        assert!(
            set.finish(&declared)
                .unwrap_err()
                .0
                .starts_with("ATELIER_REFRESH_GRACE_SECONDS")
        );
    }
}
