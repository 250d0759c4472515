//! The text form of a request: pieces of base64, each padded or not, cut into chunks anywhere.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use atelier_kit::fault::{Fault, Kind};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use tonic::Status;

/// How many letters stand for three bytes.
const GROUP: usize = 4;

/// The bytes of a body in base64.
pub(super) struct Untexted {
    inner: Body,
    /// At most three letters, of which the fourth is still to come.
    begun: Vec<u8>,
    over: bool,
}

impl Untexted {
    pub(super) fn new(inner: Body) -> Self {
        Self {
            inner,
            begun: Vec::with_capacity(GROUP),
            over: false,
        }
    }

    fn decode(&mut self, chunk: &[u8]) -> Result<Vec<u8>, Status> {
        let mut letters = std::mem::take(&mut self.begun);
        letters.extend_from_slice(chunk);
        let whole = letters.len() - letters.len() % GROUP;
        self.begun.extend_from_slice(letters.split_at(whole).1);
        letters.truncate(whole);

        let mut bytes = Vec::with_capacity(whole / GROUP * 3);
        let mut rest = letters.as_slice();
        while !rest.is_empty() {
            // A piece ends with its padding; the next may begin right behind it.
            let end = rest.iter().position(|letter| *letter == b'=');
            let end = end.map_or(rest.len(), |at| (at / GROUP + 1) * GROUP);
            let (piece, after) = rest.split_at(end.min(rest.len()));
            STANDARD
                .decode_vec(piece, &mut bytes)
                .map_err(|_| malformed("the request is not base64"))?;
            rest = after;
        }
        Ok(bytes)
    }
}

impl HttpBody for Untexted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while !self.over {
            let result = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(chunk) => self.decode(&chunk).map_err(axum::Error::new),
                    // Trailers of HTTP mean nothing here.
                    Err(_) => continue,
                },
                Some(Err(error)) => Err(error),
                None => {
                    self.over = true;
                    if self.begun.is_empty() {
                        return Poll::Ready(None);
                    }
                    Err(axum::Error::new(malformed("the base64 is cut short")))
                }
            };
            match result {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes.into())))),
                Err(error) => {
                    self.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.over || (self.begun.is_empty() && self.inner.is_end_stream())
    }
}

fn malformed(what: &str) -> Status {
    Fault::new(Kind::Invalid, "MALFORMED_MESSAGE", what).into()
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::chunked;
    use super::*;
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;
    use proptest::prelude::*;

    fn untexted(text: &[u8], sizes: &[usize]) -> Result<Vec<u8>, Status> {
        let body = Untexted::new(chunked(text, sizes, None));
        let collected = body.collect().now_or_never().unwrap();
        match collected {
            Ok(collected) => Ok(collected.to_bytes().to_vec()),
            Err(error) => Err(Status::from_error(error.into_inner())),
        }
    }

    proptest! {
        #[test]
        fn pieces_are_read_however_they_are_cut(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..6),
            sizes in prop::collection::vec(1usize..9, 1..6),
        ) {
            let text: String = pieces.iter().map(|piece| STANDARD.encode(piece)).collect();
            prop_assert_eq!(untexted(text.as_bytes(), &sizes).unwrap(), pieces.concat());
        }

        #[test]
        fn what_is_no_base64_is_refused_however_it_is_cut(
            text in "[A-Za-z0-9+/=!\n]{0,24}",
            sizes in prop::collection::vec(1usize..9, 1..6),
        ) {
            let text = text.as_bytes();
            let whole = untexted(text, &[text.len().max(1)]).map_err(|status| status.code());
            let cut = untexted(text, &sizes).map_err(|status| status.code());
            prop_assert_eq!(&cut, &whole);
            if text.len() % GROUP != 0 || text.contains(&b'!') || text.contains(&b'\n') {
                prop_assert_eq!(cut, Err(tonic::Code::InvalidArgument));
            }
        }
    }

    #[test]
    fn padding_may_stand_anywhere_a_piece_ends() {
        assert_eq!(untexted(b"AA==AQ==Ag==", &[12]).unwrap(), [0, 1, 2]);
        assert!(untexted(b"AA=AQ===", &[8]).is_err());
        assert!(untexted(b"====", &[4]).is_err());
    }

    #[test]
    fn a_body_that_ends_within_a_letter_group_has_not_ended_before_it_said_so() {
        let mut body = Untexted::new(chunked(b"AAAAA", &[5], None));
        let first = body.frame().now_or_never().unwrap().unwrap().unwrap();
        assert_eq!(first.into_data().unwrap().len(), 3);
        assert!(!body.is_end_stream());
        assert!(body.frame().now_or_never().unwrap().unwrap().is_err());
    }
}
