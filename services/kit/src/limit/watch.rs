//! The file of limits, read again when it changes: a wrong one changes nothing, and is told once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::{LIMITS, Limits, Table, TableError};
use crate::config::{Settings, read_text};

/// How often the file is looked at.
const PACE: Duration = Duration::from_secs(2);
/// A changed file is taken once it has been the same for so long: some are written in pieces.
const STILL: Duration = Duration::from_millis(250);
/// How often its stillness is waited for before it is taken all the same.
const WAITS: u32 = 40;
/// The largest file that is read.
const FILE_BYTES: u64 = 1 << 20;

/// A file of limits.
#[derive(Clone, Debug)]
pub struct LimitsFile {
    path: PathBuf,
    pace: Duration,
}

/// What was read: the text, or why there is none.
type Content = Result<String, String>;

impl LimitsFile {
    /// The file at a path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            pace: PACE,
        }
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
    pub fn at_pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// What it says.
    pub fn read(&self) -> Result<Table, TableError> {
        self.understand(&read_text(&self.path, FILE_BYTES))
    }

    fn understand(&self, content: &Content) -> Result<Table, TableError> {
        let file = self.path.display().to_string();
        match content {
            Ok(content) => Table::read(&file, content),
            Err(why) => Err(TableError {
                file,
                place: None,
                what: format!("cannot be read: {why}"),
            }),
        }
    }

    /// What is in it now, read off the threads that serve.
    async fn look(&self) -> Content {
        let path = self.path.clone();
        match tokio::task::spawn_blocking(move || read_text(&path, FILE_BYTES)).await {
            Ok(content) => content,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Waits until it has been the same for a while.
    async fn still(&self, mut before: Content) -> Content {
        for _ in 0..WAITS {
            tokio::time::sleep(STILL.min(self.pace)).await;
            let now = self.look().await;
            if now == before {
                break;
            }
            before = now;
        }
        before
    }
}

/// Keeps limits as their file says; runs until it is dropped.
pub async fn follow(file: LimitsFile, limits: Arc<Limits>) {
    let mut ticks = tokio::time::interval(file.pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // What was read at the start is what holds; a change since is found by comparing what is understood.
    let mut last: Option<Content> = None;
    loop {
        ticks.tick().await;
        let now = file.look().await;
        if last.as_ref() == Some(&now) {
            continue;
        }
        let now = file.still(now).await;
        match file.understand(&now) {
            Ok(table) if table == *limits.table() => told(true),
            Ok(table) => {
                limits.change(table);
                told(true);
                tracing::info!(file = %file.path.display(), "the limits were read again");
            }
            Err(error) => {
                told(false);
                tracing::error!("the limits cannot be used, and those before stay: {error}");
            }
        }
        last = Some(now);
    }
}

fn told(is_good: bool) {
    metrics::gauge!("atelier_limits_are_good").set(f64::from(u8::from(is_good)));
}
