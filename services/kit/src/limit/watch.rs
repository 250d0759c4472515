//! The file of limits, read again when it changes: a wrong one changes nothing, and is told once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{LIMITS, Limits, Table, TableError};
use crate::config::Settings;
use crate::followed::{Content, FollowedFile};

/// A file of limits.
#[derive(Clone, Debug)]
pub struct LimitsFile(FollowedFile);

impl LimitsFile {
    /// The file at a path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(FollowedFile::new(path))
    }

    /// The file that the settings name, with what it says; `None` when they name none, and when it is wrong, which
    /// [`Settings::finish`] tells.
    pub fn of(settings: &Settings) -> Option<(Self, Table)> {
        let file = Self::new(settings.text(&LIMITS)?);
        match file.read() {
            Ok(table) => Some((file, table)),
            Err(error) => {
                settings.problem(&LIMITS, &error.to_string());
                None
            }
        }
    }

    /// Looks at it so often, in place of every two seconds.
    #[must_use]
    pub fn at_pace(self, pace: Duration) -> Self {
        Self(self.0.at_pace(pace))
    }

    /// What it says.
    pub fn read(&self) -> Result<Table, TableError> {
        self.understand(&self.0.read())
    }

    fn understand(&self, content: &Content) -> Result<Table, TableError> {
        let file = self.0.path().display().to_string();
        match content {
            Ok(content) => Table::read(&file, content),
            Err(why) => Err(TableError {
                file,
                place: None,
                what: format!("cannot be read: {why}"),
            }),
        }
    }
}

/// Keeps limits as their file says; runs until it is dropped.
pub async fn follow(file: LimitsFile, limits: Arc<Limits>) {
    // What was read at the start is what holds; a change since is found by comparing what is understood.
    let take = |content: &Content| match file.understand(content) {
        Ok(table) if table == *limits.table() => told(true),
        Ok(table) => {
            limits.change(table);
            told(true);
            tracing::info!(file = %file.0.path().display(), "the limits were read again");
        }
        Err(error) => {
            told(false);
            tracing::error!("the limits cannot be used, and those before stay: {error}");
        }
    };
    file.0.follow(take).await;
}

fn told(is_good: bool) {
    metrics::gauge!("atelier_limits_are_good").set(f64::from(u8::from(is_good)));
}
