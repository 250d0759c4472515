//! What the process says on standard error: what runs where, and in one clear line why it does not.
#![expect(
    clippy::print_stderr,
    reason = "this room is where the process speaks to its operator"
)]

use std::process::ExitCode;

use atelier_kit::config::ConfigError;
use atelier_kit::service::StartError;

use crate::mesh::Mesh;

/// sysexits' EX_USAGE: a wrong setting.
const WRONG_SETTING: u8 = 64;

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

/// A line for the operator.
pub fn note(line: &str) {
    eprintln!("{line}");
}

/// One line of why, and the exit code that goes with it.
pub fn failure(error: &anyhow::Error) -> ExitCode {
    let line: Vec<String> = error.chain().map(ToString::to_string).collect();
    let mut line = line;
    line.dedup();
    eprintln!("atelier: {}", line.join(": "));
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
        ExitCode::FAILURE
    }
}
