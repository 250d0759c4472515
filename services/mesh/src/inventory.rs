//! What the process says on standard error: what runs where, and in one clear line why it does not.
#![expect(
    clippy::print_stderr,
    reason = "this room is where the process speaks to its operator"
)]

use std::io::Write as _;
use std::process::ExitCode;

use atelier_kit::config::ConfigError;
use atelier_kit::service::StartError;

use tonic_types::StatusExt as _;

use crate::client::terminal;
use crate::client::trouble::{Closed, exit_of};
use crate::mesh::Mesh;

/// Something failed.
pub const FAILED: u8 = 1;
/// sysexits' EX_USAGE: a wrong setting or flag.
pub const WRONG_SETTING: u8 = 64;
/// sysexits' EX_UNAVAILABLE: the mesh cannot be reached.
pub const UNREACHABLE: u8 = 69;
/// sysexits' EX_TEMPFAIL: it may work later.
pub const LATER: u8 = 75;
/// sysexits' EX_NOPERM: nobody is signed in, or whoever is may not do this.
pub const NOT_ALLOWED: u8 = 77;
/// 128 and the number of SIGINT, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// Each service, its address, and the adapter of each of its ports.
pub fn print(mesh: &Mesh) {
    eprintln!(
        "atelier {} · data in {}",
        env!("CARGO_PKG_VERSION"),
        mesh.data.display()
    );
    for service in &mesh.inventory {
        eprintln!("  {:<11} {}", service.role, service.address);
        for adapter in &service.adapters {
            eprintln!("    {:<13} {}", adapter.port, adapter.adapter);
        }
    }
    if let Some(url) = &mesh.edge_url {
        let url = url.as_str().trim_end_matches('/');
        eprintln!(
            "ready: {url} (grpc, grpc-web, http) · admin: http://{}",
            mesh.admin_address
        );
    } else {
        eprintln!("ready · admin: http://{}", mesh.admin_address);
    }
}

/// A line for the operator; nobody reads it where the terminal is gone.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// One line of why, and the exit code that goes with it. A reader who went away is told nothing.
pub fn failure(error: &anyhow::Error) -> ExitCode {
    if error.is::<Closed>() {
        return ExitCode::SUCCESS;
    }
    complain(error);
    let wrong = error.chain().any(|cause| {
        cause.is::<ConfigError>()
            || matches!(
                cause.downcast_ref::<StartError>(),
                Some(StartError::Config(_))
            )
    });
    if wrong {
        ExitCode::from(WRONG_SETTING)
    } else {
        ExitCode::from(exit_of(error))
    }
}

/// One line of why.
pub fn complain(error: &anyhow::Error) {
    eprintln!("atelier: {}", terminal::plain(&reasons(error)));
}

/// An error and its causes on one line. What an error tells of its own cause is not told again, and a refused call
/// tells its message alone, and when to come again: its code and its details are for programs.
fn reasons(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = match cause.downcast_ref::<tonic::Status>() {
            Some(status) if !status.message().is_empty() => refusal(status),
            _ => cause.to_string(),
        };
        if line.is_empty() {
            line = text;
        } else if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
    }
    line
}

fn refusal(status: &tonic::Status) -> String {
    let wait = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay)
        .filter(|_| status.code() == tonic::Code::ResourceExhausted);
    match wait {
        Some(wait) => format!(
            "{}; try again in {} s",
            status.message(),
            wait.as_secs_f64().ceil()
        ),
        None => status.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_cause_is_told_once() {
        let cause = std::io::Error::other("the disk is full");
        let error = anyhow::Error::new(StartError::other("the database", cause));
        let told = reasons(&error.context("the role users"));
        assert_eq!(told, "the role users: the database: the disk is full");
    }

    #[test]
    fn a_refused_call_tells_its_message() {
        let refused: Result<(), _> = Err(tonic::Status::invalid_argument("size: too large"));
        let error = refused.context("no picture").unwrap_err();
        assert_eq!(reasons(&error), "no picture: size: too large");
    }

    #[test]
    fn a_limit_tells_when_to_come_again() {
        let mut details = tonic_types::ErrorDetails::new();
        details.set_retry_info(Some(std::time::Duration::from_millis(2500)));
        let code = tonic::Code::ResourceExhausted;
        let status = tonic::Status::with_error_details(code, "too many pictures", details);
        let error = anyhow::Error::new(status);
        assert_eq!(reasons(&error), "too many pictures; try again in 3 s");
        assert_eq!(exit_of(&error), LATER);
    }
}
