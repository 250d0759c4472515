//! How it starts, and in one clear line why it does not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use atelier_proto::users::v1::{ListUsersRequest, RefreshSessionRequest, Role};
use tonic::Code;

use crate::people::Person;
use crate::running::{Ended, Launch};
use crate::web;

/// sysexits' EX_USAGE.
const WRONG_SETTING: i32 = 64;

/// One line of why, beginning with the program's name, and an exit code.
fn refused(ended: &Ended, code: i32, mentions: &str) {
    assert_eq!(ended.code(), Some(code), "{ended:?}");
    let line = ended.only_line();
    assert!(line.starts_with("atelier: "), "{line}");
    assert!(line.contains(mentions), "{line} does not name {mentions}");
    assert_eq!(ended.stdout, "", "an error belongs on standard error");
}

#[tokio::test]
async fn a_wrong_setting_is_one_line_and_exit_code_64() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("ATELIER_PORT", "eighty"),
        ("ATELIER_ADMIN_PORT", "70000"),
        ("ATELIER_HOST", "nowhere"),
        ("ATELIER_SECRET", "too short"),
        ("ATELIER_CHAT_URL", "ftp://example.com"),
        ("ATELIER_CHAT_MODELS", "a-model-of-nobody"),
        ("ATELIER_SPEECH_VOICES", "a-voice-of-nobody"),
        ("ATELIER_REFRESH_GRACE_SECONDS", "601"),
        ("ATELIER_TTS_URL", "tts:8001"),
        ("ATELIER_EDGE_TLS", "yes"),
        ("ATELIER_EDGE_CERT", "edge.pem"),
        ("ATELIER_S3_ENDPOINT", "http://localhost:1"),
        ("ATELIER_LOG", "a=b=c"),
        ("ATELIER_LOG_FORMAT", "xml"),
        ("ATELIER_TPYO", "1"),
    ] {
        // The flags would win over a wrong port, so there are none.
        let data = folder.path().join("data").display().to_string();
        let launch = Launch::new(&[]).env("ATELIER_DATA", &data);
        let ended = launch.env(name, value).run().await;
        // Another variable may be the one that is missing, but it is one of the same family.
        let family = &name[..name.len().min(11)];
        refused(&ended, WRONG_SETTING, family);
        assert!(!Path::new(&data).exists(), "{name}: something was begun");
    }
}

#[tokio::test]
async fn a_command_line_that_cannot_be_read_is_exit_code_64_with_help() {
    for args in [
        &["billing"][..],
        &["users", "billing"],
        &["--prot", "1"],
        &["--port", "eighty"],
        &["demo", "--size", "large"],
        &["admin"],
    ] {
        let ended = Launch::new(args).run().await;
        assert_eq!(ended.code(), Some(64), "{args:?}: {ended:?}");
        assert_eq!(ended.stdout, "");
        let help = ended.stderr.contains("--help") || ended.stderr.contains("Usage:");
        assert!(help, "{args:?}: {}", ended.stderr);
    }
    let unknown = Launch::new(&["billing"]).run().await.stderr;
    for role in [
        "users",
        "llm-chat",
        "text-image",
        "tts",
        "analytics",
        "edge",
    ] {
        assert!(unknown.contains(role), "{role} is not offered: {unknown}");
    }
}

