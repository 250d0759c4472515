//! The door over a store that fails on purpose.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::{SignedUrl, Stored};
use super::tests::{ask, key, path};
use super::*;

/// A store whose objects break off after four bytes of ten, or that is away.
struct FailingBlobStore {
    away: bool,
}

#[async_trait]
impl BlobStore for FailingBlobStore {
    async fn put(&self, _: &ObjectKey, _: Bytes, _: &str) -> Result<Stored, BlobError> {
        Err(BlobError::Unavailable("away".into()))
    }

    async fn get(&self, _: &ObjectKey, _: Option<ByteRange>) -> Result<Blob, BlobError> {
        if self.away {
            return Err(BlobError::Unavailable(
                "the address 10.0.0.1 is secret".into(),
            ));
        }
        let pieces = [
            Ok(Bytes::from_static(b"0123")),
            Err(BlobError::Unavailable("cut".into())),
        ];
        Ok(Blob {
            content_type: "text/plain".to_owned(),
            total_size: 10,
            range: None,
            etag: String::new(),
            body: stream::iter(pieces).boxed(),
        })
    }

    async fn head(&self, _: &ObjectKey) -> Result<BlobInfo, BlobError> {
        Err(BlobError::Other("a secret".into()))
    }

    async fn delete(&self, _: &ObjectKey) -> Result<(), BlobError> {
        Err(BlobError::Unavailable("away".into()))
    }

    async fn list(&self, _: &str, _: Option<&ObjectKey>) -> Result<Vec<ObjectKey>, BlobError> {
        Err(BlobError::Unavailable("away".into()))
    }

    async fn signed_url(&self, _: &ObjectKey, _: Duration) -> Result<SignedUrl, BlobError> {
        Err(BlobError::Unavailable("away".into()))
    }

    fn describe(&self) -> String {
        "a store that fails".to_owned()
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_the_connection() {
    let router = router(Arc::new(FailingBlobStore { away: false }), key(), "tts");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut socket = TcpStream::connect(address).await.unwrap();
    // The connection would be kept open after a whole answer.
    let request = format!("GET {} HTTP/1.1\r\nhost: localhost\r\n\r\n", path("a"));
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the connection stayed open");
    let answer = String::from_utf8(answer).unwrap();
    // hyper may have had no time to send the head; what it did send is never ten bytes.
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    assert!(body.len() < 10, "{answer}");
    assert!(
        answer.is_empty() || answer.contains("content-length: 10"),
        "{answer}"
    );
    server.abort();
}

#[tokio::test]
async fn failures_tell_callers_nothing_of_the_inside() {
    let router = router(Arc::new(FailingBlobStore { away: true }), key(), "tts");
    let away = ask(&router, "GET", &path("a"), &[]).await;
    assert_eq!(
        (
            away.status,
            away.reason().as_str(),
            away.header("retry-after")
        ),
        (503, "STORE_UNAVAILABLE", "1")
    );
    assert!(!away.body.contains("10.0.0.1"));
    let broken = ask(&router, "GET", &path("a"), &[("if-none-match", "\"x\"")]).await;
    assert_eq!((broken.status, broken.reason().as_str()), (500, "INTERNAL"));
    assert!(!broken.body.contains("secret"));
}
