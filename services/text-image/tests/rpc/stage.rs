//! The service on an in-memory link with its whole stack, an object store of its own and the door to it, for the
//! tests beside this file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use atelier_generation::testing::Credits;
use atelier_kit::config::Settings;
use atelier_kit::identity::Role;
use atelier_kit::link::Link;
use atelier_kit::objects::embedded::{EmbeddedS3, random_credentials};
use atelier_kit::objects::{BlobStore, DoorKey, EdgeDoor, ObjectKey, S3BlobStore, door};
use atelier_kit::policy::Policies;
use atelier_kit::service::Ending;
use atelier_kit::testing::{Issuer, agreeable, foundation_with, mount, secret};
use atelier_proto::generation::v1::GenerationEvent;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::text_image::v1::text_image_service_client::TextImageServiceClient;
use atelier_proto::text_image::v1::*;
use atelier_text_image::Config;
use axum::Router;
use axum::body::Body;
use axum::http::{Request as HttpRequest, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

const ROLE: &str = "text-image";
/// Where callers are told that the edge is.
pub const EDGE: &str = "http://edge.example";

/// A running service.
pub struct World {
    pub issuer: Issuer,
    pub credits: Credits,
    pub objects: Arc<S3BlobStore>,
    client: TextImageServiceClient<Link>,
    door: Router,
    s3: Option<EmbeddedS3>,
    endings: Vec<Ending>,
    tasks: TaskTracker,
    stop: CancellationToken,
    _guard: DropGuard,
    _counting: DropGuard,
    _paying: DropGuard,
    _stop: DropGuard,
}

impl World {
    pub async fn open(folder: &Path) -> Self {
        Self::open_with(folder, &[]).await
    }

    pub async fn open_with(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let settings = Settings::new(
            variables
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        );
        let (analytics, counting) = agreeable();
        let (issuer, credits) = (Issuer::new(), Credits::default());
        let (users, paying) = credits.serve(&issuer);
        let routes = BTreeMap::from([
            ("analytics".to_owned(), analytics),
            ("users".to_owned(), users),
        ]);
        let mut foundation = foundation_with(ROLE, folder, &routes);
        let stop = foundation.stop.clone();
        let s3_stop = stop.child_token();
        let (access, key) = random_credentials().unwrap();
        let s3 = EmbeddedS3::start(folder.join("objects"), access, key, s3_stop)
            .await
            .unwrap();
        let door_key = DoorKey::new(secret().derive("object-urls"));
        let edge = EdgeDoor {
            public_url: EDGE.parse().unwrap(),
            role: ROLE.into(),
            key: door_key.clone(),
        };
        let objects = Arc::new(S3BlobStore::new(s3.config("atelier-text-image", edge)));
        objects.ensure_bucket().await.unwrap();
        foundation.objects = Some(objects.clone());
        let config = Config::read(&settings);
        let mut service = atelier_text_image::build(config, &foundation)
            .await
            .unwrap();
        let endings = [service.interrupt.take(), service.close.take()]
            .into_iter()
            .flatten()
            .collect();
        let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
        let (link, guard) = mount(service, ROLE, policies, &issuer);
        Self {
            issuer,
            credits,
            client: TextImageServiceClient::new(link),
            door: door::router(objects.clone(), door_key, ROLE),
            objects,
            s3: Some(s3),
            endings,
            tasks: foundation.tasks,
            _stop: stop.clone().drop_guard(),
            stop,
            _guard: guard,
            _counting: counting,
            _paying: paying,
        }
    }

    /// Ends as a process does that was told to stop.
    pub async fn close(mut self) {
        let mut endings = self.endings.drain(..);
        for interrupt in endings.by_ref().take(1) {
            interrupt().await;
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        for close in endings {
            close().await;
        }
        if let Some(s3) = self.s3.take() {
            s3.ended().await;
        }
    }

    pub fn rpc(&self) -> TextImageServiceClient<Link> {
        self.client.clone()
    }

    pub fn ana<T>(&self, message: T) -> Request<T> {
        self.issuer.sign("ana", Role::User, message)
    }

    pub fn bob<T>(&self, message: T) -> Request<T> {
        self.issuer.sign("bob", Role::User, message)
    }

    pub fn admin<T>(&self, message: T) -> Request<T> {
        self.issuer.sign("ada", Role::Admin, message)
    }

    pub fn guest<T>(&self, session: &str, message: T) -> Request<T> {
        self.issuer.sign(session, Role::Anonymous, message)
    }

    /// Starts a picture of ana's.
    pub async fn start(&self, request: GenerateImageRequest) -> Streaming<GenerateImageResponse> {
        self.rpc()
            .generate_image(self.ana(request))
            .await
            .unwrap()
            .into_inner()
    }

    /// Starts a picture of ana's and follows it to its end.
    pub async fn paint(&self, request: GenerateImageRequest) -> Vec<GenerationEvent> {
        all(self.start(request).await).await
    }

    pub async fn image(&self, id: &str) -> Result<Image, Status> {
        let request = GetImageRequest {
            image_id: id.into(),
        };
        let answer = self.rpc().get_image(self.ana(request)).await?;
        Ok(answer.into_inner().image.unwrap())
    }

    pub async fn delete(&self, id: &str) -> Result<(), Status> {
        let request = DeleteImageRequest {
            image_id: id.into(),
        };
        self.rpc().delete_image(self.ana(request)).await.map(drop)
    }

    pub async fn watch(&self, id: &str, after: i64) -> Vec<GenerationEvent> {
        let request = WatchGenerationRequest {
            generation_id: id.into(),
            after_sequence: after,
        };
        let mut stream = self
            .rpc()
            .watch_generation(self.ana(request))
            .await
            .unwrap()
            .into_inner();
        let mut events = Vec::new();
        while let Some(answer) = stream.message().await.unwrap() {
            events.push(answer.event.unwrap());
        }
        events
    }

    /// Fetches a signed URL through the door.
    pub async fn fetch(&self, url: &str) -> (StatusCode, String, Bytes) {
        let path = url
            .strip_prefix(EDGE)
            .unwrap_or_else(|| panic!("not through the edge: {url}"));
        let request = HttpRequest::get(path).body(Body::empty()).unwrap();
        let response = self.door.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let content_type = response
            .headers()
            .get("content-type")
            .map_or("", |value| value.to_str().unwrap())
            .to_owned();
        let body = axum::body::to_bytes(response.into_body(), 64 << 20)
            .await
            .unwrap();
        (status, content_type, body)
    }

    /// The names of all objects that begin with this.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.objects.list(prefix, None).await.unwrap();
        keys.iter().map(ToString::to_string).collect()
    }

    /// An object from the store itself; empty when there is none.
    pub async fn object(&self, key: &str) -> Vec<u8> {
        let Ok(mut blob) = self.objects.get(&ObjectKey::new(key).unwrap(), None).await else {
            return Vec::new();
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = blob.body.next().await {
            bytes.extend_from_slice(&chunk.unwrap());
        }
        bytes
    }

    pub async fn json(&self, key: &str) -> serde_json::Value {
        serde_json::from_slice(&self.object(key).await).unwrap()
    }
}

/// A small picture to ask for.
pub fn ask(prompt: &str) -> GenerateImageRequest {
    GenerateImageRequest {
        prompt: prompt.into(),
        size: Some(Size {
            width: 64,
            height: 64,
        }),
        ..Default::default()
    }
}

/// A picture that takes so long that a test can do something meanwhile.
pub fn ask_large(prompt: &str) -> GenerateImageRequest {
    GenerateImageRequest {
        size: Some(Size {
            width: 2048,
            height: 2048,
        }),
        style: "oil".into(),
        ..ask(prompt)
    }
}

pub async fn next(stream: &mut Streaming<GenerateImageResponse>) -> GenerationEvent {
    stream.message().await.unwrap().unwrap().event.unwrap()
}

pub async fn all(mut stream: Streaming<GenerateImageResponse>) -> Vec<GenerationEvent> {
    let mut events = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        events.push(answer.event.unwrap());
    }
    events
}

/// Reads events until somebody is at work.
pub async fn until_painting(stream: &mut Streaming<GenerateImageResponse>) -> Vec<GenerationEvent> {
    let mut events = Vec::new();
    while !matches!(
        events.last(),
        Some(GenerationEvent {
            event: Some(Event::Progress(_)),
            ..
        })
    ) {
        events.push(next(stream).await);
    }
    events
}

/// What kind of event each is.
pub fn kinds(events: &[GenerationEvent]) -> Vec<&'static str> {
    events
        .iter()
        .map(|event| match event.event.as_ref().unwrap() {
            Event::Queued(_) => "queued",
            Event::Started(_) => "started",
            Event::Snapshot(_) => "snapshot",
            Event::ImagePreview(_) => "preview",
            Event::Progress(_) => "progress",
            Event::Artifact(_) => "artifact",
            Event::Usage(_) => "usage",
            Event::Completed(_) => "completed",
            Event::Failed(_) => "failed",
            Event::Cancelled(_) => "cancelled",
            _ => "other",
        })
        .collect()
}

