//! What the analytics service can be told: nothing yet; the room stands so that its wiring is every service's.

use atelier_kit::config::{Setting, Settings};

/// The settings of this service.
pub const SETTINGS: &[Setting] = &[];

/// The configuration of this service.
#[derive(Clone, Debug, Default)]
pub struct Config {}

impl Config {
    /// Reads the settings of this service.
    pub fn read(_settings: &Settings) -> Self {
        Self {}
    }
}
