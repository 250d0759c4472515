//! A document of the provider's that is kept for a while; what is in it is not known here.

use std::sync::Arc;

use atelier_kit::moment::Micros;
use tokio::sync::Mutex;

use super::web::WebError;
use crate::ports::Clock;

const SECOND: Micros = 1_000_000;
/// For how long it is kept.
const HOUR: Micros = 3600 * SECOND;
/// How long it takes at the least until it is fetched again for what was not in it.
const PAUSE: Micros = 60 * SECOND;
/// How long after a failure nobody tries again: those who waited for the one that failed do not wait in a row.
const RETRY: Micros = SECOND;

struct Shelf<T> {
    document: Option<Arc<T>>,
    fetch_time: Micros,
    fail_time: Option<Micros>,
}

/// A document that is fetched when it is first needed, by one at a time.
pub(super) struct Kept<T>(Mutex<Shelf<T>>);

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missing {
    #[error(transparent)]
    Web(#[from] WebError),
    #[error("it failed a moment ago")]
    JustFailed,
}

impl<T> Kept<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Shelf {
            document: None,
            fetch_time: 0,
            fail_time: None,
        }))
    }

    /// The document; fetched when there is none, when it is old, or when it `lacks` what is looked for and was not fetched
    /// in the last minute.
    pub(super) async fn get(
        &self,
        clock: &dyn Clock,
        lacks: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, WebError>>,
    ) -> Result<Arc<T>, Missing> {
        let mut shelf = self.0.lock().await;
        let now = clock.now();
        // A clock that was set back must not keep anything for longer.
        let age = (now - shelf.fetch_time).abs();
        if let Some(document) = &shelf.document
            && age < HOUR
            && (age < PAUSE || !lacks(document))
        {
            return Ok(document.clone());
        }
        if shelf
            .fail_time
            .is_some_and(|time| (now - time).abs() < RETRY)
        {
            return Err(Missing::JustFailed);
        }
        match fetch.await {
            Ok(document) => {
                let document = Arc::new(document);
                *shelf = Shelf {
                    document: Some(document.clone()),
                    fetch_time: clock.now(),
                    fail_time: None,
                };
                Ok(document)
            }
            Err(error) => {
                shelf.fail_time = Some(clock.now());
                Err(error.into())
            }
        }
    }
}
