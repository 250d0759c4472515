//! Revocations on the wire: everything that is revoked, and then each as it comes.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use atelier_kit::moment::timestamp;
use atelier_proto::users::v1 as pb;
use futures_util::Stream;
use pb::watch_revocations_response::Told as News;
use tonic::{Request, Response, Status};

use super::{Answer, UsersGrpc};
use crate::accounts::Accounts;
use crate::revocations::Revocation;

/// How often the store is asked: others may write there too, and a second is all that a revocation may take.
const ASK: Duration = Duration::from_millis(200);
/// How often somebody who hears nothing hears that.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// What the stream tells.
pub(super) type Told =
    Pin<Box<dyn Stream<Item = Result<pb::WatchRevocationsResponse, Status>> + Send>>;

impl UsersGrpc {
    pub(super) async fn watch_revocations(
        &self,
        _: Request<pb::WatchRevocationsRequest>,
    ) -> Answer<Told> {
        let accounts = self.accounts.clone();
        let told = tell(accounts);
        let ended = self.closing.clone().cancelled_owned();
        let until_the_end = futures_util::StreamExt::take_until(told, ended);
        Ok(Response::new(Box::pin(until_the_end)))
    }
}

fn tell(
    accounts: Arc<Accounts>,
) -> impl Stream<Item = Result<pb::WatchRevocationsResponse, Status>> + Send {
    async_stream::try_stream! {
        let all = accounts.revocations_after(0).await?;
        let mut last = number_of(&all, 0);
        yield response(News::Snapshot(pb::RevocationSnapshot {
            revocations: all.into_iter().map(Into::into).collect(),
        }));
        let mut spoken = Instant::now();
        loop {
            tokio::time::sleep(ASK).await;
            let new = accounts.revocations_after(last).await?;
            last = number_of(&new, last);
            for revocation in new {
                yield response(News::Revoked(revocation.into()));
                spoken = Instant::now();
            }
            if spoken.elapsed() >= HEARTBEAT {
                yield response(News::Heartbeat(pb::Heartbeat {}));
                spoken = Instant::now();
            }
        }
    }
}

fn number_of(revocations: &[Revocation], before: i64) -> i64 {
    revocations.last().map_or(before, |last| last.number)
}

fn response(told: News) -> pb::WatchRevocationsResponse {
    pb::WatchRevocationsResponse { told: Some(told) }
}

impl From<Revocation> for pb::Revocation {
    fn from(revocation: Revocation) -> Self {
        pb::Revocation {
            session_id: revocation.session_id,
            forget_time: Some(timestamp(revocation.forget_time)),
        }
    }
}
