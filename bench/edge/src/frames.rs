//! The frames of an answer, counted as their bytes come; nothing is kept of them unless it is asked for.

use anyhow::{Context as _, ensure};
use prost::Message;

/// What there was in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// How many messages.
    pub messages: usize,
    /// How many bytes they had in all, without the heads of their frames.
    pub bytes: usize,
    /// What grpc-web's last frame says.
    pub status: Option<u32>,
    /// The messages themselves, one after the other, where they are wanted.
    pub kept: Option<Vec<u8>>,
    head: [u8; 5],
    had: usize,
    left: usize,
    trailers: Vec<u8>,
}

/// grpc-web's mark of a frame that holds trailers.
const TRAILERS: u8 = 0x80;

impl Frames {
    /// Those of an answer whose messages are wanted.
    pub fn keeping() -> Self {
        Self {
            kept: Some(Vec::new()),
            ..Self::default()
        }
    }

    /// Takes the next bytes.
    pub fn take(&mut self, mut data: &[u8]) -> anyhow::Result<()> {
        while !data.is_empty() {
            if self.had < self.head.len() {
                let taken = data.len().min(self.head.len() - self.had);
                self.head[self.had..self.had + taken].copy_from_slice(&data[..taken]);
                self.had += taken;
                data = &data[taken..];
                if self.had < self.head.len() {
                    return Ok(());
                }
                let [_, length @ ..] = self.head;
                self.left = u32::from_be_bytes(length) as usize;
            }
            let (part, rest) = data.split_at(data.len().min(self.left));
            self.keep(part);
            self.left -= part.len();
            data = rest;
            if self.left == 0 {
                self.end_frame()?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, part: &[u8]) {
        if self.head[0] & TRAILERS != 0 {
            self.trailers.extend_from_slice(part);
            return;
        }
        self.bytes += part.len();
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(part);
        }
    }

    fn end_frame(&mut self) -> anyhow::Result<()> {
        self.had = 0;
        if self.head[0] & TRAILERS == 0 {
            self.messages += 1;
            return Ok(());
        }
        ensure!(self.status.is_none(), "an answer ended twice");
        let text = std::str::from_utf8(&self.trailers).context("trailers that are no text")?;
        let status = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_status = name.trim().eq_ignore_ascii_case("grpc-status");
            is_status.then(|| value.trim().parse().ok())?
        });
        self.status = Some(status.context("trailers without a status")?);
        Ok(())
    }

    /// Whether the last frame that was begun is whole.
    pub fn are_whole(&self) -> bool {
        self.had == 0
    }
}

/// A message in its frame.
pub fn framed(message: &impl Message) -> Vec<u8> {
    let length = message.encoded_len();
    let mut frame = Vec::with_capacity(5 + length);
    frame.push(0);
    frame.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&message.encode_to_vec());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn frames_are_counted_however_the_bytes_are_cut() {
        let mut answer = framed(&Bytes::from_static(b"one"));
        answer.extend(framed(&Bytes::new()));
        let trailers = b"grpc-status: 5\r\ngrpc-message: no\r\n";
        answer.extend([TRAILERS, 0, 0, 0, trailers.len() as u8]);
        answer.extend(trailers);
        for cut in 1..answer.len() {
            let mut frames = Frames::keeping();
            for piece in answer.chunks(cut) {
                frames.take(piece).unwrap();
            }
            assert!(frames.are_whole(), "in pieces of {cut}");
            assert_eq!(
                (frames.messages, frames.bytes, frames.status),
                (2, 5, Some(5))
            );
            assert_eq!(frames.kept.as_deref(), Some(&b"\x0a\x03one"[..]));
        }
    }

    #[test]
    fn a_frame_that_is_cut_off_is_not_whole() {
        let mut frames = Frames::default();
        let answer = framed(&Bytes::from_static(b"one"));
        frames.take(&answer[..answer.len() - 1]).unwrap();
        assert!(!frames.are_whole());
        assert_eq!(frames.messages, 0);
    }
}
