//! Without a URL: the mesh that runs on the data folder, or one that is there for as long as the command takes.

use super::Desk;
use crate::media::png_size;
use crate::running::Launch;

const BOAT: [&str; 5] = ["image", "a boat", "--size", "64x64", "-o"];

#[tokio::test]
async fn a_command_starts_what_it_needs_and_says_nothing_of_it() {
    let mut desk = Desk::alone();
    let email = desk.register().await;
    let said = desk.run(&[&BOAT[..], &["a.png"]].concat()).await;
    assert_eq!((said.well(), said.err.as_str()), ("a.png\n", ""));
    assert_eq!(
        png_size(&std::fs::read(desk.folder().join("a.png")).unwrap()),
        (64, 64)
    );
    let said = desk.run(&["chat", "My name is Ada."]).await;
    assert_eq!(said.err, "", "{said:?}");
    let said = desk.run(&["chat", "--continue", "What is my name?"]).await;
    assert!(said.well().contains("Ada"), "{said:?}");
    assert!(desk.run(&["whoami"]).await.well().contains(&email));
    assert!(desk.data().join("users").is_dir());
    assert!(!desk.data().join("running.json").exists(), "left behind");
}

#[tokio::test]
async fn a_command_uses_the_mesh_that_runs_on_its_data() {
    let mut desk = Desk::alone();
    // The sign-in is the data folder's, however it is reached.
    let email = desk.register().await;
    let mesh = Launch::serving(&[], &desk.data()).start().await;
    assert!(desk.data().join("running.json").exists());
    assert!(desk.run(&["whoami"]).await.well().contains(&email));
    let said = desk.run(&[&BOAT[..], &["a.png"]].concat()).await;
    assert_eq!((said.well(), said.err.as_str()), ("a.png\n", ""));
    assert!(
        desk.data().join("running.json").exists(),
        "it was taken for its own"
    );
    // It was done there: what was signed says where it was.
    let args = [&BOAT[..], &["b.png", "--json"]].concat();
    let written = desk.run(&args).await.json();
    let url = written[0]["artifact"]["url"].as_str().unwrap();
    assert!(url.starts_with(mesh.edge()), "{url}");

    // One that was killed leaves a note that nobody answers to.
    mesh.kill().await;
    assert!(desk.data().join("running.json").exists());
    assert!(desk.run(&["whoami"]).await.well().contains(&email));
}

#[tokio::test]
async fn a_certificate_of_its_own_is_trusted_by_name_alone() {
    let mut desk = Desk::alone();
    let mesh = Launch::serving(&[], &desk.data())
        .args(&["--tls"])
        .start()
        .await;
    assert!(mesh.edge().starts_with("https://"), "{}", mesh.edge());
    // On its own data folder the authority is known.
    let email = desk.register().await;
    let said = desk.run(&[&BOAT[..], &["a.png"]].concat()).await;
    assert_eq!((said.well(), said.err.as_str()), ("a.png\n", ""));
    assert!(desk.run(&["whoami"]).await.well().contains(&email));

    // Elsewhere it has to be named.
    let stranger = Desk::at(mesh.edge());
    let said = stranger.run(&[&BOAT[..], &["b.png"]].concat()).await;
    assert!(said.refused(69).contains("--ca FILE"), "{said:?}");
    let ca = desk.data().join("certs/ca.pem");
    let named = ["--ca", ca.to_str().unwrap()];
    let said = stranger
        .run(&[&BOAT[..], &["b.png"], &named].concat())
        .await;
    assert_eq!((said.well(), said.err.as_str()), ("b.png\n", ""));
}

#[tokio::test]
async fn commands_at_once_share_what_one_of_them_started() {
    let mut desk = Desk::alone();
    let email = desk.register().await;
    // Whoever comes first starts it, and is done at its own time; the others go on.
    let boats: Vec<_> = ["64x64", "640x640", "96x96", "512x512"]
        .into_iter()
        .map(|size| {
            let name = format!("{size}.png");
            desk.start(&["image", "a boat", "--size", size, "-o", &name], b"")
        })
        .collect();
    let who = desk.start(&["whoami"], b"");
    for boat in boats {
        boat.await.well();
    }
    assert!(who.await.well().contains(&email));
    assert_eq!(
        png_size(&std::fs::read(desk.folder().join("640x640.png")).unwrap()),
        (640, 640)
    );
    assert!(!desk.data().join("running.json").exists(), "left behind");
}
