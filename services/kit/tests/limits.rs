//! What a service draws, and from whom: each kind of caller in each bucket, to the last call and the moment it returns.

mod probe;

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::fault::Fault;
use atelier_kit::identity::KeySource;
use atelier_kit::limit::{Bucket, Limits, LocalLimiter, Scope, Table};
use atelier_kit::network::Network;
use atelier_kit::testing::MovedTime;
use atelier_kit::testing::forge::*;
use probe::*;
use serde_json::json;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

fn forge() -> &'static Forge {
    static FORGE: OnceLock<Forge> = OnceLock::new();
    FORGE.get_or_init(Forge::new)
}

struct Keys;

#[async_trait]
impl KeySource for Keys {
    async fn fetch(&self) -> Result<String, Fault> {
        Ok(forge().jwks().to_string())
    }
}

/// Somebody who calls.
#[derive(Clone, Copy)]
struct Who {
    account: &'static str,
    session: &'static str,
    role: &'static str,
    /// An API key's.
    is_key: bool,
    network: Option<&'static str>,
}

impl Who {
    fn new(account: &'static str, role: &'static str) -> Self {
        Self {
            account,
            session: "s1",
            role,
            is_key: false,
            network: None,
        }
    }

    fn from(self, network: &'static str) -> Self {
        let network = Some(network);
        Self { network, ..self }
    }

    /// The request, as the edge would pass it on: with the token, and with the network it saw.
    fn request(self) -> Request<String> {
        let mut claims = with(claims(), "sub", json!(self.account));
        claims = with(claims, "sid", json!(self.session));
        claims = with(claims, "role", json!(self.role));
        if self.is_key {
            claims = with(claims, "scope", json!("read"));
        }
        let token = format!("Bearer {}", forge().sign(&forge().header(), &claims));
        let mut request = bare(self.network);
        request
            .metadata_mut()
            .insert("authorization", token.parse().unwrap());
        request
    }
}

fn bare(network: Option<&str>) -> Request<String> {
    let mut request = Request::new(String::new());
    if let Some(network) = network {
        let mut call = atelier_kit::call::Call::background(Duration::from_secs(10));
        call.network = Some(Network::of(network.parse().unwrap()));
        request.extensions_mut().insert(call);
    }
    request
}

/// A service with the built-in limits, and the hand on its clock.
fn service() -> (Peer, MovedTime) {
    let time = MovedTime::default();
    let limits = Limits::new(
        Table::default(),
        Arc::new(LocalLimiter::default()),
        Arc::new(time.clone()),
    );
    let mount = Mount {
        keys: Arc::new(Keys),
        limits: Some(Arc::new(limits)),
        ..Mount::default()
    };
    (mount.in_memory(Probe::new()), time)
}

async fn ask(peer: &Peer, bucket: Bucket, who: Who) -> Result<Response<String>, Status> {
    call(&peer.link(), path_of(bucket), who.request()).await
}

fn number(metadata: &MetadataMap, name: &str) -> Option<u64> {
    metadata.get(name)?.to_str().ok()?.parse().ok()
}

/// Calls that are allowed until the first that is not.
async fn drain(peer: &Peer, bucket: Bucket, who: Who) -> (usize, Status) {
    let mut allowed = 0;
    loop {
        match ask(peer, bucket, who).await {
            Ok(_) => allowed += 1,
            Err(status) => return (allowed, status),
        }
    }
}

#[track_caller]
fn assert_limited(status: &Status, bucket: Bucket, limit: u32, scope: Scope, wait: Duration) {
    assert_refused(status, Code::ResourceExhausted, "RATE_LIMITED");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["bucket"], bucket.name());
    assert_eq!(info.metadata["limit"], limit.to_string());
    assert_eq!(info.metadata["scope"], scope.name());
    let delay = status.get_details_retry_info().unwrap().retry_delay;
    assert_eq!(delay, Some(wait));
    assert_eq!(
        number(status.metadata(), "ratelimit-limit"),
        Some(limit.into())
    );
    assert_eq!(number(status.metadata(), "ratelimit-remaining"), Some(0));
    let seconds = wait.as_nanos().div_ceil(1_000_000_000);
    let reset = number(status.metadata(), "ratelimit-reset");
    assert_eq!(reset.map(u128::from), Some(seconds));
}

