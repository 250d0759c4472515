//! Commands in scripts: results alone on standard output, as text or as JSON, and an exit code for everything else.

use super::Desk;
use super::model::{Model, QUICK, STUCK};
use crate::media::{flac_seconds, wav_seconds};
use crate::people::Person;
use crate::running::Launch;

const REPLY: &str = "# Fjords\n\nA **fjord** is `deep`.\n\n- one\n- two\n\n```\nlet a = 1;\n```\n";

#[tokio::test]
async fn a_reply_in_a_pipe_is_its_own_markdown() {
    let data = tempfile::tempdir().unwrap();
    let model = Model::saying(REPLY).await;
    let mesh = Launch::serving(&[], data.path())
        .envs(&model.settings())
        .start()
        .await;
    let mut desk = Desk::at(mesh.edge());
    desk.register().await;
    let said = desk.run(&["chat", "what", "is", "a", "fjord?"]).await;
    assert_eq!((said.well(), said.err.as_str()), (REPLY, ""));
    let said = desk.pipe(&["chat"], b"what is a fjord?\n").await;
    assert_eq!((said.well(), said.err.as_str()), (REPLY, ""));

    // The conversations are there, and one goes on.
    let list = desk.run(&["chat", "--list"]).await;
    let ids: Vec<&str> = list
        .well()
        .lines()
        .map(|line| line.split('\t').next().unwrap())
        .collect();
    assert_eq!(ids.len(), 2, "{list:?}");
    let said = desk.run(&["chat", "--continue", "and", "deeper?"]).await;
    assert_eq!(said.well(), REPLY);
    let shown = desk.run(&["chat", "--show", ids[0]]).await;
    assert_eq!(shown.well().matches("**You**").count(), 2, "{shown:?}");
    assert!(shown.well().contains("and deeper?"), "{shown:?}");
    let args = ["chat", "--conversation", ids[1], "--json", "more"];
    let reply = desk.run(&args).await.json();
    assert_eq!(reply.len(), 1);
    assert_eq!(reply[0]["text"], REPLY);
    assert_eq!(reply[0]["role"], "ROLE_ASSISTANT");
    assert_eq!(reply[0]["state"], "STATE_COMPLETED");
    assert_eq!(reply[0]["conversationId"], ids[1]);
    assert_eq!(reply[0]["model"], QUICK);
    let messages = desk.run(&["chat", "--show", ids[1], "--json"]).await.json();
    assert_eq!(messages.len(), 4);
    let listed = desk.run(&["chat", "--list", "--json"]).await.json();
    assert_eq!(listed[0]["messageCount"], 4);
    let models = desk.run(&["chat", "--list-models", "--json"]).await.json();
    assert_eq!(models[0]["id"], QUICK);
    assert_eq!(models[0]["isDefault"], true);

    desk.run(&["chat", "--model", "none", "hi"])
        .await
        .refused(64);
    desk.run(&["chat", "--conversation", "none", "hi"])
        .await
        .refused(1);
    desk.run(&["chat", "--show", "none"]).await.refused(1);
    desk.pipe(&["chat"], b" \n").await.refused(64);
    desk.pipe(&["chat"], b"\xff\xfe").await.refused(64);
}

#[tokio::test]
async fn a_reader_who_goes_away_ends_the_reply() {
    let data = tempfile::tempdir().unwrap();
    let model = Model::saying(&"word ".repeat(2000)).await;
    let mesh = Launch::serving(&[], data.path())
        .envs(&model.settings())
        .start()
        .await;
    let mut desk = Desk::at(mesh.edge());
    let email = desk.register().await;
    let line = format!(
        "set -o pipefail; {} chat --model {STUCK} hi | head -c 40",
        env!("CARGO_BIN_EXE_atelier")
    );
    let output = tokio::process::Command::new("bash")
        .args(["-c", &line])
        .env_clear()
        .envs(desk.variables())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout.len(), 40);
    assert!(output.stderr.is_empty(), "{output:?}");
    let password = desk.passwords[0].clone();
    let person = Person::sign_in(mesh.edge(), &email, &password).await;
    let conversation = &person.conversations().await[0].id;
    let messages = person.messages(conversation).await;
    let state = messages.last().unwrap().state().as_str_name();
    assert_eq!(state, "STATE_CANCELLED");
}

