//! Styled words, and their breaking into lines of a width; nothing here knows Markdown.

use crate::client::terminal::{columns, plain};

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Heavier.
    pub bold: bool,
    /// Slanted.
    pub italic: bool,
    /// Struck through.
    pub struck: bool,
    /// Underlined.
    pub underlined: bool,
    /// Quieter.
    pub dim: bool,
    /// In the colour of code.
    pub code: bool,
}

impl Look {
    fn codes(self, colour: bool) -> Vec<&'static str> {
        let mut codes = Vec::new();
        for (on, code) in [
            (self.bold, "1"),
            (self.dim, "2"),
            (self.italic, "3"),
            (self.underlined, "4"),
            (self.struck, "9"),
            (self.code && colour, "36"),
        ] {
            if on {
                codes.push(code);
            }
        }
        codes
    }
}

/// A piece of text of one look. Its text holds no control character.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    text: String,
    look: Look,
}

impl Span {
    /// A piece of somebody's text.
    pub fn new(text: &str, look: Look) -> Self {
        Self {
            text: plain(text),
            look,
        }
    }
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<Span>);

impl Line {
    /// Of these pieces.
    pub fn new(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut line = Self::default();
        for span in spans {
            line.push(span);
        }
        line
    }

    /// Adds a piece at its end.
    pub fn push(&mut self, span: Span) {
        match self.0.last_mut() {
            Some(last) if last.look == span.look => last.text.push_str(&span.text),
            _ => self.0.push(span),
        }
    }

    /// Its pieces.
    pub fn into_spans(self) -> Vec<Span> {
        self.0
    }

    /// How many columns it takes.
    pub fn width(&self) -> usize {
        self.0.iter().map(|span| columns(&span.text)).sum()
    }

    /// Its text without any look.
    pub fn text(&self) -> String {
        self.0.iter().map(|span| span.text.as_str()).collect()
    }

    /// With escape sequences for its looks, each ended where its piece ends; white space at the end is left out.
    pub fn painted(&self, colour: bool) -> String {
        let kept = self.text().trim_end().len();
        let (mut painted, mut taken) = (String::new(), 0);
        for span in &self.0 {
            let rest = kept - taken;
            let text = &span.text[..span.text.len().min(rest)];
            taken += text.len();
            let codes = span.look.codes(colour);
            if codes.is_empty() || text.is_empty() {
                painted.push_str(text);
            } else {
                painted.push_str(&format!("\x1b[{}m{text}\x1b[0m", codes.join(";")));
            }
        }
        painted
    }
}

/// Pieces of text as lines of at most so many columns, broken between words, and within a word that is longer than a
/// line. `None` breaks the line.
pub fn wrapped(spans: &[Option<Span>], width: usize) -> Vec<Line> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = Line::default();
    let mut used = 0;
    let mut gap: Option<Look> = None;
    for word in words(spans) {
        match word {
            Word::Break => {
                lines.push(std::mem::take(&mut line));
                (used, gap) = (0, None);
            }
            Word::Space(look) => gap = (used > 0).then_some(look),
            Word::Text(pieces) => {
                let long = pieces
                    .iter()
                    .map(|piece| columns(&piece.text))
                    .sum::<usize>();
                let space = usize::from(gap.is_some());
                if used > 0 && used + space + long > width {
                    lines.push(std::mem::take(&mut line));
                    (used, gap) = (0, None);
                }
                if let Some(look) = gap.take() {
                    line.push(Span::new(" ", look));
                    used += 1;
                }
                for piece in pieces {
                    for c in piece.text.chars() {
                        let text = c.to_string();
                        let takes = columns(&text);
                        if used + takes > width && used > 0 {
                            lines.push(std::mem::take(&mut line));
                            used = 0;
                        }
                        line.push(Span {
                            text,
                            look: piece.look,
                        });
                        used += takes;
                    }
                }
            }
        }
    }
    if !line.0.is_empty() {
        lines.push(line);
    }
    lines
}

enum Word {
    Text(Vec<Span>),
    Space(Look),
    Break,
}

/// Words may change their look in their middle.
fn words(spans: &[Option<Span>]) -> Vec<Word> {
    let mut words = Vec::new();
    for span in spans {
        let Some(span) = span else {
            words.push(Word::Break);
            continue;
        };
        let mut rest = span.text.as_str();
        while !rest.is_empty() {
            let spaces = rest.len() - rest.trim_start_matches(' ').len();
            if spaces > 0 {
                // The space between words is underlined only when both are in one piece.
                words.push(Word::Space(span.look));
                rest = &rest[spaces..];
                continue;
            }
            let end = rest.find(' ').unwrap_or(rest.len());
            let piece = Span {
                text: rest[..end].to_owned(),
                look: span.look,
            };
            match words.last_mut() {
                Some(Word::Text(pieces)) => pieces.push(piece),
                _ => words.push(Word::Text(vec![piece])),
            }
            rest = &rest[end..];
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(spans: &[Option<Span>], width: usize) -> Vec<String> {
        wrapped(spans, width).iter().map(Line::text).collect()
    }

    #[test]
    fn lines_break_between_words() {
        let bold = Look {
            bold: true,
            ..Look::default()
        };
        let spans = [
            Some(Span::new("one two ", Look::default())),
            Some(Span::new("thr", bold)),
            Some(Span::new("ee  four", Look::default())),
            None,
            Some(Span::new("five", Look::default())),
        ];
        assert_eq!(texts(&spans, 9), ["one two", "three", "four", "five"]);
        assert_eq!(texts(&spans, 80), ["one two three four", "five"]);
    }

    #[test]
    fn a_long_word_breaks_where_the_line_ends() {
        let spans = [Some(Span::new("ab 漢字漢字", Look::default()))];
        assert_eq!(texts(&spans, 5), ["ab", "漢字", "漢字"]);
        let long = [Some(Span::new(&"x".repeat(10), Look::default()))];
        assert_eq!(texts(&long, 4), ["xxxx", "xxxx", "xx"]);
        assert_eq!(texts(&long, 0).len(), 10);
    }

    #[test]
    fn a_look_ends_with_its_piece() {
        let look = Look {
            bold: true,
            code: true,
            ..Look::default()
        };
        let line = Line::new([Span::new("a", Look::default()), Span::new("b  ", look)]);
        assert_eq!(line.painted(true), "a\x1b[1;36mb\x1b[0m");
        assert_eq!(line.painted(false), "a\x1b[1mb\x1b[0m");
    }
}
