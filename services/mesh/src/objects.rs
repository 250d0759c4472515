//! Where objects are kept: an S3 server in this process for each role that needs one, or any S3.

use std::sync::Arc;
use std::time::Duration;

use atelier_kit::config::{Setting, Settings};
use atelier_kit::objects::embedded::{EmbeddedS3, random_credentials};
use atelier_kit::objects::{BlobStore, DoorKey, EdgeDoor, S3BlobStore, S3Config, door};
use atelier_kit::secret::MeshSecret;
use atelier_kit::service::StartError;
use atelier_kit::stopgap::Stopgap;
use axum::Router;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config::Config;

/// Where an S3 is.
pub const S3_ENDPOINT: Setting = Setting::new(
    "ATELIER_S3_ENDPOINT",
    "",
    "The S3 server, as in `http://minio:9000`; without it and without a region each role has one in this process.",
);
/// Its region.
pub const S3_REGION: Setting = Setting::new(
    "ATELIER_S3_REGION",
    "",
    "The S3 region; alone, it means AWS's own address for it.",
);
/// The bucket.
pub const S3_BUCKET: Setting = Setting::new(
    "ATELIER_S3_BUCKET",
    "atelier",
    "The beginning of the buckets' names: each role adds its own, as in `atelier-tts`.",
);
/// The access key.
pub const S3_ACCESS_KEY: Setting = Setting::new("ATELIER_S3_ACCESS_KEY", "", "The S3 access key.");
/// The secret key.
pub const S3_SECRET_KEY: Setting = Setting::new("ATELIER_S3_SECRET_KEY", "", "The S3 secret key.");
/// How the bucket is addressed.
pub const S3_PATH_STYLE: Setting = Setting::new(
    "ATELIER_S3_PATH_STYLE",
    "true",
    "Whether the bucket is named in the path (most servers) or in the host's name (AWS): `true` or `false`.",
);
/// Where callers reach it.
pub const S3_PUBLIC_URL: Setting = Setting::new(
    "ATELIER_S3_PUBLIC_URL",
    "",
    "Where callers reach the S3; their URLs are then signed for it. Without it they lead through the edge.",
);
/// All settings of this room.
pub const SETTINGS: &[Setting] = &[
    S3_ENDPOINT,
    S3_REGION,
    S3_BUCKET,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    S3_PATH_STYLE,
    S3_PUBLIC_URL,
];

/// A real S3, where one is set.
pub struct ObjectsConfig {
    remote: Option<Remote>,
}

struct Remote {
    endpoint: Option<Url>,
    region: String,
    bucket: String,
    access_key: String,
    secret_key: SecretString,
    path_style: bool,
    public_url: Option<Url>,
}

impl ObjectsConfig {
    /// Reads the settings of this room.
    pub fn read(settings: &Settings) -> Self {
        let endpoint = settings.url(&S3_ENDPOINT);
        let region = settings.text(&S3_REGION);
        let path_style = settings.parse(&S3_PATH_STYLE).unwrap_or(true);
        let public_url = settings.url(&S3_PUBLIC_URL);
        let keys = (
            settings.text(&S3_ACCESS_KEY),
            settings.secret(&S3_SECRET_KEY),
        );
        if endpoint.is_none() && region.is_none() {
            return Self { remote: None };
        }
        let (Some(access_key), Some(secret_key)) = keys else {
            settings.problem(
                &S3_ACCESS_KEY,
                "an S3 needs ATELIER_S3_ACCESS_KEY and ATELIER_S3_SECRET_KEY",
            );
            return Self { remote: None };
        };
        Self {
            remote: Some(Remote {
                endpoint,
                region: region.unwrap_or_else(|| "us-east-1".to_owned()),
                bucket: settings.text(&S3_BUCKET).unwrap_or_default(),
                access_key,
                secret_key,
                path_style,
                public_url,
            }),
        }
    }
}

/// The store of one role, and the door through which callers read from it.
pub struct Shelf {
    /// The store.
    pub store: Arc<dyn BlobStore>,
    /// Plain HTTP routes to mount beside the role's RPCs.
    pub door: Router,
    /// For the inventory.
    pub describe: String,
}

/// Opens the store of a role.
pub async fn open(
    config: &Config,
    role: &'static str,
    secret: &MeshSecret,
    public_url: &Url,
    stop: &CancellationToken,
) -> Result<Shelf, StartError> {
    let key = secret.derive("object-urls");
    let edge = EdgeDoor {
        public_url: public_url.clone(),
        role: role.to_owned(),
        key: DoorKey::new(key),
    };
    let s3 = match &config.objects.remote {
        Some(remote) => S3Config {
            endpoint: remote.endpoint.clone(),
            region: remote.region.clone(),
            bucket: format!("{}-{role}", remote.bucket),
            access_key: remote.access_key.clone(),
            secret_key: remote.secret_key.clone(),
            force_path_style: remote.path_style,
            public_url: remote.public_url.clone(),
            door: edge,
            embedded_in: None,
        },
        None => {
            let what = format!("objects of {role} in a folder (ATELIER_S3_ENDPOINT)");
            config.stopgaps.uses(Stopgap::LocalObjects, what);
            embedded(config, role, stop)
                .await?
                .config(&format!("atelier-{role}"), edge)
        }
    };
    let store = Arc::new(S3BlobStore::new(s3));
    // A store that is away now is asked again with the first object; it is no reason not to start.
    let bucket = tokio::time::timeout(Duration::from_secs(3), store.ensure_bucket()).await;
    if !matches!(bucket, Ok(Ok(()))) {
        tracing::warn!(role, "the object store cannot be reached yet");
    }
    let describe = store.describe();
    let door = door::router(store.clone(), DoorKey::new(key), role);
    Ok(Shelf {
        store,
        door,
        describe,
    })
}

async fn embedded(
    config: &Config,
    role: &str,
    stop: &CancellationToken,
) -> Result<EmbeddedS3, StartError> {
    let folder = config.folder(role).join("objects");
    let failed = |error: std::io::Error| {
        if error.kind() == std::io::ErrorKind::ResourceBusy {
            let folder = config.data.display();
            return StartError::other(
                format!("another atelier is running on {folder}"),
                "stop it, name another folder with --data, or use the running one with --url",
            );
        }
        StartError::other(format!("the object store in {}", folder.display()), error)
    };
    let (access, secret) = random_credentials().map_err(failed)?;
    EmbeddedS3::start(folder.clone(), access, secret, stop.clone())
        .await
        .map_err(failed)
}
