//! A service under test: its folder and its object store, which outlive it, and what tests ask of it in few words.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use atelier_generation::testing::Credits;
use atelier_kit::config::Settings;
use atelier_kit::identity::{Role, ServiceTokens};
use atelier_kit::link::{Link, Route};
use atelier_kit::objects::embedded::{EmbeddedS3, random_credentials};
use atelier_kit::objects::{BlobStore, DoorKey, EdgeDoor, ObjectKey, S3BlobStore};
use atelier_kit::policy::Policies;
use atelier_kit::service::{Foundation, Service};
use atelier_kit::testing::{Issuer, agreeable, foundation_with, mount_route, secret};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Artifact, Failed, GenerationEvent, State};
use atelier_proto::tts::v1 as pb;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use pb::tts_service_client::TtsServiceClient;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

pub type Client = TtsServiceClient<Link>;

pub const FOX: &str = "The quick brown fox jumps over the lazy dog.";

fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(Issuer::new)
}

/// What outlives a service: its folder and its objects.
pub struct House {
    pub folder: TempDir,
    pub objects: Arc<S3BlobStore>,
    _s3: DropGuard,
}

impl House {
    pub async fn new() -> Self {
        // A client for TLS is made even where no test speaks it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let (access, key) = random_credentials().unwrap();
        let s3 = EmbeddedS3::start(folder.path().join("objects"), access, key, stop.clone())
            .await
            .unwrap();
        let door = EdgeDoor {
            public_url: "http://edge.example".parse().unwrap(),
            role: "tts".into(),
            key: DoorKey::new([7; 32]),
        };
        let objects = Arc::new(S3BlobStore::new(s3.config("atelier-tts", door)));
        Self {
            folder,
            objects,
            _s3: stop.drop_guard(),
        }
    }

    /// The service with these settings.
    pub async fn open(&self, settings: &[(&str, &str)]) -> Room {
        let settings = Settings::new(settings.iter().map(|(k, v)| ((*k).into(), (*v).into())));
        let config = atelier_tts::Config::read(&settings);
        let models = &atelier_upstream::registry::MODELS;
        let declared: Vec<_> = atelier_tts::SETTINGS.iter().chain([models]).collect();
        settings.finish(&declared).unwrap();
        let (analytics, counting) = agreeable();
        let credits = Credits::default();
        let (users, paying) = credits.serve(issuer());
        let routes = BTreeMap::from([
            ("analytics".to_owned(), analytics),
            ("users".to_owned(), users),
        ]);
        let mut foundation = foundation_with("tts", self.folder.path(), &routes);
        foundation.objects = Some(self.objects.clone());
        let mut service = atelier_tts::build(config, &foundation).await.unwrap();
        let endings = [service.interrupt.take(), service.close.take()];
        let served = Service {
            interrupt: None,
            close: None,
            ..service
        };
        let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
        let (route, guard) = mount_route(served, "tts", policies, issuer());
        Room {
            credits,
            route,
            foundation,
            endings,
            _guard: guard,
            _counting: counting,
            _paying: paying,
        }
    }

    /// All bytes of an object.
    pub async fn object(&self, key: &str) -> Vec<u8> {
        let blob = self
            .objects
            .get(&ObjectKey::new(key).unwrap(), None)
            .await
            .unwrap();
        blob.body
            .try_fold(Vec::new(), |mut all, part| async move {
                all.extend_from_slice(&part);
                Ok(all)
            })
            .await
            .unwrap()
    }

    /// The keys of all objects.
    pub async fn keys(&self) -> Vec<String> {
        let keys = self.objects.list("", None).await.unwrap();
        keys.iter().map(|key| key.as_str().to_owned()).collect()
    }
}

/// A running service.
pub struct Room {
    pub credits: Credits,
    route: Route,
    foundation: Foundation,
    endings: [Option<atelier_kit::service::Ending>; 2],
    _guard: DropGuard,
    _counting: DropGuard,
    _paying: DropGuard,
}

impl Room {
    pub fn client(&self) -> Client {
        let tokens = ServiceTokens::new(&secret(), "tester");
        TtsServiceClient::new(Link::new("tts", &self.route, Some(tokens)).unwrap())
    }

    /// Ends it in the order of the mesh.
    pub async fn shut(self) {
        let [interrupt, close] = self.endings;
        interrupt.unwrap()().await;
        self.foundation.stop.cancel();
        self.foundation.tasks.close();
        self.foundation.tasks.wait().await;
        close.unwrap()().await;
    }

