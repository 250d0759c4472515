//! Markdown in a terminal: text is set into styled lines, and a reply is painted while it grows; it reads no input.

mod lines;
mod page;
mod setter;
mod table;

pub use page::{Page, Size};

use super::terminal::Terminal;

/// A whole Markdown text, set for a terminal, with line ends.
pub fn painted(markdown: &str, terminal: Terminal) -> String {
    let mut text = String::new();
    for line in setter::set(markdown, terminal.width()) {
        text.push_str(&line.painted(terminal.colour));
        text.push('\n');
    }
    text
}
