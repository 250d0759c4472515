//! How often something may be done at the running mesh, as a gRPC client and a page see it. What is refused comes back
//! after a minute here: no test waits for it, and none is so slow that it comes by itself. The moment is shown where a
//! test can move the clock.

use std::fs;
use std::path::Path;
use std::time::Duration;

use atelier_proto::users::v1::ListUsersRequest;
use bytes::Bytes;
use prost::Message as _;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::people::{Person, connect};
use crate::raw::{Answer, call};
use crate::running::{Launch, Running, eventually};

const REGISTER: &str = "/atelier.users.v1.UsersService/Register";
const LOGIN: &str = "/atelier.users.v1.UsersService/Login";
const IMAGE: &str = "/atelier.text_image.v1.TextImageService/GenerateImage";
const USERS: &str = "/atelier.users.v1.UsersService/ListUsers";

/// As many at once as are built in, and one a minute after that.
const SLOW: &str = "
[register]
address = { per_minute = 1, burst = 3 }
[login]
address = { per_minute = 1, burst = 5 }
[image]
account = { per_minute = 1, burst = 10 }
anonymous = { per_minute = 1, burst = 2 }
[admin]
account = { per_minute = 1, burst = 100 }
";

async fn mesh(folder: &Path, limits: &str) -> Running {
    let file = folder.join("limits.toml");
    fs::write(&file, limits).unwrap();
    Launch::serving(&[], &folder.join("mesh"))
        .env("ATELIER_LIMITS", file.display().to_string())
        .start()
        .await
}

#[track_caller]
fn assert_limited(answer: &Answer, bucket: &str, scope: &str, at_once: u32) {
    assert_eq!(answer.code, Code::ResourceExhausted, "{answer:?}");
    assert_eq!(answer.reason(), "RATE_LIMITED");
    let told = &answer.details.error_info().unwrap().metadata;
    assert_eq!(
        (&*told["bucket"], &*told["scope"], &*told["limit"]),
        (bucket, scope, "1")
    );
    let wait = answer.details.retry_info().unwrap().retry_delay.unwrap();
    assert!(
        !wait.is_zero() && wait <= Duration::from_secs(60),
        "{wait:?}"
    );
    assert_eq!(left(answer), Some((at_once, 0)));
    let reset = number(answer, "ratelimit-reset").unwrap();
    assert_eq!(u128::from(reset), wait.as_nanos().div_ceil(1_000_000_000));
    assert!(answer.request_id().is_some());
}

fn number(answer: &Answer, name: &str) -> Option<u32> {
    answer.metadata.get(name)?.to_str().ok()?.parse().ok()
}

/// How many at once, and how many are left of them.
fn left(answer: &Answer) -> Option<(u32, u32)> {
    Some((
        number(answer, "ratelimit-limit")?,
        number(answer, "ratelimit-remaining")?,
    ))
}

#[tokio::test]
async fn who_registers_signs_in_draws_and_rules_too_often_is_told_when_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = mesh(folder.path(), SLOW).await;
    let channel = connect(mesh.edge()).await;
    let ask = async |path, token| call(&channel, path, token, Bytes::new()).await;

    // Two accounts and an anonymous session are three.
    let ada = Person::register(mesh.edge()).await;
    let ben = Person::register(mesh.edge()).await;
    let guest = Person::anonymous(mesh.edge()).await;
    assert_limited(&ask(REGISTER, None).await, "register", "address", 3);
    // With a token too, of whatever kind.
    let token = Some(guest.tokens.access_token.as_str());
    assert_limited(&ask(REGISTER, token).await, "register", "address", 3);
    assert_limited(
        &ask(REGISTER, Some("nonsense")).await,
        "register",
        "address",
        3,
    );

    // An admin, with a token that says so: the fifth of five.
    for n in (1..5).rev() {
        let answer = ask(LOGIN, None).await;
        assert_eq!(
            (answer.code, left(&answer)),
            (Code::InvalidArgument, Some((5, n)))
        );
    }
    let data = folder.path().join("mesh").display().to_string();
    let granted = Launch::new(&["admin", "grant", &ada.user.email, "--data", &data]);
    assert_eq!(granted.run().await.code(), Some(0));
    let ada = ada.login(mesh.edge()).await;
    assert_limited(&ask(LOGIN, None).await, "login", "address", 5);

    // A picture that cannot be made has been asked for all the same.
    for (who, scope, at_once) in [(&guest, "anonymous", 2), (&ben, "account", 10)] {
        let token = Some(who.tokens.access_token.as_str());
        for n in (0..at_once).rev() {
            let answer = ask(IMAGE, token).await;
            assert_eq!(answer.code, Code::InvalidArgument, "{answer:?}");
            assert_eq!(left(&answer), Some((at_once, n)));
        }
        assert_limited(&ask(IMAGE, token).await, "image", scope, at_once);
    }
    // One account has nothing to do with another.
    let token = Some(ada.tokens.access_token.as_str());
    assert_eq!(left(&ask(IMAGE, token).await), Some((10, 9)));

    let list = Bytes::from(ListUsersRequest::default().encode_to_vec());
    for n in (0..100).rev() {
        let answer = call(&channel, USERS, token, list.clone()).await;
        assert_eq!((answer.code, left(&answer)), (Code::Ok, Some((100, n))));
    }
    assert_limited(&ask(USERS, token).await, "admin", "account", 100);

    // And it is counted for the operator.
    let metrics = crate::web::get(&format!("{}/metrics", mesh.admin()))
        .await
        .text();
    for line in [
        r#"atelier_rate_limited_total{bucket="register",scope="address"} 3"#,
        r#"atelier_rate_limited_total{bucket="image",scope="anonymous"} 1"#,
        r#"atelier_rate_limited_total{bucket="admin",scope="account"} 1"#,
    ] {
        assert!(
            metrics.lines().any(|told| told == line),
            "{line} is not in\n{metrics}"
        );
    }
}

