//! The owner of the machine and the mesh that runs: his token, the room on the admin port, and his commands.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atelier_kit::fault::reason_of;
use atelier_proto::users::v1 as pb;
use bytes::Bytes;
use pb::users_service_client::UsersServiceClient;
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use serde_json::Value;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::people::{Person, connect};
use crate::raw;
use crate::running::{Ended, Launch, Running, free_port};
use crate::web;

const LIST: &str = "/atelier.users.v1.UsersService/ListSigningKeys";
const PLAIN: &str = include_str!("pem/plain.pem");
const ENCRYPTED: &str = include_str!("pem/aes-256.pem");
const PASSPHRASE: &str = "correct horse";

/// A mesh, and its folder.
struct House {
    folder: tempfile::TempDir,
    mesh: Running,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mesh = Launch::serving(&[], &folder.path().join("data"))
            .start()
            .await;
        Self { folder, mesh }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.data().join("operator-token")).unwrap()
    }

    async fn admin(&self, args: &[&str]) -> Ended {
        admin(&self.data(), args).await
    }

    async fn channel(&self) -> Channel {
        connect(self.mesh.admin()).await
    }

    /// The published keys, as the command tells them.
    async fn keys(&self) -> Vec<Value> {
        let listed = self.admin(&["keys", "list", "--json"]).await;
        assert_eq!(listed.code(), Some(0), "{listed:?}");
        let lines = listed.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

async fn admin(data: &Path, args: &[&str]) -> Ended {
    let data = data.display().to_string();
    Launch::new(&["admin"])
        .args(args)
        .args(&["--data", &data])
        .run()
        .await
}

#[track_caller]
fn refused(ended: &Ended, code: i32, mentions: &str) {
    assert_eq!(ended.code(), Some(code), "{ended:?}");
    let line = ended.only_line();
    assert!(line.starts_with("atelier: "), "{line}");
    assert!(line.contains(mentions), "{line} does not name {mentions}");
    assert_eq!(ended.stdout, "", "an error belongs on standard error");
}

fn with_token<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

#[track_caller]
fn told<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) {
    let status = answer.expect_err("it should have been refused");
    assert_eq!(
        (status.code(), reason_of(&status).as_deref()),
        (code, Some(reason)),
        "{status:?}"
    );
}

#[tokio::test]
async fn the_token_is_made_at_the_start_for_its_owner_alone_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mesh = Launch::serving(&[], &data).start().await;
    let path = data.join("operator-token");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = std::fs::read_to_string(&path).unwrap();
    assert_eq!(token.len(), 43, "256 bits in base64url");
    assert!(!mesh.log().contains(&token));
    let running: Value =
        serde_json::from_slice(&std::fs::read(data.join("running.json")).unwrap()).unwrap();
    assert_eq!(running["admin"], mesh.admin());
    mesh.terminate().await;
    let _mesh = Launch::serving(&[], &data).start().await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), token);
}

#[tokio::test]
async fn the_room_takes_the_token_and_nothing_else() {
    let house = House::new().await;
    let token = house.token();
    let mut users = UsersServiceClient::new(house.channel().await);
    let list = pb::ListSigningKeysRequest {};
    let answer = users.list_signing_keys(list).await;
    told(answer, Code::Unauthenticated, "TOKEN_MISSING");
    let ada = Person::register(house.mesh.edge()).await;
    let wrong = [
        String::new(),
        "x".repeat(43),
        token[1..].to_owned(),
        format!("{token}x"),
        format!("{token} {token}"),
        ada.tokens.access_token.clone(),
    ];
    for wrong in &wrong {
        let answer = users.list_signing_keys(with_token(wrong, list)).await;
        told(answer, Code::Unauthenticated, "TOKEN_INVALID");
    }
    let mut twice = with_token(&token, list);
    let value: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
    twice.metadata_mut().append("authorization", value);
    let answer = users.list_signing_keys(twice).await;
    told(answer, Code::Unauthenticated, "TOKEN_INVALID");

    let answer = users.list_signing_keys(with_token(&token, list)).await;
    let answer = answer.unwrap();
    assert!(answer.metadata().get("x-request-id").is_some());
    assert_eq!(answer.into_inner().keys.len(), 1);

    // The token is good for nothing elsewhere.
    let mut edge = UsersServiceClient::new(connect(house.mesh.edge()).await);
    let answer = edge.list_signing_keys(with_token(&token, list)).await;
    assert!(answer.is_err());
    let answer = edge.get_me(with_token(&token, pb::GetMeRequest {})).await;
    told(answer, Code::Unauthenticated, "TOKEN_INVALID");
    assert!(!house.mesh.log().contains(&token));
}

