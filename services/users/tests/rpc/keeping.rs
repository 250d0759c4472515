//! What is kept: over a restart, under a seal, and no longer than it may be.

use atelier_kit::sql;
use std::time::Duration;

use atelier_kit::config::Settings;
use atelier_kit::secret::{self, MeshSecret};
use atelier_kit::testing::{eventually, foundation};
use atelier_proto::users::v1 as pb;
use atelier_users::{Config, build};

use crate::house::{House, PASSWORD, by, quiet};

async fn key_set(house: &House) -> String {
    house
        .client
        .clone()
        .get_key_set(pb::GetKeySetRequest {})
        .await
        .unwrap()
        .into_inner()
        .jwks_json
}

/// Everything that is on the disk.
fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[tokio::test]
async fn accounts_sessions_and_keys_outlive_a_restart() {
    let house = House::new().await;
    let (user, tokens) = house.register("ana@x.org").await;
    let keys = key_set(&house).await;
    let folder = house.close().await.unwrap();

    let house = House::at(folder.path(), quiet()).await;
    assert_eq!(key_set(&house).await, keys);
    assert_eq!(house.me(&tokens).await.unwrap(), user);
    let pair = house.refresh(&tokens.refresh_token).await.unwrap();
    assert_eq!(
        house
            .login("ana@x.org", PASSWORD)
            .await
            .unwrap()
            .user
            .unwrap(),
        user
    );
    house.close().await;

    // A lost answer may be asked for again after a restart too.
    let house = House::at(folder.path(), quiet()).await;
    assert_eq!(house.refresh(&tokens.refresh_token).await.unwrap(), pair);
}

#[tokio::test]
async fn what_is_kept_has_no_private_key_no_password_and_no_token() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    let next = house.refresh(&tokens.refresh_token).await.unwrap();
    let (kid, sealed): (String, Vec<u8>) = sql::query_as("SELECT kid, sealed FROM signing_keys")
        .fetch_one(house.database().await.read())
        .await
        .unwrap();
    let key = house.foundation.secret.derive("key-ring");
    let private = secret::open(&key, kid.as_bytes(), &sealed).unwrap();
    assert!(private.len() > 1_000, "an RSA-2048 key in PKCS#8");
    assert!(aws_lc_rs::rsa::KeyPair::from_pkcs8(&private).is_ok());

    // Mails are for people to read, and hold what people are to have.
    let kept = house.kept().await;
    assert!(
        contains(&kept, kid.as_bytes()) && contains(&kept, b"ana@x.org"),
        "the right things are read"
    );
    for piece in private.chunks_exact(16) {
        assert!(!contains(&kept, piece));
    }
    for hidden in [
        PASSWORD,
        &tokens.refresh_token,
        &next.refresh_token,
        &next.access_token,
    ] {
        assert!(!contains(&kept, hidden.as_bytes()));
    }
}

#[tokio::test]
async fn under_another_secret_the_service_does_not_start() {
    let house = House::new().await;
    let folder = house.close().await.unwrap();
    let mut other = foundation("users", folder.path());
    other.secret = MeshSecret::new(&[9; 32]).unwrap();
    let error = build(Config::default(), &other)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("key ring") && error.contains("ATELIER_SECRET"),
        "{error}"
    );
}

#[tokio::test]
async fn two_that_start_at_once_on_one_file_have_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = tokio::join!(
        House::at(folder.path(), quiet()),
        House::at(folder.path(), quiet())
    );
    assert_eq!(key_set(&one).await, key_set(&two).await);
    let (user, tokens) = one.register("ana@x.org").await;
    assert_eq!(two.me(&tokens).await.unwrap(), user);
    // And they exchange tokens as one.
    let (here, there) = tokio::join!(
        one.refresh(&tokens.refresh_token),
        two.refresh(&tokens.refresh_token)
    );
    assert_eq!(here.unwrap(), there.unwrap());
}

#[tokio::test]
async fn the_key_set_is_one_rsa_key_without_its_private_part() {
    let house = House::new().await;
    let set: serde_json::Value = serde_json::from_str(&key_set(&house).await).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    let mut members: Vec<&String> = keys[0].as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!(
        (&keys[0]["alg"], &keys[0]["e"]),
        (&"RS256".into(), &"AQAB".into())
    );
}

#[tokio::test]
async fn the_sweeper_erases_what_has_passed_and_ends_with_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        sweep_every: Duration::from_millis(20),
        anonymous_for: Duration::from_secs(365 * 86_400),
        ..Config::default()
    };
    let house = House::at(folder.path(), config).await;
    let (_, tokens) = house.anonymous().await;
    let next = house.refresh(&tokens.refresh_token).await.unwrap();
    let database = house.database().await;
    let count = async |query: &'static str| -> i64 {
        let (count,): (i64,) = sql::query_as(query)
            .fetch_one(database.read())
            .await
            .unwrap();
        count
    };
    const PAIRS: &str = "SELECT COUNT(*) FROM refresh_tokens WHERE successor IS NOT NULL";
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(count(PAIRS).await, 1, "its grace has not passed");
    house.clock.pass(60);
    eventually("the pair is erased", || async { count(PAIRS).await == 0 }).await;
    let sessions = by(&next, pb::ListSessionsRequest::default());
    assert_eq!(
        house
            .client
            .clone()
            .list_sessions(sessions)
            .await
            .unwrap()
            .into_inner()
            .sessions
            .len(),
        1
    );
    house.clock.pass(31 * 86_400);
    eventually("expired sessions and tokens are deleted", || async {
        count("SELECT COUNT(*) FROM sessions").await
            + count("SELECT COUNT(*) FROM refresh_tokens").await
            == 0
    })
    .await;
    assert_eq!(
        count("SELECT COUNT(*) FROM users").await,
        1,
        "the account stays"
    );
    tokio::time::timeout(Duration::from_secs(5), house.close())
        .await
        .expect("the sweeper ends");
}

#[tokio::test]
async fn the_built_service_tells_its_adapters_and_takes_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    let foundation = foundation("users", folder.path());
    let service = build(Config::read(&Settings::default()), &foundation)
        .await
        .unwrap();
    let ports: Vec<&str> = service.inventory.iter().map(|line| line.port).collect();
    assert_eq!(ports, ["accounts", "credits", "keys", "mails"]);
    foundation.stop.cancel();
    foundation.tasks.close();
    foundation.tasks.wait().await;
    (service.close.unwrap())().await;
}
