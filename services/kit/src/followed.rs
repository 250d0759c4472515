//! A text file that is read again when it changes; what its text means is known by others.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::config::read_text;

/// How often the file is looked at.
const PACE: Duration = Duration::from_secs(2);
/// A changed file is taken once it has been the same for so long: some are written in pieces.
const STILL: Duration = Duration::from_millis(250);
/// How often its stillness is waited for before it is taken all the same.
const WAITS: u32 = 40;
/// The largest file that is read.
const FILE_BYTES: u64 = 1 << 20;

/// A file that may change while the process runs, as a mounted ConfigMap does.
#[derive(Clone, Debug)]
pub struct FollowedFile {
    path: PathBuf,
    pace: Duration,
}

/// What was read: the text, or why there is none.
pub type Content = Result<String, String>;

impl FollowedFile {
    /// The file at a path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            pace: PACE,
        }
    }

    /// Looks at it so often, in place of every two seconds.
    #[must_use]
    pub fn at_pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it.
    pub fn read(&self) -> Content {
        read_text(&self.path, FILE_BYTES)
    }

    /// Tells what is in it, now and whenever that has changed, until this is dropped. Only what has not changed for a
    /// moment is told, and nothing twice in a row.
    pub async fn follow(&self, mut tell: impl FnMut(&Content)) {
        let mut ticks = tokio::time::interval(self.pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last: Option<Content> = None;
        loop {
            ticks.tick().await;
            let now = self.look().await;
            if last.as_ref() == Some(&now) {
                continue;
            }
            let now = self.still(now).await;
            tell(&now);
            last = Some(now);
        }
    }

    /// What is in it now, read off the threads that serve.
    async fn look(&self) -> Content {
        let file = self.clone();
        match tokio::task::spawn_blocking(move || file.read()).await {
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
