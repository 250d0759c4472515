//! What WatchGeneration and CancelGeneration do in every service, and events as the answers of a streaming method.

use std::pin::Pin;

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_proto::generation::v1::{GenerationEvent, State};
use futures_util::{Stream, StreamExt as _};
use tonic::Status;

use crate::engine::Generations;
use crate::events::EventStream;

/// The answers of a streaming method.
pub type Answers<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

/// Events as the answers of a streaming method.
pub fn respond<R: Send + 'static>(
    events: EventStream,
    wrap: fn(Option<GenerationEvent>) -> R,
) -> Answers<R> {
    Box::pin(events.map(move |event| match event {
        Ok(event) => Ok(wrap(Some(event))),
        Err(error) => Err(error.into()),
    }))
}

impl Generations {
    /// Follows a generation of the caller after a sequence.
    ///
    /// INVALID_ARGUMENT for an id that none could have or a sequence below 0, NOT_FOUND for another's.
    pub async fn watch_rpc(
        &self,
        call: &Call,
        id: &str,
        after: i64,
    ) -> Result<EventStream, Status> {
        Check::new()
            .id("generation_id", id)
            .that(after >= 0, "after_sequence", "must not be below 0")
            .finish()?;
        Ok(self.watch(&call.account()?.id, id, after).await?)
    }

    /// Asks for the end of a generation of the caller. Returns where its record had it.
    ///
    /// INVALID_ARGUMENT for an id that none could have, NOT_FOUND for another's.
    pub async fn cancel_rpc(&self, call: &Call, id: &str) -> Result<State, Status> {
        Check::new().id("generation_id", id).finish()?;
        Ok(self.cancel(&call.account()?.id, id).await?)
    }
}
