//! From Markdown to lines of a width: headings, lists, quotes, code, tables; what it does not know it shows as text.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::lines::{Line, Look, Span, wrapped};
use super::table::Table;

/// The narrowest column that a text is set into, however deep it is nested.
const NARROWEST: usize = 10;
/// How many columns code is set in.
const CODE_INDENT: &str = "    ";
/// How many columns a ruler takes at most.
const RULER: usize = 40;

/// What of Markdown is understood beside CommonMark.
pub fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS
}

/// Sets a text.
pub fn set(markdown: &str, width: usize) -> Vec<Line> {
    let mut setter = Setter::new(width);
    for event in Parser::new_ext(markdown, options()) {
        setter.take(event);
    }
    setter.flush();
    setter.lines
}

/// What stands before the lines of a list's item or a quote.
struct Prefix {
    /// Before the first line; taken when that line is there.
    first: Option<Span>,
    /// Before the others.
    rest: Span,
}

struct Setter {
    width: usize,
    lines: Vec<Line>,
    prefixes: Vec<Prefix>,
    inline: Vec<Option<Span>>,
    looks: Vec<Look>,
    lists: Vec<Option<u64>>,
    /// Whether an empty line is due before the next block.
    gap: bool,
    code: Option<String>,
    table: Option<Table>,
    links: Vec<(String, usize)>,
}

