//! The statement of a month: what happened to an account's credits, as a CSV file (RFC 4180) in pieces of whole lines.

use std::sync::Arc;

use atelier_kit::moment::Micros;
use atelier_kit::money;
use atelier_ledger::{Entry, EntryKind, Month};
use csv::{Terminator, Writer, WriterBuilder};

use super::{Credits, MonthOfYear};
use crate::error::Error;

/// How many entries are read at once: no line has more than 700 bytes, since ids and models are bounded.
const PAGE: u32 = 60;
/// A piece of so many bytes is told; with a page more it has less than the 64 KiB that a piece may have.
const PIECE_BYTES: usize = 16 * 1024;
/// What is written before a text that a spreadsheet would take for a formula.
const HARMLESS: char = '\'';
const COLUMNS: [&str; 9] = [
    "time",
    "kind",
    "medium",
    "generation_id",
    "model",
    "grant_id",
    "change",
    "balance",
    "currency",
];

/// A statement that is being told.
pub(crate) struct Statement {
    credits: Arc<Credits>,
    user_id: String,
    month: Month,
    /// The last entry that was told.
    after: i64,
    /// What may be spent after it.
    balance: i64,
    /// Until when it is told: the end of the month, or now.
    end: Micros,
    /// Lines that are written and not told yet.
    lines: Writer<Vec<u8>>,
    /// Whether `closing` was written.
    is_closed: bool,
}

impl Statement {
    /// Begins with a header and the balance that the month opened with; `None` for a month that has not begun.
    pub(crate) async fn open(
        credits: Arc<Credits>,
        user_id: String,
        month: MonthOfYear,
    ) -> Result<Option<Self>, Error> {
        let now = credits.clock.now();
        let month = Month {
            from: month.begin(),
            to: month.next().begin(),
        };
        if month.from > now {
            return Ok(None);
        }
        let balance = credits.ledger.balance_at(&user_id, month.from).await;
        let balance = balance.map_err(|error| Error::of_ledger(error, now))?;
        let mut statement = Self {
            credits,
            user_id,
            month,
            after: 0,
            balance,
            end: now.min(month.to),
            lines: WriterBuilder::new()
                .terminator(Terminator::CRLF)
                .from_writer(Vec::new()),
            is_closed: false,
        };
        statement.write(COLUMNS.map(str::to_owned))?;
        statement.mark("opening", month.from)?;
        Ok(Some(statement))
    }

    /// The next piece; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.is_closed {
            return Ok(None);
        }
        loop {
            let now = self.credits.clock.now();
            let (month, after) = (self.month, self.after);
            let page = self
                .credits
                .ledger
                .entries_of(&self.user_id, month, after, PAGE);
            let page = page.await.map_err(|error| Error::of_ledger(error, now))?;
            let Some(last) = page.last() else {
                // The balance of the last line, so that the file adds up whatever happens while it is told.
                self.mark("closing", self.end)?;
                self.is_closed = true;
                return self.take().map(Some);
            };
            (self.after, self.balance) = (last.number, last.balance);
            // What happened since it was begun is told as well.
            self.end = self.end.max(last.time);
            for entry in page {
                self.write(self.line(&entry))?;
            }
            self.lines.flush().map_err(Error::store)?;
            if self.lines.get_ref().len() > PIECE_BYTES {
                return self.take().map(Some);
            }
        }
    }

    fn line(&self, entry: &Entry) -> [String; 9] {
        let change = match entry.kind {
            EntryKind::Granted | EntryKind::Returned => entry.amount,
            EntryKind::Reserved | EntryKind::Expired => -entry.amount,
            // Out of what was set aside: the balance stays.
            EntryKind::Charged => entry.amount,
        };
        [
            atelier_privacy::time(entry.time),
            entry.kind.name().to_owned(),
            entry.medium.map_or("", |medium| medium.name()).to_owned(),
            plain(&entry.generation),
            plain(&entry.model),
            entry.grant.clone(),
            money::exact(change),
            money::exact(entry.balance),
            self.currency(),
        ]
    }

    /// A line that tells a balance alone.
    fn mark(&mut self, kind: &str, time: Micros) -> Result<(), Error> {
        let mut line: [String; 9] = Default::default();
        line[0] = atelier_privacy::time(time);
        line[1] = kind.to_owned();
        line[7] = money::exact(self.balance);
        line[8] = self.currency();
        self.write(line)
    }

    fn currency(&self) -> String {
        self.credits.in_force().plans.currency.clone()
    }

    fn write(&mut self, line: [String; 9]) -> Result<(), Error> {
        self.lines.write_record(line).map_err(Error::store)
    }

    /// What was written since the last piece.
    fn take(&mut self) -> Result<Vec<u8>, Error> {
        let fresh = WriterBuilder::new()
            .terminator(Terminator::CRLF)
            .from_writer(Vec::new());
        let written = std::mem::replace(&mut self.lines, fresh);
        written
            .into_inner()
            .map_err(|error| Error::store(error.to_string()))
    }
}

/// A text that no spreadsheet takes for a formula: some models have names that begin like one.
fn plain(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("{HARMLESS}{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn no_text_is_a_formula() {
        assert_eq!(plain("@cf/model"), "'@cf/model");
        assert_eq!(plain("=1+1"), "'=1+1");
        assert_eq!(plain("gpt-4"), "gpt-4");
        assert_eq!(plain(""), "");
    }
}
