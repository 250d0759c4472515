//! The store on the embedded server: the whole contract, and what only this adapter can get wrong.

use std::fs;
use std::path::Path;

use futures_util::TryStreamExt as _;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::super::embedded::{EmbeddedS3, random_credentials};
use super::super::{DoorKey, EdgeDoor, blob_store_suite};
use super::*;

struct Place {
    folder: TempDir,
    server: EmbeddedS3,
    shutdown: CancellationToken,
}

fn door() -> EdgeDoor {
    EdgeDoor {
        public_url: "http://localhost:8080".parse().unwrap(),
        role: "tts".to_owned(),
        key: DoorKey::new([7; 32]),
    }
}

async fn start(folder: &Path, shutdown: &CancellationToken) -> std::io::Result<EmbeddedS3> {
    let (access, secret) = random_credentials()?;
    EmbeddedS3::start(folder.to_owned(), access, secret, shutdown.clone()).await
}

async fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let shutdown = CancellationToken::new();
    let server = start(folder.path(), &shutdown).await.unwrap();
    Place {
        folder,
        server,
        shutdown,
    }
}

impl Place {
    fn store(&self) -> S3BlobStore {
        S3BlobStore::new(self.server.config("atelier-tts", door()))
    }
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap()
}

async fn read(store: &S3BlobStore, key: &ObjectKey) -> Result<Vec<u8>, BlobError> {
    store
        .get(key, None)
        .await?
        .body
        .map_ok(|piece| piece.to_vec())
        .try_concat()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_server_keeps_the_contract() {
    let place = place().await;
    blob_store_suite(&place.store()).await;
    // Nothing of a deleted object stays: neither its properties nor a draft.
    let left: Vec<_> = fs::read_dir(place.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!(
        fs::read_dir(place.folder.path().join(".drafts"))
            .unwrap()
            .count(),
        0
    );
}

/// For an S3 that someone runs: `ATELIER_TEST_S3=http://127.0.0.1:5000 cargo test -p atelier-kit -- --ignored at_hand`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an S3 that others wrote: `./test system` runs it against one, or name its URL in ATELIER_TEST_S3"]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that is asked for by hand has no settings"
)]
async fn an_s3_at_hand_keeps_the_contract() {
    let endpoint: Url = std::env::var("ATELIER_TEST_S3").unwrap().parse().unwrap();
    let variable = |name, default: &str| std::env::var(name).unwrap_or(default.to_owned());
    let store = S3BlobStore::new(S3Config {
        endpoint: Some(endpoint.clone()),
        region: "eu-central-1".to_owned(),
        bucket: "atelier-contract".to_owned(),
        access_key: variable("ATELIER_TEST_S3_ACCESS_KEY", "test"),
        secret_key: variable("ATELIER_TEST_S3_SECRET_KEY", "test").into(),
        force_path_style: true,
        public_url: Some(endpoint),
        door: door(),
        embedded_in: None,
    });
    blob_store_suite(&store).await;
    store
        .put(
            &key("suite.txt"),
            Bytes::from_static(b"hello"),
            "text/plain",
        )
        .await
        .unwrap();
    let signed = store
        .signed_url(&key("suite.txt"), Duration::from_secs(60))
        .await
        .unwrap();
    let answer = fetch(&signed.url).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"),
        "{answer}"
    );
    store.delete(&key("suite.txt")).await.unwrap();
}

#[tokio::test]
async fn objects_outlive_the_server() {
    let place = place().await;
    place
        .store()
        .put(&key("a/b"), Bytes::from_static(b"kept"), "text/plain")
        .await
        .unwrap();
    place.shutdown.cancel();
    place.server.ended().await;
    let again = start(place.folder.path(), &CancellationToken::new())
        .await
        .unwrap();
    let store = S3BlobStore::new(again.config("atelier-tts", door()));
    assert_eq!(read(&store, &key("a/b")).await.unwrap(), b"kept");
    assert_eq!(
        store.head(&key("a/b")).await.unwrap().content_type,
        "text/plain"
    );
}

