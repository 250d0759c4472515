//! Usage events and the rules of recording and listing them; nothing here knows the wire or a database.

use std::collections::BTreeMap;

use atelier_kit::moment::Micros;

use crate::error::Error;
use crate::ports::UsageStore;
use crate::summary::{HOUR, floor};

/// The most that one figure of one event may say. No generation comes near it, and a year of such events fits a sum.
pub const MAX_FIGURE: i64 = 1_000_000_000_000;

/// Where the sum of one hour stops growing, far above any true figure, so that no stored sum can overflow.
pub const MAX_HOUR: i64 = 1_000_000_000_000_000_000;

/// How a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Completed,
    /// By an error.
    Failed,
    /// By its owner.
    Cancelled,
}

impl Outcome {
    /// The outcome's name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
        }
    }

    /// The outcome of a name.
    pub fn of(name: &str) -> Option<Self> {
        [Outcome::Completed, Outcome::Failed, Outcome::Cancelled]
            .into_iter()
            .find(|outcome| outcome.name() == name)
    }
}

/// The figures of one event, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Pictures made.
    pub images: i64,
    /// Unicode code points spoken.
    pub characters: i64,
    /// Milliseconds of audio made.
    pub audio_millis: i64,
}

impl Figures {
    /// The sum, which stops at [`MAX_HOUR`].
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let add = |a: i64, b: i64| a.saturating_add(b).min(MAX_HOUR);
        Self {
            input_tokens: add(self.input_tokens, other.input_tokens),
            output_tokens: add(self.output_tokens, other.output_tokens),
            images: add(self.images, other.images),
            characters: add(self.characters, other.characters),
            audio_millis: add(self.audio_millis, other.audio_millis),
        }
    }
}

/// One ended generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The service that made it.
    pub source: String,
    /// The generation's id, unique within the source.
    pub id: String,
    /// The account that it was made for.
    pub user_id: String,
    /// The provider that made it; may be empty.
    pub provider: String,
    /// The model that made it; may be empty.
    pub model: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What it used; each figure is 0 to [`MAX_FIGURE`].
    pub figures: Figures,
    /// Whether the figures are an estimate.
    pub estimated: bool,
    /// How long it took.
    pub duration: Micros,
    /// When it ended; never before the epoch.
    pub time: Micros,
}

/// The place of an event in the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When it ended.
    pub time: Micros,
    /// Its source.
    pub source: String,
    /// Its id.
    pub id: String,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// How many events were new.
    pub new: i32,
    /// How many were known already.
    pub duplicates: i32,
}

/// What an hour's sum is kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HourKey<'a> {
    /// When the hour begins.
    pub bucket_start: Micros,
    /// The service.
    pub service: &'a str,
    /// The model.
    pub model: &'a str,
    /// The account.
    pub user_id: &'a str,
}

/// What is counted of many events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many there were.
    pub generations: i64,
    /// How many ended by an error.
    pub failed: i64,
    /// How many were cancelled.
    pub cancelled: i64,
    /// How many had estimated figures.
    pub estimated: i64,
    /// The sums of their figures.
    pub figures: Figures,
}

/// Records the events that `caller` made; one that another service made refuses them all.
pub async fn record(
    store: &dyn UsageStore,
    caller: &str,
    events: &[Event],
) -> Result<Recorded, Error> {
    // Otherwise one service could take the ids of another, whose own events would then count as known.
    if let Some(foreign) = events.iter().find(|event| event.source != caller) {
        return Err(Error::SourceMismatch {
            caller: caller.to_owned(),
            named: foreign.source.clone(),
        });
    }
    store.record(events).await
}

/// Sums events up by hour, service, model and account.
pub fn roll_up<'a>(events: impl IntoIterator<Item = &'a Event>) -> BTreeMap<HourKey<'a>, Counts> {
    let mut hours: BTreeMap<HourKey<'a>, Counts> = BTreeMap::new();
    for event in events {
        let key = HourKey {
            bucket_start: floor(event.time, HOUR),
            service: &event.source,
            model: &event.model,
            user_id: &event.user_id,
        };
        let counts = hours.entry(key).or_default();
        counts.generations += 1;
        counts.failed += i64::from(event.outcome == Outcome::Failed);
        counts.cancelled += i64::from(event.outcome == Outcome::Cancelled);
        counts.estimated += i64::from(event.estimated);
        counts.figures = counts.figures.plus(event.figures);
    }
    hours
}

/// Whose usage a caller sees: an account its own, an admin the account asked for or, without one, everybody's (`None`).
pub fn scope(asked: &str, own: &str, is_admin: bool) -> Result<Option<String>, Error> {
    match (asked, is_admin) {
        ("", true) => Ok(None),
        ("", false) => Ok(Some(own.to_owned())),
        (asked, true) => Ok(Some(asked.to_owned())),
        (asked, false) if asked == own => Ok(Some(asked.to_owned())),
        (_, false) => Err(Error::NotOwnUsage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_known_by_their_names() {
        for outcome in [Outcome::Completed, Outcome::Failed, Outcome::Cancelled] {
            assert_eq!(Outcome::of(outcome.name()), Some(outcome));
        }
        assert_eq!(Outcome::of("Completed"), None);
    }

    #[test]
    fn a_sum_stops_instead_of_overflowing() {
        let full = Figures {
            images: MAX_HOUR,
            ..Figures::default()
        };
        assert_eq!(full.plus(full).images, MAX_HOUR);
    }

    #[test]
    fn only_an_admin_sees_others() {
        assert_eq!(scope("", "ana", false).unwrap().as_deref(), Some("ana"));
        assert_eq!(scope("ana", "ana", false).unwrap().as_deref(), Some("ana"));
        assert!(matches!(
            scope("bob", "ana", false),
            Err(Error::NotOwnUsage)
        ));
        assert_eq!(scope("bob", "ana", true).unwrap().as_deref(), Some("bob"));
        assert_eq!(scope("", "ana", true).unwrap(), None);
    }
}
