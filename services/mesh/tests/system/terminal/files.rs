//! Pictures in files: named, whole, and never over another one.

use std::time::{Duration, Instant};

use super::Desk;
use super::screen::Screen;
use crate::media::png_size;
use crate::running::Launch;

#[tokio::test]
async fn pictures_are_written_where_they_belong() {
    let data = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], data.path()).start().await;
    let mut desk = Desk::at(mesh.edge());
    desk.register().await;
    let size = ["--size", "96x64"];
    let image = |more: &[&str]| {
        let args = [&["image"], more, &size].concat();
        desk.start(&args, b"")
    };
    let read = |name: &str| std::fs::read(desk.folder().join(name)).unwrap();
    let said = image(&["A red boat!"]).await;
    assert_eq!((said.well(), said.err.as_str()), ("a-red-boat.png\n", ""));
    assert_eq!(png_size(&read("a-red-boat.png")), (96, 64));
    assert_eq!(image(&["A red boat!"]).await.well(), "a-red-boat-2.png\n");

    let seeded = ["a boat", "--seed", "7", "--style", "watercolor"];
    let said = image(&[&seeded[..], &["-o", "one.png"]].concat()).await;
    assert_eq!(said.well(), "one.png\n");
    let said = image(&[&seeded[..], &["-o", "-"]].concat()).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(said.out, read("one.png"), "one seed, two pictures");

    // A file that is there stays, and nothing is made for it: see the end.
    let before = read("one.png");
    let said = image(&["another", "-o", "one.png"]).await;
    assert!(said.refused(64).contains("--force"), "{said:?}");
    assert_eq!(read("one.png"), before);
    let said = image(&["another", "-o", "none/one.png"]).await;
    said.refused(64);
    let said = image(&["another", "-o", "one.png", "--force"]).await;
    assert_eq!(said.well(), "one.png\n");
    assert_ne!(read("one.png"), before);
    std::fs::create_dir(desk.folder().join("album")).unwrap();
    let said = image(&["another", "-o", "album"]).await;
    assert_eq!(said.well(), "album/another.png\n");

    let written = image(&["a boat", "-o", "json.png", "--json"]).await.json();
    assert_eq!(written[0]["file"], "json.png");
    assert_eq!(written[0]["artifact"]["width"], 96);
    assert_eq!(
        written[0]["artifact"]["sha256"],
        crate::media::sha256(&read("json.png")).as_str()
    );
    let said = image(&["a boat", "--style", "none"]).await;
    assert!(said.refused(64).contains("--list-models"), "{said:?}");
    let list = desk.run(&["image", "--list-models"]).await;
    assert!(list.well().contains("watercolor"), "{list:?}");
    let left: Vec<_> = std::fs::read_dir(desk.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".atelier-"))
        .collect();
    assert!(left.is_empty(), "drafts are left over: {left:?}");
    // Seven went well above. One that was refused and made all the same was paid for before the last of them.
    assert_eq!(paid(&desk, 7).await, 7, "it was made all the same");
}

/// How many pictures were paid for, once there are as many as this: that is told after the picture is.
async fn paid(desk: &Desk, at_least: usize) -> usize {
    let begun = Instant::now();
    loop {
        let rows = desk.run(&["usage", "--json"]).await.json();
        let paid = rows
            .iter()
            .filter_map(|row| row["generations"].as_str()?.parse::<usize>().ok())
            .sum();
        if paid >= at_least || begun.elapsed() > Duration::from_secs(60) {
            return paid;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn progress_is_for_terminals_and_leaves_no_trace() {
    let data = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], data.path()).start().await;
    let mut desk = Desk::at(mesh.edge());
    desk.register().await;
    let args = ["image", "a", "lighthouse", "--size", "1024x1024"];
    let mut screen = Screen::open(&desk, &args);
    screen
        .until("a bar", |screen| screen.raw().contains('%'))
        .await;
    assert_eq!(screen.ended().await, 0);
    let text = screen.text();
    assert!(text.contains("a-lighthouse.png"), "{text}");
    assert!(text.contains("1024×1024"), "{text}");
    assert!(!text.contains('%'), "the bar stays: {text}");
    // A picture is nothing to show on a terminal.
    let mut screen = Screen::open(&desk, &["image", "a boat", "-o", "-"]);
    assert_eq!(screen.ended().await, 64);
    assert!(screen.text().contains("terminal"), "{}", screen.text());
}