#[tokio::test]
async fn a_folder_is_served_once() {
    let place = place().await;
    let refused = start(place.folder.path(), &place.shutdown)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ResourceBusy);
    place.shutdown.cancel();
    place.server.ended().await;
    start(place.folder.path(), &CancellationToken::new())
        .await
        .unwrap();
}

#[tokio::test]
async fn strangers_are_refused() {
    let place = place().await;
    let store = place.store();
    store
        .put(&key("a"), Bytes::from_static(b"x"), "text/plain")
        .await
        .unwrap();
    let mut config = place.server.config("atelier-tts", door());
    config.secret_key = "guessed".into();
    let stranger = S3BlobStore::new(config);
    assert!(matches!(
        stranger.get(&key("a"), None).await,
        Err(BlobError::Other(_))
    ));
    assert!(matches!(
        stranger.put(&key("a"), Bytes::new(), "text/plain").await,
        Err(BlobError::Other(_))
    ));
    let unsigned = fetch(&format!("{}atelier-tts/a", place.server.endpoint())).await;
    assert!(unsigned.starts_with("HTTP/1.1 403"), "{unsigned}");
    assert_eq!(read(&store, &key("a")).await.unwrap(), b"x");
}

#[tokio::test]
async fn a_put_with_a_wrong_checksum_changes_nothing() {
    let place = place().await;
    let store = place.store();
    store
        .put(&key("a"), Bytes::from_static(b"good"), "text/plain")
        .await
        .unwrap();
    let refused = store
        .client
        .put_object()
        .bucket("atelier-tts")
        .key("a")
        .checksum_sha256(STANDARD.encode([0; 32]))
        .body(ByteStream::from_static(b"evil"))
        .send()
        .await
        .map_err(translate);
    assert!(matches!(refused, Err(BlobError::Checksum)), "{refused:?}");
    assert_eq!(read(&store, &key("a")).await.unwrap(), b"good");
}

#[tokio::test]
async fn rotten_bytes_are_noticed_by_their_reader() {
    let place = place().await;
    let store = place.store();
    store
        .put(&key("a"), Bytes::from_static(b"good"), "text/plain")
        .await
        .unwrap();
    fs::write(place.folder.path().join("atelier-tts/a"), b"gone").unwrap();
    assert!(matches!(
        read(&store, &key("a")).await,
        Err(BlobError::Checksum)
    ));
}

