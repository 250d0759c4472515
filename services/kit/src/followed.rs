//! A text file that is read again when it changes, and when it is asked for; what its text means is known by others.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::watch;
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

/// Asks for all files of a process to be read now. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Reread(watch::Sender<()>);

impl Reread {
    /// Asks.
    pub fn ask(&self) {
        self.0.send_replace(());
    }

    /// Somebody to wait until it is asked for.
    pub fn listen(&self) -> Asked {
        Asked {
            heard: self.0.subscribe(),
            _asker: self.clone(),
        }
    }
}

/// Waits until files are asked for.
#[derive(Debug)]
pub struct Asked {
    heard: watch::Receiver<()>,
    /// While it is there, so is the other end.
    _asker: Reread,
}

impl Asked {
    /// They are, since it was waited for last.
    pub async fn next(&mut self) {
        let _ = self.heard.changed().await;
    }
}

/// A file that may change while the process runs, as a mounted ConfigMap does.
#[derive(Clone, Debug)]
pub struct FollowedFile {
    path: PathBuf,
    pace: Duration,
    reread: Reread,
}

/// What was read: the text, or why there is none.
pub type Content = Result<String, String>;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FileError {
    /// The file, as it was named.
    pub file: String,
    /// Line and column, from 1, where there are any.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

impl FileError {
    /// Something is wrong with a file as a whole.
    pub fn whole(file: &str, what: &str) -> Self {
        Self {
            file: file.to_owned(),
            place: None,
            // One clear line.
            what: what.lines().collect::<Vec<_>>().join(" "),
        }
    }

    /// Something is wrong with a file whose text this is, at a byte of it.
    pub fn at(file: &str, text: &str, byte: usize, what: &str) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Self {
            place: Some((line, column)),
            ..Self::whole(file, what)
        }
    }
}

/// Reads the text of a TOML file.
pub fn read_toml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, FileError> {
    toml::from_str(text).map_err(|error| match error.span() {
        Some(span) => FileError::at(file, text, span.start, error.message()),
        None => FileError::whole(file, error.message()),
    })
}

impl FollowedFile {
    /// The file at a path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            pace: PACE,
            reread: Reread::default(),
        }
    }

    /// Looks at it so often, in place of every two seconds.
    #[must_use]
    pub fn at_pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Looks at it also when it is asked for.
    #[must_use]
    pub fn asked_by(mut self, reread: Reread) -> Self {
        self.reread = reread;
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its text means.
    pub fn read<T>(
        &self,
        meaning: impl FnOnce(&str, &str) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        self.understand(&self.content(), meaning)
    }

    /// Keeps something as the file says, until this is dropped. What it is, as in `the limits`, is told in the log, and a
    /// gauge is 0 while the file is wrong: then what was before stays. `take` says whether what the file says is
    /// something else than what holds, or why it cannot be taken.
    pub async fn keep<T>(
        &self,
        what: &'static str,
        gauge: &'static str,
        meaning: impl Fn(&str, &str) -> Result<T, FileError>,
        mut take: impl FnMut(T) -> Result<bool, String>,
    ) {
        let named = self.path.display().to_string();
        let tell = |content: &Content| {
            let said = self.understand(content, &meaning);
            let taken = said.and_then(|said| {
                let taken = take(said);
                taken.map_err(|why| FileError::whole(&named, &why))
            });
            metrics::gauge!(gauge).set(f64::from(u8::from(taken.is_ok())));
            match taken {
                Ok(true) => tracing::info!(file = named, "{what} were read again"),
                Ok(false) => {}
                Err(error) => {
                    tracing::error!("{what} cannot be used, and those before stay: {error}");
                }
            }
        };
        self.follow(tell).await;
    }

    fn content(&self) -> Content {
        read_text(&self.path, FILE_BYTES)
    }

    fn understand<T>(
        &self,
        content: &Content,
        meaning: impl FnOnce(&str, &str) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        let named = self.path.display().to_string();
        match content {
            Ok(text) => meaning(&named, text),
            Err(why) => Err(FileError::whole(&named, &format!("cannot be read: {why}"))),
        }
    }

    /// Tells what is in it, now and whenever that has changed, until this is dropped. Only what has not changed for a
    /// moment is told, and nothing twice in a row unless it is asked for.
    async fn follow(&self, mut tell: impl FnMut(&Content)) {
        let mut ticks = tokio::time::interval(self.pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = self.reread.listen();
        let mut last: Option<Content> = None;
        loop {
            let is_asked = tokio::select! {
                () = asked.next() => true,
                _ = ticks.tick() => false,
            };
            let now = self.look().await;
            if last.as_ref() == Some(&now) && !is_asked {
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
        match tokio::task::spawn_blocking(move || file.content()).await {
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

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::{Arc, Mutex};

    use crate::testing::eventually;

    #[tokio::test]
    async fn a_file_is_read_at_once_when_it_is_asked_for_and_told_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let reread = Reread::default();
        // Nobody looks by himself before this test is over.
        let file = FollowedFile::new(&path)
            .at_pace(Duration::from_secs(3600))
            .asked_by(reread.clone());
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        let following = tokio::spawn(async move {
            file.follow(|content| heard.lock().unwrap().push(content.clone().unwrap()))
                .await;
        });
        let is = |expected: &[&str]| *told.lock().unwrap() == expected;
        eventually("it is told at first", async || is(&["one"])).await;
        std::fs::write(&path, "two").unwrap();
        reread.ask();
        eventually("it is told when it is asked for", async || {
            is(&["one", "two"])
        })
        .await;
        reread.ask();
        eventually("it is told though it is the same", async || {
            is(&["one", "two", "two"])
        })
        .await;
        following.abort();
    }
}
