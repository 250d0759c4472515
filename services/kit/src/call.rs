//! What is known of a call: its id, its caller, its deadline and its trace; handlers take it from the request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderName;

use crate::fault::{Fault, Kind};
use crate::identity::{Account, Caller, Role};
use crate::network::Network;

/// The header that carries the request id, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header of the W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header with what is left of a call's time (gRPC over HTTP/2, `Timeout`).
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// A position in a distributed trace (W3C Trace Context, level 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace.
    pub trace_id: u128,
    /// The span that calls.
    pub span_id: u64,
    /// Whether somebody records it.
    pub sampled: bool,
}

impl Trace {
    /// Begins a new trace.
    pub fn begin() -> Self {
        Self {
            trace_id: uuid::Uuid::new_v4().as_u128(),
            span_id: new_span_id(),
            sampled: false,
        }
    }

    /// The same trace, one hop further.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            span_id: new_span_id(),
            ..self
        }
    }

    /// Reads a `traceparent`; `None` when it is malformed.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !hex(version, 2)
            || version == "ff"
            || !hex(trace, 32)
            || !hex(span, 16)
            || !hex(flags, 2)
        {
            return None;
        }
        if version == "00" && parts.next().is_some() {
            return None;
        }
        let trace = Self {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (trace.trace_id != 0 && trace.span_id != 0).then_some(trace)
    }

    /// Writes a `traceparent`.
    pub fn header(&self) -> String {
        format!(
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id,
            self.span_id,
            u8::from(self.sampled)
        )
    }
}

fn new_span_id() -> u64 {
    // A version 4 UUID keeps its random bits in both halves; the low one has 62 of them.
    (uuid::Uuid::new_v4().as_u64_pair().1 & 0x3fff_ffff_ffff_ffff).max(1)
}

/// A call, as its handler sees it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The request id: the caller's own, or a new one.
    pub id: Arc<str>,
    /// Who calls, verified.
    pub caller: Caller,
    /// When the answer must be complete, streams included.
    pub deadline: Instant,
    /// The trace.
    pub trace: Trace,
    /// What the client said it is, cut to 200 characters; may be empty.
    pub user_agent: Arc<str>,
    /// Where the client calls from, as the edge saw it; `None` for a call that came another way.
    pub network: Option<Network>,
}

impl Call {
    /// The call of a request. Only a handler outside the inbound stack sees the error.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Call, Fault> {
        request.extensions().get::<Call>().cloned().ok_or_else(|| {
            Fault::internal(&std::io::Error::other(
                "a handler was called outside the inbound stack",
            ))
        })
    }

    /// A call that the service makes on its own, with its own identity and time.
    pub fn background(limit: Duration) -> Self {
        Self {
            id: crate::moment::new_id().into(),
            caller: Caller::Nobody,
            deadline: Instant::now() + limit,
            trace: Trace::begin(),
            user_agent: Arc::from(""),
            network: None,
        }
    }

    /// The account that calls. The policy has made sure there is one wherever it asks for ANONYMOUS or more.
    pub fn account(&self) -> Result<&Account, Fault> {
        match &self.caller {
            Caller::Account(account) => Ok(account),
            Caller::Nobody | Caller::Service(_) => Err(Fault::new(
                Kind::Unauthenticated,
                "TOKEN_MISSING",
                "an access token is needed",
            )),
        }
    }

    /// Whether the caller is an admin.
    pub fn is_admin(&self) -> bool {
        matches!(&self.caller, Caller::Account(account) if account.role == Role::Admin)
    }

    /// What is left until the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// A request to a peer within this call: it carries the deadline, the trace and the request id, and the
    /// identity of this service, never the caller's token.
    pub fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.extensions_mut().insert(self.clone());
        request.extensions_mut().insert(crate::link::AsService);
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_round_trips_and_nonsense_is_none() {
        let trace = Trace::begin();
        assert_eq!(Trace::parse(&trace.header()), Some(trace));
        assert_eq!(trace.child().trace_id, trace.trace_id);
        for bad in [
            "",
            "00-0-0-00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
    }
}
