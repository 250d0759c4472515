//! A reply painted while it grows: finished blocks stay as they stand, and the last one is set anew with every piece.
//!
//! Only what changed is painted: from the first line that differs to the end. Lines that have left the screen cannot be
//! reached any more and stay as they were.

use std::io::Write;

use pulldown_cmark::{Event, Parser};

use super::setter::{options, set};

/// What is known of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How many columns there are.
    pub columns: usize,
    /// How many of them a text takes at most.
    pub width: usize,
    /// How many rows there are.
    pub rows: usize,
}

/// A reply on a screen.
pub struct Page<W> {
    out: W,
    size: fn() -> Size,
    colour: bool,
    /// All that was said.
    text: String,
    /// Where the block begins that may still change.
    settled: usize,
    /// Its lines on the screen, painted, with the columns that each takes. The cursor is at the end of the last.
    shown: Vec<(String, usize)>,
    /// Whether something stands above them.
    begun: bool,
    stale: bool,
}

impl<W: Write> Page<W> {
    /// An empty one, where the cursor is; at the beginning of a line.
    pub fn new(out: W, size: fn() -> Size, colour: bool) -> Self {
        Self {
            out,
            size,
            colour,
            text: String::new(),
            settled: 0,
            shown: Vec::new(),
            begun: false,
            stale: false,
        }
    }

    /// More of the text; it is seen after the next [`Page::paint`].
    pub fn push(&mut self, more: &str) {
        self.text.push_str(more);
        self.stale = true;
    }

    /// The whole text as it is now, in place of everything before it. Where that differs from what is settled, the
    /// text is told anew below.
    pub fn replace(&mut self, text: &str) -> std::io::Result<()> {
        if !text.starts_with(&self.text[..self.settled]) {
            self.paint()?;
            self.shown.clear();
            self.settled = 0;
            self.begun = true;
        }
        text.clone_into(&mut self.text);
        self.stale = true;
        Ok(())
    }

    /// Brings the screen up to date.
    pub fn paint(&mut self) -> std::io::Result<()> {
        if !std::mem::take(&mut self.stale) {
            return Ok(());
        }
        let size = (self.size)();
        let open = self.settled + last_block(&self.text[self.settled..]);
        let done = self.set(self.settled, open, size, self.begun);
        let begun = self.begun || !done.is_empty();
        let last = self.set(open, self.text.len(), size, begun);
        let kept = last.len();
        let mut lines = done;
        lines.extend(last);
        self.update(&lines, size)?;
        self.settled = open;
        self.begun = begun;
        self.shown = lines.split_off(lines.len() - kept);
        Ok(())
    }

    /// Brings the screen up to date and ends the last line.
    pub fn finish(&mut self) -> std::io::Result<()> {
        self.paint()?;
        if self.begun || !self.shown.is_empty() {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }

    /// Lines of a part of the text, with an empty one above when something stands there.
    fn set(&self, from: usize, to: usize, size: Size, below: bool) -> Vec<(String, usize)> {
        let set = set(&self.text[from..to], size.width);
        let gap = (below && !set.is_empty()).then(|| (String::new(), 0));
        gap.into_iter()
            .chain(
                set.iter()
                    .map(|line| (line.painted(self.colour), line.width())),
            )
            .collect()
    }

    fn update(&mut self, lines: &[(String, usize)], size: Size) -> std::io::Result<()> {
        let same = self
            .shown
            .iter()
            .zip(lines)
            .take_while(|(shown, line)| shown == line)
            .count();
        if same == lines.len() && same == self.shown.len() {
            return Ok(());
        }
        let mut frame = String::new();
        let mut from = same;
        if same < self.shown.len() {
            let last = self.shown.len() - 1;
            let grown = (same == last)
                .then(|| lines.get(same))
                .flatten()
                .and_then(|line| line.0.strip_prefix(&self.shown[same].0));
            if let Some(more) = grown {
                frame.push_str(more);
                from = same + 1;
            } else {
                // Where lines have gone, the last that stays is where the cursor must end up.
                let changed = same.min(lines.len().saturating_sub(1));
                from = self.reachable(changed, size.columns, size.rows);
                let rows = self.rows_below(from, size.columns);
                frame.push('\r');
                if rows > 0 {
                    frame.push_str(&format!("\x1b[{rows}A"));
                }
                frame.push_str("\x1b[J");
                if let Some(line) = lines.get(from) {
                    frame.push_str(&line.0);
                }
                from += 1;
            }
        } else if same == 0 {
            if let Some(line) = lines.first() {
                // Below what is settled, or where the page begins.
                if self.begun {
                    frame.push_str("\r\n");
                }
                frame.push_str(&line.0);
            }
            from = 1;
        }
        for line in lines.iter().skip(from) {
            frame.push_str("\r\n");
            frame.push_str(&line.0);
        }
        self.out.write_all(frame.as_bytes())?;
        self.out.flush()
    }

    /// The first line from `wanted` on that is still on the screen.
    fn reachable(&self, wanted: usize, columns: usize, rows: usize) -> usize {
        let mut from = wanted;
        while from + 1 < self.shown.len() && self.rows_below(from, columns) >= rows {
            from += 1;
        }
        from
    }

    /// How many rows the cursor is below the first row of a line. A terminal that became narrower has broken lines.
    fn rows_below(&self, line: usize, columns: usize) -> usize {
        let taken = |width: &usize| width.div_ceil(columns.max(1)).max(1);
        let rows: usize = self.shown[line..]
            .iter()
            .map(|(_, width)| taken(width))
            .sum();
        rows.saturating_sub(1)
    }
}

/// Where the last block of a text begins: everything before it can change no more. A line that has not ended yet says
/// nothing: one more letter may make it a part of the block before it.
fn last_block(text: &str) -> usize {
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let (mut depth, mut last) = (0_usize, 0);
    for (event, place) in Parser::new_ext(whole, options()).into_offset_iter() {
        if depth == 0 && !matches!(event, Event::End(_)) {
            last = place.start;
        }
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    last
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
