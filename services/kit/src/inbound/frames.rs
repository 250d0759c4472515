//! Follows the frames of gRPC through the chunks of a body: where each message begins and how long it says it is. It
//! copies nothing, keeps five bytes at most, and never looks into a message.

use http::HeaderMap;

use crate::fault::{Fault, Kind};

/// What stands before a message: a compression flag and four bytes of length.
pub(super) const PREFIX: usize = 5;

/// Where in its frames a body is.
pub(super) struct Frames {
    /// How many bytes a message may have.
    limit: usize,
    /// Whether there may be more than one message.
    many: bool,
    /// Whether the request says how its messages are compressed.
    encoded: bool,
    prefix: [u8; PREFIX],
    /// How many bytes of a prefix are there; five while its message goes by.
    have: usize,
    /// How many bytes of the message are still to come.
    left: usize,
    /// Whether a whole message has gone by.
    some: bool,
}

impl Frames {
    pub(super) fn new(limit: usize, many: bool, headers: &HeaderMap) -> Self {
        let encoded = headers
            .get("grpc-encoding")
            .is_some_and(|encoding| encoding != "identity");
        Self {
            limit,
            many,
            encoded,
            prefix: [0; PREFIX],
            have: 0,
            left: 0,
            some: false,
        }
    }

    /// Lets a chunk pass, or tells what is wrong with it.
    pub(super) fn pass(&mut self, mut chunk: &[u8]) -> Result<(), Fault> {
        while let Some((&byte, rest)) = chunk.split_first() {
            if self.have < PREFIX {
                if self.have == 0 {
                    self.begin(byte)?;
                }
                if let Some(place) = self.prefix.get_mut(self.have) {
                    *place = byte;
                }
                self.have += 1;
                chunk = rest;
                if self.have < PREFIX {
                    continue;
                }
                let [_, a, b, c, d] = self.prefix;
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.left > self.limit {
                    return Err(too_large(self.limit));
                }
            }
            let taken = self.left.min(chunk.len());
            chunk = chunk.split_at(taken).1;
            self.left -= taken;
            if self.left == 0 {
                self.have = 0;
                self.some = true;
            }
        }
        Ok(())
    }

    /// Whether the body may end here.
    pub(super) fn end(&self) -> Result<(), Fault> {
        match (self.have, self.some || self.many) {
            (0, true) => Ok(()),
            (0, false) => Err(not_one("the request has no message")),
            _ => Err(malformed("the request ends within a message")),
        }
    }

    /// The first byte of a frame.
    fn begin(&self, flag: u8) -> Result<(), Fault> {
        match flag {
            0 | 1 if self.some && !self.many => Err(not_one("a second message follows the first")),
            0 => Ok(()),
            1 if self.encoded => Ok(()),
            // gRPC's own code for it, though the fault is the caller's.
            1 => Err(Fault::new(
                Kind::Internal,
                "ENCODING_MISSING",
                "a message is compressed, and the request does not say how (grpc-encoding)",
            )),
            _ if self.some && !self.many => Err(malformed("something follows the message")),
            _ => Err(malformed("the frame's flag is neither 0 nor 1")),
        }
    }
}

fn malformed(what: &str) -> Fault {
    Fault::new(Kind::Invalid, "MALFORMED_MESSAGE", what)
}

/// gRPC's own code for a method that takes one message and gets another number of them.
fn not_one(what: &str) -> Fault {
    Fault::new(Kind::Unimplemented, "ONE_MESSAGE_NEEDED", what)
}

fn too_large(limit: usize) -> Fault {
    Fault::new(
        Kind::Exhausted,
        "MESSAGE_TOO_LARGE",
        format!("a request message may have at most {limit} bytes"),
    )
    .with("max_bytes", limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
        let mut frame = vec![flag];
        frame.extend((message.len() as u32).to_be_bytes());
        frame.extend(message);
        frame
    }

    /// What comes of a body in chunks of these sizes.
    fn passed(many: bool, limit: usize, body: &[u8], sizes: &[usize]) -> Result<(), String> {
        let mut frames = Frames::new(limit, many, &HeaderMap::new());
        let told = |fault: Fault| {
            let status = tonic::Status::from(fault);
            crate::fault::reason_of(&status).unwrap()
        };
        let mut sizes = sizes.iter().cycle();
        let mut rest = body;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            frames.pass(chunk).map_err(told)?;
            rest = after;
        }
        frames.end().map_err(told)
    }

    proptest! {
        #[test]
        fn how_a_body_is_cut_decides_nothing(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5),
            spoilt in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
            many: bool,
            sizes in prop::collection::vec(1usize..20, 1..8),
        ) {
            let mut body: Vec<u8> = messages.iter().flat_map(|message| frame(0, message)).collect();
            if let (Some((at, byte)), false) = (spoilt, body.is_empty()) {
                let at = at.index(body.len());
                body[at] = byte;
            }
            let whole = passed(many, 30, &body, &[body.len().max(1)]);
            prop_assert_eq!(&passed(many, 30, &body, &sizes), &whole);
            prop_assert_eq!(&passed(many, 30, &body, &[1]), &whole);
            if spoilt.is_none() {
                let fits = messages.iter().all(|message| message.len() <= 30);
                prop_assert_eq!(whole.is_ok(), fits && (many || messages.len() == 1));
            }
        }
    }

    #[test]
    fn a_number_of_messages_other_than_one_is_what_grpc_calls_unimplemented() {
        let one = frame(0, b"abc");
        let two = [one.clone(), one.clone()].concat();
        for (body, many, told) in [
            (&one, false, Ok(())),
            (&two, true, Ok(())),
            (&vec![], true, Ok(())),
            (&two, false, Err("ONE_MESSAGE_NEEDED".to_owned())),
            (&vec![], false, Err("ONE_MESSAGE_NEEDED".to_owned())),
        ] {
            assert_eq!(passed(many, 10, body, &[64]), told, "{body:?} {many}");
        }
    }

    #[test]
    fn a_length_decides_before_its_message_is_there() {
        let mut frames = Frames::new(10, true, &HeaderMap::new());
        assert!(frames.pass(&[0, 0, 0, 0]).is_ok());
        assert!(frames.pass(&[11]).is_err());
    }
}