#[tokio::test]
async fn help_and_version_are_told_on_standard_output() {
    let version = Launch::new(&["--version"]).run().await;
    assert_eq!(version.code(), Some(0));
    assert_eq!(
        version.stdout,
        concat!("atelier ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let help = Launch::new(&["--help"]).run().await;
    assert_eq!((help.code(), help.stderr.as_str()), (Some(0), ""));
    for word in ["demo", "admin", "--data", "--port", "ATELIER_", "64"] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    let help = Launch::new(&["demo", "--help"]).run().await;
    assert_eq!(help.code(), Some(0));
    assert!(help.stdout.contains("--size"), "{}", help.stdout);
}

#[tokio::test]
async fn a_second_starter_and_a_taken_port_get_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let first = Launch::serving(&[], folder.path()).start().await;

    let second = Launch::serving(&[], folder.path()).run().await;
    refused(&second, 1, "another atelier is running");
    assert!(second.stderr.contains(&folder.path().display().to_string()));

    let elsewhere = tempfile::tempdir().unwrap();
    let data = elsewhere.path().display().to_string();
    let port = |url: &str| url.rsplit(':').next().unwrap().to_owned();
    let taken = port(first.edge());
    let ended = Launch::new(&["--data", &data, "--port", &taken, "--admin-port", "0"])
        .run()
        .await;
    refused(&ended, 1, &taken);
    let taken = port(first.admin());
    let ended = Launch::new(&["--data", &data, "--port", "0", "--admin-port", &taken])
        .run()
        .await;
    refused(&ended, 1, &taken);
    let ended = Launch::new(&["users", "--data", &data, "--admin-port", "0"])
        .env("ATELIER_USERS_URL", format!("http://127.0.0.1:{taken}"))
        .run()
        .await;
    refused(&ended, 1, &taken);

    // The first has not noticed any of it.
    assert_eq!(
        web::get(&format!("{}/readyz", first.admin())).await.status,
        200
    );
    Person::register(first.edge()).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_gets_one_line_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "not a folder").unwrap();
    let ended = Launch::serving(&[], &file).run().await;
    refused(&ended, 1, &file.display().to_string());

    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("secret"), "too short").unwrap();
    let ended = Launch::serving(&[], &data).run().await;
    refused(&ended, 1, &data.display().to_string());
    assert!(!ended.stderr.contains("too short"), "{}", ended.stderr);

    // What one secret has sealed, another does not open.
    std::fs::remove_file(data.join("secret")).unwrap();
    let mesh = Launch::serving(&[], &data).start().await;
    mesh.terminate().await;
    let other = "another secret than that of the first start";
    let ended = Launch::serving(&[], &data)
        .env("ATELIER_SECRET", other)
        .run()
        .await;
    refused(&ended, 1, "ATELIER_SECRET");
    assert!(!ended.stderr.contains(other), "{}", ended.stderr);

    std::fs::write(
        data.join("users/users.db"),
        "no database at all, but long enough",
    )
    .unwrap();
    let ended = Launch::serving(&[], &data).run().await;
    refused(&ended, 1, "users.db");
    let told = ended.only_line().matches("not a database").count();
    assert_eq!(told, 1, "the same is told twice: {}", ended.stderr);
}

#[tokio::test]
async fn the_operators_doors_and_the_first_admin() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let grant = |email: &str| {
        Launch::new(&[
            "admin",
            "grant",
            email,
            "--data",
            &data.display().to_string(),
        ])
        .run()
    };
    refused(&grant("ada@example.com").await, 1, "accounts database");
    let mesh = Launch::serving(&[], &data).start().await;

    let live = web::get(&format!("{}/livez", mesh.admin())).await;
    assert_eq!((live.status.as_u16(), live.text().as_str()), (200, "ok\n"));
    let ready = web::get(&format!("{}/readyz", mesh.admin())).await;
    assert_eq!(
        (ready.status.as_u16(), ready.text().as_str()),
        (200, "ready\n")
    );
    let edge = web::get(&format!("{}/metrics", mesh.edge())).await;
    assert_ne!(edge.status, 200, "the edge shows the operator's doors");

    // By the e-mail as a person would write it, while the mesh runs.
    let ada = Person::register(mesh.edge()).await;
    let granted = grant(&ada.user.email.to_uppercase()).await;
    assert_eq!((granted.code(), granted.stderr.as_str()), (Some(0), ""));
    assert_eq!(granted.stdout.lines().count(), 1, "{}", granted.stdout);
    refused(&grant("nobody@example.com").await, 1, "nobody@example.com");
    refused(&grant("not an e-mail").await, 1, "e-mail");

    let refused = ada.users().list_users(ListUsersRequest::default()).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let mut admin = ada.clone();
    let request = RefreshSessionRequest {
        refresh_token: ada.tokens.refresh_token.clone(),
    };
    let pair = ada.users().refresh_session(request).await.expect("a pair");
    admin.tokens = pair.into_inner().tokens.unwrap();
    let users = admin.users().list_users(ListUsersRequest::default()).await;
    let users = users.expect("an admin").into_inner().users;
    assert_eq!((users.len(), users[0].role()), (1, Role::Admin));

    let metrics = web::get(&format!("{}/metrics", mesh.admin())).await;
    let kind = metrics.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let metrics = metrics.text();
    assert!(
        metrics.contains("ListUsers"),
        "no calls measured: {metrics}"
    );
    assert!(
        !metrics.contains(&ada.user.email),
        "a metric names a person"
    );
}

#[tokio::test]
async fn what_it_keeps_is_private_to_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mesh = Launch::serving(&[], &data).start().await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("secret")), 0o600);
    let secret = std::fs::read(data.join("secret")).unwrap();
    let ended = mesh.terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);

    // The next start keeps the secret, and closes a folder that was opened meanwhile.
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let _mesh = Launch::serving(&[], &data).start().await;
    assert_eq!(std::fs::read(data.join("secret")).unwrap(), secret);
    assert_eq!(mode(&data), 0o700);
}
