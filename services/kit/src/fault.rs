//! The one table from error kinds to gRPC codes; services say what went wrong, this room says it on the wire.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of every `ErrorInfo` that Atelier makes.
pub const DOMAIN: &str = "atelier";

/// When a caller may ask again whose database is busy or away.
const AWAY: Duration = Duration::from_secs(1);

/// What kind of error it is. Each has exactly one gRPC code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request breaks a rule that its message states.
    Invalid,
    /// No valid proof of who is calling.
    Unauthenticated,
    /// The caller may not do this.
    Denied,
    /// There is no such thing, or it belongs to another.
    NotFound,
    /// There is one already.
    Exists,
    /// The state of things does not allow it.
    Precondition,
    /// Another writer was faster; the whole may be tried again.
    Conflict,
    /// A limit was reached.
    Exhausted,
    /// Something that is needed is away; the call may be repeated.
    Unavailable,
    /// The time is over.
    Deadline,
    /// The caller, or the shutdown, ended it.
    Cancelled,
    /// There is no such method.
    Unimplemented,
    /// A defect or a failure of ours; the caller learns the request id alone.
    Internal,
}

impl Kind {
    /// The gRPC code of this kind.
    pub fn code(self) -> Code {
        match self {
            Kind::Invalid => Code::InvalidArgument,
            Kind::Unauthenticated => Code::Unauthenticated,
            Kind::Denied => Code::PermissionDenied,
            Kind::NotFound => Code::NotFound,
            Kind::Exists => Code::AlreadyExists,
            Kind::Precondition => Code::FailedPrecondition,
            Kind::Conflict => Code::Aborted,
            Kind::Exhausted => Code::ResourceExhausted,
            Kind::Unavailable => Code::Unavailable,
            Kind::Deadline => Code::DeadlineExceeded,
            Kind::Cancelled => Code::Cancelled,
            Kind::Unimplemented => Code::Unimplemented,
            Kind::Internal => Code::Internal,
        }
    }

    /// The reason that is told when an error has none of its own.
    pub fn default_reason(self) -> &'static str {
        match self {
            Kind::Invalid => "INVALID_REQUEST",
            Kind::Unauthenticated => "UNAUTHENTICATED",
            Kind::Denied => "ACCESS_DENIED",
            Kind::NotFound => "NOT_FOUND",
            Kind::Exists => "ALREADY_EXISTS",
            Kind::Precondition => "PRECONDITION_FAILED",
            Kind::Conflict => "CONFLICT",
            Kind::Exhausted => "LIMIT_REACHED",
            Kind::Unavailable => "UNAVAILABLE",
            Kind::Deadline => "DEADLINE_EXCEEDED",
            Kind::Cancelled => "CANCELLED",
            Kind::Unimplemented => "METHOD_UNKNOWN",
            Kind::Internal => "INTERNAL",
        }
    }

    /// The kind of a gRPC code that came from elsewhere.
    pub fn of(code: Code) -> Kind {
        match code {
            Code::InvalidArgument | Code::OutOfRange => Kind::Invalid,
            Code::Unauthenticated => Kind::Unauthenticated,
            Code::PermissionDenied => Kind::Denied,
            Code::NotFound => Kind::NotFound,
            Code::AlreadyExists => Kind::Exists,
            Code::FailedPrecondition => Kind::Precondition,
            Code::Aborted => Kind::Conflict,
            Code::ResourceExhausted => Kind::Exhausted,
            Code::Unavailable => Kind::Unavailable,
            Code::DeadlineExceeded => Kind::Deadline,
            Code::Cancelled => Kind::Cancelled,
            Code::Unimplemented => Kind::Unimplemented,
            Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Kind::Internal,
        }
    }
}

/// One broken field rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, as a path (`user.display_name`).
    pub field: String,
    /// What the rule is.
    pub rule: String,
}

/// An error on its way to the caller; small, since every handler's result carries its size.
#[derive(Debug)]
pub struct Fault(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: Kind,
    reason: &'static str,
    message: String,
    metadata: HashMap<String, String>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
}

