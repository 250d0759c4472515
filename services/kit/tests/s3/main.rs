//! The object store on an S3 server that others wrote, and what is left when that server is killed, frozen or started again.

use std::time::{Duration, Instant};

use atelier_kit::objects::{BlobError, BlobStore as _, ObjectKey, S3BlobStore, blob_store_suite};
use atelier_kit::testing::servers::S3;
use bytes::Bytes;
use futures_util::TryStreamExt as _;

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap()
}

async fn read(store: &S3BlobStore, name: &str) -> Result<Vec<u8>, BlobError> {
    let pieces: Vec<Bytes> = store
        .get(&key(name), None)
        .await?
        .body
        .try_collect()
        .await?;
    Ok(pieces.concat())
}

#[tokio::test]
async fn the_whole_contract_is_kept() {
    let server = S3::start();
    let store = S3BlobStore::new(server.bucket("atelier-suite"));
    store.ensure_bucket().await.unwrap();
    blob_store_suite(&store).await;
}

#[tokio::test]
async fn a_signed_url_is_read_by_anybody_and_by_nobody_once_it_was_changed() {
    let server = S3::start();
    let store = S3BlobStore::new(server.bucket("atelier-signed"));
    let name = key("a/b.txt");
    let put = store.put(&name, Bytes::from_static(b"hello"), "text/plain");
    put.await.unwrap();
    let signed = store
        .signed_url(&name, Duration::from_secs(60))
        .await
        .unwrap();
    assert!(signed.url.starts_with(server.endpoint().as_str()));
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let answer = reqwest::get(&signed.url).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain");
    assert_eq!(answer.bytes().await.unwrap(), "hello");
    let tampered = signed.url.replace("b.txt", "c.txt");
    assert_eq!(reqwest::get(&tampered).await.unwrap().status(), 403);
}

/// Puts one after the other until the server is gone, and returns the names of those that it acknowledged.
async fn put_until_refused(store: &S3BlobStore, began: &tokio::sync::Notify) -> Vec<String> {
    let mut kept = Vec::new();
    for number in 0.. {
        let name = format!("load/{number}");
        let body = Bytes::from(format!("{number}").repeat(1000));
        match store.put(&key(&name), body, "text/plain").await {
            Ok(_) => kept.push(name),
            Err(error) => {
                assert!(matches!(error, BlobError::Unavailable(_)), "{error:?}");
                return kept;
            }
        }
        if number == 20 {
            began.notify_one();
        }
    }
    unreachable!()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_the_server_was_killed() {
    let mut server = S3::start();
    let store = std::sync::Arc::new(S3BlobStore::new(server.bucket("atelier-killed")));
    let began = std::sync::Arc::new(tokio::sync::Notify::new());
    let load = {
        let (store, began) = (store.clone(), began.clone());
        tokio::spawn(async move { put_until_refused(&store, &began).await })
    };
    began.notified().await;
    server.server().kill();
    let kept = load.await.unwrap();
    assert!(kept.len() > 20);
    let refused = Instant::now();
    let error = read(&store, &kept[0]).await.unwrap_err();
    assert!(matches!(error, BlobError::Unavailable(_)), "{error:?}");
    assert!(refused.elapsed() < Duration::from_secs(10));

    server.server().begin();
    let back = Instant::now();
    while read(&store, &kept[0]).await.is_err() {
        assert!(
            back.elapsed() < Duration::from_secs(10),
            "it does not come back"
        );
    }
    for name in &kept {
        let number = name.trim_start_matches("load/");
        assert_eq!(
            read(&store, name).await.unwrap(),
            number.repeat(1000).as_bytes()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_accepts_and_never_answers_is_unavailable() {
    let mut server = S3::start();
    let store = S3BlobStore::new(server.bucket("atelier-frozen"));
    let name = key("a");
    let put = store.put(&name, Bytes::from_static(b"a"), "text/plain");
    put.await.unwrap();
    server.server().freeze();
    let asked = Instant::now();
    let error = store.head(&name).await.unwrap_err();
    assert!(matches!(error, BlobError::Unavailable(_)), "{error:?}");
    let error = read(&store, "a").await.unwrap_err();
    assert!(matches!(error, BlobError::Unavailable(_)), "{error:?}");
    assert!(
        asked.elapsed() < Duration::from_secs(25),
        "{:?}",
        asked.elapsed()
    );
    server.server().thaw();
    store.head(&name).await.unwrap();
}
