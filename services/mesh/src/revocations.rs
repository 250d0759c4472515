//! Where every service hears of revoked sessions: from the users role, over its link, by a service token.

use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::{News, NewsStream, RevocationSource};
use atelier_kit::link::{AsService, Link};
use atelier_kit::moment;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::watch_revocations_response::Told;
use atelier_proto::users::v1::{Revocation, WatchRevocationsRequest, WatchRevocationsResponse};
use futures_util::StreamExt as _;
use tonic::Status;

/// How long one stream may last; the next one begins with all that was missed.
const STREAM: Duration = Duration::from_secs(3600);

/// Watches the users role.
pub struct UsersRevocations {
    client: UsersServiceClient<Link>,
}

impl UsersRevocations {
    /// Over this link.
    pub fn new(link: Link) -> Self {
        Self {
            client: UsersServiceClient::new(link),
        }
    }
}

#[async_trait]
impl RevocationSource for UsersRevocations {
    async fn watch(&self) -> Result<NewsStream, Fault> {
        let mut request = Call::background(STREAM).request(WatchRevocationsRequest {});
        request.extensions_mut().insert(AsService);
        let stream = self
            .client
            .clone()
            .watch_revocations(request)
            .await
            .map_err(|status| unheard(&status))?
            .into_inner();
        Ok(Box::pin(stream.map(|told| {
            told.map(news).map_err(|status| unheard(&status))
        })))
    }
}

fn news(response: WatchRevocationsResponse) -> News {
    let entry = |revocation: Revocation| {
        let until = revocation
            .forget_time
            .as_ref()
            .and_then(moment::from_timestamp)
            .unwrap_or(0);
        (revocation.session_id, until)
    };
    match response.told {
        Some(Told::Snapshot(all)) => News::All(all.revocations.into_iter().map(entry).collect()),
        Some(Told::Revoked(one)) => {
            let (session, until) = entry(one);
            News::One(session, until)
        }
        // What a later version tells besides is a sign of life to this one.
        Some(Told::Heartbeat(_)) | None => News::Heartbeat,
    }
}

fn unheard(status: &Status) -> Fault {
    Fault::new(
        Kind::of(status.code()),
        "REVOCATIONS_UNKNOWN",
        status.message().to_owned(),
    )
}