/// Whether an error comes of a database or an object store that is busy, full or away, whichever it is: no defect, and the same
/// may go well later.
pub fn is_away(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let rows = error.downcast_ref().is_some_and(crate::sql::is_busy);
        let documents = error
            .downcast_ref()
            .is_some_and(crate::mongo::Error::is_busy);
        let objects = matches!(
            error.downcast_ref(),
            Some(crate::objects::BlobError::Unavailable(_))
        );
        if rows || documents || objects {
            return true;
        }
        cause = error.source();
    }
    false
}

impl Fault {
    /// A fault of a kind with a reason (UPPER_SNAKE_CASE, for programs) and a message (for people).
    pub fn new(kind: Kind, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            reason,
            message: message.into(),
            metadata: HashMap::new(),
            violations: Vec::new(),
            retry_after: None,
        }))
    }

    /// A thing, named by a noun, that is not there or belongs to another.
    pub fn not_found(noun: &str) -> Self {
        Self::new(Kind::NotFound, "NOT_FOUND", format!("no such {noun}"))
    }

    /// A defect or failure of ours. The source is logged here, once; the caller learns nothing of it.
    /// A database that is away for a moment is none: the caller is told when to ask again.
    pub fn internal(source: &(dyn std::error::Error + 'static)) -> Self {
        if is_away(source) {
            return Self::away(source);
        }
        tracing::error!(error = %chain(source), "internal error");
        Self::new(Kind::Internal, "INTERNAL", "internal error")
    }

    /// A database or another store is busy or away (`STORE_BUSY`, with when to come again). The source is logged here, once; nothing
    /// was written that the caller was told.
    pub fn away(source: &(dyn std::error::Error + 'static)) -> Self {
        tracing::warn!(error = %chain(source), "a store is busy or away");
        Self::new(
            Kind::Unavailable,
            "STORE_BUSY",
            "the store is busy or cannot be reached; try again",
        )
        .retry_after(AWAY)
    }

    /// The time of a call is over.
    pub fn deadline_exceeded() -> Self {
        Self::new(
            Kind::Deadline,
            "DEADLINE_EXCEEDED",
            "the deadline has passed",
        )
    }

    /// Broken field rules.
    pub fn bad_request(violations: Vec<Violation>) -> Self {
        let message = violations
            .iter()
            .map(|v| format!("{}: {}", v.field, v.rule))
            .collect::<Vec<_>>()
            .join("; ");
        let mut fault = Self::new(Kind::Invalid, "INVALID_REQUEST", message);
        fault.0.violations = violations;
        fault
    }

    /// Adds a key and a value for programs.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.metadata.insert(key.to_owned(), value.into());
        self
    }

    /// Says when the call may be repeated.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The reason.
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.0.reason, self.0.message)
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Status {
    fn from(Fault(fault): Fault) -> Self {
        let mut details = ErrorDetails::new();
        details.set_error_info(fault.reason, DOMAIN, fault.metadata);
        for violation in fault.violations {
            details.add_bad_request_violation(violation.field, violation.rule);
        }
        if let Some(wait) = fault.retry_after {
            details.set_retry_info(Some(wait));
        }
        Status::with_error_details(fault.kind.code(), fault.message, details)
    }
}

/// The reason that a status tells, if it carries an `ErrorInfo`.
pub fn reason_of(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// An error and its sources on one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        let text = next.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = next.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_tells_reason_fields_and_wait() {
        let fault = Fault::bad_request(vec![Violation {
            field: "email".into(),
            rule: "must contain one @".into(),
        }])
        .retry_after(Duration::from_secs(2));
        let status = Status::from(fault);
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().domain, DOMAIN);
        assert_eq!(
            details.bad_request().unwrap().field_violations[0].field,
            "email"
        );
        assert_eq!(
            details.retry_info().unwrap().retry_delay,
            Some(Duration::from_secs(2))
        );
    }

    #[test]
    fn an_internal_fault_hides_its_source() {
        let source = std::io::Error::other("the password is hunter2");
        let status = Status::from(Fault::internal(&source));
        assert_eq!(status.message(), "internal error");
    }
}