#[tokio::test]
async fn speech_goes_into_files_and_pipes() {
    let data = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], data.path()).start().await;
    let mut desk = Desk::at(mesh.edge());
    desk.register().await;
    let said = desk
        .run(&["say", "Good morning to you.", "-o", "a.wav"])
        .await;
    assert_eq!((said.well(), said.err.as_str()), ("a.wav\n", ""));
    let file = std::fs::read(desk.folder().join("a.wav")).unwrap();
    assert!(wav_seconds(&file) > 0.5);

    // The same, streamed: but for its header it is the same file.
    let said = desk.run(&["say", "Good morning to you.", "-o", "-"]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(said.out.len(), file.len());
    assert_eq!(said.out[44..], file[44..]);

    let args = ["say", "--format", "flac", "-o", "b.flac", "--speed", "1.5"];
    let said = desk.pipe(&args, b"Good morning to you.").await;
    assert_eq!(said.well(), "b.flac\n");
    let quick = std::fs::read(desk.folder().join("b.flac")).unwrap();
    assert!(flac_seconds(&quick) < wav_seconds(&file));

    let args = ["say", "--json", "--voice", "kal", "Good morning."];
    let written = desk.run(&args).await.json();
    assert_eq!(written[0]["file"], "good-morning.wav");
    assert_eq!(written[0]["artifact"]["contentType"], "audio/wav");
    let length = std::fs::metadata(desk.folder().join("good-morning.wav"))
        .unwrap()
        .len();
    assert_eq!(written[0]["artifact"]["sizeBytes"], length.to_string());

    let voices = desk.run(&["say", "--list-voices"]).await;
    assert!(voices.well().contains("kal"), "{voices:?}");
    let voices = desk.run(&["say", "--list-voices", "--json"]).await.json();
    assert!(voices.iter().any(|voice| voice["id"] == "kal"));
    desk.run(&["say", "--voice", "none", "hi"])
        .await
        .refused(64);
    desk.run(&["say", "--json", "-o", "-", "hi"])
        .await
        .refused(64);
    assert_eq!(desk.run(&["say", "--speed", "3", "hi"]).await.code, 64);

    // What was used arrives at analytics a moment later.
    let begun = std::time::Instant::now();
    loop {
        let rows = desk.run(&["usage", "--json"]).await.json();
        let made: i64 = rows
            .iter()
            .map(|row| row["generations"].as_str().unwrap().parse::<i64>().unwrap())
            .sum();
        if made == 4 {
            assert!(rows.iter().all(|row| row["service"] == "tts"), "{rows:?}");
            break;
        }
        assert!(begun.elapsed().as_secs() < 60, "{rows:?}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let usage = desk.run(&["usage"]).await;
    assert!(usage.well().contains("4 generations"), "{usage:?}");
}

#[tokio::test]
async fn what_may_work_later_is_75_and_what_never_will_is_not() {
    let data = tempfile::tempdir().unwrap();
    let model = Model::saying("words").await;
    let mesh = Launch::serving(&[], data.path())
        .envs(&model.settings())
        .start()
        .await;
    let mut desk = Desk::at(mesh.edge());
    desk.register().await;
    // More than a message may have, and more than a person may say.
    let long = "word ".repeat(30_000);
    desk.pipe(&["chat"], &long.as_bytes()[..70_000])
        .await
        .refused(64);
    desk.pipe(&["chat"], long.as_bytes()).await.refused(64);
    drop(model);
    let said = desk.run(&["chat", "hello"]).await;
    assert!(said.refused(75).contains("later"), "{said:?}");
}

#[tokio::test]
async fn completions_are_there_for_every_shell() {
    let desk = Desk::alone();
    for shell in ["bash", "zsh", "fish"] {
        let said = desk.run(&["completions", shell]).await;
        let script = said.well().to_owned();
        assert!(script.contains("list-voices"), "{shell}");
        if shell == "bash" {
            let path = desk.folder().join("completion");
            std::fs::write(&path, script).unwrap();
            let checked = std::process::Command::new("bash")
                .arg("-n")
                .arg(&path)
                .status()
                .unwrap();
            assert!(checked.success());
        }
    }
    assert_eq!(desk.run(&["completions", "none"]).await.code, 64);
    assert!(!desk.data().exists() && !desk.credentials().exists());
}

#[tokio::test]
async fn wrong_settings_are_64_before_anything_is_made() {
    let desk = Desk::alone();
    for args in [
        &["chat", "hi", "--url", "ftp://example.com"][..],
        &["whoami", "--url", "https://localhost:1", "--ca", "none.pem"],
        &["image", "a boat", "--size", "10x10"],
        &["image"],
        &["chat", "--list", "hi"],
        &["usage", "--days", "0"],
    ] {
        let said = desk.run(args).await;
        assert_eq!(said.code, 64, "{args:?}: {said:?}");
        assert!(said.out.is_empty());
    }
    let none = desk.folder().join("none.pem");
    std::fs::write(&none, "nothing").unwrap();
    let args = ["whoami", "--url", "https://localhost:1", "--ca", "none.pem"];
    let said = desk.run(&args).await;
    assert!(said.refused(64).contains("no certificate"), "{said:?}");
    assert!(!desk.data().exists());
}