    /// Speaks to the end.
    pub async fn say(&self, who: &str, request: pb::SynthesizeRequest) -> Result<Told, Status> {
        let stream = self
            .client()
            .synthesize(of(who, request))
            .await?
            .into_inner();
        collect(stream.map_ok(|answer| answer.event.unwrap())).await
    }

    pub async fn watch(&self, who: &str, id: &str, after_sequence: i64) -> Result<Told, Status> {
        let request = pb::WatchGenerationRequest {
            generation_id: id.into(),
            after_sequence,
        };
        let stream = self
            .client()
            .watch_generation(of(who, request))
            .await?
            .into_inner();
        collect(stream.map_ok(|answer| answer.event.unwrap())).await
    }

    pub async fn get(&self, who: &str, id: &str) -> Result<pb::Conversion, Status> {
        let request = pb::GetConversionRequest {
            conversion_id: id.into(),
        };
        Ok(self
            .client()
            .get_conversion(of(who, request))
            .await?
            .into_inner()
            .conversion
            .unwrap())
    }

    pub async fn delete(&self, who: &str, id: &str) -> Result<(), Status> {
        let request = pb::DeleteConversionRequest {
            conversion_id: id.into(),
        };
        self.client()
            .delete_conversion(of(who, request))
            .await
            .map(drop)
    }

    pub async fn cancel(&self, who: &str, id: &str) -> Result<State, Status> {
        let request = pb::CancelGenerationRequest {
            generation_id: id.into(),
        };
        Ok(self
            .client()
            .cancel_generation(of(who, request))
            .await?
            .into_inner()
            .state())
    }
}

/// A request of a user.
pub fn admin<T>(message: T) -> Request<T> {
    issuer().sign("ada", Role::Admin, message)
}

pub fn of<T>(who: &str, message: T) -> Request<T> {
    issuer().sign(who, Role::User, message)
}

pub fn text(text: &str) -> pb::SynthesizeRequest {
    pb::SynthesizeRequest {
        text: text.into(),
        ..Default::default()
    }
}

async fn collect(
    events: impl Stream<Item = Result<GenerationEvent, Status>>,
) -> Result<Told, Status> {
    Ok(Told(Box::pin(events).try_collect().await?))
}

/// All that was told of a generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Told(pub Vec<GenerationEvent>);

impl Told {
    pub fn id(&self) -> &str {
        &self.0[0].generation_id
    }

    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.0.iter().map(|event| event.event.as_ref().unwrap())
    }

    pub fn last(&self) -> &Event {
        self.0.last().unwrap().event.as_ref().unwrap()
    }

    pub fn failed(&self) -> &Failed {
        match self.last() {
            Event::Failed(failed) => failed,
            other => panic!("ended with {other:?}"),
        }
    }

    pub fn artifact(&self) -> &Artifact {
        self.events()
            .find_map(|event| match event {
                Event::Artifact(artifact) => Some(artifact),
                _ => None,
            })
            .unwrap_or_else(|| panic!("no artifact before {:?}", self.last()))
    }

    /// The streamed audio, and in how many chunks it came; each begins where the one before ended.
    pub fn audio(&self) -> (Vec<u8>, usize) {
        let mut audio = Vec::new();
        let mut chunks = 0;
        for event in self.events() {
            if let Event::AudioChunk(chunk) = event {
                assert_eq!(chunk.offset as usize, audio.len());
                audio.extend_from_slice(&chunk.data);
                chunks += 1;
            }
        }
        (audio, chunks)
    }

    pub fn seconds(&self) -> f64 {
        let duration = self.artifact().duration.unwrap();
        duration.seconds as f64 + f64::from(duration.nanos) / 1e9
    }
}

/// The event before which nothing is read: the stream is dropped with it.
pub async fn first<S, T>(
    stream: &mut S,
    wanted: impl Fn(&Event) -> bool,
    event: impl Fn(T) -> GenerationEvent,
) -> GenerationEvent
where
    S: Stream<Item = Result<T, Status>> + Unpin,
{
    loop {
        let next = event(stream.next().await.expect("the stream ended").unwrap());
        if wanted(next.event.as_ref().unwrap()) {
            return next;
        }
    }
}

/// The code of an error, and the fields that it names.
pub fn fields<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, Vec<String>) {
    let status = answer.unwrap_err();
    let details = status.get_error_details();
    let fields = details.bad_request().map_or_else(Vec::new, |bad| {
        bad.field_violations
            .iter()
            .map(|violation| violation.field.clone())
            .collect()
    });
    (status.code(), fields)
}
