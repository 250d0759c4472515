//! What WatchGeneration, CancelGeneration and ListGenerations do in every service.

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::moment;
use atelier_kit::page::Pages;
use atelier_proto::generation::v1::{Generation, Standing, State};
use tonic::Status;

use crate::engine::Generations;
use crate::events::EventStream;
use crate::ports::{Listing, NewGeneration, Repeat};

impl Generations {
    /// Starts what was made of a request, or joins the generation that the same request made before: also when the request
    /// could not begin any more, since what it asks for is not offered in the same way any more.
    pub async fn start_rpc(
        &self,
        made: Result<NewGeneration, Status>,
        again: Repeat<'_>,
    ) -> Result<EventStream, Status> {
        match made {
            Ok(new) => Ok(self.start(new).await?),
            Err(refusal) => match self.join(again).await? {
                Some(events) => Ok(events),
                None => Err(refusal),
            },
        }
    }

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

    /// How a generation stands with what it is charged, for who keeps the credits.
    ///
    /// INVALID_ARGUMENT for an id that none could have.
    pub async fn inspect_rpc(&self, id: &str) -> Result<Standing, Status> {
        Check::new().id("generation_id", id).finish()?;
        Ok(self.standing(id).await?)
    }

    /// A page of the caller's generations, the newest first, and the token of the next.
    ///
    /// INVALID_ARGUMENT for a size that is not allowed, or for a token of another listing.
    pub async fn list_rpc(
        &self,
        call: &Call,
        pages: &Pages,
        page_size: i32,
        page_token: &str,
        open_only: bool,
    ) -> Result<(Vec<Generation>, String), Status> {
        let mut check = Check::new();
        let limit = check.page_size(page_size);
        check.finish()?;
        let owner = call.account()?.id.clone();
        let filter = if open_only { "open" } else { "all" };
        let scope = ["generations", &*owner, filter];
        let before: Option<String> = pages.cursor(&scope, page_token)?;
        let mut rows = self
            .record()
            .list(&owner, before.as_deref(), open_only, limit + 1)
            .await?;
        let next = pages.cut(&scope, &mut rows, limit, |last| last.id.clone());
        Ok((rows.into_iter().map(generation).collect(), next))
    }
}

/// A generation as the wire has it in a list.
fn generation(listing: Listing) -> Generation {
    Generation {
        id: listing.id,
        state: listing.state.into(),
        subject: listing.subject,
        provider: listing.provider,
        model: listing.model,
        sequence: listing.sequence,
        usage: listing.usage,
        failed: listing.failure.map(Into::into),
        create_time: Some(moment::timestamp(listing.create_time)),
        end_time: listing.end_time.map(moment::timestamp),
    }
}
