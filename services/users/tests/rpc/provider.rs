//! An OpenID provider on loopback, in the test's process: it keeps to the protocol, signs with keys of its own, and
//! misbehaves as it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atelier_users::{Config, OpenIdServer, RedirectUris};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use url::{Url, form_urlencoded};

use crate::house::quiet;

pub const CLIENT_ID: &str = "atelier-test";
pub const CLIENT_SECRET: &str = "the client's own secret";
pub const REDIRECT_URI: &str = "https://app.example/back";

/// How a path of the provider's misbehaves.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The connection stays open and nothing comes.
    Hangs,
    /// An answer without an end.
    Huge,
    /// To a place that would answer well.
    Redirects,
    /// This status, with a JSON body.
    Status(u16, Value),
    /// This text in place of its answer.
    Says(String),
}

/// Makes an ID token of the claims that would be right.
pub type Forge = Box<dyn Fn(&Keys, Value) -> String + Send + Sync>;

/// A key of the provider's.
pub struct Key {
    pub kid: String,
    pub secret: EncodingKey,
    pub public: Value,
}

impl Key {
    pub fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let secret = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        let mut jwk = Jwk::from_encoding_key(&secret, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        Self {
            kid: kid.to_owned(),
            secret,
            public: serde_json::to_value(jwk).unwrap(),
        }
    }

    pub fn sign(&self, claims: &Value) -> String {
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, &self.secret).unwrap()
    }
}

/// The provider's keys: all are published, the last one signs.
pub struct Keys(pub Vec<Key>);

impl Keys {
    pub fn sign(&self, claims: &Value) -> String {
        self.0.last().unwrap().sign(claims)
    }

    fn document(&self) -> Value {
        let mut keys: Vec<Value> = self.0.iter().map(|key| key.public.clone()).collect();
        // What nobody here can use must not be in the way of what can be used.
        keys.push(json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "odd"}));
        keys.push(json!({"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256"}));
        keys.push(json!("no key at all"));
        json!({"keys": keys})
    }
}

/// A sign-in at the provider that was allowed.
struct Grant {
    claims: Value,
    redirect_uri: String,
    challenge: String,
}

struct Books {
    issuer: String,
    keys: Keys,
    grants: BTreeMap<String, Grant>,
    /// What an access token tells of its person.
    profiles: BTreeMap<String, Value>,
    troubles: BTreeMap<&'static str, Trouble>,
    /// How often a path was asked.
    asked: BTreeMap<String, usize>,
    forge: Forge,
    /// Changes what the provider says of itself.
    discovery: Value,
    made: usize,
}

pub struct FakeProvider {
    books: Arc<Mutex<Books>>,
    pub issuer: String,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakeProvider {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let books = Arc::new(Mutex::new(Books {
            issuer: issuer.clone(),
            keys: Keys(vec![Key::new("one")]),
            grants: BTreeMap::new(),
            profiles: BTreeMap::new(),
            troubles: BTreeMap::new(),
            asked: BTreeMap::new(),
            forge: Box::new(|keys, claims| keys.sign(&claims)),
            discovery: json!({}),
            made: 0,
        }));
        let app = axum::Router::new()
            .fallback(answer)
            .with_state(books.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            books,
            issuer,
            server,
        }
    }

    /// The settings of a house that believes this provider.
    pub fn config(&self) -> Config {
        self.config_of(Some(CLIENT_SECRET), Duration::from_secs(20))
    }

    /// The same, for a public client or one that waits no longer than this for an answer.
    pub fn config_of(&self, secret: Option<&str>, patience: Duration) -> Config {
        let uris = [REDIRECT_URI, "http://127.0.0.1/back"].map(str::to_owned);
        let mut server = OpenIdServer::new(
            self.issuer.parse().unwrap(),
            CLIENT_ID.into(),
            secret.map(|secret| secret.to_owned().into()),
            Some("Fake ID".into()),
            RedirectUris::new(uris.to_vec()).unwrap(),
        )
        .unwrap();
        server.patience = patience;
        Config {
            provider: Some(server),
            ..quiet()
        }
    }

    /// What the browser does: the person signs in at the provider, and comes back with state and code.
    pub fn authorize(&self, authorization_url: &str, claims: Value) -> (String, String) {
        let url = Url::parse(authorization_url).unwrap();
        let said: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let mut books = self.books.lock().unwrap();
        assert!(authorization_url.starts_with(&format!("{}/authorize?", books.issuer)));
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("code_challenge_method", "S256"),
            ("scope", "openid email profile"),
        ] {
            assert_eq!(said[name], value);
        }
        assert!(said["state"].len() >= 43 && said["nonce"].len() >= 43);
        books.made += 1;
        let code = format!("code-{}", books.made);
        let now = jsonwebtoken::get_current_timestamp();
        let mut whole = json!({
            "iss": books.issuer, "aud": CLIENT_ID, "nonce": said["nonce"], "iat": now, "exp": now + 300,
        });
        merge(&mut whole, claims);
        let grant = Grant {
            claims: whole,
            redirect_uri: said["redirect_uri"].clone(),
            challenge: said["code_challenge"].clone(),
        };
        books.grants.insert(code.clone(), grant);
        (said["state"].clone(), code)
    }

    pub fn trouble(&self, path: &'static str, trouble: Trouble) {
        self.books.lock().unwrap().troubles.insert(path, trouble);
    }

    pub fn behave(&self) {
        self.books.lock().unwrap().troubles.clear();
    }

    /// From now on ID tokens are made like this.
    pub fn forge(&self, forge: impl Fn(&Keys, Value) -> String + Send + Sync + 'static) {
        self.books.lock().unwrap().forge = Box::new(forge);
    }

    /// Changes what it says of itself.
    pub fn say(&self, discovery: Value) {
        self.books.lock().unwrap().discovery = discovery;
    }

    /// Signs with another key from now on; it is published too unless it replaces all.
    pub fn rotate(&self, kid: &str, replace: bool) {
        let mut books = self.books.lock().unwrap();
        if replace {
            books.keys.0.clear();
        }
        books.keys.0.push(Key::new(kid));
    }

    /// How often a path was asked.
    pub fn asked(&self, path: &str) -> usize {
        let books = self.books.lock().unwrap();
        books.asked.get(path).copied().unwrap_or_default()
    }
}

