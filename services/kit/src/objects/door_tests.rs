//! The door over the embedded server.

use std::time::Duration;

use axum::http::Request;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::super::embedded::{EmbeddedS3, random_credentials};
use super::super::{EdgeDoor, S3BlobStore};
use super::*;

const FAR: u64 = 4_102_444_800;

pub(super) fn key() -> DoorKey {
    DoorKey::new([7; 32])
}

struct House {
    _folder: TempDir,
    store: Arc<S3BlobStore>,
    router: Router,
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let (access, secret) = random_credentials().unwrap();
    let server = EmbeddedS3::start(
        folder.path().to_owned(),
        access,
        secret,
        CancellationToken::new(),
    )
    .await
    .unwrap();
    let door = EdgeDoor {
        public_url: "http://localhost".parse().unwrap(),
        role: "tts".to_owned(),
        key: key(),
    };
    let store = Arc::new(S3BlobStore::new(server.config("atelier-tts", door)));
    let put = |name, bytes: &'static [u8], kind| {
        let store = Arc::clone(&store);
        async move {
            store
                .put(
                    &ObjectKey::new(name).unwrap(),
                    Bytes::from_static(bytes),
                    kind,
                )
                .await
                .unwrap()
        }
    };
    put("a/b.txt", b"0123456789", "text/plain").await;
    put("day=1.txt", b"equal", "text/plain").await;
    put("nothing", b"", "text/plain").await;
    let router = router(store.clone(), key(), "tts");
    House {
        _folder: folder,
        store,
        router,
    }
}

pub(super) fn path(name: &str) -> String {
    let signature = key().sign("tts", &ObjectKey::new(name).unwrap(), FAR);
    format!("/objects/tts/{name}?expires={FAR}&signature={signature}")
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn reason(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["error"]["reason"].as_str().unwrap().to_owned()
    }
}

pub(super) async fn ask(
    router: &Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

#[tokio::test]
async fn a_signed_url_is_served() {
    let house = house().await;
    let name = ObjectKey::new("a/b.txt").unwrap();
    let signed = house
        .store
        .signed_url(&name, Duration::from_secs(600))
        .await
        .unwrap();
    let target = signed.url.strip_prefix("http://localhost").unwrap();
    let answer = ask(&house.router, "GET", target, &[]).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "0123456789"));
    assert_eq!(answer.header("content-type"), "text/plain");
    assert_eq!(answer.header("content-length"), "10");
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(
        answer.header("content-disposition"),
        "inline; filename=\"b.txt\""
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(
        answer
            .header("content-security-policy")
            .ends_with("sandbox")
    );
    assert_eq!(
        answer.header("etag"),
        house.store.head(&name).await.unwrap().etag
    );
    let age: u64 = answer
        .header("cache-control")
        .strip_prefix("private, max-age=")
        .unwrap()
        .parse()
        .unwrap();
    assert!((590..=600).contains(&age), "{age}");

    let file = ask(&house.router, "GET", &format!("{target}&download=1"), &[]).await;
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"b.txt\""
    );
    // A caller may write the equals sign as he likes: it is the same key.
    let equal = path("day=1.txt").replace("day=1.txt", "day%3D1.txt");
    assert_eq!(ask(&house.router, "GET", &equal, &[]).await.body, "equal");
}

#[tokio::test]
async fn what_was_changed_is_refused() {
    let house = house().await;
    let good = path("a/b.txt");
    let expired = format!(
        "/objects/tts/a/b.txt?expires=1700000000&signature={}",
        key().sign("tts", &ObjectKey::new("a/b.txt").unwrap(), 1_700_000_000)
    );
    let of_other_role = key().sign("text-image", &ObjectKey::new("a/b.txt").unwrap(), FAR);
    for (path, reason) in [
        (good.replace("a/b.txt", "nothing"), "SIGNATURE_INVALID"),
        (
            good.replace(&FAR.to_string(), &(FAR + 1).to_string()),
            "SIGNATURE_INVALID",
        ),
        (
            good.replace("signature=", "signature=A"),
            "SIGNATURE_INVALID",
        ),
        (
            format!("/objects/tts/a/b.txt?expires={FAR}&signature={of_other_role}"),
            "SIGNATURE_INVALID",
        ),
        (
            format!("/objects/tts/a/b.txt?expires={FAR}"),
            "SIGNATURE_INVALID",
        ),
        (format!("{good}&expires=1"), "SIGNATURE_INVALID"),
        ("/objects/tts/a/b.txt".to_owned(), "SIGNATURE_INVALID"),
        (good.replace(&FAR.to_string(), "soon"), "SIGNATURE_INVALID"),
        (good.replace("a/b.txt", "..%2fb.txt"), "SIGNATURE_INVALID"),
        (
            good.replace("a/b.txt", "a/..%2f..%2fb.txt"),
            "SIGNATURE_INVALID",
        ),
        (
            good.replace("a/b.txt", "../../a/b.txt"),
            "SIGNATURE_INVALID",
        ),
        (
            good.replace("a/b.txt", "%2e%2e/a/b.txt"),
            "SIGNATURE_INVALID",
        ),
        (
            good.replace("a/b.txt", "..%252fa/b.txt"),
            "SIGNATURE_INVALID",
        ),
        (good.replace("a/b.txt", "a//b.txt"), "SIGNATURE_INVALID"),
        (good.replace("a/b.txt", "a/b.txt%00"), "SIGNATURE_INVALID"),
        (good.replace("a/b.txt", "a/b.txt%ff"), "SIGNATURE_INVALID"),
        (good.replace("a/b.txt", "a%5cb.txt"), "SIGNATURE_INVALID"),
        (
            good.replace("a/b.txt", &"k".repeat(3000)),
            "SIGNATURE_INVALID",
        ),
        (expired.clone(), "URL_EXPIRED"),
        (expired.replace("a/b.txt", "a/c.txt"), "SIGNATURE_INVALID"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = ask(&house.router, method, &path, &[]).await;
            assert_eq!(answer.status, 403, "{method} {path}");
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            if method == "GET" {
                assert_eq!(answer.reason(), reason, "{path}");
            }
        }
    }
    assert_eq!(ask(&house.router, "GET", &good, &[]).await.status, 200);
    assert_eq!(
        ask(&house.router, "GET", &good.replace("/tts/", "/chat/"), &[])
            .await
            .status,
        404
    );
    let absent = ask(&house.router, "GET", &path("absent"), &[]).await;
    assert_eq!(
        (absent.status, absent.reason().as_str()),
        (404, "OBJECT_NOT_FOUND")
    );
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = ask(&house.router, method, &good, &[]).await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, "GET, HEAD"),
            "{method}"
        );
    }
}