#[tokio::test]
async fn a_page_is_told_too_and_a_changed_file_holds_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = mesh(folder.path(), SLOW).await;
    let guest = Person::anonymous(mesh.edge()).await;
    let page = async || {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let request = reqwest::Client::new()
            .post(format!("{}{IMAGE}", mesh.edge()))
            .header("content-type", "application/grpc-web+proto")
            .header("origin", "http://localhost:3000")
            .bearer_auth(&guest.tokens.access_token)
            .body(vec![0; 5]);
        request.send().await.unwrap().headers().clone()
    };
    for n in ["1", "0"] {
        let headers = page().await;
        assert_eq!(headers["grpc-status"], "3");
        assert_eq!(headers["ratelimit-limit"], "2");
        assert_eq!(headers["ratelimit-remaining"], n);
    }
    let headers = page().await;
    let status = tonic::Status::from_header_map(&headers).unwrap();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(crate::raw::reason(&status), "RATE_LIMITED");
    assert!(
        status
            .get_details_retry_info()
            .unwrap()
            .retry_delay
            .is_some()
    );
    let exposed = headers["access-control-expose-headers"].to_str().unwrap();
    for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
        assert!(
            headers.contains_key(name) && exposed.contains(name),
            "{name}"
        );
    }

    let file = folder.path().join("limits.toml");
    // A wrong file changes nothing.
    fs::write(&file, "[image]\nanonymous = { per_minute = 0 }").unwrap();
    eventually("it is told", Duration::from_secs(60), || async {
        mesh.log().contains("0 is not within 1 to 1000000")
    })
    .await;
    assert_eq!(page().await["grpc-status"], "8");
    // One more at once than before: what was drawn stays drawn.
    fs::write(&file, "[image]\nanonymous = { per_minute = 1, burst = 3 }").unwrap();
    eventually("it holds", Duration::from_secs(60), || async {
        page().await["ratelimit-limit"] == "3"
    })
    .await;
    assert_eq!(page().await["grpc-status"], "8");
}

#[tokio::test]
async fn a_wrong_file_stops_the_start_and_is_found_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("limits.toml");
    let named = file.display().to_string();
    fs::write(&file, "[image]\naccount = { per_minute = -1 }").unwrap();
    let wrong = format!("{named}:2:26: -1 is not within 1 to 1000000");
    let ended = Launch::serving(&[], &folder.path().join("mesh"))
        .env("ATELIER_LIMITS", &named)
        .run()
        .await;
    assert_eq!(ended.code(), Some(64));
    assert!(
        ended
            .only_line()
            .contains(&format!("ATELIER_LIMITS: {wrong}")),
        "{ended:?}"
    );
    let check = || Launch::new(&["limits", "check", &named]).run();
    let ended = check().await;
    assert_eq!(ended.code(), Some(64));
    assert!(ended.only_line().contains(&wrong), "{ended:?}");
    fs::write(&file, "[image]\naccount = { per_minute = 7, burst = 3 }").unwrap();
    let ended = check().await;
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.contains("7 (3)"), "{ended:?}");
}
