//! `atelier demo`, as somebody runs it who has just built it: twice in the same folder, with nothing set.

use std::path::Path;
use std::time::Duration;

use crate::media::{png_size, wav_seconds};
use crate::running::{Ended, Launch, free_port};

fn demo(folder: &Path, args: &[&str]) -> impl Future<Output = Ended> {
    Launch::new(&["demo"])
        .limited()
        .args(args)
        .env("HOME", folder.join("home").display().to_string())
        .within(folder)
        .run_within(Duration::from_secs(90))
}

/// Runs it, and looks at what it says and leaves.
async fn tell(folder: &Path, args: &[&str]) {
    for file in ["atelier-demo.png", "atelier-demo.wav"] {
        let _ = std::fs::remove_file(folder.join(file));
    }
    let args = [args, &["--size", "320x200"]].concat();
    let ended = demo(folder, &args).await;
    assert_eq!(ended.code(), Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("Ada"), "no memory: {}", ended.stdout);
    let left = "pictures 9 of 10 left today";
    assert!(ended.stdout.contains(left), "no quota: {}", ended.stdout);
    let picture = std::fs::read(folder.join("atelier-demo.png")).expect("a picture");
    assert_eq!(png_size(&picture), (320, 200));
    let speech = std::fs::read(folder.join("atelier-demo.wav")).expect("speech");
    assert!(wav_seconds(&speech) > 1.0);
}

#[tokio::test]
async fn the_demo_runs_twice_in_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    tell(folder.path(), &[]).await;
    let data = folder.path().join("home/.local/share/atelier");
    assert!(data.join("users").is_dir(), "the data is somewhere else");
    tell(folder.path(), &[]).await;
}

#[tokio::test]
async fn the_demo_uses_a_mesh_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], &folder.path().join("mesh"))
        .limited()
        .start()
        .await;
    tell(folder.path(), &["--url", mesh.edge()]).await;
    assert!(!folder.path().join("home").exists(), "it started its own");

    let url = format!("http://127.0.0.1:{}", free_port());
    let ended = demo(folder.path(), &["--url", &url]).await;
    assert_eq!(ended.code(), Some(69));
    assert!(ended.only_line().contains(&url), "{}", ended.stderr);

    // What a service refuses is told in its words, without codes and details.
    let url = mesh.edge();
    let ended = demo(folder.path(), &["--url", url, "--size", "9000x200"]).await;
    assert_eq!(ended.code(), Some(64));
    let line = ended.only_line();
    assert!(line.starts_with("atelier: size.width: "), "{line}");
}