impl Setter {
    fn new(width: usize) -> Self {
        Self {
            width,
            lines: Vec::new(),
            prefixes: Vec::new(),
            inline: Vec::new(),
            looks: vec![Look::default()],
            lists: Vec::new(),
            gap: false,
            code: None,
            table: None,
            links: Vec::new(),
        }
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open(tag),
            Event::End(tag) => self.close(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.say(&text, self.look()),
            },
            Event::Code(text) => {
                let look = Look {
                    code: true,
                    ..self.look()
                };
                self.say(&text, look);
            }
            Event::Html(text) | Event::InlineHtml(text) => self.say(&text, self.look()),
            Event::SoftBreak => self.say(" ", self.look()),
            Event::HardBreak => self.inline.push(None),
            Event::Rule => {
                self.block();
                let ruler = "─".repeat(self.room().min(RULER));
                self.put(Line::new([Span::new(&ruler, dim())]));
                self.gap = true;
            }
            Event::TaskListMarker(done) => {
                let mark = Span::new(if done { "☑ " } else { "☐ " }, Look::default());
                match self.prefixes.last_mut() {
                    // It takes the place of the bullet, and as much room.
                    Some(item) if item.first.is_some() => item.first = Some(mark),
                    _ => self.inline.push(Some(mark)),
                }
            }
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.say(&text, self.look())
            }
        }
    }

    fn open(&mut self, tag: Tag<'_>) {
        let look = self.look();
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.block(),
            Tag::Heading { level, .. } => {
                self.block();
                self.looks.push(Look {
                    bold: true,
                    underlined: level == pulldown_cmark::HeadingLevel::H1,
                    ..look
                });
            }
            Tag::BlockQuote(_) => {
                self.block();
                self.prefixes.push(Prefix {
                    first: None,
                    rest: Span::new("│ ", dim()),
                });
                self.looks.push(Look { dim: true, ..look });
            }
            Tag::CodeBlock(kind) => {
                self.block();
                if let CodeBlockKind::Fenced(language) = kind
                    && let Some(name) = language.split_whitespace().next()
                {
                    self.put(Line::new([Span::new(&format!("  {name}"), dim())]));
                }
                self.code = Some(String::new());
            }
            Tag::List(first) => {
                // A list within an item stands close to it.
                if self.lists.is_empty() {
                    self.block();
                } else {
                    self.flush();
                }
                self.lists.push(first);
            }
            Tag::Item => {
                self.flush();
                if self.gap {
                    self.block();
                }
                let marker = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let marker = format!("{number}. ");
                        *number += 1;
                        marker
                    }
                    _ => "• ".to_owned(),
                };
                self.prefixes.push(Prefix {
                    rest: Span::new(&" ".repeat(marker.chars().count()), Look::default()),
                    first: Some(Span::new(&marker, dim())),
                });
            }
            Tag::Emphasis => self.looks.push(Look {
                italic: true,
                ..look
            }),
            Tag::Strong => self.looks.push(Look { bold: true, ..look }),
            Tag::Strikethrough => self.looks.push(Look {
                struck: true,
                ..look
            }),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push((dest_url.into_string(), self.inline.len()));
                self.looks.push(Look {
                    underlined: true,
                    ..look
                });
            }
            Tag::Table(alignments) => {
                self.block();
                self.table = Some(Table::new(alignments));
            }
            Tag::TableHead => self.looks.push(Look { bold: true, ..look }),
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => {
                self.flush();
                self.gap = true;
            }
            TagEnd::Heading(_) => {
                self.flush();
                self.looks.pop();
                self.gap = true;
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.looks.pop();
                self.prefixes.pop();
                self.gap = true;
            }
            TagEnd::CodeBlock => {
                let code = self.code.take().unwrap_or_default();
                self.set_code(&code);
                self.gap = true;
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.gap = self.lists.is_empty() || self.gap;
            }
            TagEnd::Item => {
                self.flush();
                if self.prefixes.last().is_some_and(|top| top.first.is_some()) {
                    // An item without anything in it is seen too.
                    self.put(Line::default());
                }
                self.prefixes.pop();
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.looks.pop();
            }
            TagEnd::Link | TagEnd::Image => self.close_link(),
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.inline);
                if let Some(table) = &mut self.table {
                    table.cell(cell);
                }
            }
            TagEnd::TableHead | TagEnd::TableRow => {
                if tag == TagEnd::TableHead {
                    self.looks.pop();
                }
                if let Some(table) = &mut self.table {
                    table.end_row();
                }
            }
            TagEnd::Table => {
                let room = self.room();
                if let Some(table) = self.table.take() {
                    for line in table.set(room) {
                        self.put(line);
                    }
                }
                self.gap = true;
            }
            _ => {}
        }
    }

    /// A link's address stands behind its text, unless it is its text.
    fn close_link(&mut self) {
        self.looks.pop();
        let Some((address, begun)) = self.links.pop() else {
            return;
        };
        let shown: Vec<Span> = self.inline.iter().skip(begun).flatten().cloned().collect();
        let shown = Line::new(shown).text();
        if !address.is_empty() && shown != address && format!("mailto:{shown}") != address {
            self.say(&format!(" ({address})"), dim());
        }
    }

    fn look(&self) -> Look {
        self.looks.last().copied().unwrap_or_default()
    }

    fn say(&mut self, text: &str, look: Look) {
        self.inline.push(Some(Span::new(text, look)));
    }

    /// Begins a block: what is left of the one before is set, and an empty line stands between them where one is due.
    fn block(&mut self) {
        self.flush();
        if std::mem::take(&mut self.gap) && !self.lines.is_empty() {
            // Within a quote its mark goes on beside the empty line; a list's item has not begun yet.
            let seen = &self.prefixes[..self.seen()];
            let quotes = seen.iter().filter(|prefix| prefix.first.is_none());
            let line = Line::new(quotes.map(|prefix| prefix.rest.clone()));
            self.lines.push(line);
        }
    }

    fn flush(&mut self) {
        if self.inline.is_empty() {
            return;
        }
        let inline = std::mem::take(&mut self.inline);
        for line in wrapped(&inline, self.room()) {
            self.put(line);
        }
    }

    fn set_code(&mut self, code: &str) {
        let look = Look {
            code: true,
            ..Look::default()
        };
        let width = self.room().saturating_sub(CODE_INDENT.len()).max(NARROWEST);
        for line in code.trim_end_matches('\n').split('\n') {
            let line = line.replace('\t', "    ");
            for piece in pieces(&line, width) {
                let indent = Span::new(CODE_INDENT, Look::default());
                self.put(Line::new([indent, Span::new(&piece, look)]));
            }
        }
    }

    /// How many columns are left beside what stands before a line.
    fn room(&self) -> usize {
        let taken: usize = self.prefixes[..self.seen()].iter().map(Prefix::width).sum();
        self.width.saturating_sub(taken).max(NARROWEST)
    }

    /// How many of the prefixes are shown: those that leave room for a text.
    fn seen(&self) -> usize {
        let mut taken = NARROWEST;
        self.prefixes
            .iter()
            .take_while(|prefix| {
                taken += prefix.width();
                taken <= self.width
            })
            .count()
    }

    /// Sets a line, with what stands before it.
    fn put(&mut self, line: Line) {
        let (seen, mut whole) = (self.seen(), Line::default());
        for (at, prefix) in self.prefixes.iter_mut().enumerate() {
            let before = prefix.first.take().unwrap_or_else(|| prefix.rest.clone());
            if at < seen {
                whole.push(before);
            }
        }
        for span in line.into_spans() {
            whole.push(span);
        }
        self.lines.push(whole);
    }
}

impl Prefix {
    fn width(&self) -> usize {
        Line::new([self.rest.clone()]).width()
    }
}

fn dim() -> Look {
    Look {
        dim: true,
        ..Look::default()
    }
}

/// A line of code in pieces of at most so many columns; its spaces stay as they are.
fn pieces(line: &str, width: usize) -> Vec<String> {
    let (mut pieces, mut piece, mut used) = (Vec::new(), String::new(), 0);
    for c in line.chars() {
        let takes = crate::client::terminal::columns(c.encode_utf8(&mut [0; 4]));
        if used + takes > width && used > 0 {
            pieces.push(std::mem::take(&mut piece));
            used = 0;
        }
        piece.push(c);
        used += takes;
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
#[path = "setter_tests.rs"]
mod tests;
