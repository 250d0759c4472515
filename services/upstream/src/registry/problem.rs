//! What is wrong with a file of the registry: every problem, each with its place; it decides nothing.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 when it concerns the whole file.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub what: String,
}

/// Everything that is wrong with a file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The file, as it was named.
    pub file: String,
    /// At least one.
    pub list: Vec<Problem>,
}

impl Problems {
    /// One that concerns the whole file.
    pub fn whole(file: &str, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            list: vec![Problem {
                line: 0,
                column: 0,
                what: what.into(),
            }],
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.list.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            match problem.line {
                0 => write!(f, "{}: {}", self.file, problem.what)?,
                line => write!(
                    f,
                    "{}:{line}:{}: {}",
                    self.file, problem.column, problem.what
                )?,
            }
        }
        Ok(())
    }
}

/// Collects problems while a text is read.
pub(super) struct Collector<'t> {
    text: &'t str,
    list: Vec<Problem>,
}

impl<'t> Collector<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            list: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, span: &Range<usize>, what: impl Into<String>) {
        let (line, column) = place(self.text, span.start);
        self.list.push(Problem {
            line,
            column,
            what: what.into(),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In the order of the file.
    pub(super) fn into_problems(mut self, file: &str) -> Problems {
        self.list
            .sort_by_key(|problem| (problem.line, problem.column));
        self.list.dedup();
        Problems {
            file: file.to_owned(),
            list: self.list,
        }
    }
}

/// Line and column of a byte, both from 1.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text
        .char_indices()
        .take_while(|(at, _)| *at < byte)
        .map(|(_, c)| c);
    before.fold((1, 1), |(line, column), c| {
        if c == '\n' {
            (line + 1, 1)
        } else {
            (line, column + 1)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_and_lines() {
        let text = "a\né = 1\n";
        assert_eq!(place(text, 0), (1, 1));
        assert_eq!(place(text, text.find('=').unwrap()), (2, 3));
        assert_eq!(place(text, text.len()), (3, 1));
        assert_eq!(place(text, 10_000), (3, 1));
    }
}
