//! Signing keys: how one follows another while everybody goes on, and which are taken from elsewhere.

use atelier_kit::sql;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use atelier_kit::call::Call;
use atelier_kit::secret;
use atelier_kit::testing::eventually;
use atelier_kit::testing::forge::Forge;
use atelier_proto::users::v1 as pb;
use atelier_users::Clock as _;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pb::signing_key::State;
use tonic::{Code, Request, Status};

use crate::admin::admin;
use crate::house::{House, bad_field, by, quiet, refused};

/// From its publication to its first signature.
const AHEAD: i64 = 90;
/// From the next one's first signature to its end: its last token, and a minute.
const KEPT: i64 = 15 * 60 + 60;

pub fn internal<T>(message: T) -> Request<T> {
    Call::background(Duration::from_secs(10)).request(message)
}

async fn import(house: &House, pem: &str) -> Result<pb::SigningKey, Status> {
    let request = pb::RotateSigningKeyRequest {
        private_key_pem: pem.to_owned(),
    };
    let answer = house.operator().rotate_signing_key(internal(request)).await;
    answer.map(|answer| answer.into_inner().key.unwrap())
}

async fn rotate(house: &House) -> Result<pb::SigningKey, Status> {
    import(house, "").await
}

async fn list(house: &House) -> Vec<pb::SigningKey> {
    let request = internal(pb::ListSigningKeysRequest {});
    let answer = house.operator().list_signing_keys(request).await;
    answer.unwrap().into_inner().keys
}

fn states(keys: &[pb::SigningKey]) -> Vec<State> {
    keys.iter().map(pb::SigningKey::state).collect()
}

