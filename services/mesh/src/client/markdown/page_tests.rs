//! A page on an emulated terminal: what is seen after every piece, and that it is what a whole text looks like.

use super::*;
use vt100::Parser as Terminal;

fn size() -> Size {
    Size {
        columns: 30,
        width: 30,
        rows: 8,
    }
}

const TEXT: &str = "# A title\n\nSome **bold words** and `code` in a paragraph that is long.\n\n- one\n- two with *more*\n\n```\nlet a = 1;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nThe end.";

/// All rows that were ever on the screen.
fn rows(terminal: &mut Terminal) -> Vec<String> {
    let screen = terminal.screen_mut();
    screen.set_scrollback(usize::MAX);
    let mut back = screen.scrollback();
    let mut rows = Vec::new();
    while back > 0 {
        screen.set_scrollback(back);
        rows.extend(screen.rows(0, 30).next());
        back -= 1;
    }
    screen.set_scrollback(0);
    rows.extend(screen.rows(0, 30));
    while rows.last().is_some_and(|row| row.trim().is_empty()) {
        rows.pop();
    }
    rows
}

fn told(pieces: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    let mut page = Page::new(&mut out, size, true);
    for piece in pieces {
        page.push(piece);
        page.paint().unwrap();
    }
    page.finish().unwrap();
    let mut terminal = emulated();
    terminal.process(&as_terminal(&out));
    rows(&mut terminal)
}

fn emulated() -> Terminal {
    let side = |length| std::num::NonZero::new(length).unwrap();
    Terminal::new(side(8), side(30), 1000)
}

/// A terminal's driver begins a new line at its beginning.
fn as_terminal(out: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(out.to_vec()).unwrap();
    text.replace("\r\n", "\n")
        .replace('\n', "\r\n")
        .into_bytes()
}

fn set_whole(text: &str) -> Vec<String> {
    set(text, 30)
        .iter()
        .map(|line| line.text().trim_end().to_owned())
        .collect()
}

#[test]
fn however_it_is_cut_it_looks_the_same() {
    let whole = set_whole(TEXT);
    for length in [1, 2, 3, 5, 7, 11, 1000] {
        let chars: Vec<char> = TEXT.chars().collect();
        let pieces: Vec<String> = chars.chunks(length).map(|c| c.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        assert_eq!(told(&pieces), whole, "pieces of {length}");
    }
}

#[test]
fn words_are_seen_before_their_block_is_finished() {
    let mut out = Vec::new();
    let mut page = Page::new(&mut out, size, true);
    page.push("Hello **wor");
    page.paint().unwrap();
    let seen = String::from_utf8(page.out.clone()).unwrap();
    assert!(seen.ends_with("Hello **wor"), "{seen:?}");
    page.push("ld**");
    page.paint().unwrap();
    let seen = String::from_utf8(page.out.clone()).unwrap();
    assert!(seen.ends_with("Hello \x1b[1mworld\x1b[0m"), "{seen:?}");
}

#[test]
fn plain_words_are_only_added() {
    let mut out = Vec::new();
    let mut page = Page::new(&mut out, size, true);
    for word in ["one", " two", " three"] {
        page.push(word);
        page.paint().unwrap();
    }
    page.finish().unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "one two three\n");
}

#[test]
fn a_snapshot_takes_the_place_of_what_was_said() {
    let mut out = Vec::new();
    let mut page = Page::new(&mut out, size, true);
    page.push("first\n\nsecond wrong");
    page.paint().unwrap();
    page.replace("first\n\nsecond right and more").unwrap();
    page.finish().unwrap();
    let mut terminal = emulated();
    terminal.process(&as_terminal(&out));
    assert_eq!(rows(&mut terminal), ["first", "", "second right and more"]);
}

#[test]
fn a_block_that_becomes_shorter_leaves_nothing() {
    let long = "see [a link](http://example.com/that/is/long";
    assert_eq!(
        told(&["above\n\n", long, ")"]).len(),
        set_whole(&format!("above\n\n{long})")).len()
    );
}
