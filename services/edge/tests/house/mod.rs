//! A house with an edge on a real socket and two small services behind it in memory, for the tests of this folder.

#![allow(dead_code, missing_docs, reason = "each test file uses its own part")]

pub mod alone;
mod listen;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use async_trait::async_trait;
use atelier_edge::{ApiKeyExchange, Destination, Door, EdgeConfig, Exchanged};
use atelier_kit::call::Call;
use atelier_kit::config::Settings;
use atelier_kit::fault::{Fault, Kind, Violation};
use atelier_kit::identity::{AccessVerifier, KeySource};
use atelier_kit::limit::{Limits, Table};
use atelier_kit::link::{Link, Route};
use atelier_kit::policy::Policies;
use atelier_kit::serve::Side;
use atelier_kit::service::Service;
use atelier_kit::testing::{Issuer, foundation, mount_route};
use atelier_proto::analytics::v1 as analytics;
use atelier_proto::generation::v1::{GenerationEvent, Queued, generation_event::Event};
use atelier_proto::tts::v1 as tts;
use axum::Router;
use futures_util::Stream;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status};
use tonic_health::server::HealthReporter;

pub use listen::listen;

pub const TTS: &str = "atelier.tts.v1.TtsService";
pub const ANALYTICS: &str = "atelier.analytics.v1.AnalyticsService";
pub const PAGE: &str = "http://localhost:3000";

/// What the speech service did and should do.
#[derive(Default)]
pub struct Speech {
    /// How many calls reached it.
    pub calls: AtomicUsize,
    /// The second event of `two` waits for this.
    pub release: Notify,
    /// A stream was dropped before its end.
    pub dropped: AtomicBool,
    /// Every session has ended, says the service.
    pub ended: AtomicBool,
}

/// Sets the flag unless it is disarmed.
struct Alarm(Arc<Speech>, bool);

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.1 {
            self.0.dropped.store(true, Ordering::SeqCst);
        }
    }
}

pub fn event(sequence: i64) -> tts::SynthesizeResponse {
    tts::SynthesizeResponse {
        event: Some(GenerationEvent {
            generation_id: "g".into(),
            sequence,
            time: None,
            event: Some(Event::Queued(Queued { position: 0 })),
        }),
    }
}

#[derive(Clone)]
pub struct SpeechService(pub Arc<Speech>);

