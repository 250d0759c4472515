//! Who is believed: every token that does not hold is refused, and the keys come, fail and come back without a restart.

mod probe;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::{AccessVerifier, Caller, KeySource, Role, ServiceTokens, Verifier};
use atelier_kit::secret::MeshSecret;
use atelier_kit::testing::forge::*;
use atelier_kit::testing::secret;
use atelier_kit::testing::tokens::{Refused, bad_tokens};
use probe::*;
use serde_json::{Value, json};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

/// One key for all tests of this file.
fn forge() -> &'static Forge {
    static FORGE: OnceLock<Forge> = OnceLock::new();
    FORGE.get_or_init(Forge::new)
}

/// A key source that counts and can fail.
struct Keys {
    answer: Mutex<Option<String>>,
    asked: AtomicUsize,
}

impl Keys {
    fn new(answer: Option<Value>) -> Arc<Self> {
        Arc::new(Self {
            answer: Mutex::new(answer.map(|keys| keys.to_string())),
            asked: AtomicUsize::new(0),
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeySource for Keys {
    async fn fetch(&self) -> Result<String, Fault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        // Long enough for others to come meanwhile.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let answer = self.answer.lock().unwrap().clone();
        answer.ok_or_else(|| Fault::new(Kind::Unavailable, "PEER_UNREACHABLE", "no"))
    }
}

fn who() -> Probe {
    Probe::new().one(|request| async move {
        Ok(match Call::of(&request)?.caller {
            Caller::Nobody => "nobody".to_owned(),
            Caller::Account(account) => {
                format!("{} {} {}", account.id, account.session, account.role.name())
            }
            Caller::Service(role) => format!("service {role}"),
        })
    })
}

fn peer_with(keys: Arc<Keys>) -> Peer {
    Mount {
        keys,
        ..Mount::default()
    }
    .in_memory(who())
}

fn peer() -> Peer {
    peer_with(Keys::new(Some(forge().jwks())))
}

async fn ask(peer: &Peer, path: &'static str, authorization: &[&str]) -> Result<String, Status> {
    let mut request = Request::new(String::new());
    for value in authorization {
        request
            .metadata_mut()
            .append("authorization", value.parse().unwrap());
    }
    call(&peer.link(), path, request)
        .await
        .map(tonic::Response::into_inner)
}

async fn bear(peer: &Peer, path: &'static str, token: &str) -> Result<String, Status> {
    ask(peer, path, &[&format!("Bearer {token}")]).await
}

#[tokio::test]
async fn a_token_that_holds_names_its_account() {
    let peer = peer();
    let token = forge().sign(&forge().header(), &claims());
    assert_eq!(bear(&peer, FOR_USER, &token).await.unwrap(), "ana s1 user");
    // The scheme is not case-sensitive.
    assert_eq!(
        ask(&peer, FOR_USER, &[&format!("bearer {token}")])
            .await
            .unwrap(),
        "ana s1 user"
    );
    assert_eq!(ask(&peer, ONE, &[]).await.unwrap(), "nobody");
}

#[tokio::test]
async fn no_token_is_no_caller() {
    let peer = peer();
    for (path, access) in FOR_EACH {
        let answer = ask(&peer, path, &[]).await;
        match access {
            atelier_kit::policy::Access::Public => assert_eq!(answer.unwrap(), "nobody"),
            _ => assert_refused(&answer.unwrap_err(), Code::Unauthenticated, "TOKEN_MISSING"),
        }
    }
}

/// What was asked for in vain, of whatever listens here.
struct Lure {
    url: String,
    fetched: Arc<AtomicUsize>,
}

impl Lure {
    async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fetched = Arc::new(AtomicUsize::new(0));
        let count = fetched.clone();
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { url, fetched }
    }
}

#[tokio::test]
async fn no_token_that_is_wrong_anywhere_is_believed() {
    let keys = Keys::new(Some(forge().jwks()));
    let peer = Mount {
        keys: keys.clone(),
        ..Mount::default()
    }
    .on_loopback(who(), 0)
    .await;
    let lure = Lure::new().await;
    let table = bad_tokens(forge(), &lure.url);
    assert!(table.len() > 100, "{}", table.len());
    let link = peer.link();
    for bad in &table {
        for path in [FOR_USER, FOR_INTERNAL, ONE] {
            let mut request = Request::new(String::new());
            for value in &bad.authorization {
                let value = value.as_slice().try_into().unwrap();
                request.metadata_mut().append("authorization", value);
            }
            let what = &bad.what;
            let status = match call(&link, path, request).await {
                Ok(who) => panic!("{what} is believed at {path}: {}", who.into_inner()),
                Err(status) => status,
            };
            let Refused::For(reason) = bad.refused else {
                continue;
            };
            let told = status.get_details_error_info().map(|info| info.reason);
            assert_eq!(
                (status.code(), told.as_deref()),
                (Code::Unauthenticated, Some(reason)),
                "{what}: {status:?}"
            );
            // Nothing of a token comes back in an error.
            let sent = String::from_utf8_lossy(bad.authorization.last().unwrap()).into_owned();
            let beginning: String = sent.chars().skip("Bearer ".len()).take(20).collect();
            assert!(
                beginning.len() < 20 || !format!("{status:?}").contains(&beginning),
                "{what}"
            );
        }
    }
    assert_eq!(
        lure.fetched.load(Ordering::SeqCst),
        0,
        "something was fetched from a URL in a token"
    );
    assert_eq!(
        keys.asked(),
        1,
        "strange keys were asked for more than once"
    );
    // Next to all of that, and over the same connection, a sound token is believed.
    assert_eq!(
        bear(&peer, FOR_USER, &forge().good()).await.unwrap(),
        "ana s1 user"
    );
}

#[tokio::test]
async fn each_role_does_what_it_may_and_no_more() {
    let peer = peer();
    // Reviewed by eye: which methods each caller reaches, in the order of FOR_EACH.
    let table = [
        ("anonymous", [true, true, false, false, false, false]),
        ("user", [true, true, true, false, false, false]),
        ("moderator", [true, true, true, true, false, false]),
        ("admin", [true, true, true, true, true, false]),
    ];
    for (role, reached) in table {
        let token = forge().sign(&forge().header(), &with(claims(), "role", json!(role)));
        for ((path, _), reached) in FOR_EACH.into_iter().zip(reached) {
            let answer = bear(&peer, path, &token).await;
            assert_eq!(answer.is_ok(), reached, "{role} {path}");
            if let Err(status) = answer {
                let reason = if path == FOR_INTERNAL {
                    "INTERNAL_ONLY"
                } else {
                    "ROLE_TOO_LOW"
                };
                assert_refused(&status, Code::PermissionDenied, reason);
            }
        }
    }
    let service = ServiceTokens::new(&secret(), "tts").token(ROLE).unwrap();
    for ((path, _), reached) in FOR_EACH
        .into_iter()
        .zip([true, false, false, false, false, true])
    {
        let answer = bear(&peer, path, &service).await;
        assert_eq!(answer.is_ok(), reached, "service {path}");
        match answer {
            Ok(who) => assert_eq!(who, "service tts"),
            Err(status) => assert_refused(&status, Code::PermissionDenied, "ACCOUNT_NEEDED"),
        }
    }
}

#[tokio::test]
async fn a_service_token_is_for_this_service_and_this_mesh() {
    let peer = peer();
    let elsewhere = MeshSecret::new(&[9; 32]).unwrap();
    let now = jsonwebtoken::get_current_timestamp();
    let key = secret().derive("service-tokens");
    let head = json!({"alg": "HS256", "typ": "service+jwt"});
    let own =
        json!({"iss": "atelier-mesh", "aud": ROLE, "sub": "tts", "iat": now, "exp": now + 60});
    let token = |change: &str, to: Value| hs256(&key, &head, &with(own.clone(), change, to));
    assert_eq!(
        bear(&peer, FOR_INTERNAL, &hs256(&key, &head, &own))
            .await
            .unwrap(),
        "service tts"
    );
    let bad = [
        (
            "another's",
            ServiceTokens::new(&secret(), "tts")
                .token("users")
                .unwrap()
                .to_string(),
        ),
        (
            "another mesh's",
            ServiceTokens::new(&elsewhere, "tts")
                .token(ROLE)
                .unwrap()
                .to_string(),
        ),
        ("of an account's issuer", token("iss", json!("atelier"))),
        ("without an end", token("exp", Value::Null)),
        (
            "whose end is a text",
            token("exp", json!((now + 60).to_string())),
        ),
        ("of nobody", token("sub", Value::Null)),
        (
            "posing as an access token",
            hs256(&key, &with(head.clone(), "typ", json!("at+jwt")), &own),
        ),
        (
            "unsigned",
            format!(
                "{}.{}.",
                part(&with(head.clone(), "alg", json!("none"))),
                part(&own)
            ),
        ),
        (
            "signed with RSA",
            forge().sign(&with(head.clone(), "alg", json!("RS256")), &own),
        ),
    ];
    for (what, token) in bad {
        let status = bear(&peer, FOR_INTERNAL, &token).await.expect_err(what);
        assert_refused(&status, Code::Unauthenticated, "TOKEN_INVALID");
    }
    // Two minutes are borne, for the sake of clocks.
    let late = token("exp", json!(now - 120));
    bear(&peer, FOR_INTERNAL, &late).await.expect("within them");
    let status = bear(&peer, FOR_INTERNAL, &token("exp", json!(now - 130)))
        .await
        .unwrap_err();
    assert_refused(&status, Code::Unauthenticated, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_told_and_recover_without_a_restart() {
    let keys = Keys::new(None);
    let peer = peer_with(keys.clone());
    let token = forge().sign(&forge().header(), &claims());
    for _ in 0..10 {
        let status = bear(&peer, FOR_USER, &token).await.unwrap_err();
        assert_refused(&status, Code::Unavailable, "KEYS_UNAVAILABLE");
        assert!(
            status
                .get_details_retry_info()
                .unwrap()
                .retry_delay
                .is_some()
        );
    }
    // Ten calls within a second are one question.
    assert_eq!(keys.asked(), 1);
    // Whoever needs no key is served.
    assert_eq!(ask(&peer, ONE, &[]).await.unwrap(), "nobody");
    let service = ServiceTokens::new(&secret(), "tts").token(ROLE).unwrap();
    assert_eq!(
        bear(&peer, FOR_INTERNAL, &service).await.unwrap(),
        "service tts"
    );
    // Half a key set is none.
    *keys.answer.lock().unwrap() = Some("{\"keys\": [{".into());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let status = bear(&peer, FOR_USER, &token).await.unwrap_err();
    assert_refused(&status, Code::Unavailable, "KEYS_UNAVAILABLE");
    *keys.answer.lock().unwrap() = Some(forge().jwks().to_string());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(bear(&peer, FOR_USER, &token).await.unwrap(), "ana s1 user");
    // Keys that are known outlive their source.
    *keys.answer.lock().unwrap() = None;
    assert_eq!(bear(&peer, FOR_USER, &token).await.unwrap(), "ana s1 user");
}

#[tokio::test]
async fn unknown_keys_do_not_make_the_service_ask_again_and_again() {
    let keys = Keys::new(Some(forge().jwks()));
    let peer = peer_with(keys.clone());
    let link = peer.link();
    let calls = (0..30).map(|n| {
        let token = forge().sign(
            &with(forge().header(), "kid", json!(format!("guess-{n}"))),
            &claims(),
        );
        let mut request = Request::new(String::new());
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        call(&link, FOR_USER, request)
    });
    for answer in futures_util::future::join_all(calls).await {
        assert_refused(&answer.unwrap_err(), Code::Unauthenticated, "TOKEN_INVALID");
    }
    assert_eq!(keys.asked(), 1);
    // A key that is known is not held up by those that are not.
    let token = forge().sign(&forge().header(), &claims());
    assert_eq!(bear(&peer, FOR_USER, &token).await.unwrap(), "ana s1 user");
    assert_eq!(keys.asked(), 1);
}

#[tokio::test]
async fn the_issuer_of_the_tests_is_believed_as_well() {
    let peer = Mount::default().in_memory(who());
    let request = issuer().sign("bob", Role::Moderator, String::new());
    let answer = call(&peer.link(), FOR_USER, request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer, "bob session-of-bob moderator");
}

/// A verifier whose clock stands until it is moved.
struct Timed {
    verifier: Verifier,
    keys: Arc<Keys>,
    seconds: Arc<AtomicUsize>,
}

impl Timed {
    fn new(keys: &Arc<Keys>) -> Self {
        let seconds = Arc::new(AtomicUsize::new(0));
        let (begun, passed) = (Instant::now(), seconds.clone());
        let ticks = move || begun + Duration::from_secs(passed.load(Ordering::SeqCst) as u64);
        let access = AccessVerifier::timed(keys.clone(), Arc::new(ticks));
        Self {
            verifier: Verifier::new(access, None, ROLE),
            keys: keys.clone(),
            seconds,
        }
    }

    fn pass(&self, seconds: usize) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn answer(&self, keys: Option<Value>) {
        *self.keys.answer.lock().unwrap() = keys.map(|keys| keys.to_string());
    }

    async fn identify(&self, token: &str) -> Result<Caller, Fault> {
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        self.verifier.identify(&headers).await
    }

    /// Waits until the source was asked so often.
    async fn asked(&self, times: usize) {
        let asked = || async { self.keys.asked() == times };
        atelier_kit::testing::eventually("the source is asked", asked).await;
        // Its answer takes a moment.
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(self.keys.asked(), times);
    }
}

/// A set of several keys.
fn set(keys: &[Value]) -> Value {
    json!({ "keys": keys })
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_once_a_minute_and_found_then() {
    let next = Forge::new();
    let timed = Timed::new(&Keys::new(Some(forge().jwks())));
    assert!(timed.identify(&forge().good()).await.is_ok());
    timed.answer(Some(set(&[forge().jwk(), next.jwk()])));
    for _ in 0..59 {
        timed.pass(1);
        let refused = timed.identify(&next.good()).await.unwrap_err();
        assert_eq!(refused.reason(), "TOKEN_INVALID");
    }
    assert_eq!(timed.keys.asked(), 1);
    timed.pass(1);
    assert!(timed.identify(&next.good()).await.is_ok());
    assert!(timed.identify(&forge().good()).await.is_ok());
    assert_eq!(timed.keys.asked(), 2);
}

#[tokio::test]
async fn callers_who_go_away_do_not_make_it_ask_again_and_again() {
    let timed = Timed::new(&Keys::new(Some(forge().jwks())));
    let token = forge().good();
    for _ in 0..20 {
        // The source takes twenty times as long.
        let _gone = tokio::time::timeout(Duration::from_millis(1), timed.identify(&token)).await;
    }
    assert!(timed.identify(&token).await.is_ok());
    assert_eq!(timed.keys.asked(), 1);
}

#[tokio::test]
async fn keys_in_use_are_fetched_again_beside_the_calls_and_withdrawn_ones_go() {
    let next = Forge::new();
    let timed = Timed::new(&Keys::new(Some(set(&[forge().jwk(), next.jwk()]))));
    let (old, new) = (forge().good(), next.good());
    for token in [&old, &new] {
        assert!(timed.identify(token).await.is_ok());
    }
    timed.answer(Some(next.jwks()));
    timed.pass(300);
    assert!(timed.identify(&old).await.is_ok());
    timed.asked(1).await;
    timed.pass(1);
    // The call that finds the keys old is answered with them.
    assert!(timed.identify(&new).await.is_ok());
    timed.asked(2).await;
    let refused = timed.identify(&old).await.unwrap_err();
    assert_eq!(refused.reason(), "TOKEN_INVALID");
    assert!(timed.identify(&new).await.is_ok());
    assert_eq!(timed.keys.asked(), 2);
}

#[tokio::test]
async fn a_source_that_is_away_or_empty_fails_no_call_whose_key_is_known() {
    let timed = Timed::new(&Keys::new(Some(forge().jwks())));
    let token = forge().good();
    assert!(timed.identify(&token).await.is_ok());
    let mut asked = 1;
    for answer in [None, Some(set(&[])), Some(json!({"keys": "none"}))] {
        timed.answer(answer);
        timed.pass(400);
        assert!(timed.identify(&token).await.is_ok());
        asked += 1;
        timed.asked(asked).await;
        // A source that is ill is left alone for a while.
        timed.pass(9);
        for _ in 0..20 {
            let fresh = forge().good();
            assert!(timed.identify(&fresh).await.is_ok());
        }
        timed.asked(asked).await;
    }
    timed.answer(Some(forge().jwks()));
    timed.pass(10);
    assert!(timed.identify(&token).await.is_ok());
    timed.asked(asked + 1).await;
    assert!(timed.identify(&token).await.is_ok());
    timed.asked(asked + 1).await;
}

#[tokio::test]
async fn one_key_that_cannot_be_used_does_not_spoil_the_others() {
    let sound = forge().jwk();
    let spoiled = |change: &str, to: Value| with(sound.clone(), change, to);
    let strange = [
        json!(null),
        json!("a key"),
        json!({}),
        json!({"kty": "RSA"}),
        json!({"kty": "oct", "kid": "secret", "k": "c2VjcmV0"}),
        spoiled("kty", json!("XYZ")),
        spoiled("n", json!("not base64 !")),
        spoiled("alg", json!("RS9999")),
        spoiled("alg", json!("PS256")),
        spoiled("use", json!("enc")),
        spoiled("kid", Value::Null),
    ];
    for one in &strange {
        for keys in [[one.clone(), sound.clone()], [sound.clone(), one.clone()]] {
            let timed = Timed::new(&Keys::new(Some(set(&keys))));
            assert!(timed.identify(&forge().good()).await.is_ok(), "{one}");
        }
        let timed = Timed::new(&Keys::new(Some(set(std::slice::from_ref(one)))));
        let refused = timed.identify(&forge().good()).await.unwrap_err();
        assert_eq!(refused.reason(), "KEYS_UNAVAILABLE", "{one}");
    }
}
