//! A mesh in the window of a terminal: SIGHUP is an operator's as long as the window is open, and its end when it is closed.

use std::io::Read as _;
use std::process::Command;
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

/// How long it may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_hangup_reads_files_until_the_window_is_closed_and_then_it_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_atelier"));
    command.args(["--port", "0", "--admin-port", "0", "--data"]);
    command.arg(folder.path());
    command.env_clear();
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let id = child.process_id().unwrap().to_string();
    let mut window = pair.master.try_clone_reader().unwrap();
    let watching = tokio::task::spawn_blocking(move || {
        let (mut seen, mut bytes) = (String::new(), [0; 4096]);
        let mut is_asked = false;
        while !seen.contains("reading the files") {
            let length = window.read(&mut bytes).unwrap();
            seen.push_str(&String::from_utf8_lossy(&bytes[..length]));
            if !is_asked && seen.contains("ready: ") {
                is_asked = true;
                let told = Command::new("kill").args(["-s", "HUP", &id]).status();
                assert!(told.unwrap().success());
            }
        }
    });
    let watched = tokio::time::timeout(PATIENCE, watching).await;
    watched.expect("it reads its files").unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it has ended");
    assert!(folder.path().join("running.json").exists());

    drop(pair.master);
    let mut killer = child.clone_killer();
    let ending = tokio::task::spawn_blocking(move || child.wait());
    let Ok(ended) = tokio::time::timeout(PATIENCE, ending).await else {
        killer.kill().unwrap();
        panic!("it goes on without its window");
    };
    let ended = ended.unwrap().unwrap();
    assert!(ended.success(), "{ended:?}");
    // As at any other end, nobody is told that it still runs.
    assert!(!folder.path().join("running.json").exists());
}
