//! The program that others' suites test: the edge as it ships, on a socket, with a suite's own service behind it over an
//! in-memory link.
//!
//! Without arguments it is what the suite of Connect starts: it reads on standard input what to listen with, and answers
//! with where it listens. `interop [FOLDER]` is for the interop clients of gRPC, with TLS if a folder for certificates is
//! named. Either serves until it is told to end, or until the process that started it has ended.

mod connect;
mod door;
mod interop;

use std::error::Error;
use std::os::unix::process::parent_id;
use std::time::Duration;

use tokio::runtime::Runtime;

/// How many bytes a message may have when no suite says how many; the largest that any sends is a few hundred kilobytes.
const USUAL_LIMIT: usize = 4 * 1024 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let parent = parent_id();
    atelier_kit::outbound::crypto();
    let runtime = Runtime::new()?;
    let mut arguments = std::env::args_os().skip(1);
    let _open = match arguments.next() {
        None => connect::open(&runtime)?,
        Some(suite) if suite == "interop" => interop::open(&runtime, arguments.next())?,
        Some(suite) => return Err(format!("no such suite: {}", suite.display()).into()),
    };
    // Suites end their servers with a signal; one that was itself ended abruptly leaves none behind.
    runtime.block_on(async {
        while parent_id() == parent {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    Ok(())
}