#[tokio::test]
async fn the_room_passes_on_what_is_for_services_and_no_other_method() {
    let house = House::new().await;
    let (token, channel) = (house.token(), house.channel().await);
    let mut internal = 0;
    for (path, _) in raw::methods() {
        let answer = raw::call(&channel, &path, None, Bytes::new()).await;
        assert_eq!(answer.code, Code::Unauthenticated, "{path}");
        let known = [
            "ListSigningKeys",
            "RotateSigningKey",
            "GrantRole",
            "ExchangeApiKey",
            "WatchRevocations",
            "RecordEvents",
            "ExportPersonalData",
            "ErasePersonalData",
            "InspectGeneration",
            "CreditsService/Reserve",
            "CreditsService/Settle",
            "CreditsService/Release",
        ];
        if known.iter().any(|name| path.ends_with(name)) {
            internal += 1;
            continue;
        }
        let answer = raw::call(&channel, &path, Some(&token), Bytes::new()).await;
        let reason = answer.details.error_info().map(|info| info.reason.clone());
        assert_eq!(
            (answer.code, reason.as_deref()),
            (Code::PermissionDenied, Some("OPERATOR_METHODS_ONLY")),
            "{path}"
        );
    }
    assert!(internal >= 5, "{internal}");
    let large = Bytes::from(vec![0; 64 * 1024]);
    let answer = raw::call(&channel, LIST, Some(&token), large).await;
    assert_eq!(answer.code, Code::ResourceExhausted, "{answer:?}");
    let answer = raw::call(&channel, LIST, Some(&token), Bytes::from_static(&[0xff])).await;
    assert_eq!(answer.code, Code::InvalidArgument, "{answer:?}");

    // The probes go on as they did.
    for (path, status) in [
        ("livez", 200),
        ("readyz", 200),
        ("metrics", 200),
        ("nothing", 404),
    ] {
        let page = web::get(&format!("{}/{path}", house.mesh.admin())).await;
        assert_eq!(page.status, status, "{path}");
    }
}

#[tokio::test]
async fn keys_are_listed_rotated_and_imported() {
    let house = House::new().await;
    let first = house.keys().await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0]["state"], "STATE_SIGNING");
    let told = house.admin(&["keys", "list"]).await;
    assert_eq!(told.stdout.lines().count(), 1);
    assert!(told.stdout.contains(first[0]["kid"].as_str().unwrap()));

    let file = house.file("key.pem", ENCRYPTED);
    let passphrase = house.file("passphrase", &format!("{PASSPHRASE}\n"));
    let wrong = house.file("wrong", "another\n");
    let ended = house.admin(&["keys", "import", &file]).await;
    refused(&ended, 64, "--passphrase-file");
    let ended = house
        .admin(&["keys", "import", &file, "--passphrase-file", &wrong])
        .await;
    refused(&ended, 64, "passphrase");
    let small = house.file(
        "small.pem",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    refused(
        &house.admin(&["keys", "import", &small]).await,
        64,
        "private_key_pem",
    );
    assert_eq!(house.keys().await.len(), 1);

    let ended = house
        .admin(&[
            "keys",
            "import",
            &file,
            "--passphrase-file",
            &passphrase,
            "--json",
        ])
        .await;
    assert_eq!((ended.code(), ended.stderr.as_str()), (Some(0), ""));
    let key: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(key["state"], "STATE_NEXT");
    let keys = house.keys().await;
    assert_eq!((keys.len(), &keys[0]), (2, &key));

    refused(&house.admin(&["keys", "rotate"]).await, 1, "waits to sign");
    let plain = house.file("plain.pem", PLAIN);
    refused(
        &house.admin(&["keys", "import", &plain]).await,
        1,
        "waits to sign",
    );
    for secret in [
        "PRIVATE KEY-----",
        PASSPHRASE,
        PLAIN.lines().nth(3).unwrap(),
    ] {
        assert!(!house.mesh.log().contains(secret));
    }

    // At once where everybody looks.
    let set = web::get(&format!("{}/.well-known/jwks.json", house.mesh.edge())).await;
    assert!(set.text().contains(key["kid"].as_str().unwrap()));
}

