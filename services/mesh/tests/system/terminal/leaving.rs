//! Taking everything along and leaving, from a shell: a folder that is whole or not there, and a deletion that is meant.

use super::Desk;
use super::screen::Screen;
use crate::running::Launch;

/// All files below a folder, relative to it.
fn files(folder: &std::path::Path) -> Vec<String> {
    fn below(folder: &std::path::Path, root: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    below(folder, folder, &mut found);
    found.sort();
    found
}

#[tokio::test]
async fn an_export_is_a_folder_and_none_that_is_there() {
    let data = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], data.path()).start().await;
    let mut desk = Desk::at(mesh.edge());
    desk.run(&["export", "mine"]).await.refused(77);
    assert!(!desk.folder().join("mine").exists());
    let email = desk.register().await;
    let args = ["image", "a boat", "--size", "64x64", "-o", "boat.png"];
    desk.run(&args).await.well();

    let said = desk.run(&["export", "mine"]).await;
    let lines: Vec<&str> = said.well().lines().collect();
    assert_eq!(lines.len(), 5, "{said:?}");
    assert!(lines[0].starts_with("users: 7 files, "), "{said:?}");
    let mine = desk.folder().join("mine");
    let found = files(&mine);
    let picture = found.iter().find(|path| path.ends_with(".png")).unwrap();
    assert!(picture.starts_with("text-image/images/"), "{found:?}");
    let boat = std::fs::read(desk.folder().join("boat.png")).unwrap();
    assert_eq!(std::fs::read(mine.join(picture)).unwrap(), boat);
    let account = std::fs::read_to_string(mine.join("users/account.json")).unwrap();
    assert!(account.contains(&email));

    let said = desk.run(&["export", "mine"]).await;
    assert!(said.refused(64).contains("is not empty"), "{said:?}");
    desk.run(&["export", "none/mine"]).await.refused(64);
    std::fs::create_dir(desk.folder().join("empty")).unwrap();
    let told = desk.run(&["export", "empty", "--json"]).await.json();
    assert_eq!(told.len(), 5);
    assert_eq!(
        (&told[2]["service"], &told[2]["files"]),
        (&"text-image".into(), &"2".into())
    );
    // Nothing is left beside them.
    let mut names: Vec<String> = std::fs::read_dir(desk.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') || name.contains("export"))
        .collect();
    names.sort();
    assert_eq!(names, ["boat.png", "empty", "mine"]);
}

#[tokio::test]
async fn an_account_is_deleted_when_it_is_meant_and_then_forgotten() {
    let data = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], data.path()).start().await;
    let mut desk = Desk::at(mesh.edge());
    let email = desk.register().await;
    let password = desk.passwords[0].clone();
    desk.run(&["image", "a boat", "--size", "64x64", "-o", "boat.png"])
        .await
        .well();
    // Without a terminal it must be said that it is meant, and the password must be right.
    desk.run(&["delete-account"]).await.refused(64);
    let args = ["delete-account", "--yes", "--password-stdin"];
    desk.pipe(&args, b"wrong password\n").await.refused(77);

    let mut screen = Screen::open(&desk, &["delete-account"]);
    screen.shows("to go on:").await;
    screen.press("somebody@else.example\r");
    assert_eq!(screen.ended().await, 130, "{}", screen.text());
    desk.run(&["whoami"]).await.well();

    let mut screen = Screen::open(&desk, &["delete-account"]);
    screen.shows("to go on:").await;
    screen.press(&format!("{email}\r"));
    screen.hides("Password of").await;
    screen.press(&format!("{password}\r"));
    assert_eq!(screen.ended().await, 0, "{}", screen.text());
    assert!(!screen.raw().contains(&password), "it was shown");
    for line in ["users: 1 accounts", "1 images", "stay without a name"] {
        assert!(
            screen.text().contains(line),
            "no {line:?} in {}",
            screen.text()
        );
    }
    let said = desk.run(&["whoami"]).await;
    assert!(said.refused(77).contains("nobody is signed in"), "{said:?}");
    let args = ["login", &email, "--password-stdin"];
    desk.pipe(&args, format!("{password}\n").as_bytes())
        .await
        .refused(77);

    // An anonymous account needs no more than the word.
    desk.run(&["image", "a boat", "--size", "64x64", "-o", "two.png"])
        .await
        .well();
    let told = desk
        .run(&["delete-account", "--yes", "--json"])
        .await
        .json();
    let mut services: Vec<&str> = told
        .iter()
        .map(|line| line["service"].as_str().unwrap())
        .collect();
    services.sort_unstable();
    assert_eq!(
        services,
        ["analytics", "llm-chat", "text-image", "tts", "users"]
    );
    desk.run(&["whoami"]).await.refused(77);
}
