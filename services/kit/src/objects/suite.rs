//! The contract that every adapter of the port keeps; it is run on each, and knows none.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;

use super::{Blob, BlobError, BlobStore, ByteRange, LIST_LIMIT, ObjectKey, ServedRange};

/// Runs the whole contract on a store. It works below `suite/`, which it empties first, and leaves nothing there.
///
/// # Panics
/// At the first promise that is not kept.
pub async fn blob_store_suite(store: &dyn BlobStore) {
    empty(store, "suite/").await;
    absence(store).await;
    whole_objects(store).await;
    ranges(store).await;
    sizes(store).await;
    many_at_once(store).await;
    listing(store).await;
    awkward_keys(store).await;
    signing(store).await;
    empty(store, "suite/").await;
    assert_eq!(store.list("suite/", None).await.unwrap(), []);
    assert!(!store.describe().is_empty());
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(format!("suite/{text}")).unwrap()
}

async fn empty(store: &dyn BlobStore, prefix: &str) {
    loop {
        let keys = store.list(prefix, None).await.unwrap();
        for key in &keys {
            store.delete(key).await.unwrap();
        }
        if keys.len() < LIST_LIMIT {
            return;
        }
    }
}

async fn read(blob: Blob) -> Vec<u8> {
    let promised = blob.length();
    let bytes: Vec<u8> = blob
        .body
        .map_ok(|piece| piece.to_vec())
        .try_concat()
        .await
        .unwrap();
    assert_eq!(bytes.len() as u64, promised);
    bytes
}

async fn absence(store: &dyn BlobStore) {
    let absent = key("absent");
    assert!(matches!(
        store.get(&absent, None).await,
        Err(BlobError::NotFound)
    ));
    assert!(matches!(
        store.get(&absent, Some(ByteRange::From(0))).await,
        Err(BlobError::NotFound)
    ));
    assert!(matches!(
        store.head(&absent).await,
        Err(BlobError::NotFound)
    ));
    store.delete(&absent).await.unwrap();
    assert_eq!(store.list("suite/absent", None).await.unwrap(), []);
}

async fn whole_objects(store: &dyn BlobStore) {
    let picture = key("2026/11/22/picture.png");
    let stored = store
        .put(&picture, Bytes::from_static(b"hello"), "image/png")
        .await
        .unwrap();
    assert_eq!(stored.size, 5);
    assert_eq!(
        stored.sha256_hex,
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    );
    let blob = store.get(&picture, None).await.unwrap();
    assert_eq!(
        (blob.content_type.as_str(), blob.total_size, blob.range),
        ("image/png", 5, None)
    );
    let first_tag = blob.etag.clone();
    assert_eq!(read(blob).await, b"hello");
    let info = store.head(&picture).await.unwrap();
    assert_eq!(
        (info.content_type.as_str(), info.size, &info.etag),
        ("image/png", 5, &first_tag)
    );
    assert!(
        first_tag.starts_with('"') && first_tag.ends_with('"'),
        "{first_tag}"
    );

    store
        .put(
            &picture,
            Bytes::from_static(b"goodbye"),
            "text/plain; charset=utf-8",
        )
        .await
        .unwrap();
    let blob = store.get(&picture, None).await.unwrap();
    assert_eq!(blob.content_type, "text/plain; charset=utf-8");
    assert_ne!(blob.etag, first_tag);
    assert_eq!(read(blob).await, b"goodbye");

    for wrong in [
        "",
        "png",
        "image/png\r\nx: y",
        "image/ü",
        &format!("a/{}", "b".repeat(200)),
    ] {
        let refused = store.put(&key("refused"), Bytes::new(), wrong).await;
        assert!(matches!(refused, Err(BlobError::Other(_))), "{wrong:?}");
    }
    assert!(matches!(
        store.head(&key("refused")).await,
        Err(BlobError::NotFound)
    ));

    store.delete(&picture).await.unwrap();
    store.delete(&picture).await.unwrap();
    assert!(matches!(
        store.get(&picture, None).await,
        Err(BlobError::NotFound)
    ));
    assert!(matches!(
        store.head(&picture).await,
        Err(BlobError::NotFound)
    ));
}