#[tokio::test]
async fn a_rotation_is_one_command() {
    let house = House::new().await;
    let ended = house.admin(&["keys", "rotate"]).await;
    assert_eq!((ended.code(), ended.stderr.as_str()), (Some(0), ""));
    let keys = house.keys().await;
    assert_eq!(keys.len(), 2);
    let kid = keys[0]["kid"].as_str().unwrap();
    assert!(ended.stdout.starts_with(kid) && ended.stdout.contains("signs from"));
    let ada = Person::register(house.mesh.edge()).await;
    let me = ada.users().get_me(pb::GetMeRequest {}).await;
    me.expect("the key before signs on");
}

#[tokio::test]
async fn the_passphrase_is_asked_for_without_showing_it() {
    let house = House::new().await;
    let file = house.file("key.pem", ENCRYPTED);
    let data = house.data().display().to_string();
    let shown = tokio::task::spawn_blocking(move || {
        typed(&["admin", "keys", "import", &file, "--data", &data])
    });
    let (code, shown) = shown.await.unwrap();
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("Passphrase of ") && shown.contains("signs from"),
        "{shown}"
    );
    assert!(!shown.contains(PASSPHRASE), "{shown}");
    assert_eq!(house.keys().await.len(), 2);
}

/// Runs the program on a terminal, types the passphrase when it asks, and returns its exit code and what was shown.
fn typed(args: &[&str]) -> (u32, String) {
    let pty = native_pty_system();
    let pair = pty.openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_atelier"));
    command.args(args);
    command.env_clear();
    command.env("TERM", "xterm");
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut writer = pair.master.take_writer().unwrap();
    let mut shown = Vec::new();
    let mut byte = [0];
    let mut answered = false;
    // The reader's end is an error once the program has gone.
    while let Ok(1) = reader.read(&mut byte) {
        shown.push(byte[0]);
        if !answered && shown.ends_with(b".pem: ") {
            answered = true;
            // Whoever types is slower than the program, which asks first and hides the answer then.
            while echoes(&*pair.master) {
                std::thread::yield_now();
            }
            writeln!(writer, "{PASSPHRASE}").unwrap();
        }
    }
    let status = child.wait().unwrap();
    (
        status.exit_code(),
        String::from_utf8_lossy(&shown).into_owned(),
    )
}

/// Whether the terminal shows what is typed.
fn echoes(master: &dyn MasterPty) -> bool {
    let flags = master.get_termios().expect("a terminal").local_flags;
    format!("{flags:?}")
        .split(['(', ')', '|', ' '])
        .any(|flag| flag == "ECHO")
}

#[tokio::test]
async fn a_role_is_given_through_the_mesh_that_runs_and_offline_when_none_does() {
    let house = House::new().await;
    let ada = Person::register(house.mesh.edge()).await;
    let grant = async |role: &str| {
        house
            .admin(&["grant", &ada.user.email, "--role", role, "--json"])
            .await
    };
    let granted = grant("moderator").await;
    assert_eq!((granted.code(), granted.stderr.as_str()), (Some(0), ""));
    let told: Value = serde_json::from_str(&granted.stdout).unwrap();
    assert_eq!(
        (told["userId"].as_str(), told["role"].as_str()),
        (Some(ada.user.id.as_str()), Some("moderator"))
    );
    assert!(
        house.mesh.log().contains("GrantRole"),
        "the mesh was not asked: {}",
        house.mesh.log()
    );
    let me = ada.users().get_me(pb::GetMeRequest {}).await.unwrap();
    assert_eq!(me.into_inner().user.unwrap().role(), pb::Role::Moderator);
    assert_eq!(grant("admin").await.code(), Some(0));
    refused(&grant("user").await, 1, "no admin");
    refused(
        &house.admin(&["grant", "nobody@example.com"]).await,
        1,
        "nobody@example.com",
    );
    refused(&house.admin(&["grant", "no e-mail"]).await, 1, "e-mail");
    let ended = house
        .admin(&["grant", &ada.user.email, "--role", "owner"])
        .await;
    assert_eq!(ended.code(), Some(64));

    let House { folder, mesh } = house;
    mesh.terminate().await;
    let data = folder.path().join("data");
    let granted = admin(&data, &["grant", &ada.user.email]).await;
    assert_eq!((granted.code(), granted.stderr.as_str()), (Some(0), ""));
    assert_eq!(granted.stdout.lines().count(), 1);
}

