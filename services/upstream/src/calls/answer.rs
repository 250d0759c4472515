//! What an API answered: a status, and a body that is timed and counted, whatever its headers say of it.

use atelier_generation::ProviderError;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use super::caller::{Caller, unreachable};
use super::endpoint::Visit;
use super::events::events;
use super::secrets::Secrets;

/// What a body is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Server-sent events.
    Events,
    /// A document of JSON.
    Json,
    /// A picture file.
    Picture,
    /// A sound file.
    Audio,
}

impl Expected {
    /// Whether a body of this media type may be it. Many servers say nothing, or something like `text/plain`: the bytes
    /// decide then. What is plainly something else is not waited for.
    fn may_be(self, media_type: &str) -> bool {
        let (kind, of) = media_type.split_once('/').unwrap_or((media_type, ""));
        let plain = matches!(
            media_type,
            "" | "text/plain" | "application/octet-stream" | "binary/octet-stream"
        );
        plain
            || match self {
                // Some send events under that name; the bytes decide.
                Self::Events => media_type == "text/event-stream" || is_json(kind, of),
                Self::Json => is_json(kind, of),
                Self::Picture => kind == "image",
                Self::Audio => matches!(kind, "audio" | "video") || of == "ogg",
            }
    }
}

fn is_json(kind: &str, of: &str) -> bool {
    matches!(kind, "application" | "text") && (of.ends_with("json") || of.ends_with("jsonl"))
}

/// An answer whose body is still to come. Dropping it, or a stream made of it, ends the call at the other side.
pub struct Answer {
    pub(super) caller: Caller,
    pub(super) endpoint: usize,
    pub(super) response: reqwest::Response,
    /// When all of it must be there.
    pub(super) deadline: Instant,
    /// The call, which is under way until the body ends; `None` when it was judged already.
    pub(super) visit: Option<Visit>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({:?}, {})", self.caller, self.status())
    }
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// How long the body is by its header, which may be wrong: for a guess at how far it is, and for nothing else.
    pub fn told_length(&self) -> Option<u64> {
        self.response.content_length().filter(|length| *length > 0)
    }

    /// What must be hidden in whatever is told of it.
    pub fn secrets(&self) -> &Secrets {
        self.caller.secrets()
    }

    /// Refuses a body whose header says that it is something else, as a page that says "busy" with the status 200 is.
    pub fn expect(self, expected: Expected) -> Result<Self, ProviderError> {
        let header = self.response.headers().get(http::header::CONTENT_TYPE);
        let told = header.and_then(|value| value.to_str().ok()).unwrap_or("");
        let media_type = told.split(';').next().unwrap_or("").trim();
        if expected.may_be(&media_type.to_ascii_lowercase()) {
            return Ok(self);
        }
        let told = self.secrets().quote(media_type);
        Err(ProviderError::Garbled(format!("the body is {told}")))
    }

    /// The body as it comes, of at most so many bytes.
    pub fn bytes(
        self,
        most: usize,
    ) -> impl Stream<Item = Result<Bytes, ProviderError>> + Send + 'static {
        let (caller, deadline) = (self.caller, self.deadline);
        let mut visit = self.visit;
        let mut body = self.response.bytes_stream();
        async_stream::try_stream! {
            // What it holds, a simulator among it, must not end before the body.
            let idle = caller.timeouts().idle;
            let mut left = most;
            loop {
                let until = deadline.min(Instant::now() + idle);
                let next = match timeout_at(until, body.next()).await {
                    Ok(None) => break,
                    Ok(Some(next)) => next.map_err(unreachable),
                    Err(_) => Err(Late::error("the answer stopped in the middle")),
                };
                if let (Err(_), Some(visit)) = (&next, &mut visit) {
                    visit.breaks_off();
                }
                let chunk = next?;
                left = left.checked_sub(chunk.len()).ok_or_else(|| {
                    ProviderError::Garbled(format!("the answer has more than {most} bytes"))
                })?;
                yield chunk;
            }
        }
    }

    /// The whole body, of at most so many bytes.
    pub async fn read(self, most: usize) -> Result<Bytes, ProviderError> {
        let mut body = std::pin::pin!(self.bytes(most));
        let mut whole = Vec::new();
        while let Some(chunk) = body.next().await {
            whole.extend_from_slice(&chunk?);
        }
        Ok(whole.into())
    }

    /// The data of its server-sent events: of at most so many bytes each, and so many altogether.
    pub fn events(
        self,
        most_each: usize,
        most: usize,
    ) -> impl Stream<Item = Result<String, ProviderError>> + Send + 'static {
        let secrets = self.secrets().clone();
        events(self.bytes(most), most_each).map(move |data| data.map(|data| secrets.hide(data)))
    }

    /// Where it came from, to fetch what it names there.
    pub fn origin(&self) -> Origin {
        Origin {
            caller: self.caller.clone(),
            endpoint: self.endpoint,
            deadline: self.deadline,
        }
    }
}

/// The endpoint that answered.
#[derive(Clone, Debug)]
pub struct Origin {
    caller: Caller,
    endpoint: usize,
    deadline: Instant,
}

impl Origin {
    /// Gets what an answer has a URL for: from the answering endpoint's own origin alone, so that an answer sends this
    /// process nowhere else, and without a key. What is answered has a status of success.
    pub async fn fetch(&self, url: &str) -> Result<Answer, ProviderError> {
        self.caller.fetch(self.endpoint, url, self.deadline).await
    }
}

/// Something took too long.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Late(&'static str);

impl Late {
    pub(super) fn error(what: &'static str) -> ProviderError {
        ProviderError::Unreachable(Box::new(Self(what)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_nothing_that_is_asked_for_and_silence_may_be_anything() {
        for expected in [
            Expected::Events,
            Expected::Json,
            Expected::Picture,
            Expected::Audio,
        ] {
            for odd in ["text/html", "application/xhtml+xml", "application/pdf"] {
                assert!(!expected.may_be(odd), "{expected:?} {odd}");
            }
            assert!(expected.may_be("") && expected.may_be("application/octet-stream"));
        }
        assert!(Expected::Events.may_be("text/event-stream"));
        assert!(Expected::Json.may_be("application/problem+json"));
        assert!(Expected::Picture.may_be("image/png") && !Expected::Picture.may_be("text/json"));
        assert!(Expected::Audio.may_be("audio/wav") && Expected::Audio.may_be("application/ogg"));
        assert!(!Expected::Audio.may_be("application/json"));
    }
}
