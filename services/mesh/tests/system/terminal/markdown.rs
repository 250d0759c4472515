//! A reply on a terminal: words as they come, blocks in their looks, and nothing of it obeyed.

use super::Desk;
use super::model::{Model, QUICK, SLOW};
use super::screen::{COLUMNS, Screen};
use crate::running::Launch;

const REPLY: &str = "# Fjords\n\nA **fjord** is a long and narrow inlet that a glacier left behind, and `deep` it is.\n\n- one\n- two\n\n| name | depth |\n|---|--:|\n| Sognefjord | 1303 |\n\nThat was the very last word.";

async fn desk(text: &str) -> (tempfile::TempDir, Model, crate::running::Running, Desk) {
    let data = tempfile::tempdir().unwrap();
    let model = Model::saying(text).await;
    let mesh = Launch::serving(&[], data.path())
        .envs(&model.settings())
        .start()
        .await;
    let mut desk = Desk::at(mesh.edge());
    desk.register().await;
    (data, model, mesh, desk)
}

#[tokio::test]
async fn words_are_seen_as_they_come_and_stand_in_their_looks() {
    let (_data, _model, _mesh, desk) = desk(REPLY).await;
    let mut screen = Screen::open(&desk, &["chat", "--model", SLOW, "fjords?"]);
    screen.shows("narrow").await;
    let seen = screen.text();
    assert!(!seen.contains("last word"), "all at once: {seen}");
    assert!(screen.runs(), "it has ended");
    assert!(screen.cell("Fjords").bold(), "a heading that stands");
    screen.shows("last word").await;
    assert_eq!(screen.ended().await, 0);
    let text = screen.text();
    assert!(!text.contains("**") && !text.contains('#'), "{text}");
    assert!(!text.contains('`') && !text.contains('|'), "{text}");
    assert!(screen.cell("fjord is").bold());
    assert!(!screen.cell("is a long").bold());
    assert_eq!(screen.cell("deep it").fgcolor(), vt100::Color::Idx(6));
    assert!(text.contains("• one\n• two"), "{text}");
    assert!(text.contains("Sognefjord   1303"), "{text}");
    // It is broken between words, and said once.
    assert_eq!(text.matches("narrow").count(), 1, "{text}");
    assert!(text.contains("glacier"), "{text}");
    assert!(
        text.lines()
            .all(|line| line.chars().count() <= COLUMNS.into())
    );
    // Who said it, quietly.
    assert!(screen.cell(SLOW).dim(), "{text}");
}

#[tokio::test]
async fn there_are_no_colours_where_none_are_wanted() {
    let (_data, _model, _mesh, desk) = desk(REPLY).await;
    let args = ["chat", "fjords?"];
    let mut screen = Screen::open_with(&desk, &args, &[("NO_COLOR", "1")]);
    assert_eq!(screen.ended().await, 0);
    assert!(screen.text().contains("last word"));
    assert_eq!(screen.cell("deep it").fgcolor(), vt100::Color::Default);

    let mut screen = Screen::open_with(&desk, &args, &[("TERM", "dumb")]);
    assert_eq!(screen.ended().await, 0);
    assert!(!screen.raw().contains('\x1b'), "{:?}", screen.raw());
    assert!(screen.text().contains("**fjord**"), "{}", screen.text());
}

#[tokio::test]
async fn escape_sequences_of_a_reply_are_shown_and_not_obeyed() {
    let evil = "before \x1b[2J\x1b]0;title\x07 \x1b[31mred &#27;[1;1H `\x1b[5m` after";
    let (_data, _model, _mesh, desk) = desk(evil).await;
    let mut screen = Screen::open(&desk, &["chat", "--model", QUICK, "\x1b[2Jhello"]);
    assert_eq!(screen.ended().await, 0);
    assert!(screen.text().contains("before"), "{}", screen.text());
    for sequence in [
        "\x1b[2J",
        "\x1b]0;",
        "\x1b[31m",
        "\x1b[1;1H",
        "\x1b[5m",
        "\x07",
    ] {
        assert!(!screen.raw().contains(sequence), "{:?}", screen.raw());
    }
    // A title is somebody's words too.
    let mut screen = Screen::open(&desk, &["chat", "--list"]);
    assert_eq!(screen.ended().await, 0);
    assert!(screen.text().contains("hello"), "{}", screen.text());
    assert!(!screen.raw().contains("\x1b[2J"), "{:?}", screen.raw());
    let said = desk.run(&["chat", "--list"]).await;
    assert!(!said.well().contains('\x1b'), "{said:?}");
    // In a pipe a reply is what it is.
    let said = desk.run(&["chat", "hello"]).await;
    assert_eq!(said.well(), evil);
}