type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[async_trait]
impl tts::tts_service_server::TtsService for SpeechService {
    /// Answers with what it heard: a voice for each header.
    async fn list_voices(
        &self,
        request: Request<tts::ListVoicesRequest>,
    ) -> Result<Response<tts::ListVoicesResponse>, Status> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        if self.0.ended.load(Ordering::SeqCst) {
            return Err(Fault::new(Kind::Unauthenticated, "SESSION_ENDED", "ended").into());
        }
        let call = Call::of(&request)?;
        let mut voices: Vec<tts::Voice> = request
            .metadata()
            .clone()
            .into_headers()
            .iter()
            .map(|(name, value)| tts::Voice {
                id: name.to_string(),
                title: value.to_str().unwrap_or_default().to_owned(),
                ..Default::default()
            })
            .collect();
        voices.push(tts::Voice {
            id: "remaining-ms".into(),
            title: call.remaining().as_millis().to_string(),
            ..Default::default()
        });
        let mut response = Response::new(tts::ListVoicesResponse { voices });
        response
            .metadata_mut()
            .insert("x-room", "studio".parse().unwrap());
        Ok(response)
    }

    type SynthesizeStream = Events<tts::SynthesizeResponse>;

    async fn synthesize(
        &self,
        request: Request<tts::SynthesizeRequest>,
    ) -> Result<Response<Self::SynthesizeStream>, Status> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        let speech = self.0.clone();
        let text = request.into_inner().text;
        let events: Self::SynthesizeStream = match text.as_str() {
            "two" => Box::pin(async_stream::stream! {
                yield Ok(event(1));
                speech.release.notified().await;
                yield Ok(event(2));
            }),
            "broken" => Box::pin(async_stream::stream! {
                yield Ok(event(1));
                yield Err(Fault::new(Kind::Exhausted, "NO_CREDITS", "nothing left").with("left", "0").into());
            }),
            "forever" => Box::pin(async_stream::stream! {
                let _alarm = Alarm(speech, true);
                let mut sequence = 0;
                loop {
                    sequence += 1;
                    yield Ok(event(sequence));
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }),
            // More than any buffer on the way holds.
            "flood" => Box::pin(async_stream::stream! {
                let _alarm = Alarm(speech, true);
                loop {
                    let mut big = event(1);
                    big.event.as_mut().unwrap().generation_id = "x".repeat(64 * 1024);
                    yield Ok(big);
                }
            }),
            _ => return Err(Fault::not_found("text").into()),
        };
        Ok(Response::new(events))
    }

    type WatchGenerationStream = Events<tts::WatchGenerationResponse>;

    async fn watch_generation(
        &self,
        _: Request<tts::WatchGenerationRequest>,
    ) -> Result<Response<Self::WatchGenerationStream>, Status> {
        Err(Fault::not_found("generation").into())
    }

    /// Takes its time.
    async fn cancel_generation(
        &self,
        _: Request<tts::CancelGenerationRequest>,
    ) -> Result<Response<tts::CancelGenerationResponse>, Status> {
        let _alarm = Alarm(self.0.clone(), true);
        tokio::time::sleep(Duration::from_secs(30)).await;
        Ok(Response::new(Default::default()))
    }

    async fn list_generations(
        &self,
        _: Request<tts::ListGenerationsRequest>,
    ) -> Result<Response<tts::ListGenerationsResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn list_upstreams(
        &self,
        _: Request<tts::ListUpstreamsRequest>,
    ) -> Result<Response<tts::ListUpstreamsResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn get_conversion(
        &self,
        request: Request<tts::GetConversionRequest>,
    ) -> Result<Response<tts::GetConversionResponse>, Status> {
        let id = request.into_inner().conversion_id;
        if id.is_empty() {
            let violation = Violation {
                field: "conversion_id".into(),
                rule: "must not be empty".into(),
            };
            return Err(Fault::bad_request(vec![violation]).into());
        }
        Err(Fault::not_found("conversion").into())
    }

    async fn list_conversions(
        &self,
        _: Request<tts::ListConversionsRequest>,
    ) -> Result<Response<tts::ListConversionsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn delete_conversion(
        &self,
        _: Request<tts::DeleteConversionRequest>,
    ) -> Result<Response<tts::DeleteConversionResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    type ExportPersonalDataStream = Events<tts::ExportPersonalDataResponse>;

    async fn export_personal_data(
        &self,
        _: Request<tts::ExportPersonalDataRequest>,
    ) -> Result<Response<Self::ExportPersonalDataStream>, Status> {
        Ok(Response::new(Box::pin(futures_util::stream::empty())))
    }

    async fn erase_personal_data(
        &self,
        _: Request<tts::ErasePersonalDataRequest>,
    ) -> Result<Response<tts::ErasePersonalDataResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn inspect_generation(
        &self,
        _: Request<tts::InspectGenerationRequest>,
    ) -> Result<Response<tts::InspectGenerationResponse>, Status> {
        Ok(Response::new(Default::default()))
    }
}

struct Ledger(Arc<AtomicUsize>);

#[async_trait]
impl analytics::analytics_service_server::AnalyticsService for Ledger {
    async fn record_events(
        &self,
        _: Request<analytics::RecordEventsRequest>,
    ) -> Result<Response<analytics::RecordEventsResponse>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(Default::default()))
    }

    async fn get_usage_summary(
        &self,
        _: Request<analytics::GetUsageSummaryRequest>,
    ) -> Result<Response<analytics::GetUsageSummaryResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn list_usage_events(
        &self,
        _: Request<analytics::ListUsageEventsRequest>,
    ) -> Result<Response<analytics::ListUsageEventsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    type ExportPersonalDataStream = Events<analytics::ExportPersonalDataResponse>;

    async fn export_personal_data(
        &self,
        _: Request<analytics::ExportPersonalDataRequest>,
    ) -> Result<Response<Self::ExportPersonalDataStream>, Status> {
        Ok(Response::new(Box::pin(futures_util::stream::empty())))
    }

    async fn erase_personal_data(
        &self,
        _: Request<analytics::ErasePersonalDataRequest>,
    ) -> Result<Response<analytics::ErasePersonalDataResponse>, Status> {
        Ok(Response::new(Default::default()))
    }
}

/// The one API key that holds, unless a test says otherwise.
pub const KEY: &str = "atk_of-ana";

/// Where keys are exchanged, and how the next exchanges go.
pub struct Keys {
    issuer: Issuer,
    /// How often it was asked.
    pub asked: AtomicUsize,
    /// The keys that hold.
    pub good: Mutex<Vec<&'static str>>,
    /// Nobody is there to ask.
    pub away: AtomicBool,
    /// The next exchange never ends.
    pub stuck: AtomicBool,
    /// How long a token is said to last, in seconds.
    pub lasts: AtomicI64,
}