/// The stored result that events tell of, in a snapshot or by itself.
pub fn artifact(events: &[GenerationEvent]) -> atelier_proto::generation::v1::Artifact {
    let found = events
        .iter()
        .find_map(|event| match event.event.as_ref().unwrap() {
            Event::Artifact(artifact) => Some(artifact.clone()),
            Event::Snapshot(snapshot) => snapshot.artifacts.first().cloned(),
            _ => None,
        });
    found.unwrap_or_else(|| panic!("no artifact: {:?}", kinds(events)))
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Decodes a PNG to its last pixel. Returns its size and how many different bytes its pixels have.
pub fn decode(png: &[u8]) -> (u32, u32, usize) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    pixels.sort_unstable();
    pixels.dedup();
    (frame.width, frame.height, pixels.len())
}

pub fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .expect("an ErrorInfo")
        .reason
}

pub fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let bad = status.get_details_bad_request().expect("a BadRequest");
    bad.field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

/// Waits until a condition holds. Longer than the kit's own wait: objects of a picture that was broken off are cleared
/// away ten seconds later.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(40) {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never came true: {what}");
}

/// All pages of a list, each of which must be as long as it may be.
pub async fn pages(
    world: &World,
    sign: impl Fn(ListImagesRequest) -> Request<ListImagesRequest>,
    page_size: i32,
) -> Vec<Image> {
    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let request = ListImagesRequest {
            page_size,
            page_token: token,
        };
        let page = world
            .rpc()
            .list_images(sign(request))
            .await
            .unwrap()
            .into_inner();
        token = page.next_page_token;
        let length = i32::try_from(page.images.len()).unwrap();
        assert!(
            length == page_size || token.is_empty(),
            "a page of {length}"
        );
        assert!(length > 0, "an empty page");
        listed.extend(page.images);
        if token.is_empty() {
            return listed;
        }
    }
}

pub fn ids(images: &[Image]) -> Vec<&str> {
    images.iter().map(|image| image.id.as_str()).collect()
}
