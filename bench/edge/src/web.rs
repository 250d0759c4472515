//! One HTTP/1.1 connection over which grpc-web is spoken, one call at a time. It reads no more of HTTP than it must, so that the
//! client takes as little as it can of the cores that it shares with what is measured.

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::call::Answer;
use crate::frames::Frames;

/// How many bytes are read at once, at most.
const BUFFER: usize = 128 * 1024;
/// How many headers an answer may have.
const HEADERS: usize = 64;

/// A connection.
pub struct Web {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Web {
    /// Speaks over a connection.
    pub fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            read: Vec::with_capacity(BUFFER),
        }
    }

    /// Sends a request and reads its answer.
    pub async fn call(&mut self, request: &[u8], mut frames: Frames) -> anyhow::Result<Answer> {
        self.socket.write_all(request).await?;
        let head = loop {
            self.more().await?;
            if let Some(head) = Head::parse(&self.read)? {
                break head;
            }
        };
        let mut rest = head.rest;
        let mut from = head.length;
        while !rest.take(&self.read[from..], &mut frames)? {
            self.read.clear();
            from = 0;
            self.more().await?;
        }
        self.read.clear();
        ensure!(frames.are_whole(), "an answer ended within a frame");
        Ok(Answer {
            http: head.http,
            status: head.status.or(frames.status),
            frames,
        })
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        let read = self.socket.read_buf(&mut self.read).await?;
        ensure!(read > 0, "the connection was closed within an answer");
        Ok(())
    }
}

/// What is needed of the head of an answer.
struct Head {
    length: usize,
    http: u16,
    status: Option<u32>,
    rest: Rest,
}

impl Head {
    /// None while it is not whole.
    fn parse(read: &[u8]) -> anyhow::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(read)? else {
            return Ok(None);
        };
        let mut head = Self {
            length,
            http: response.code.unwrap_or_default(),
            status: None,
            rest: Rest::Missing,
        };
        for header in response.headers.iter() {
            let value = || std::str::from_utf8(header.value).map(str::trim);
            if header.name.eq_ignore_ascii_case("transfer-encoding") {
                ensure!(value()?.eq_ignore_ascii_case("chunked"), "unknown encoding");
                head.rest = Rest::Size(0);
            } else if header.name.eq_ignore_ascii_case("content-length") {
                head.rest = Rest::Bytes(value()?.parse()?);
            } else if header.name.eq_ignore_ascii_case("grpc-status") {
                head.status = Some(value()?.parse()?);
            }
        }
        Ok(Some(head))
    }
}

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nobody has said how long it is.
    Missing,
    /// So many bytes.
    Bytes(usize),
    /// The size of a chunk, so far.
    Size(usize),
    /// The end of a line that begins with the size of a chunk.
    Extension(usize),
    /// So many bytes of a chunk.
    Chunk(usize),
    /// The end of the line after a chunk.
    After,
    /// A line after the last chunk; whether it is empty so far.
    Last(bool),
    /// Nothing.
    Nothing,
}

impl Rest {
    /// Takes the next bytes; whether the body has ended.
    fn take(&mut self, mut data: &[u8], frames: &mut Frames) -> anyhow::Result<bool> {
        while !data.is_empty() && *self != Self::Nothing {
            if let Self::Bytes(left) | Self::Chunk(left) = self {
                let (part, after) = data.split_at(data.len().min(*left));
                frames.take(part)?;
                *left -= part.len();
                data = after;
            } else {
                *self = self.read(data[0])?;
                data = &data[1..];
            }
            *self = match *self {
                Self::Bytes(0) => Self::Nothing,
                Self::Chunk(0) => Self::After,
                other => other,
            };
        }
        if *self == Self::Bytes(0) {
            *self = Self::Nothing;
        }
        let has_ended = *self == Self::Nothing;
        ensure!(data.is_empty(), "more was sent than the answer");
        ensure!(*self != Self::Missing, "an answer without a length");
        Ok(has_ended)
    }

    /// A byte of what is around the chunks.
    fn read(self, byte: u8) -> anyhow::Result<Self> {
        Ok(match (self, byte) {
            (Self::Size(0) | Self::Extension(0), b'\n') => Self::Last(true),
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Chunk(size),
            (Self::Size(size), b'\r' | b';') | (Self::Extension(size), _) => Self::Extension(size),
            (Self::Size(size), digit) => {
                let digit = char::from(digit).to_digit(16).context("no chunk's size")?;
                Self::Size(size * 16 + digit as usize)
            }
            (Self::After, b'\r') => Self::After,
            (Self::After, b'\n') => Self::Size(0),
            (Self::Last(true), b'\n') => Self::Nothing,
            (Self::Last(is_empty), b'\r') => Self::Last(is_empty),
            (Self::Last(_), byte) => Self::Last(byte == b'\n'),
            (state, byte) => bail!("{byte:#x} where {state:?} is expected"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::framed;
    use bytes::Bytes;

    fn read(body: &[u8], rest: Rest, cut: usize) -> anyhow::Result<(bool, Frames)> {
        let (mut rest, mut frames, mut has_ended) = (rest, Frames::default(), false);
        for piece in body.chunks(cut) {
            has_ended = rest.take(piece, &mut frames)?;
        }
        Ok((has_ended, frames))
    }

    #[test]
    fn a_chunked_body_is_read_however_it_is_cut() {
        let frame = framed(&Bytes::from(vec![7; 300]));
        let (one, two) = frame.split_at(26);
        let mut body = b"1a\r\n".to_vec();
        body.extend(one);
        body.extend(format!("\r\n{:X};name=value\r\n", two.len()).bytes());
        body.extend(two);
        body.extend(b"\r\n0\r\nsome: trailer\r\n\r\n");
        for cut in 1..body.len() {
            let (has_ended, frames) = read(&body, Rest::Size(0), cut).unwrap();
            assert!(has_ended && frames.are_whole(), "in pieces of {cut}");
            assert_eq!((frames.messages, frames.bytes), (1, 303));
        }
        let (has_ended, _) = read(&body[..body.len() - 1], Rest::Size(0), 64).unwrap();
        assert!(!has_ended);
        assert!(read(b"x\r\n", Rest::Size(0), 64).is_err());
    }

    #[test]
    fn a_body_with_a_length_ends_there() {
        let frame = framed(&Bytes::from_static(b"one"));
        let (has_ended, frames) = read(&frame, Rest::Bytes(frame.len()), 3).unwrap();
        assert!(has_ended);
        assert_eq!(frames.messages, 1);
        assert!(read(&frame, Rest::Bytes(frame.len() - 1), 64).is_err());
        assert!(read(&frame, Rest::Missing, 64).is_err());
    }

    #[test]
    fn a_head_says_what_follows() {
        let text = b"HTTP/1.1 200 OK\r\nGrpc-Status: 16\r\ncontent-length: 0\r\n\r\n";
        let head = Head::parse(text).unwrap().unwrap();
        assert_eq!((head.http, head.status), (200, Some(16)));
        assert_eq!((head.length, head.rest), (text.len(), Rest::Bytes(0)));
        assert!(Head::parse(&text[..20]).unwrap().is_none());
    }
}
