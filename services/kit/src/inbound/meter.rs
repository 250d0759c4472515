//! What is counted of the calls of each method, and how the end of one is told. What counts is kept by method: to look it up
//! by its labels takes longer than to count.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use metrics::{Gauge, Histogram};
use tonic::Code;
use tracing::Span;

use crate::policy::Policies;

/// What a call of no method of the contract is called: its path is the caller's own text.
const UNKNOWN: &str = "unknown";

/// The meters of one service.
pub(super) struct Meters {
    methods: HashMap<String, Arc<Method>>,
    unknown: Arc<Method>,
    in_flight: OnceLock<Gauge>,
    service: &'static str,
}

/// The meter of one method.
pub(super) struct Method {
    name: Arc<str>,
    service: &'static str,
    /// By its code; none before the first call that ended so, which may be before there is anybody to tell.
    ended: [OnceLock<Histogram>; CODES.len()],
}

impl Meters {
    pub(super) fn new(service: &'static str, policies: &Policies) -> Self {
        let method = |name: &str| {
            Arc::new(Method {
                name: name.into(),
                service,
                ended: Default::default(),
            })
        };
        let paths = policies.iter().map(|(path, _)| path);
        Self {
            methods: paths
                .map(|path| (path.to_owned(), method(path.trim_start_matches('/'))))
                .collect(),
            unknown: method(UNKNOWN),
            in_flight: OnceLock::new(),
            service,
        }
    }

    /// The meter of the method that a path names.
    pub(super) fn of(&self, path: &str) -> &Arc<Method> {
        self.methods.get(path).unwrap_or(&self.unknown)
    }

    /// A call that begins.
    pub(super) fn begin(&self, method: &Arc<Method>, span: Span) -> Ending {
        let gauge = || metrics::gauge!("atelier_rpc_in_flight", "service" => self.service);
        let in_flight = self.in_flight.get_or_init(gauge).clone();
        in_flight.increment(1.0);
        Ending(Some(Begun {
            method: method.clone(),
            in_flight,
            span,
            at: Instant::now(),
            is_callers: false,
        }))
    }
}

impl Method {
    /// The method's full name, as in `atelier.users.v1.UsersService/Login`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn count(&self, code: Code, seconds: f64) {
        let histogram = || {
            metrics::histogram!(
                "rpc_server_call_duration_seconds",
                "rpc_method" => self.name.to_string(),
                "rpc_response_status_code" => name_of(code),
                "service" => self.service,
            )
        };
        if let Some(ended) = self.ended.get(code as usize) {
            ended.get_or_init(histogram).record(seconds);
        }
    }
}

/// Tells once how a call ended: when it is told, or when it is dropped untold, and nobody waits any more.
pub(super) struct Ending(Option<Begun>);

struct Begun {
    method: Arc<Method>,
    in_flight: Gauge,
    span: Span,
    at: Instant,
    is_callers: bool,
}

impl Ending {
    /// Whatever the code says, it is the caller who has sent something wrong.
    pub(super) fn blame_caller(&mut self) {
        if let Some(begun) = &mut self.0 {
            begun.is_callers = true;
        }
    }

    /// It has ended so; without a code, nobody has said how.
    pub(super) fn tell(&mut self, code: Option<Code>) {
        let Some(begun) = self.0.take() else {
            return;
        };
        let code = code.unwrap_or(Code::Cancelled);
        let seconds = begun.at.elapsed().as_secs_f64();
        begun.in_flight.decrement(1.0);
        begun.method.count(code, seconds);
        let _entered = begun.span.enter();
        match code {
            Code::Internal | Code::Unknown | Code::DataLoss if !begun.is_callers => {
                tracing::error!(code = name_of(code), seconds, "call failed");
            }
            _ => tracing::debug!(code = name_of(code), seconds, "call ended"),
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.tell(None);
    }
}

/// The codes' names as the gRPC specification writes them, by their numbers.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn name_of(code: Code) -> &'static str {
    CODES.get(code as usize).copied().unwrap_or("UNKNOWN")
}
