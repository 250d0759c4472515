//! Sessions whose access tokens no longer count although they have not expired; told by their source, forgotten when the tokens are dead.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::fault::Fault;
use crate::moment::{self, Micros};

/// After this long without a word nobody can be sure who is revoked.
const CURRENT: Duration = Duration::from_secs(30);
/// How long after a stream has ended the next one is begun.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a stream may be silent: the source sends a heartbeat every few seconds.
const SILENCE: Duration = Duration::from_secs(15);

/// What a source tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Everything that is revoked, in place of what was known: session, and until when it is remembered.
    All(Vec<(String, Micros)>),
    /// One session that was revoked just now, and until when it is remembered.
    One(String, Micros),
    /// Nothing new.
    Heartbeat,
}

/// What a source tells, as it comes.
pub type NewsStream = Pin<Box<dyn Stream<Item = Result<News, Fault>> + Send>>;

/// Where revocations come from.
#[async_trait]
pub trait RevocationSource: Send + Sync + 'static {
    /// Everything that is revoked, and then each as it comes.
    async fn watch(&self) -> Result<NewsStream, Fault>;
}

/// The revoked sessions of a mesh, as far as this process knows. Clones share them.
#[derive(Clone, Debug)]
pub struct Revocations(Arc<RwLock<Known>>);

#[derive(Debug)]
struct Known {
    sessions: HashMap<Arc<str>, Micros>,
    /// When the source was last heard; `None` before the first snapshot of a stream.
    heard: Option<Instant>,
    /// Nobody revokes anything here.
    fixed: bool,
}

impl Revocations {
    /// None, and there will be none: for what has no source.
    pub fn none() -> Self {
        Self::of(true)
    }

    /// None that are known yet: [`Revocations::follow`] fills it.
    pub fn unknown() -> Self {
        Self::of(false)
    }

    fn of(fixed: bool) -> Self {
        Self(Arc::new(RwLock::new(Known {
            sessions: HashMap::new(),
            heard: None,
            fixed,
        })))
    }

    /// Follows a source until `stop`, over as many streams as that takes.
    pub async fn follow(self, source: Arc<dyn RevocationSource>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = self.follow_once(&*source) => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn follow_once(&self, source: &dyn RevocationSource) {
        let mut news = match source.watch().await {
            Ok(news) => news,
            Err(fault) => {
                tracing::debug!(error = %fault, "revocations cannot be watched");
                return;
            }
        };
        loop {
            match tokio::time::timeout(SILENCE, news.next()).await {
                Ok(Some(Ok(told))) => self.take(told),
                Ok(Some(Err(fault))) => {
                    tracing::debug!(error = %fault, "revocations are no longer told");
                    return;
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Takes what was told.
    fn take(&self, news: News) {
        let mut known = self
            .0
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = moment::now();
        match news {
            News::All(all) => {
                known.sessions = all
                    .into_iter()
                    .map(|(session, until)| (session.into(), until))
                    .collect();
                known.heard = Some(Instant::now());
            }
            News::One(session, until) => {
                known.sessions.insert(session.into(), until);
                known.heard = Some(Instant::now());
            }
            News::Heartbeat => {
                // A stream begins with a snapshot: without one, a heartbeat vouches for nothing.
                if known.heard.is_some() {
                    known.heard = Some(Instant::now());
                }
            }
        }
        known.sessions.retain(|_, until| *until > now);
    }

    /// Whether the tokens of a session no longer count.
    pub fn holds(&self, session: &str) -> bool {
        let known = self
            .0
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        known.sessions.contains_key(session)
    }

    /// Whether the source was heard lately. While it was not, nothing that must be certain may be allowed.
    pub fn is_current(&self) -> bool {
        let known = self
            .0
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        known.fixed || known.heard.is_some_and(|heard| heard.elapsed() < CURRENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later() -> Micros {
        moment::now() + 60_000_000
    }

    #[test]
    fn a_snapshot_replaces_and_news_add() {
        let revocations = Revocations::unknown();
        revocations.take(News::One("a".into(), later()));
        revocations.take(News::All(vec![("b".into(), later())]));
        revocations.take(News::One("c".into(), later()));
        assert!(!revocations.holds("a"));
        assert!(revocations.holds("b") && revocations.holds("c"));
    }

    #[test]
    fn what_no_token_can_outlive_is_forgotten() {
        let revocations = Revocations::unknown();
        revocations.take(News::All(vec![("old".into(), moment::now() - 1)]));
        assert!(!revocations.holds("old"));
    }

    #[test]
    fn nothing_is_certain_before_the_first_snapshot() {
        let revocations = Revocations::unknown();
        assert!(!revocations.is_current());
        revocations.take(News::Heartbeat);
        assert!(!revocations.is_current());
        revocations.take(News::All(Vec::new()));
        assert!(revocations.is_current());
        assert!(Revocations::none().is_current());
    }
}