#[tokio::test]
async fn parts_are_served() {
    let house = house().await;
    let good = path("a/b.txt");
    for (range, part, body) in [
        ("bytes=0-0", "bytes 0-0/10", "0"),
        ("bytes=2-4", "bytes 2-4/10", "234"),
        ("bytes=8-99", "bytes 8-9/10", "89"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=-99", "bytes 0-9/10", "0123456789"),
        ("bytes=0-99999999999999999999", "bytes 0-9/10", "0123456789"),
    ] {
        let answer = ask(&house.router, "GET", &good, &[("range", range)]).await;
        assert_eq!(
            (
                answer.status,
                answer.header("content-range"),
                answer.body.as_str()
            ),
            (206, part, body),
            "{range}"
        );
        assert_eq!(
            answer.header("content-length"),
            body.len().to_string(),
            "{range}"
        );
    }
    for range in [
        "bytes=10-",
        "bytes=99-100",
        "bytes=-0",
        "bytes=99999999999999999999-",
    ] {
        let answer = ask(&house.router, "GET", &good, &[("range", range)]).await;
        assert_eq!(
            (answer.status, answer.header("content-range")),
            (416, "bytes */10"),
            "{range}"
        );
        assert_eq!(answer.reason(), "RANGE_NOT_SATISFIABLE");
    }
    for range in [
        "bytes=0-1,3-4",
        "lines=0-1",
        "bytes=4-2",
        "bytes=x",
        "garbage",
    ] {
        let answer = ask(&house.router, "GET", &good, &[("range", range)]).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "0123456789"),
            "{range}"
        );
        assert_eq!(answer.header("content-range"), "", "{range}");
    }
    let twice = ask(
        &house.router,
        "GET",
        &good,
        &[("range", "bytes=0-1"), ("range", "bytes=3-4")],
    )
    .await;
    assert_eq!(twice.status, 200);
    let nothing = ask(
        &house.router,
        "GET",
        &path("nothing"),
        &[("range", "bytes=0-")],
    )
    .await;
    assert_eq!(
        (nothing.status, nothing.header("content-range")),
        (416, "bytes */0")
    );
    assert_eq!(
        ask(&house.router, "GET", &path("nothing"), &[])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn conditions_hold_in_their_order() {
    let house = house().await;
    let good = path("a/b.txt");
    let etag = house
        .store
        .head(&ObjectKey::new("a/b.txt").unwrap())
        .await
        .unwrap()
        .etag;
    let weak = format!("W/{etag}");
    let several = format!("\"x\", {etag}");
    for tag in [&etag, &weak, &several, &"*".to_owned()] {
        for method in ["GET", "HEAD"] {
            let answer = ask(
                &house.router,
                method,
                &good,
                &[("if-none-match", tag), ("range", "bytes=0-1")],
            )
            .await;
            assert_eq!(
                (answer.status, answer.body.as_str(), answer.header("etag")),
                (304, "", etag.as_str()),
                "{tag}"
            );
            assert!(answer.header("cache-control").starts_with("private"));
        }
    }
    let other = ask(&house.router, "GET", &good, &[("if-none-match", "\"x\"")]).await;
    assert_eq!((other.status, other.body.as_str()), (200, "0123456789"));
    let absent = ask(
        &house.router,
        "GET",
        &path("absent"),
        &[("if-none-match", "*")],
    )
    .await;
    assert_eq!(absent.status, 404);

    for (tag, status) in [
        (etag.as_str(), 206),
        (weak.as_str(), 200),
        ("\"x\"", 200),
        ("Sat, 22 Nov 2036 00:00:00 GMT", 200),
    ] {
        let answer = ask(
            &house.router,
            "GET",
            &good,
            &[("range", "bytes=0-1"), ("if-range", tag)],
        )
        .await;
        assert_eq!(answer.status, status, "{tag}");
    }
}

#[tokio::test]
async fn a_head_says_what_a_get_would() {
    let house = house().await;
    let good = path("a/b.txt");
    let head = ask(&house.router, "HEAD", &good, &[("range", "bytes=0-1")]).await;
    let mut get = ask(&house.router, "GET", &good, &[]).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let mut told = head.headers.clone();
    // The seconds may pass between the two.
    told.remove("cache-control");
    get.headers.remove("cache-control");
    assert_eq!(told, get.headers);
    assert_eq!(
        ask(&house.router, "HEAD", &path("absent"), &[])
            .await
            .status,
        404
    );
}