#[tokio::test]
async fn each_kind_of_account_has_its_limit_in_each_bucket() {
    // Reviewed by eye: what an account may do in a minute, registered and not.
    let expected = [
        (Bucket::Read, 600, 120),
        (Bucket::Write, 120, 30),
        (Bucket::Login, 5, 5),
        (Bucket::Register, 3, 3),
        (Bucket::Chat, 60, 10),
        (Bucket::Image, 10, 2),
        (Bucket::Speech, 20, 5),
        (Bucket::Admin, 100, 10),
    ];
    let key = Who {
        is_key: true,
        ..Who::new("key-owner", "user")
    };
    for (bucket, registered, anonymous) in expected {
        let (peer, time) = service();
        for (who, limit, scope) in [
            (Who::new("ana", "anonymous"), anonymous, Scope::Anonymous),
            (Who::new("ben", "user"), registered, Scope::Account),
            (Who::new("cleo", "moderator"), registered, Scope::Account),
            (Who::new("dan", "admin"), registered, Scope::Account),
            (key, registered, Scope::Account),
        ] {
            let interval = Duration::from_secs(60) / limit;
            let first = ask(&peer, bucket, who).await.unwrap();
            let told = |name| number(first.metadata(), name);
            assert_eq!(told("ratelimit-limit"), Some(limit.into()));
            assert_eq!(told("ratelimit-remaining"), Some(u64::from(limit) - 1));
            assert_eq!(
                told("ratelimit-reset"),
                Some(interval.as_secs_f64().ceil() as u64)
            );
            let (allowed, status) = drain(&peer, bucket, who).await;
            assert_eq!(allowed + 1, limit as usize, "{bucket:?} {}", who.role);
            assert_limited(&status, bucket, limit, scope, interval);
            // One nanosecond before it returns, and then.
            time.advance(interval - Duration::from_nanos(1));
            let status = ask(&peer, bucket, who).await.unwrap_err();
            assert_limited(&status, bucket, limit, scope, Duration::from_nanos(1));
            time.advance(Duration::from_nanos(1));
            ask(&peer, bucket, who).await.unwrap();
            ask(&peer, bucket, who).await.unwrap_err();
        }
    }
}

#[tokio::test]
async fn all_sessions_and_keys_of_an_account_are_one() {
    let (peer, _) = service();
    let session = Who::new("ben", "user");
    let other = Who {
        session: "s2",
        ..session
    };
    let key = Who {
        session: "k1",
        is_key: true,
        ..session
    };
    for who in [
        session, other, key, session, other, key, session, other, key, key,
    ] {
        ask(&peer, Bucket::Image, who).await.unwrap();
    }
    for who in [session, other, key, session.from("192.0.2.1")] {
        ask(&peer, Bucket::Image, who).await.unwrap_err();
    }
    ask(&peer, Bucket::Image, Who::new("eve", "user"))
        .await
        .unwrap();
}

#[tokio::test]
async fn anonymous_sessions_that_are_made_anew_gain_nothing() {
    let (peer, time) = service();
    let of = |account, network| Who::new(account, "anonymous").from(network);
    ask(&peer, Bucket::Image, of("a", "2001:db8::1"))
        .await
        .unwrap();
    ask(&peer, Bucket::Image, of("b", "2001:db8::2"))
        .await
        .unwrap();
    // Whoever has one address of a /64 has them all.
    let status = ask(&peer, Bucket::Image, of("c", "2001:db8::3:4"))
        .await
        .unwrap_err();
    let half = Duration::from_secs(30);
    assert_limited(&status, Bucket::Image, 2, Scope::Anonymous, half);
    ask(&peer, Bucket::Image, of("c", "2001:db8:0:1::1"))
        .await
        .unwrap();
    // An account that registers is no longer counted with its network.
    let registered = Who::new("a", "user").from("2001:db8::1");
    ask(&peer, Bucket::Image, registered).await.unwrap();
    time.advance(half);
    ask(&peer, Bucket::Image, of("d", "2001:db8::1"))
        .await
        .unwrap();
    ask(&peer, Bucket::Image, of("e", "2001:db8::1"))
        .await
        .unwrap_err();
}

#[tokio::test]
async fn who_is_refused_for_another_reason_draws_nothing() {
    let (peer, _) = service();
    let who = Who::new("ana", "anonymous");
    for _ in 0..200 {
        let status = call(&peer.link(), FOR_USER, who.request())
            .await
            .unwrap_err();
        assert_refused(&status, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(number(status.metadata(), "ratelimit-limit"), None);
    }
    let answer = ask(&peer, Bucket::Read, who).await.unwrap();
    assert_eq!(number(answer.metadata(), "ratelimit-remaining"), Some(119));
}

#[tokio::test]
async fn services_and_whom_the_edge_has_counted_draw_nothing() {
    let (peer, _) = service();
    for _ in 0..200 {
        // A link to a peer speaks for its service when nobody else's token is there.
        let call_of = atelier_kit::call::Call::background(Duration::from_secs(10));
        let answer = call(&peer.link(), FOR_INTERNAL, call_of.request(String::new()))
            .await
            .unwrap();
        assert_eq!(number(answer.metadata(), "ratelimit-limit"), None);
        let answer = call(&peer.link(), ONE, bare(Some("192.0.2.1")))
            .await
            .unwrap();
        assert_eq!(number(answer.metadata(), "ratelimit-limit"), None);
        // Anyone may sign in: a token beside the password is not what is counted.
        let who = Who::new("ben", "user");
        let answer = call(&peer.link(), SIGN_IN, who.request()).await.unwrap();
        assert_eq!(number(answer.metadata(), "ratelimit-limit"), None);
    }
}