impl Keys {
    pub fn new(issuer: &Issuer) -> Self {
        Self {
            issuer: issuer.clone(),
            asked: AtomicUsize::new(0),
            good: Mutex::new(vec![KEY]),
            away: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            lasts: AtomicI64::new(300),
        }
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl ApiKeyExchange for Keys {
    async fn exchange(&self, key: SecretString) -> Result<Exchanged, Fault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.stuck.swap(false, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        // Long enough for others to come meanwhile.
        tokio::time::sleep(Duration::from_millis(50)).await;
        if self.away.load(Ordering::SeqCst) {
            return Err(Fault::new(Kind::Unavailable, "AWAY", "away"));
        }
        if !self.good.lock().unwrap().contains(&key.expose_secret()) {
            return Err(Fault::new(Kind::Unauthenticated, "API_KEY_INVALID", "no"));
        }
        let bearer = self.issuer.bearer("ana", atelier_kit::identity::Role::User);
        let lasts = self.lasts.load(Ordering::SeqCst);
        Ok(Exchanged {
            token: bearer["Bearer ".len()..].into(),
            expire_time: atelier_kit::moment::now() + lasts * 1_000_000,
        })
    }
}

/// A house in which everything is at home.
pub struct House {
    pub url: String,
    pub issuer: Issuer,
    pub keys: Arc<Keys>,
    pub speech: Arc<Speech>,
    pub recorded: Arc<AtomicUsize>,
    /// The speech service's own word on its health.
    pub health: HealthReporter,
    pub stop: CancellationToken,
    pub leaving: CancellationToken,
    _guards: Vec<DropGuard>,
    _folder: tempfile::TempDir,
}

/// Limits that limit nothing.
pub fn unlimited() -> Arc<Limits> {
    Arc::new(Limits::local(Table::unlimited()))
}

pub fn policies() -> Policies {
    Policies::read(atelier_proto::DESCRIPTOR).unwrap()
}

/// A service's own health, as the mesh mounts it beside the contract.
fn healthy(service: &'static str) -> (HealthReporter, Router) {
    let reporter = HealthReporter::new();
    let told = reporter.clone();
    tokio::spawn(async move {
        told.set_service_status(service, tonic_health::ServingStatus::Serving)
            .await;
    });
    let server = tonic_health::pb::health_server::HealthServer::new(
        tonic_health::server::HealthService::from_health_reporter(reporter.clone()),
    );
    let router = Router::new().route_service("/grpc.health.v1.Health/{*method}", server);
    (reporter, router)
}

/// A speech service with health and objects, unmounted.
pub fn speech_service(speech: &Arc<Speech>) -> (Service, HealthReporter) {
    let server = tts::tts_service_server::TtsServiceServer::new(SpeechService(speech.clone()));
    let (health, router) = healthy(TTS);
    let service = Service::new(tonic::service::Routes::new(server))
        .with_plain(router)
        .with_plain(objects());
    (service, health)
}

/// Objects as a service serves them: it tells what it heard, and answers ranges.
fn objects() -> Router {
    async fn object(
        method: http::Method,
        uri: http::Uri,
        headers: http::HeaderMap,
    ) -> http::Response<axum::body::Body> {
        use http::header::{
            ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE,
        };
        let text = |name| {
            headers
                .get(name)
                .and_then(|v: &http::HeaderValue| v.to_str().ok())
        };
        let answer = http::Response::builder()
            .header(CONTENT_TYPE, "audio/wav")
            .header(ACCEPT_RANGES, "bytes")
            .header("access-control-allow-origin", "*")
            .header("x-heard-target", uri.to_string())
            .header("x-heard-cookie", text("cookie").unwrap_or("none"))
            .header(ETAG, "\"v1\"");
        let (answer, bytes) = if text(IF_NONE_MATCH.as_str()) == Some("\"v1\"") {
            (answer.status(304), &b""[..])
        } else if text(RANGE.as_str()) == Some("bytes=2-4") {
            let answer = answer.status(206).header(CONTENT_RANGE, "bytes 2-4/10");
            (answer, &b"234"[..])
        } else {
            (answer, &b"0123456789"[..])
        };
        let answer = answer.header(CONTENT_LENGTH, bytes.len());
        let body = if method == http::Method::HEAD {
            &b""[..]
        } else {
            bytes
        };
        answer.body(axum::body::Body::from(body)).unwrap()
    }
    Router::new().route("/objects/tts/{*key}", axum::routing::get(object))
}

impl House {
    pub async fn open() -> Self {
        let speech = Arc::<Speech>::default();
        let issuer = Issuer::new();
        let (service, health) = speech_service(&speech);
        let (route, guard) = mount_route(service, "tts", policies(), &issuer);
        Self::open_at(speech, issuer, health, route, vec![guard], &[]).await
    }

    pub async fn open_with(settings: &[(&str, &str)]) -> Self {
        let speech = Arc::<Speech>::default();
        let issuer = Issuer::new();
        let (service, health) = speech_service(&speech);
        let (route, guard) = mount_route(service, "tts", policies(), &issuer);
        Self::open_at(speech, issuer, health, route, vec![guard], settings).await
    }

    /// With limits, at the edge alone.
    pub async fn open_limited(settings: &[(&str, &str)], limits: Arc<Limits>) -> Self {
        let speech = Arc::<Speech>::default();
        let issuer = Issuer::new();
        let (service, health) = speech_service(&speech);
        let (route, guard) = mount_route(service, "tts", policies(), &issuer);
        Self::furnish(speech, issuer, health, route, vec![guard], settings, limits).await
    }

    pub async fn open_at(
        speech: Arc<Speech>,
        issuer: Issuer,
        health: HealthReporter,
        tts: Route,
        guards: Vec<DropGuard>,
        settings: &[(&str, &str)],
    ) -> Self {
        Self::furnish(speech, issuer, health, tts, guards, settings, unlimited()).await
    }

    async fn furnish(
        speech: Arc<Speech>,
        issuer: Issuer,
        health: HealthReporter,
        tts: Route,
        mut guards: Vec<DropGuard>,
        settings: &[(&str, &str)],
        limits: Arc<Limits>,
    ) -> Self {
        let recorded = Arc::<AtomicUsize>::default();
        let ledger = analytics::analytics_service_server::AnalyticsServiceServer::new(Ledger(
            recorded.clone(),
        ));
        let ledger =
            Service::new(tonic::service::Routes::new(ledger)).with_plain(healthy(ANALYTICS).1);
        let (route, guard) = mount_route(ledger, "analytics", policies(), &issuer);
        guards.push(guard);
        let folder = tempfile::tempdir().unwrap();
        let foundation = foundation("edge", folder.path());
        let link = |role, route| Link::new(role, route, None).unwrap();
        let keys = Arc::new(Keys::new(&issuer));
        let leaving = CancellationToken::new();
        let settings = settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let door = Door {
            config: EdgeConfig::read(&Settings::new(settings)),
            roster: vec![
                Destination {
                    service: TTS,
                    role: "tts",
                    link: link("tts", &tts),
                },
                Destination {
                    service: ANALYTICS,
                    role: "analytics",
                    link: link("analytics", &route),
                },
            ],
            policies: policies(),
            descriptor: atelier_proto::DESCRIPTOR,
            jwks: Arc::new(issuer.clone()),
            access: AccessVerifier::new(Arc::new(issuer.clone())),
            api_keys: keys.clone(),
            object_roles: vec!["tts"],
            limits,
            leaving: leaving.clone(),
        };
        let router = atelier_edge::build(door, &foundation).unwrap();
        let (url, guard) = listen(router, Side::Edge, "127.0.0.1:0").await;
        guards.push(guard);
        Self {
            url,
            issuer,
            keys,
            speech,
            recorded,
            health,
            stop: foundation.stop,
            leaving,
            _guards: guards,
            _folder: folder,
        }
    }

    /// A native client of the speech service, through the edge.
    pub async fn tts(
        &self,
    ) -> tts::tts_service_client::TtsServiceClient<tonic::transport::Channel> {
        let channel = self.channel();
        tts::tts_service_client::TtsServiceClient::new(channel)
    }

    pub fn channel(&self) -> tonic::transport::Channel {
        tonic::transport::Endpoint::from_shared(self.url.clone())
            .unwrap()
            .connect_lazy()
    }

    pub fn calls(&self) -> usize {
        self.speech.calls.load(Ordering::SeqCst)
    }

    pub fn bearer(&self) -> String {
        self.issuer.bearer("ana", atelier_kit::identity::Role::User)
    }

    pub fn signed<T>(&self, message: T) -> Request<T> {
        self.issuer
            .sign("ana", atelier_kit::identity::Role::User, message)
    }
}

/// Keys that are not there.
pub struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn fetch(&self) -> Result<String, Fault> {
        Err(Fault::new(Kind::Unavailable, "AWAY", "away"))
    }
}

#[async_trait]
impl ApiKeyExchange for NoKeys {
    async fn exchange(&self, _: SecretString) -> Result<Exchanged, Fault> {
        Err(Fault::new(Kind::Unavailable, "AWAY", "away"))
    }
}

static PROVIDER: Once = Once::new();

/// A browser's HTTP/1.1, without its rules.
pub fn browser() -> reqwest::Client {
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
    reqwest::Client::builder().http1_only().build().unwrap()
}