async fn ranges(store: &dyn BlobStore) {
    let digits = key("digits");
    store
        .put(&digits, Bytes::from_static(b"0123456789"), "text/plain")
        .await
        .unwrap();
    for (range, first, bytes) in [
        (ByteRange::Between { first: 2, last: 4 }, 2, &b"234"[..]),
        (ByteRange::Between { first: 0, last: 0 }, 0, b"0"),
        (ByteRange::Between { first: 8, last: 99 }, 8, b"89"),
        (ByteRange::From(0), 0, b"0123456789"),
        (ByteRange::From(9), 9, b"9"),
        (ByteRange::Last(3), 7, b"789"),
        (ByteRange::Last(99), 0, b"0123456789"),
    ] {
        let blob = store.get(&digits, Some(range)).await.unwrap();
        let last = first + bytes.len() as u64 - 1;
        assert_eq!(blob.range, Some(ServedRange { first, last }), "{range:?}");
        assert_eq!(
            (blob.total_size, blob.content_type.as_str()),
            (10, "text/plain"),
            "{range:?}"
        );
        assert_eq!(read(blob).await, bytes, "{range:?}");
    }
    for range in [
        ByteRange::From(10),
        ByteRange::Between {
            first: 10,
            last: 12,
        },
        ByteRange::Between { first: 4, last: 2 },
        ByteRange::Last(0),
    ] {
        assert!(
            matches!(store.get(&digits, Some(range)).await, Err(BlobError::Range)),
            "{range:?}"
        );
    }
}

async fn sizes(store: &dyn BlobStore) {
    let nothing = key("nothing");
    let stored = store
        .put(&nothing, Bytes::new(), "application/json")
        .await
        .unwrap();
    assert_eq!(stored.size, 0);
    assert_eq!(store.head(&nothing).await.unwrap().size, 0);
    assert_eq!(read(store.get(&nothing, None).await.unwrap()).await, b"");
    for range in [
        ByteRange::From(0),
        ByteRange::Last(5),
        ByteRange::Between { first: 0, last: 0 },
    ] {
        assert!(
            matches!(
                store.get(&nothing, Some(range)).await,
                Err(BlobError::Range)
            ),
            "{range:?}"
        );
    }

    let large = key("large.bin");
    let bytes: Bytes = (0..5 * 1024 * 1024_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let stored = store
        .put(&large, bytes.clone(), "application/octet-stream")
        .await
        .unwrap();
    assert_eq!(stored.size, bytes.len() as u64);
    let blob = store.get(&large, None).await.unwrap();
    assert!(
        read(blob).await == bytes,
        "five megabytes came back changed"
    );
    let blob = store
        .get(&large, Some(ByteRange::Last(1_000_000)))
        .await
        .unwrap();
    assert!(
        read(blob).await == bytes[bytes.len() - 1_000_000..],
        "the last megabyte came back changed"
    );
    // One that is sent in parts: whole under its key, or not at all.
    let huge = key("huge.bin");
    let parts: Bytes = bytes.iter().copied().cycle().take(20 << 20).collect();
    let stored = store
        .put(&huge, parts.clone(), "application/octet-stream")
        .await
        .unwrap();
    assert_eq!(stored.size, parts.len() as u64);
    let blob = store.get(&huge, None).await.unwrap();
    assert_eq!(blob.content_type, "application/octet-stream");
    assert!(
        read(blob).await == parts,
        "twenty megabytes came back changed"
    );
    // A reader may go away at any time.
    drop(store.get(&large, None).await.unwrap());
}

async fn many_at_once(store: &dyn BlobStore) {
    let puts = (0..50_u8).map(|n| async move {
        let bytes = Bytes::from(vec![n; 10_000]);
        store
            .put(&key(&format!("many/{n:02}")), bytes, "audio/wav")
            .await
            .unwrap();
    });
    join_all(puts).await;
    let gets = (0..50_u8).map(|n| async move {
        let blob = store
            .get(&key(&format!("many/{n:02}")), None)
            .await
            .unwrap();
        assert_eq!(read(blob).await, vec![n; 10_000]);
    });
    join_all(gets).await;

    // Whoever reads while others write gets one whole object, never a mixture.
    let one = key("many/one");
    store
        .put(&one, Bytes::from(vec![0; 1000]), "audio/wav")
        .await
        .unwrap();
    let writers = (0..10_u8).map(|n| {
        let one = &one;
        async move {
            store
                .put(
                    one,
                    Bytes::from(vec![n; 1000 + usize::from(n)]),
                    "audio/wav",
                )
                .await
                .unwrap();
            let bytes = read(store.get(one, None).await.unwrap()).await;
            let first = bytes[0];
            assert_eq!(bytes, vec![first; 1000 + usize::from(first)]);
        }
    });
    join_all(writers).await;
}

async fn listing(store: &dyn BlobStore) {
    let all = store.list("suite/many/", None).await.unwrap();
    assert_eq!(all.len(), 51);
    assert!(all.is_sorted());
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 51);
    let some = store.list("suite/many/4", None).await.unwrap();
    assert_eq!(some.len(), 10);
    let rest = store
        .list("suite/many/", Some(&key("many/47")))
        .await
        .unwrap();
    assert_eq!(rest, [key("many/48"), key("many/49"), key("many/one")]);
    for wrong in ["/", "../", "suite/../", "a b", "suite//"] {
        assert!(
            matches!(store.list(wrong, None).await, Err(BlobError::InvalidKey(_))),
            "{wrong:?}"
        );
    }
}

