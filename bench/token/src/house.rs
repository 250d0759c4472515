//! The users service as the source of keys and of revocations, and sessions that it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::config::Settings;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::{
    AccessVerifier, KeySource, News, NewsStream, RevocationSource, Revocations, ServiceTokens,
    Verifier,
};
use atelier_kit::inbound::Inbound;
use atelier_kit::link::{AsService, Link, Route, pipe};
use atelier_kit::moment;
use atelier_kit::policy::Policies;
use atelier_kit::serve::{Listener, Side, serve};
use atelier_kit::testing::{foundation, secret};
use atelier_proto::DESCRIPTOR;
use atelier_proto::users::v1 as pb;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::watch_revocations_response::Told;
use futures_util::StreamExt as _;
use http::HeaderMap;
use tonic::{Request, Status};

/// How long one stream of revocations may last: longer than a run.
const STREAM: Duration = Duration::from_secs(3600);
/// When a session that still counts is given up on.
const PATIENCE: Duration = Duration::from_secs(10);

/// The users service over its in-memory link.
#[derive(Clone)]
struct Users(UsersServiceClient<Link>);

fn away(status: &Status) -> Fault {
    Fault::new(
        Kind::of(status.code()),
        "USERS_AWAY",
        status.message().to_owned(),
    )
}

#[async_trait]
impl KeySource for Users {
    async fn fetch(&self) -> Result<String, Fault> {
        let answer = self.0.clone().get_key_set(pb::GetKeySetRequest {}).await;
        answer
            .map(|answer| answer.into_inner().jwks_json)
            .map_err(|status| away(&status))
    }
}

#[async_trait]
impl RevocationSource for Users {
    async fn watch(&self) -> Result<NewsStream, Fault> {
        let mut request = Call::background(STREAM).request(pb::WatchRevocationsRequest {});
        request.extensions_mut().insert(AsService);
        let stream = self.0.clone().watch_revocations(request).await;
        let stream = stream.map_err(|status| away(&status))?.into_inner();
        let entry = |revocation: pb::Revocation| {
            let until = revocation
                .forget_time
                .as_ref()
                .and_then(moment::from_timestamp);
            (revocation.session_id, until.unwrap_or(0))
        };
        Ok(Box::pin(stream.map(move |told| {
            let told = told.map_err(|status| away(&status))?.told;
            Ok(match told {
                Some(Told::Snapshot(all)) => {
                    News::All(all.revocations.into_iter().map(entry).collect())
                }
                Some(Told::Revoked(one)) => {
                    let (session, until) = entry(one);
                    News::One(session, until)
                }
                Some(Told::Heartbeat(_)) | None => News::Heartbeat,
            })
        })))
    }
}

/// How long sessions that were ended were still believed, in seconds, by a verifier that had their tokens in its cache:
/// since the call that ends it was made, and since it was answered.
pub struct Ended {
    /// Since the call was made.
    pub since_called: Vec<f64>,
    /// Since it was answered; 0 where the token was refused by then.
    pub since_answered: Vec<f64>,
}

/// Ends so many sessions, one after the other.
pub async fn end_sessions(count: usize) -> anyhow::Result<Ended> {
    let folder = tempfile::tempdir()?;
    let ground = foundation("users", folder.path());
    let config = atelier_users::Config::read(&Settings::new([]));
    let service = atelier_users::build(config, &ground)
        .await
        .context("the users service")?;
    let (near, far) = pipe();
    let tokens = |role| Some(ServiceTokens::new(&secret(), role));
    let link = Link::new("users", &Route::Memory(near), tokens("text-image"))?;
    let users = Users(UsersServiceClient::new(link));
    // Its own methods verify with its own keys, as in the mesh.
    let own = AccessVerifier::new(Arc::new(users.clone()));
    let own = Verifier::new(own, tokens("users"), "users");
    let router = Inbound::new("users", Policies::read(DESCRIPTOR)?, own, 1024).guard(service.grpc);
    let closing = ground.closing.clone();
    tokio::spawn(serve(router, Listener::Memory(far), Side::Inside, closing));
    let revocations = Revocations::unknown();
    let follow = revocations
        .clone()
        .follow(Arc::new(users.clone()), ground.stop.clone());
    tokio::spawn(follow);
    let access = AccessVerifier::new(Arc::new(users.clone())).heeding(revocations.clone());
    let verifier = Verifier::new(access, None, "text-image");
    let begun = Instant::now();
    while !revocations.is_current() {
        ensure!(begun.elapsed() < PATIENCE, "no revocations are told");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut ended = Ended {
        since_called: Vec::new(),
        since_answered: Vec::new(),
    };
    for _ in 0..count {
        let request = pb::CreateAnonymousSessionRequest {};
        let answer = users.0.clone().create_anonymous_session(request).await?;
        let tokens = answer.into_inner().tokens.context("tokens")?;
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", tokens.access_token);
        headers.insert(http::header::AUTHORIZATION, bearer.parse()?);
        for _ in 0..3 {
            verifier
                .identify(&headers)
                .await
                .context("a live session")?;
        }
        let (verifier, called) = (verifier.clone(), Instant::now());
        let watched = tokio::spawn(async move {
            loop {
                match verifier.identify(&headers).await {
                    Err(fault) if fault.reason() == "SESSION_ENDED" => return Ok(Instant::now()),
                    Err(fault) => bail!("refused otherwise: {fault}"),
                    Ok(_) => ensure!(called.elapsed() < PATIENCE, "it is believed for ever"),
                }
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        });
        let mut request = Request::new(pb::LogoutRequest {});
        request
            .metadata_mut()
            .insert("authorization", bearer.parse()?);
        users.0.clone().logout(request).await?;
        let answered = Instant::now();
        let refused = watched.await??;
        ended
            .since_called
            .push(refused.duration_since(called).as_secs_f64());
        ended
            .since_answered
            .push(refused.saturating_duration_since(answered).as_secs_f64());
    }
    ground.stop.cancel();
    Ok(ended)
}
