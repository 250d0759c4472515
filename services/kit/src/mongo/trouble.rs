//! What an error means to those who wrote.

use std::time::Duration;

use mongodb::error::{ErrorKind, WriteFailure};

/// A unique key is taken.
const DUPLICATE: i32 = 11000;

/// What can go wrong with a server, or with what it keeps.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the driver says.
    #[error(transparent)]
    Driver(#[from] mongodb::error::Error),
    /// The server takes commands and does not answer them.
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    /// A document is not as it was written.
    #[error("a document has no {0} that can be read")]
    Field(String),
}

impl Error {
    pub(super) fn field(field: &str) -> Self {
        Self::Field(field.to_owned())
    }

    /// Whether the `_id` that was to be inserted is taken.
    pub fn is_taken(&self) -> bool {
        let Self::Driver(error) = self else {
            return false;
        };
        match error.kind.as_ref() {
            ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE,
            ErrorKind::Command(error) => error.code == DUPLICATE,
            _ => false,
        }
    }

    /// Whether the server is too busy, or away: nothing was written that was told, and the same may be tried again.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Field(_) => false,
            Self::Driver(error) => is_passing(error),
        }
    }
}

fn is_passing(error: &mongodb::error::Error) -> bool {
    let labelled = |label| error.contains_label(label);
    if labelled("RetryableWriteError") || labelled("TransientTransactionError") {
        return true;
    }
    match error.kind.as_ref() {
        ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. }
        // What comes half from a server that was killed.
        | ErrorKind::InvalidResponse { .. } => true,
        ErrorKind::Command(error) => is_passing_code(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => is_passing_code(error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
        ErrorKind::InsertMany(error) => error.write_concern_error.is_some(),
        _ => false,
    }
}

/// A host that cannot be reached, a time that is over, a primary that steps down or a server that ends, a disk that is full.
fn is_passing_code(code: i32) -> bool {
    matches!(
        code,
        6 | 7
            | 24
            | 50
            | 64
            | 89
            | 91
            | 112
            | 189
            | 202
            | 262
            | 9001
            | 10058
            | 10107
            | 11600
            | 11602
            | 13435
            | 13436
            | 14031
    )
}