#[tokio::test]
async fn exit_codes_tell_that_nothing_runs_and_that_it_was_refused() {
    let house = House::new().await;
    let elsewhere = tempfile::tempdir().unwrap();
    refused(
        &admin(elsewhere.path(), &["keys", "list"]).await,
        69,
        "operator-token",
    );
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let ended = house.admin(&["keys", "list", "--admin-url", &nobody]).await;
    refused(&ended, 69, &nobody);
    // Whoever names a way does not want another.
    let ended = house
        .admin(&["grant", "ada@example.com", "--admin-url", &nobody])
        .await;
    refused(&ended, 69, &nobody);

    let other = house.file("other-token", &"x".repeat(43));
    let ended = house
        .admin(&["keys", "list", "--operator-token-file", &other])
        .await;
    refused(&ended, 77, "token");
    let ended = house
        .admin(&["grant", "ada@example.com", "--operator-token-file", &other])
        .await;
    refused(&ended, 77, "token");
    let none = house.file("none", "");
    let ended = house
        .admin(&["keys", "list", "--operator-token-file", &none])
        .await;
    refused(&ended, 64, "token");
    let ended = house
        .admin(&["keys", "list", "--admin-url", "ftp://x"])
        .await;
    assert_eq!(ended.code(), Some(64));

    // From another folder, with both named.
    let token = house.data().join("operator-token").display().to_string();
    let way = [
        "--admin-url",
        house.mesh.admin(),
        "--operator-token-file",
        &token,
    ];
    let ended = admin(elsewhere.path(), &[&["keys", "list"], &way[..]].concat()).await;
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    // The edge is no admin port.
    let ended = house
        .admin(&["keys", "list", "--admin-url", house.mesh.edge()])
        .await;
    assert_ne!(ended.code(), Some(0));
    let data = house.data();
    house.mesh.terminate().await;
    let ended = admin(
        &data,
        &["keys", "list", "--admin-port", &free_port().to_string()],
    )
    .await;
    refused(&ended, 69, "127.0.0.1");
}

#[tokio::test]
async fn a_role_elsewhere_is_reached_through_any_admin_port() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}", free_port());
    let secret = "a secret that only this test would use";
    let launch = |role: &str| {
        Launch::serving(&[role], &folder.path().join(role))
            .env("ATELIER_SECRET", secret)
            .env("ATELIER_USERS_URL", &url)
            .env(
                "ATELIER_TTS_URL",
                format!("http://127.0.0.1:{}", free_port()),
            )
    };
    let users = launch("users").start().await;
    let tts = launch("tts").start().await;
    for (role, mesh) in [("users", &users), ("tts", &tts)] {
        let data = folder.path().join(role);
        let ended = admin(&data, &["keys", "list", "--admin-url", mesh.admin()]).await;
        assert_eq!(ended.code(), Some(0), "{role}: {ended:?}");
        assert_eq!(ended.stdout.lines().count(), 1);
    }
    users.terminate().await;
    let data = folder.path().join("tts");
    let begun = std::time::Instant::now();
    let ended = admin(&data, &["keys", "list", "--admin-url", tts.admin()]).await;
    refused(&ended, 69, "");
    assert!(begun.elapsed() < Duration::from_secs(25));
}