#[tokio::test]
async fn keys_cannot_leave_the_bucket_even_unchecked() {
    let place = place().await;
    let store = place.store();
    store
        .put(&key("a"), Bytes::from_static(b"x"), "text/plain")
        .await
        .unwrap();
    for evil in ["../evil", "a/../../evil", "../../evil", &"k".repeat(200)] {
        let put = store
            .client
            .put_object()
            .bucket("atelier-tts")
            .key(evil)
            .body(ByteStream::from_static(b"x"))
            .send()
            .await;
        assert!(put.is_err(), "{evil}");
        assert!(
            store
                .client
                .get_object()
                .bucket("atelier-tts")
                .key(evil)
                .send()
                .await
                .is_err(),
            "{evil}"
        );
        assert!(
            store
                .client
                .delete_object()
                .bucket("atelier-tts")
                .key(evil)
                .send()
                .await
                .is_err(),
            "{evil}"
        );
    }
    assert!(!place.folder.path().join("evil").exists());
    // A folder cannot be a file too: that is told, and both stay as they were.
    store
        .put(&key("b/c"), Bytes::from_static(b"y"), "text/plain")
        .await
        .unwrap();
    for clash in ["b", "a/below"] {
        let put = store.put(&key(clash), Bytes::new(), "text/plain").await;
        assert!(matches!(put, Err(BlobError::Other(_))), "{clash}");
    }
    assert_eq!(read(&store, &key("a")).await.unwrap(), b"x");
    assert_eq!(read(&store, &key("b/c")).await.unwrap(), b"y");
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_made_again() {
    let place = place().await;
    let store = place.store();
    assert_eq!(store.list("", None).await.unwrap(), []);
    store.ensure_bucket().await.unwrap();
    place.store().ensure_bucket().await.unwrap();
    fs::remove_dir(place.folder.path().join("atelier-tts")).unwrap();
    store
        .put(&key("a"), Bytes::from_static(b"x"), "text/plain")
        .await
        .unwrap();
    assert_eq!(read(&store, &key("a")).await.unwrap(), b"x");
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let place = place().await;
    let store = place.store();
    store.ensure_bucket().await.unwrap();
    let bucket = place.folder.path().join("atelier-tts");
    for n in 0..1500 {
        fs::write(bucket.join(format!("{n:05}")), b"x").unwrap();
    }
    // Names that are no keys were put by others: they are stepped over, also when they fill pages of their own.
    for n in 0..1200 {
        fs::write(bucket.join(format!("{n:05} of another")), b"x").unwrap();
    }
    let first = store.list("", None).await.unwrap();
    assert_eq!(first.len(), LIST_LIMIT);
    let rest = store.list("", first.last()).await.unwrap();
    assert_eq!((rest.len(), rest[0].as_str()), (500, "01000"));
    assert_eq!(store.list("000", None).await.unwrap().len(), 100);
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable_and_forgiven() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let place = place().await;
    let mut config = place.server.config("atelier-tts", door());
    config.endpoint = Some(format!("http://{address}").parse().unwrap());
    let store = S3BlobStore::new(config);
    let put = store
        .put(&key("a"), Bytes::from_static(b"x"), "text/plain")
        .await;
    assert!(matches!(put, Err(BlobError::Unavailable(_))), "{put:?}");
    assert!(matches!(
        store.get(&key("a"), None).await,
        Err(BlobError::Unavailable(_))
    ));

    // The same address comes to life: a plain relay to the server.
    let listener = TcpListener::bind(address).await.unwrap();
    let behind = place.server.endpoint().socket_addrs(|| None).unwrap()[0];
    let relay = tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    store
        .put(&key("a"), Bytes::from_static(b"x"), "text/plain")
        .await
        .unwrap();
    assert_eq!(read(&store, &key("a")).await.unwrap(), b"x");
    relay.abort();
}

#[tokio::test]
async fn links_are_presigned_for_the_public_address() {
    let place = place().await;
    let mut config = place.server.config("atelier-tts", door());
    config.public_url = Some(place.server.endpoint().clone());
    // The services' own way is another: the signature must be for the public one.
    let inner = Url::parse(&format!(
        "http://localhost:{}",
        place.server.endpoint().port().unwrap()
    ))
    .unwrap();
    config.endpoint = Some(inner);
    let store = S3BlobStore::new(config);
    store
        .put(&key("a/b.txt"), Bytes::from_static(b"hello"), "text/plain")
        .await
        .unwrap();
    let signed = store
        .signed_url(&key("a/b.txt"), Duration::from_secs(60))
        .await
        .unwrap();
    let answer = fetch(&signed.url).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"),
        "{answer}"
    );
    let tampered = fetch(&signed.url.replace("b.txt", "c.txt")).await;
    assert!(tampered.starts_with("HTTP/1.1 403"), "{tampered}");
    assert!(signed.url.contains("X-Amz-Expires=60"), "{}", signed.url);
}

#[tokio::test]
async fn the_inventory_tells_where_and_no_secret() {
    let place = place().await;
    let told = place.store().describe();
    assert!(
        told.starts_with("embedded S3, folder ")
            && told.ends_with("links through http://localhost:8080"),
        "{told}"
    );
    let mut config = place.server.config("atelier-tts", door());
    config.embedded_in = None;
    config.endpoint = Some("https://user:hidden@s3.example/".parse().unwrap());
    config.public_url = Some("https://files.example".parse().unwrap());
    let secret = config.secret_key.expose_secret().to_owned();
    let debug = format!("{config:?}");
    let told = S3BlobStore::new(config).describe();
    assert_eq!(
        told,
        "S3 at https://s3.example, bucket atelier-tts, links presigned for https://files.example"
    );
    assert!(!debug.contains(&secret));
}

/// A plain GET, as a browser would send it.
async fn fetch(url: &str) -> String {
    let url: Url = url.parse().unwrap();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let target = &url[url::Position::BeforePath..];
    let mut socket = TcpStream::connect(&host).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}
