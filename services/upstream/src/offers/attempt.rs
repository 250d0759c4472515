//! The first answer that comes: a model, or the next of its fallbacks, for as long as nothing was told.

use std::future::Future;
use std::sync::Arc;

use atelier_generation::reasons::UPSTREAM_EMPTY;
use atelier_generation::{Emitter, Failure, ProviderError};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::FALLBACK;
use super::menu::{Choice, Offered, named};

/// The pieces of an answer.
pub type Pieces<P> = BoxStream<'static, Result<P, ProviderError>>;

/// An answer that has begun.
pub struct Begun<E, P> {
    /// Who makes it.
    pub offer: Arc<E>,
    /// All of it, from its beginning.
    pub pieces: Pieces<P>,
}

/// Begins an answer: tells the notices, asks the one that was chosen, and, when nothing comes of it before anything was
/// told, its fallbacks in order. Each change is told as a warning, and as a further `started`.
///
/// `ask` asks one of them; `None` says that it cannot take this request. `tells` says whether a piece is heard by the
/// owner: before the first such piece another may still be asked.
pub async fn begin<E: Offered, P, F>(
    choice: Choice<E>,
    out: &Emitter,
    mut ask: impl FnMut(Arc<E>) -> Option<F>,
    tells: impl Fn(&P) -> bool,
) -> Result<Begun<E, P>, Failure>
where
    P: Send + 'static,
    F: Future<Output = Result<Pieces<P>, ProviderError>>,
{
    let first = &choice.offer.model();
    // Between the call and its turn the registry may have changed.
    out.started(&first.provider, &first.id).await?;
    for notice in choice.notices {
        out.warning(notice.reason, notice.message).await?;
    }
    let mut waiting = choice.fallbacks.into_iter();
    let mut offer = choice.offer;
    let mut asked = ask(offer.clone());
    loop {
        let failed = match asked {
            Some(asked) => match head(asked, &tells).await {
                Ok(pieces) => return Ok(Begun { offer, pieces }),
                Err(failed) => failed,
            },
            None => Failed::Empty,
        };
        // Those that cannot take the request are passed over.
        let next = if failed.may_succeed_elsewhere() {
            waiting.find_map(|next| ask(next.clone()).map(|asked| (next, asked)))
        } else {
            None
        };
        let Some((next, work)) = next else {
            return Err(failed.into());
        };
        let (from, to) = (offer.model(), next.model());
        tracing::warn!(
            from = from.id, from_provider = from.provider, to = to.id, to_provider = to.provider,
            error = %failed, "a fallback is asked"
        );
        metrics::counter!(
            "atelier_fallbacks_total", "from" => from.id.clone(), "to" => to.id.clone()
        )
        .increment(1);
        let message = format!(
            "{} of {} gave nothing: {}; {} of {} is asked in its place",
            named(&*offer),
            from.provider,
            failed.told(),
            named(&*next),
            to.provider
        );
        out.warning(FALLBACK, message).await?;
        out.started(&to.provider, &to.id).await?;
        offer = next;
        asked = Some(work);
    }
}

/// Why nothing came.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{}", atelier_kit::fault::chain(.0))]
    Error(ProviderError),
    #[error("the answer was empty")]
    Empty,
}

impl Failed {
    /// Whether another may do better: what is wrong with the request itself is wrong everywhere, and what is wrong with
    /// a key, an account or a model is wrong here alone.
    fn may_succeed_elsewhere(&self) -> bool {
        match self {
            Failed::Empty => true,
            Failed::Error(error) => match error {
                ProviderError::Refused { status, .. } => {
                    matches!(status, 401 | 402 | 403 | 404 | 410)
                }
                ProviderError::Unfit { .. } | ProviderError::Inside(_) => false,
                _ => true,
            },
        }
    }

    /// For the owner: never what the provider said.
    fn told(&self) -> &'static str {
        match self {
            Failed::Empty => "its answer was empty",
            Failed::Error(ProviderError::Unreachable(_)) => "it cannot be reached",
            Failed::Error(ProviderError::Busy(_)) => "it is busy",
            Failed::Error(ProviderError::Refused { .. }) => "it refused the request",
            Failed::Error(_) => "its answer cannot be used",
        }
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Error(error) => error.into(),
            Failed::Empty => Failure::passing(UPSTREAM_EMPTY, "the provider answered with nothing"),
        }
    }
}

/// Reads an answer up to the first piece that is heard, and gives all of it back from its beginning.
async fn head<P: Send + 'static>(
    asked: impl Future<Output = Result<Pieces<P>, ProviderError>>,
    tells: impl Fn(&P) -> bool,
) -> Result<Pieces<P>, Failed> {
    let mut pieces = asked.await.map_err(Failed::Error)?;
    let mut unheard = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(Failed::Error)?;
        let is_heard = tells(&piece);
        unheard.push(Ok(piece));
        if is_heard {
            return Ok(stream::iter(unheard).chain(pieces).boxed());
        }
    }
    Err(Failed::Empty)
}