async fn awkward_keys(store: &dyn BlobStore) {
    for wrong in [
        "",
        "..",
        "../x",
        "a/../b",
        "/a",
        "a/",
        "a//b",
        "a b",
        "a%2e",
        "ä",
        &"k".repeat(600),
    ] {
        assert!(
            matches!(ObjectKey::new(wrong), Err(BlobError::InvalidKey(_))),
            "{wrong:?}"
        );
    }
    let longest = key(&format!("{}/{}", "s".repeat(128), "e".repeat(9)));
    assert_eq!(longest.as_str().len(), super::MAX_KEY_BYTES);
    for awkward in [longest, key("day=2026-11-22/a_b-c.tar.gz"), key("...")] {
        store
            .put(&awkward, Bytes::from_static(b"x"), "text/plain")
            .await
            .unwrap();
        assert_eq!(read(store.get(&awkward, None).await.unwrap()).await, b"x");
        assert_eq!(
            store.list(awkward.as_str(), None).await.unwrap(),
            std::slice::from_ref(&awkward)
        );
        store.delete(&awkward).await.unwrap();
    }
    // The folder of an object is not an object.
    store
        .put(
            &key("folder/object"),
            Bytes::from_static(b"x"),
            "text/plain",
        )
        .await
        .unwrap();
    assert!(matches!(
        store.get(&key("folder"), None).await,
        Err(BlobError::NotFound)
    ));
    assert!(matches!(
        store.head(&key("folder")).await,
        Err(BlobError::NotFound)
    ));
    assert!(matches!(
        store.get(&key("folder/object/below"), None).await,
        Err(BlobError::NotFound)
    ));
    store.delete(&key("folder")).await.unwrap();
    assert_eq!(
        read(store.get(&key("folder/object"), None).await.unwrap()).await,
        b"x"
    );
}

async fn signing(store: &dyn BlobStore) {
    let picture = key("picture.png");
    let before = SystemTime::now();
    let signed = store
        .signed_url(&picture, Duration::from_secs(900))
        .await
        .unwrap();
    assert!(signed.url.contains("suite/picture.png?"), "{}", signed.url);
    let lifetime = signed.expires.duration_since(before).unwrap();
    assert!((898..=901).contains(&lifetime.as_secs()), "{lifetime:?}");
    let other = store
        .signed_url(&key("other.png"), Duration::from_secs(900))
        .await
        .unwrap();
    assert_ne!(signed.url, other.url);
}