/// The ids of the published keys.
async fn told(house: &House) -> Vec<String> {
    let request = pb::GetKeySetRequest {};
    let answer = house.client.clone().get_key_set(request).await.unwrap();
    let set: serde_json::Value = serde_json::from_str(&answer.into_inner().jwks_json).unwrap();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

/// What the hand-moved clock says, in seconds.
fn now(house: &House) -> i64 {
    house.clock.now() / 1_000_000
}

fn kid_of(tokens: &pb::TokenPair) -> String {
    let head = tokens.access_token.split('.').next().unwrap();
    let head: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    head["kid"].as_str().unwrap().to_owned()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[tokio::test]
async fn a_key_is_published_signs_later_and_takes_leave_last() {
    let house = House::new().await;
    let (_, first) = house.anonymous().await;
    let old = kid_of(&first);
    let before = list(&house).await;
    assert_eq!(states(&before), [State::Signing]);
    assert_eq!(
        (&before[0].kid, before[0].sign_time, before[0].retire_time),
        (&old, None, None)
    );
    assert!(before[0].create_time.is_some());

    let next = rotate(&house).await.unwrap();
    assert_eq!(next.state(), State::Next);
    let new = next.kid.clone();
    assert_eq!(told(&house).await, [new.clone(), old.clone()]);
    let listed = list(&house).await;
    assert_eq!(states(&listed), [State::Next, State::Signing]);
    assert_eq!(listed[0], next);
    let made = next.create_time.unwrap().seconds;
    assert_eq!(next.sign_time.unwrap().seconds, made + AHEAD);

    house.clock.pass(AHEAD - 1);
    let (_, last) = house.anonymous().await;
    assert_eq!(kid_of(&last), old);
    house.clock.pass(1);
    let (_, tokens) = house.anonymous().await;
    assert_eq!(kid_of(&tokens), new);
    for tokens in [&first, &last, &tokens] {
        house.me(tokens).await.unwrap();
    }
    let listed = list(&house).await;
    assert_eq!(states(&listed), [State::Signing, State::Retired]);
    let ends = listed[1].retire_time.unwrap().seconds;
    assert_eq!(ends, made + AHEAD + KEPT);

    house.clock.pass(KEPT - 1);
    assert_eq!(told(&house).await, [new.clone(), old]);
    house.clock.pass(1);
    assert_eq!(told(&house).await, [new]);
    assert_eq!(states(&list(&house).await), [State::Signing]);
}

#[tokio::test]
async fn one_rotation_follows_another() {
    let house = House::new().await;
    rotate(&house).await.unwrap();
    let early = rotate(&house).await;
    refused(early, Code::FailedPrecondition, "ROTATION_UNDER_WAY");
    house.clock.pass(AHEAD);
    rotate(&house).await.unwrap();
    house.clock.pass(AHEAD);
    let third = rotate(&house).await.unwrap();
    use State::{Next, Retired, Signing};
    let listed = list(&house).await;
    assert_eq!(states(&listed), [Next, Signing, Retired, Retired]);
    assert_eq!(listed[0], third);
}

#[tokio::test]
async fn two_services_on_one_database_agree_without_talking() {
    let folder = tempfile::tempdir().unwrap();
    let here = House::at(folder.path(), quiet()).await;
    let there = House::at(folder.path(), quiet()).await;
    let (_, first) = there.anonymous().await;
    let key = rotate(&here).await.unwrap();
    eventually("the other one publishes it too", || async {
        told(&there).await.contains(&key.kid)
    })
    .await;
    for house in [&here, &there] {
        house.clock.pass(AHEAD + 1);
    }
    let (_, second) = there.anonymous().await;
    assert_eq!(kid_of(&second), key.kid);
    for tokens in [&first, &second] {
        here.me(tokens).await.unwrap();
    }
    let early = rotate(&there).await.unwrap();
    let late = rotate(&here).await;
    refused(late, Code::FailedPrecondition, "ROTATION_UNDER_WAY");
    assert_eq!(list(&here).await[0], early);
}

#[tokio::test]
async fn a_rotation_outlives_a_restart() {
    let house = House::new().await;
    let key = rotate(&house).await.unwrap();
    let folder = house.close().await.unwrap();
    let house = House::at(folder.path(), quiet()).await;
    assert_eq!(list(&house).await[0].kid, key.kid);
    house.clock.pass(AHEAD);
    let (_, tokens) = house.anonymous().await;
    assert_eq!(kid_of(&tokens), key.kid);
}

#[tokio::test]
async fn a_key_of_elsewhere_signs_under_its_thumbprint() {
    let house = House::new().await;
    let forge = Forge::new();
    let whole = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let whole = whole.as_der().unwrap();
    // PKCS#1 is the last part of PKCS#8.
    let inner = pem("RSA PRIVATE KEY", &whole.as_ref()[26..]);
    for text in [
        forge.private_pem(),
        inner.clone(),
        include_str!("pem/rsa-3072-pkcs1.pem").to_owned(),
        format!("Bag Attributes\n{}\n", Forge::new().private_pem()),
        Forge::new().private_pem().replace('\n', "\r\n"),
    ] {
        let key = import(&house, &text).await.unwrap();
        house.clock.pass(AHEAD);
        let (_, tokens) = house.anonymous().await;
        assert_eq!(kid_of(&tokens), key.kid);
        house.me(&tokens).await.unwrap();
    }
    let ids: Vec<String> = list(&house).await.into_iter().map(|key| key.kid).collect();
    assert!(ids.contains(&forge.kid().to_owned()));
    // The same key in another form is the same key, also when it signs no more.
    for text in [
        forge.private_pem(),
        inner,
        pem("PRIVATE KEY", whole.as_ref()),
    ] {
        bad_field(import(&house, &text).await, "private_key_pem");
    }
    assert_eq!(list(&house).await.len(), 6, "nothing was added");
    assert_eq!(list(&house).await[0].state(), State::Signing);
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_refused_and_nothing_of_it_is_told() {
    let house = House::new().await;
    let sound = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let mut changed = sound.as_der().unwrap().as_ref().to_vec();
    // In the middle of the private exponent.
    changed[400] ^= 1;
    let curve = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let curve = curve.to_pkcs8v1().unwrap();
    let public = sound.public_key().as_ref().to_vec();
    let cut = Forge::new().private_pem();
    for (what, text) in [
        ("no PEM", "a key".to_owned()),
        ("white space", " \n".to_owned()),
        ("1024 bits", include_str!("pem/rsa-1024.pem").to_owned()),
        ("5120 bits", include_str!("pem/rsa-5120.pem").to_owned()),
        (
            "exponent 3",
            include_str!("pem/rsa-2048-exponent-3.pem").to_owned(),
        ),
        (
            "encrypted",
            include_str!("pem/rsa-2048-encrypted.pem").to_owned(),
        ),
        ("a curve", pem("PRIVATE KEY", curve.as_ref())),
        ("a public key", pem("RSA PUBLIC KEY", &public)),
        ("a certificate", pem("CERTIFICATE", &public)),
        ("numbers that do not fit", pem("PRIVATE KEY", &changed)),
        ("a wrong label", pem("RSA PRIVATE KEY", &changed)),
        ("half a key", cut[..cut.len() / 2].to_owned()),
        ("nonsense in PEM", pem("PRIVATE KEY", b"nonsense")),
        ("too long", "x".repeat(16 * 1024 + 1)),
    ] {
        let refused = import(&house, &text).await.expect_err(what);
        let shown = format!("{refused:?}");
        let middle: String = text.lines().nth(3).unwrap_or_default().to_owned();
        assert!(middle.is_empty() || !shown.contains(&middle), "{what}");
        bad_field::<()>(Err(refused), "private_key_pem");
    }
    // None of them stands in the way of a sound one.
    import(
        &house,
        &pem("PRIVATE KEY", sound.as_der().unwrap().as_ref()),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn keys_are_for_the_operator_alone() {
    let house = House::new().await;
    let (_, root) = admin(&house, "root@x.org").await;
    let mut client = house.client.clone();
    let answer = client.list_signing_keys(by(&root, pb::ListSigningKeysRequest {}));
    refused(answer.await, Code::PermissionDenied, "INTERNAL_ONLY");
    let request = pb::RotateSigningKeyRequest::default();
    let answer = client.rotate_signing_key(by(&root, request)).await;
    refused(answer, Code::PermissionDenied, "INTERNAL_ONLY");

    let mut service = house.service();
    let request = internal(pb::RotateSigningKeyRequest::default());
    let answer = service.rotate_signing_key(request).await;
    refused(answer, Code::PermissionDenied, "OPERATOR_ONLY");
    let answer = service.list_signing_keys(internal(pb::ListSigningKeysRequest {}));
    refused(answer.await, Code::PermissionDenied, "OPERATOR_ONLY");
    assert_eq!(list(&house).await.len(), 1);
}

#[tokio::test]
async fn a_rotation_is_in_the_audit_log_and_a_refused_one_is_not() {
    let house = House::new().await;
    let (_, root) = admin(&house, "root@x.org").await;
    let made = rotate(&house).await.unwrap();
    rotate(&house).await.unwrap_err();
    house.clock.pass(AHEAD);
    let forge = Forge::new();
    let imported = import(&house, &forge.private_pem()).await.unwrap();
    for (kid, origin) in [(&made.kid, "made"), (&imported.kid, "imported")] {
        let request = pb::ListAuditEventsRequest {
            subject: kid.clone(),
            ..Default::default()
        };
        let mut client = house.client.clone();
        let answer = client.list_audit_events(by(&root, request)).await;
        let events = answer.unwrap().into_inner().events;
        assert_eq!(events.len(), 1);
        let event = &events[0];
        assert_eq!(
            (event.action.as_str(), event.actor.as_str()),
            ("keys.rotated", "operator")
        );
        let details: BTreeMap<&str, &str> = event
            .details
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(details["origin"], origin);
        assert_eq!(details["bits"], "2048");
    }
}

#[tokio::test]
async fn an_imported_key_is_kept_under_the_seal() {
    let house = House::new().await;
    let key = import(&house, &Forge::new().private_pem()).await.unwrap();
    let (sealed,): (Vec<u8>,) = sql::query_as("SELECT sealed FROM signing_keys WHERE kid = $1")
        .bind(&key.kid)
        .fetch_one(house.database().await.read())
        .await
        .unwrap();
    let sealing = house.foundation.secret.derive("key-ring");
    let private = secret::open(&sealing, key.kid.as_bytes(), &sealed).unwrap();
    assert!(KeyPair::from_pkcs8(&private).is_ok());
    let kept = house.kept().await;
    for piece in private.chunks_exact(16) {
        assert!(!kept.windows(16).any(|window| window == piece));
    }
}

/// Refreshes and asks who it is, with its newest token and with its oldest that still lives; counts what is done.
async fn live(house: &House, over: &AtomicBool, done: &AtomicUsize) {
    let (user, mut tokens) = house.anonymous().await;
    let mut kept: VecDeque<(i64, pb::TokenPair)> = VecDeque::new();
    while !over.load(Ordering::SeqCst) {
        tokens = house.refresh(&tokens.refresh_token).await.unwrap();
        let ends = tokens.access_expire_time.unwrap().seconds;
        kept.push_back((ends, tokens.clone()));
        // By the hand-moved clock; another minute may pass while the call is under way.
        while kept
            .front()
            .is_some_and(|(ends, _)| *ends < now(house) + 60)
        {
            kept.pop_front();
        }
        let oldest = kept.front().map_or(&tokens, |(_, tokens)| tokens);
        for tokens in [&tokens, oldest] {
            assert_eq!(house.me(tokens).await.unwrap().id, user.id);
        }
        done.fetch_add(3, Ordering::SeqCst);
        // Twenty of these are two hundred and more calls a second, where the machine is not busy otherwise.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_refused_across_rotations() {
    let house = House::new().await;
    let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let callers = (0..20).map(|_| live(&house, &over, &done));
    let operator = async {
        // Two rotations and the whole life of the first key, and a little more, in steps of five seconds.
        let begun = now(&house);
        let mut rotations = 0;
        while now(&house) < begun + AHEAD + KEPT + 60 {
            if rotations < 2 && now(&house) >= begun + rotations * (AHEAD + 60) {
                rotate(&house).await.unwrap();
                rotations += 1;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            house.clock.pass(5);
        }
        over.store(true, Ordering::SeqCst);
    };
    tokio::join!(futures_util::future::join_all(callers), operator);
    assert_eq!(told(&house).await.len(), 2, "the first one is gone");
    let done = done.load(Ordering::SeqCst);
    assert!(done > 200, "{done} calls are no load");
}
