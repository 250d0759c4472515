//! What the terminal is, and what may reach it: no control character of somebody else's words does.

use std::io::{self, IsTerminal as _, Write as _};

use super::trouble::Closed;

/// The widest a text is set: longer lines are hard to read.
const WIDEST: usize = 100;

/// What standard output and standard error are.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Whether results are seen by a person, on something that can move its cursor.
    pub out: bool,
    /// Whether progress is seen by a person.
    pub err: bool,
    /// Whether there may be colours; NO_COLOR says no.
    pub colour: bool,
}

impl Terminal {
    /// As it is; a `dumb` one can do no more than show characters.
    pub fn look(dumb: bool) -> Self {
        Self {
            out: io::stdout().is_terminal() && !dumb,
            err: io::stderr().is_terminal() && !dumb,
            colour: console::colors_enabled(),
        }
    }

    /// How wide a text is set.
    pub fn width(self) -> usize {
        self.columns().min(WIDEST)
    }

    /// How many columns there are.
    pub fn columns(self) -> usize {
        usize::from(console::Term::stdout().size().1).max(1)
    }

    /// How many rows there are.
    pub fn rows(self) -> usize {
        usize::from(console::Term::stdout().size().0).max(2)
    }

    /// Quiet words on standard error, where a person sees them.
    pub fn aside(self, line: &str) {
        if self.err {
            let line = console::style(plain(line)).for_stderr().dim();
            // Standard error may be closed; the words are not important.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// Words on standard error that matter to scripts and people alike.
    pub fn note(self, line: &str) {
        let _ = writeln!(io::stderr(), "{}", plain(line));
    }
}

/// Writes to standard output at once.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(told)
}

/// Writes bytes to standard output, as fast as they are taken there; nothing else waits for that.
pub async fn pour(bytes: &[u8]) -> anyhow::Result<()> {
    let bytes = bytes.to_vec();
    tokio::task::spawn_blocking(move || {
        let mut out = io::stdout().lock();
        out.write_all(&bytes).and_then(|()| out.flush())
    })
    .await?
    .map_err(told)
}

/// What went wrong with standard output.
pub fn told(error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Closed.into()
    } else {
        anyhow::Error::new(error).context("standard output")
    }
}

/// Words of somebody else, fit for a terminal: control characters, of which escape sequences are made, are shown and
/// not obeyed, and those that turn the direction of a text around are left out. Line breaks and tabs become spaces.
pub fn plain(text: &str) -> String {
    text.chars().filter_map(harmless).collect()
}

fn harmless(c: char) -> Option<char> {
    match c {
        '\n' | '\t' => Some(' '),
        '\r' => None,
        // Pictures of control characters stand in Unicode in the same order.
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)),
        '\x7f' => Some('\u{2421}'),
        '\u{80}'..='\u{9f}' => Some('\u{fffd}'),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => None,
        '\u{2028}' | '\u{2029}' => Some(' '),
        c => Some(c),
    }
}

/// The beginning of a text in so many columns, with a mark where something is left out.
pub fn shortened(text: &str, columns: usize) -> String {
    console::truncate_str(&plain(text), columns, "…").into_owned()
}

/// How many columns a text takes.
pub fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_sequence_survives() {
        let evil = "a\x1b[2J\x1b]0;title\x07b\u{9b}31m\r\n\u{202e}c";
        let shown = plain(evil);
        assert_eq!(shown, "a␛[2J␛]0;title␇b\u{fffd}31m c");
        assert!(!shown.chars().any(char::is_control));
    }

    #[test]
    fn a_long_title_is_cut_by_columns() {
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(columns("漢字"), 4);
    }
}
