//! Server-sent events out of bytes, however these are cut; it holds no more than one event.
//!
//! Source of the rules: <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>. The
//! crates that do this keep an event without a bound, and look at all of it again with every chunk: an upstream
//! that sends a long event byte by byte would have a core to itself.

use atelier_generation::ProviderError;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

/// The data of the events of a body, each of at most so many bytes.
pub fn events(
    body: impl Stream<Item = Result<Bytes, ProviderError>> + Send + 'static,
    most: usize,
) -> impl Stream<Item = Result<String, ProviderError>> + Send + 'static {
    async_stream::try_stream! {
        let mut body = std::pin::pin!(body);
        let mut reader = EventReader::new(most);
        let mut found = Vec::new();
        while let Some(chunk) = body.next().await {
            let read = reader.read(&chunk?, &mut found);
            // What came before the nonsense was said.
            for data in found.drain(..) {
                yield data;
            }
            read.map_err(|odd| ProviderError::Garbled(odd.to_string()))?;
        }
    }
}

/// Why bytes are no events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Oddity {
    /// An event goes on and on.
    #[error("an event is too long")]
    TooLong,
    /// A line is no text.
    #[error("a line is not UTF-8")]
    NotText,
}

/// Reads events. Only their data is kept: that is all that these APIs use.
#[derive(Debug)]
pub struct EventReader {
    most: usize,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// The data of an event whose end has not come.
    data: String,
    has_data: bool,
    /// The bytes of that event until now, comments left aside.
    size: usize,
    /// Whether the last byte was a `\r`, whose `\n` belongs to it.
    after_return: bool,
    began: bool,
}

impl EventReader {
    /// A reader of events of at most so many bytes each.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            data: String::new(),
            has_data: false,
            size: 0,
            after_return: false,
            began: false,
        }
    }

    /// The data of the events that end within this chunk. What comes after an error makes no sense.
    pub fn read(&mut self, mut chunk: &[u8], found: &mut Vec<String>) -> Result<(), Oddity> {
        while !chunk.is_empty() {
            if std::mem::take(&mut self.after_return) && chunk[0] == b'\n' {
                chunk = &chunk[1..];
                continue;
            }
            let end = chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if self.size + self.line.len() + part.len() > self.most {
                return Err(Oddity::TooLong);
            }
            let Some(end) = end else {
                self.line.extend_from_slice(part);
                return Ok(());
            };
            self.after_return = chunk[end] == b'\r';
            chunk = &chunk[end + 1..];
            if self.line.is_empty() {
                self.end_line(part, found)?;
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(part);
                self.end_line(&line, found)?;
                line.clear();
                self.line = line;
            }
        }
        Ok(())
    }

    fn end_line(&mut self, line: &[u8], found: &mut Vec<String>) -> Result<(), Oddity> {
        let line = std::str::from_utf8(line).map_err(|_| Oddity::NotText)?;
        let line = match self.began {
            true => line,
            false => line.strip_prefix('\u{feff}').unwrap_or(line),
        };
        self.began = true;
        if line.is_empty() {
            self.size = 0;
            let data = std::mem::take(&mut self.data);
            // An event without data, or with none in it, is no event.
            if std::mem::take(&mut self.has_data) && !data.is_empty() {
                found.push(data);
            }
            return Ok(());
        }
        if line.starts_with(':') {
            return Ok(());
        }
        self.size += line.len() + 1;
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name == "data" {
            if self.has_data {
                self.data.push('\n');
            }
            self.has_data = true;
            self.data.push_str(value.strip_prefix(' ').unwrap_or(value));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
