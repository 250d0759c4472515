//! Who is believed: every token that does not hold is refused, and the keys come, fail and come back without a restart.

mod forge;
mod probe;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::{Caller, KeySource, Role, ServiceTokens};
use atelier_kit::secret::MeshSecret;
use atelier_kit::testing::secret;
use forge::*;
use probe::*;
use serde_json::{Value, json};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

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
    let token = forge().sign(&header(), &claims());
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

#[tokio::test]
async fn no_token_that_is_wrong_anywhere_is_believed() {
    let peer = peer();
    let now = jsonwebtoken::get_current_timestamp();
    let good = forge().sign(&header(), &claims());
    let (text, made) = good.rsplit_once('.').unwrap();
    let head = |field: &str, to: Value| forge().sign(&with(header(), field, to), &claims());
    let claim = |field: &str, to: Value| forge().sign(&header(), &with(claims(), field, to));
    let none = with(header(), "alg", json!("none"));
    let hmac = with(header(), "alg", json!("HS256"));
    let admin = part(&with(claims(), "role", json!("admin")));
    let bad = [
        ("nothing", String::new()),
        ("no JWT", "abc".into()),
        ("dots", "..".into()),
        ("no JSON", "YWJj.YWJj.YWJj".into()),
        (
            "alg none, unsigned",
            format!("{}.{}.", part(&none), part(&claims())),
        ),
        (
            "alg none, signed",
            format!("{}.{}.{made}", part(&none), part(&claims())),
        ),
        (
            "HS256 with the public key's text",
            hs256(forge().public_pem().as_bytes(), &hmac, &claims()),
        ),
        ("HS256 with an empty key", hs256(b"", &hmac, &claims())),
        ("another algorithm's name", head("alg", json!("RS512"))),
        ("no signature", format!("{text}.")),
        (
            "half a signature",
            format!("{text}.{}", &made[..made.len() / 2]),
        ),
        (
            "another's signature",
            format!("{}.{admin}.{made}", part(&header())),
        ),
        ("no typ", head("typ", Value::Null)),
        ("another typ", head("typ", json!("JWT"))),
        ("the typ of services", head("typ", json!("service+jwt"))),
        ("no kid", head("kid", Value::Null)),
        ("an unknown kid", head("kid", json!("two"))),
        ("no audience", claim("aud", Value::Null)),
        ("another audience", claim("aud", json!("elsewhere"))),
        ("no issuer", claim("iss", Value::Null)),
        ("another issuer", claim("iss", json!("elsewhere"))),
        ("no subject", claim("sub", Value::Null)),
        ("no session", claim("sid", Value::Null)),
        ("no role", claim("role", Value::Null)),
        ("a role that does not exist", claim("role", json!("owner"))),
        ("no end", claim("exp", Value::Null)),
        (
            "an end that is a text",
            claim("exp", json!((now + 900).to_string())),
        ),
        ("not before tomorrow", claim("nbf", json!(now + 86_400))),
        ("too long", claim("jti", json!("x".repeat(8 * 1024)))),
    ];
    for (what, token) in bad {
        for path in [FOR_USER, FOR_INTERNAL, ONE] {
            let status = bear(&peer, path, &token).await.expect_err(what);
            assert_eq!(status.code(), Code::Unauthenticated, "{what}: {status:?}");
            assert_refused(&status, Code::Unauthenticated, "TOKEN_INVALID");
            // Nothing of a token comes back in an error.
            assert!(
                token.len() < 20 || !format!("{status:?}").contains(&token[..20]),
                "{what}"
            );
        }
    }
    assert_eq!(bear(&peer, FOR_USER, &good).await.unwrap(), "ana s1 user");
}

#[tokio::test]
async fn a_token_whose_time_is_over_is_said_to_be_expired() {
    let peer = peer();
    let now = jsonwebtoken::get_current_timestamp();
    for exp in [0, now - 60] {
        let token = forge().sign(&header(), &with(claims(), "exp", json!(exp)));
        let status = bear(&peer, FOR_USER, &token).await.unwrap_err();
        assert_refused(&status, Code::Unauthenticated, "TOKEN_EXPIRED");
    }
}

#[tokio::test]
async fn one_authorization_header_or_none() {
    let peer = peer();
    let good = format!("Bearer {}", forge().sign(&header(), &claims()));
    for values in [
        &[good.as_str(), good.as_str()],
        &[good.as_str(), "Bearer x"],
        &["Bearer x", good.as_str()],
    ] {
        let status = ask(&peer, FOR_USER, values).await.unwrap_err();
        assert_refused(&status, Code::Unauthenticated, "TOKEN_INVALID");
    }
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        &good["Bearer ".len()..],
        &format!("{good} {good}"),
    ] {
        let status = ask(&peer, FOR_USER, &[value]).await.unwrap_err();
        assert_refused(&status, Code::Unauthenticated, "TOKEN_INVALID");
    }
}

#[tokio::test]
async fn a_token_of_a_megabyte_is_refused_and_the_connection_goes_on() {
    let peer = Mount {
        keys: Keys::new(Some(forge().jwks())),
        ..Mount::default()
    }
    .on_loopback(who(), 0)
    .await;
    let huge = format!("Bearer {}", "x".repeat(1024 * 1024));
    let link = peer.link();
    let mut request = Request::new(String::new());
    request
        .metadata_mut()
        .insert("authorization", huge.parse().unwrap());
    assert!(call(&link, FOR_USER, request).await.is_err());
    assert_eq!(
        call(&link, ONE, Request::new(String::new()))
            .await
            .unwrap()
            .into_inner(),
        "nobody"
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
        let token = forge().sign(&header(), &with(claims(), "role", json!(role)));
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
    let status = bear(&peer, FOR_INTERNAL, &token("exp", json!(now - 60)))
        .await
        .unwrap_err();
    assert_refused(&status, Code::Unauthenticated, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_told_and_recover_without_a_restart() {
    let keys = Keys::new(None);
    let peer = peer_with(keys.clone());
    let token = forge().sign(&header(), &claims());
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
            &with(header(), "kid", json!(format!("guess-{n}"))),
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
    let token = forge().sign(&header(), &claims());
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
