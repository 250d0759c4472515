//! Where a model is in its life on a given day; what follows from it is decided where models are chosen.

use atelier_kit::moment::Micros;

/// Where a model is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It is there to stay.
    #[default]
    Active,
    /// It will be shut down.
    Deprecated,
    /// It is not there any more.
    ShutDown,
}

/// A model's life as the file has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// Where it was when the file was written.
    pub written: Stage,
    /// When it is shut down, or was.
    pub shut_down: Option<Micros>,
    /// The model to ask instead.
    pub replacement: Option<String>,
    /// Whether the replacement answers once it is shut down; else a call that names it is refused.
    pub is_replaced: bool,
}

impl Life {
    /// Where it is at this time: a date that has passed needs no edit of the file.
    pub fn at(&self, now: Micros) -> Stage {
        match (self.written, self.shut_down) {
            (Stage::Deprecated, Some(end)) if end <= now => Stage::ShutDown,
            (written, _) => written,
        }
    }
}

/// A time as the day that it is in UTC, as in `2026-10-23`.
pub fn day(micros: Micros) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .map(|time| time.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_that_passes_shuts_a_deprecated_model_down() {
        let life = |written| Life {
            written,
            shut_down: Some(1_000),
            ..Life::default()
        };
        assert_eq!(life(Stage::Deprecated).at(999), Stage::Deprecated);
        assert_eq!(life(Stage::Deprecated).at(1_000), Stage::ShutDown);
        // One that was shut down early stays so, whatever date was once announced.
        assert_eq!(life(Stage::ShutDown).at(0), Stage::ShutDown);
        assert_eq!(Life::default().at(Micros::MAX), Stage::Active);
        assert_eq!(day(1_792_713_600_000_000), "2026-10-23");
    }
}
