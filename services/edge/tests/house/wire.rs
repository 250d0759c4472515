//! grpc-web written and read by hand, so that no client library can hide what is on the wire.

#![allow(dead_code, missing_docs, reason = "each test file uses its own part")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use tonic::Status;

pub const BINARY: &str = "application/grpc-web+proto";
pub const TEXT: &str = "application/grpc-web-text";

pub fn frame(message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&bytes);
    frame
}

/// What a whole answer says.
#[derive(Debug)]
pub struct Answer {
    pub http: u16,
    pub headers: http::HeaderMap,
    pub messages: Vec<Vec<u8>>,
    pub status: Option<Status>,
}

impl Answer {
    pub async fn read(response: reqwest::Response) -> Self {
        let http = response.status().as_u16();
        let headers = response.headers().clone();
        let is_text = headers
            .get("content-type")
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc-web-text"));
        let body = response.bytes().await.unwrap();
        let body = if is_text {
            untext(&body)
        } else {
            body.to_vec()
        };
        let (messages, trailers) = frames(&body);
        let status = trailers
            .as_ref()
            .and_then(Status::from_header_map)
            .or_else(|| Status::from_header_map(&headers));
        Self {
            http,
            headers,
            messages,
            status,
        }
    }

    pub fn status(&self) -> &Status {
        self.status
            .as_ref()
            .unwrap_or_else(|| panic!("no status in {self:?}"))
    }

    pub fn message<T: Message + Default>(&self, index: usize) -> T {
        T::decode(self.messages[index].as_slice()).unwrap()
    }
}

/// The text form is a row of padded base64 pieces.
pub fn untext(body: &[u8]) -> Vec<u8> {
    body.chunks(4)
        .flat_map(|four| STANDARD.decode(four).unwrap())
        .collect()
}

pub fn text(body: &[u8]) -> String {
    STANDARD.encode(body)
}

/// The messages, and the trailers if they are there.
pub fn frames(mut body: &[u8]) -> (Vec<Vec<u8>>, Option<http::HeaderMap>) {
    let mut messages = Vec::new();
    while let Some((prefix, rest)) = body.split_at_checked(5) {
        let length = u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize;
        let (message, rest) = rest.split_at(length);
        body = rest;
        if prefix[0] & 0x80 == 0 {
            messages.push(message.to_vec());
            continue;
        }
        let mut trailers = http::HeaderMap::new();
        for line in std::str::from_utf8(message)
            .unwrap()
            .split_terminator("\r\n")
        {
            let (name, value) = line.split_once(':').unwrap();
            trailers.append(
                name.parse::<http::HeaderName>().unwrap(),
                value.trim().parse().unwrap(),
            );
        }
        assert!(body.is_empty(), "something follows the trailers");
        return (messages, Some(trailers));
    }
    (messages, None)
}