pub fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        for (name, value) in from {
            if value.is_null() {
                into.remove(&name);
            } else {
                into.insert(name, value);
            }
        }
    }
}

async fn answer(
    State(books): State<Arc<Mutex<Books>>>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let path = uri.path().to_owned();
    let trouble = {
        let mut books = books.lock().unwrap();
        *books.asked.entry(path.clone()).or_default() += 1;
        books.troubles.get(path.as_str()).cloned()
    };
    let good = || {
        let mut books = books.lock().unwrap();
        match path.trim_start_matches("/elsewhere") {
            "/.well-known/openid-configuration" => Ok(discovery(&books)),
            "/keys" => Ok(books.keys.document()),
            "/token" => token(&mut books, &headers, &body),
            "/userinfo" => userinfo(&books, &headers),
            _ => Err(json!({"error": "not_found"})),
        }
    };
    match trouble {
        None => reply(good()),
        Some(Trouble::Hangs) => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            reply(good())
        }
        Some(Trouble::Huge) => {
            let chunk = || Ok::<_, std::convert::Infallible>(" ".repeat(64 << 10));
            let chunks = futures_util::stream::repeat_with(chunk);
            let mut response = Response::new(Body::from_stream(chunks));
            let kind = "application/json".parse().unwrap();
            response.headers_mut().insert("content-type", kind);
            response
        }
        Some(Trouble::Redirects) => (
            StatusCode::TEMPORARY_REDIRECT,
            [("location", format!("/elsewhere{path}"))],
        )
            .into_response(),
        Some(Trouble::Status(status, body)) => {
            let status = StatusCode::from_u16(status).unwrap();
            (
                status,
                [("content-type", "application/json")],
                body.to_string(),
            )
                .into_response()
        }
        Some(Trouble::Says(text)) => ([("content-type", "application/json")], text).into_response(),
    }
}

fn reply(said: Result<Value, Value>) -> Response {
    let (status, body) = match said {
        Ok(body) => (StatusCode::OK, body),
        Err(body) => (StatusCode::BAD_REQUEST, body),
    };
    (
        status,
        [("content-type", "application/json")],
        body.to_string(),
    )
        .into_response()
}

fn discovery(books: &Books) -> Value {
    let issuer = &books.issuer;
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
    });
    merge(&mut document, books.discovery.clone());
    document
}

/// Who asks: by `client_secret_basic`, by `client_secret_post`, or a public client.
fn client(headers: &HeaderMap, form: &BTreeMap<String, String>) -> (String, Option<String>) {
    let decode = |text: &str| {
        let pairs = format!("x={text}");
        form_urlencoded::parse(pairs.as_bytes())
            .next()
            .unwrap()
            .1
            .into_owned()
    };
    if let Some(basic) = headers.get("authorization") {
        let basic = basic.to_str().unwrap().strip_prefix("Basic ").unwrap();
        let pair = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
        let (id, secret) = pair.split_once(':').unwrap();
        return (decode(id), Some(decode(secret)));
    }
    (
        form["client_id"].clone(),
        form.get("client_secret").cloned(),
    )
}

fn token(books: &mut Books, headers: &HeaderMap, body: &str) -> Result<Value, Value> {
    let form: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let (id, secret) = client(headers, &form);
    if id != CLIENT_ID || secret.is_some_and(|secret| secret != CLIENT_SECRET) {
        return Err(json!({"error": "invalid_client"}));
    }
    let refused = || json!({"error": "invalid_grant", "error_description": "no such code"});
    // A code is spent whatever comes of it.
    let grant = books.grants.remove(&form["code"]).ok_or_else(refused)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes()));
    if form["grant_type"] != "authorization_code"
        || form["redirect_uri"] != grant.redirect_uri
        || challenge != grant.challenge
    {
        return Err(refused());
    }
    books.made += 1;
    let access = format!("access-{}", books.made);
    let mut claims = grant.claims;
    // What the token is not to tell, the provider tells when it is asked.
    if let Some(profile) = claims.as_object_mut().unwrap().remove("userinfo") {
        books.profiles.insert(access.clone(), profile);
    }
    let id_token = (books.forge)(&books.keys, claims);
    Ok(
        json!({"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": id_token}),
    )
}

fn userinfo(books: &Books, headers: &HeaderMap) -> Result<Value, Value> {
    let token = headers.get("authorization").unwrap().to_str().unwrap();
    let token = token.strip_prefix("Bearer ").unwrap();
    books
        .profiles
        .get(token)
        .cloned()
        .ok_or(json!({"error": "invalid_token"}))
}
