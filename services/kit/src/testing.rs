//! A service on an in-memory link with the full stack around it, for tests; nothing of it is in the product.

pub mod api;
pub mod campaign;
pub mod crash;
pub mod forge;
pub mod log;
pub mod servers;
pub mod tokens;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body::Frame;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fault::Fault;
use crate::identity::{
    ACCESS_TYPE, AUDIENCE, AccessClaims, AccessVerifier, ISSUER, KeySource, Role, ServiceTokens,
    Verifier,
};
use crate::inbound::Inbound;
use crate::link::{Link, Links, Route, pipe};
use crate::page::Pages;
use crate::policy::Policies;
use crate::secret::MeshSecret;
use crate::serve::{Listener, Side, serve};
use crate::service::{Foundation, Service};
use crate::stopgap::Stopgaps;

/// Issues access tokens that the services under test believe.
#[derive(Clone)]
pub struct Issuer {
    key: Arc<EncodingKey>,
    jwks: Arc<str>,
}

impl Default for Issuer {
    fn default() -> Self {
        Self::new()
    }
}

impl Issuer {
    /// Makes a key.
    pub fn new() -> Self {
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let der = pair.as_der().unwrap();
        let public = pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwks = serde_json::json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "test",
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        }]});
        // jsonwebtoken takes PKCS#1, which is the octet string inside PKCS#8.
        Self {
            key: Arc::new(EncodingKey::from_rsa_pem(pem(der.as_ref()).as_bytes()).unwrap()),
            jwks: jwks.to_string().into(),
        }
    }

    /// The value of an `authorization` header for an account.
    pub fn bearer(&self, account: &str, role: Role) -> String {
        self.bearer_for(account, role, 900)
    }

    /// The same, for a token that ends so many seconds from now; negative is in the past.
    pub fn bearer_for(&self, account: &str, role: Role, seconds: i64) -> String {
        let now = jsonwebtoken::get_current_timestamp();
        let claims = AccessClaims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: account.into(),
            sid: format!("session-of-{account}"),
            role,
            plan: "free".to_owned(),
            weight: 1,
            scope: None,
            iat: now,
            exp: now.saturating_add_signed(seconds),
            jti: crate::moment::new_id(),
        };
        let header = Header {
            typ: Some(ACCESS_TYPE.into()),
            kid: Some("test".into()),
            ..Header::new(Algorithm::RS256)
        };
        format!(
            "Bearer {}",
            jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
        )
    }

    /// Puts an account's token on a request.
    pub fn sign<T>(&self, account: &str, role: Role, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        let value = self.bearer(account, role).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        request
    }
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    )
}

#[async_trait]
impl KeySource for Issuer {
    async fn fetch(&self) -> Result<String, Fault> {
        Ok(self.jwks.to_string())
    }
}

/// A time that stands still until a test moves it. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct MovedTime(Arc<std::sync::Mutex<Duration>>);

impl MovedTime {
    /// So much later.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl crate::limit::Time for MovedTime {
    fn now(&self) -> Duration {
        // As far from the epoch as any real time.
        Duration::from_secs(1_800_000_000) + *self.0.lock().unwrap()
    }
}

/// The secret that tests share.
pub fn secret() -> MeshSecret {
    MeshSecret::new(b"a secret that only tests would use").unwrap()
}

/// A foundation in a folder, with no peers and no objects.
pub fn foundation(role: &'static str, folder: &Path) -> Foundation {
    foundation_with(role, folder, &BTreeMap::new())
}

/// A foundation in a folder, with peers.
pub fn foundation_with(
    role: &'static str,
    folder: &Path,
    routes: &BTreeMap<String, Route>,
) -> Foundation {
    let secret = secret();
    let tokens = ServiceTokens::new(&secret, role);
    Foundation {
        role,
        pages: Pages::new(&secret),
        links: Links::new(routes, Some(tokens)).unwrap(),
        secret,
        data: folder.to_path_buf(),
        engines: servers::engines(folder),
        stopgaps: Stopgaps::default(),
        objects: None,
        closing: CancellationToken::new(),
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
    }
}

/// Serves a service in memory with the full stack, and returns a link to it. Dropping the guard ends it.
pub fn mount(
    service: Service,
    role: &'static str,
    policies: Policies,
    issuer: &Issuer,
) -> (Link, tokio_util::sync::DropGuard) {
    let (route, guard) = mount_route(service, role, policies, issuer);
    (
        Link::new(role, &route, Some(ServiceTokens::new(&secret(), "tester"))).unwrap(),
        guard,
    )
}

/// The same, as a route that other services' links can take.
pub fn mount_route(
    service: Service,
    role: &'static str,
    policies: Policies,
    issuer: &Issuer,
) -> (Route, tokio_util::sync::DropGuard) {
    let (near, far) = pipe();
    let services = ServiceTokens::new(&secret(), role);
    let verifier = Verifier::new(
        AccessVerifier::new(Arc::new(issuer.clone())),
        Some(services),
        role,
    );
    let router = Inbound::new(role, policies, verifier, 1024)
        .guard(service.grpc)
        .merge(service.plain);
    let closing = CancellationToken::new();
    tokio::spawn(serve(
        router,
        Listener::Memory(far),
        Side::Inside,
        closing.clone(),
    ));
    (Route::Memory(near), closing.drop_guard())
}

/// A peer that takes every call and answers with an empty message: for services that tell others what they did. Dropping
/// the guard ends it.
pub fn agreeable() -> (Route, tokio_util::sync::DropGuard) {
    let answer = || async {
        // A frame of a message without fields, and the trailers of a call that went well.
        let frames = [
            Frame::data(Bytes::from_static(&[0; 5])),
            Frame::trailers(http::HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                http::HeaderValue::from_static("0"),
            )])),
        ];
        let frames = futures_util::stream::iter(frames.map(Ok::<_, std::convert::Infallible>));
        (
            [(http::header::CONTENT_TYPE, "application/grpc")],
            axum::body::Body::new(http_body_util::StreamBody::new(frames)),
        )
    };
    let (near, far) = pipe();
    let closing = CancellationToken::new();
    tokio::spawn(serve(
        axum::Router::new().fallback(answer),
        Listener::Memory(far),
        Side::Inside,
        closing.clone(),
    ));
    (Route::Memory(near), closing.drop_guard())
}

/// Waits until a condition holds, for at most ten seconds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    for _ in 0..500 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never came true: {what}");
}
