//! What ends a command early: one sentence for the person, and the exit code that goes with it.

use atelier_kit::fault;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::inventory::{FAILED, INTERRUPTED, LATER, NOT_ALLOWED, UNREACHABLE, WRONG_SETTING};

/// An end with an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    /// The process's exit code.
    pub exit: u8,
    message: String,
}

/// Whoever read standard output reads no more, as in `| head -1`: a reason to stop, and none to complain.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub struct Closed;

impl Trouble {
    /// The command was used wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(WRONG_SETTING, message)
    }

    /// Nobody answers.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(UNREACHABLE, message)
    }

    /// It may work later.
    pub fn later(message: impl Into<String>) -> Self {
        Self::new(LATER, message)
    }

    /// Nobody is signed in, or whoever is may not do this.
    pub fn not_allowed(message: impl Into<String>) -> Self {
        Self::new(NOT_ALLOWED, message)
    }

    /// The person pressed Ctrl-C.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(INTERRUPTED, message)
    }

    /// Anything else.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(FAILED, message)
    }

    fn new(exit: u8, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// Whether an error is this person's own Ctrl-C.
    pub fn is_interrupt(error: &anyhow::Error) -> bool {
        exit_of(error) == INTERRUPTED
    }
}

/// The exit code of an error of the client.
pub fn exit_of(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|cause| {
            cause
                .downcast_ref::<Trouble>()
                .map(|trouble| trouble.exit)
                .or_else(|| cause.downcast_ref::<Status>().map(exit_of_status))
        })
        .unwrap_or(FAILED)
}

fn exit_of_status(status: &Status) -> u8 {
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange => WRONG_SETTING,
        Code::Unauthenticated | Code::PermissionDenied => NOT_ALLOWED,
        // A message that is too large is so later too.
        Code::ResourceExhausted if reason(status) == "MESSAGE_TOO_LARGE" => WRONG_SETTING,
        Code::ResourceExhausted => LATER,
        Code::Unavailable => UNREACHABLE,
        _ => FAILED,
    }
}

fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map_or_else(String::new, |info| info.reason)
}

/// The status that a call was refused with, if a refusal it was.
pub fn status_of(error: &anyhow::Error) -> Option<&Status> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

/// Whether a call ended because the connection did, or because a server was about to go: the same call may be made
/// again. A status that was made on the way and not by the server has a cause, and no details.
pub fn is_lost(error: &anyhow::Error) -> bool {
    status_of(error).is_some_and(|status| {
        status.code() == Code::Unavailable
            || (std::error::Error::source(status).is_some() && status.details().is_empty())
    })
}

/// The innermost cause of an error, in its own words.
pub fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    let words = last.to_string();
    if words.is_empty() {
        fault::chain(error)
    } else {
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_refusal_has_its_exit_code() {
        for (code, exit) in [
            (Code::InvalidArgument, 64),
            (Code::Unavailable, 69),
            (Code::ResourceExhausted, 75),
            (Code::Unauthenticated, 77),
            (Code::PermissionDenied, 77),
            (Code::NotFound, 1),
            (Code::Internal, 1),
        ] {
            let error = anyhow::Error::new(Status::new(code, "no")).context("the call");
            assert_eq!(exit_of(&error), exit, "{code:?}");
        }
        let mut details = tonic_types::ErrorDetails::new();
        details.set_error_info("MESSAGE_TOO_LARGE", fault::DOMAIN, []);
        let large = Status::with_error_details(Code::ResourceExhausted, "too large", details);
        assert_eq!(exit_of(&large.into()), 64);
        assert_eq!(exit_of(&Trouble::interrupted("stopped").into()), 130);
        assert_eq!(exit_of(&anyhow::anyhow!("the disk is full")), 1);
    }

    #[test]
    fn a_refusal_is_not_a_lost_connection() {
        let refused = anyhow::Error::new(Status::internal("internal error"));
        assert!(!is_lost(&refused));
        let cut = Status::from_error(Box::new(std::io::Error::other("connection reset")));
        assert!(is_lost(&cut.into()));
    }
}
