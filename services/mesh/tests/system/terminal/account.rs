//! Signing in and out: what is kept, how it is renewed, and what is told to whom.

use std::os::unix::fs::PermissionsExt as _;

use super::screen::Screen;
use super::{Desk, tamper};
use crate::people::Person;
use crate::running::{Launch, free_port};

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_sign_in_is_kept_privately_and_ended_by_logout() {
    let data = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], data.path()).start().await;
    let mut desk = Desk::at(mesh.edge());
    let line = desk.run(&["whoami"]).await;
    assert!(line.refused(77).contains("nobody is signed in"));
    let line = desk.run(&["usage"]).await;
    line.refused(77);
    assert!(!desk.credentials().exists(), "a sign-in was made");

    let email = desk.register().await;
    assert_eq!(mode(&desk.credentials()), 0o600);
    assert_eq!(mode(desk.credentials().parent().unwrap()), 0o700);
    let who = desk.run(&["whoami"]).await;
    assert!(who.well().starts_with(&email), "{who:?}");
    let who = desk.run(&["whoami", "--json"]).await.json();
    assert_eq!(who[0]["email"], email.as_str());
    assert_eq!(who[0]["role"], "ROLE_USER");
    assert!(who[0]["createTime"].is_string());

    let kept = std::fs::read_to_string(desk.credentials()).unwrap();
    let said = desk.run(&["logout"]).await;
    assert_eq!(said.well(), format!("signed out {email}\n"));
    desk.run(&["whoami"]).await.refused(77);
    // What was kept is of no use any more.
    std::fs::write(desk.credentials(), kept).unwrap();
    tamper(&desk.credentials(), |sign_in| {
        sign_in["access_expires"] = 0.into();
    });
    let line = desk.run(&["whoami"]).await;
    assert!(line.refused(77).contains("sign in again"), "{line:?}");
    // The sign-in that has ended is forgotten all the same.
    assert_eq!(desk.run(&["logout"]).await.code, 0);
    let said = desk.run(&["logout"]).await;
    assert_eq!(
        (said.code, said.err.as_str()),
        (0, "nobody is signed in here\n")
    );
}

#[tokio::test]
async fn a_password_is_checked_and_asked_for_without_an_echo() {
    let data = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], data.path()).start().await;
    let person = Person::register(mesh.edge()).await;
    let email = &person.user.email;
    let desk = Desk::at(mesh.edge());
    let args = ["login", email, "--password-stdin"];
    desk.pipe(&args, b"wrong password\n").await.refused(77);
    desk.pipe(&args, b"").await.refused(64);
    desk.run(&["login", email]).await.refused(64);
    assert!(!desk.credentials().exists());
    let args = ["login", email, "--register", "--password-stdin"];
    desk.pipe(&args, b"another password").await.refused(1);
    let args = ["login", "nobody", "--register", "--password-stdin"];
    desk.pipe(&args, b"another password").await.refused(64);

    let mut screen = Screen::open(&desk, &["login", email]);
    screen.hides("Password of").await;
    screen.press(&person.password);
    screen.press("\r");
    assert_eq!(screen.ended().await, 0, "{}", screen.text());
    assert!(screen.text().contains(&format!("signed in as {email}")));
    assert!(!screen.raw().contains(&person.password), "it was shown");
    let who = desk.run(&["whoami"]).await;
    assert!(who.well().contains(email), "{who:?}");
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_by_two_commands_at_once() {
    let data = tempfile::tempdir().unwrap();
    // Without a grace, a refresh token that is presented twice ends the whole session.
    let mesh = Launch::serving(&[], data.path())
        .env("ATELIER_REFRESH_GRACE_SECONDS", "0")
        .start()
        .await;
    let mut desk = Desk::at(mesh.edge());
    let email = desk.register().await;
    for change in [
        ("access_expires", serde_json::json!(0)),
        ("access_token", serde_json::json!("not.a.token")),
    ] {
        tamper(&desk.credentials(), |sign_in| {
            sign_in[change.0] = change.1.clone();
        });
        let (one, two) = tokio::join!(desk.start(&["whoami"], b""), desk.start(&["whoami"], b""));
        assert!(one.well().contains(&email), "{one:?}");
        assert!(two.well().contains(&email), "{two:?}");
        assert_eq!(mode(&desk.credentials()), 0o600);
        // The session lives: what is kept is its last pair.
        tamper(&desk.credentials(), |sign_in| {
            sign_in["access_expires"] = 0.into();
        });
        desk.run(&["whoami"]).await.well();
    }
}

#[tokio::test]
async fn each_mesh_has_a_sign_in_of_its_own() {
    let data = tempfile::tempdir().unwrap();
    let here = Launch::serving(&[], &data.path().join("here"))
        .start()
        .await;
    let there = Launch::serving(&[], &data.path().join("there"))
        .start()
        .await;
    let mut desk = Desk::at(here.edge());
    let email = desk.register().await;
    let args = ["whoami", "--url", there.edge()];
    desk.run(&args).await.refused(77);
    assert!(desk.run(&["whoami"]).await.well().contains(&email));
}

#[tokio::test]
async fn without_a_sign_in_a_picture_is_made_anonymously() {
    let data = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], data.path()).start().await;
    let desk = Desk::at(mesh.edge());
    let args = ["image", "a boat", "--size", "64x64", "-o", "a.png"];
    assert_eq!(desk.run(&args).await.well(), "a.png\n");
    let first = desk.run(&["whoami", "--json"]).await.json();
    assert_eq!(first[0]["role"], "ROLE_ANONYMOUS");
    let args = ["image", "a boat", "--size", "64x64", "-o", "b.png"];
    desk.run(&args).await.well();
    let second = desk.run(&["whoami", "--json"]).await.json();
    assert_eq!(first, second, "another session was made");
    // The contract lets only accounts chat and speak.
    for args in [["chat", "hello"], ["say", "hello"]] {
        let said = desk.run(&args).await;
        assert!(said.refused(77).contains("--register"), "{said:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_69() {
    let url = format!("http://127.0.0.1:{}", free_port());
    let desk = Desk::at(&url);
    for args in [
        &["whoami"][..],
        &["chat", "hello"],
        &["image", "a boat"],
        &["say", "--list-voices"],
    ] {
        let said = desk.run(args).await;
        assert!(said.refused(69).contains(&url), "{said:?}");
    }
    assert!(!desk.data().exists(), "a mesh was started");
}
