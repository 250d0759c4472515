//! The program that the suite of Connect starts as the server it tests: the edge as it ships, on a socket, with the
//! suite's service behind it over an in-memory link. What to listen with is asked on standard input.
//!
//! It reads one message, answers with where it listens, and then serves until it is told to end.

mod door;

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::os::unix::process::parent_id;
use std::time::Duration;

use atelier_conformance::connect::{METHODS, SERVICE, routes};
use atelier_conformance::proto::connect::{ServerCompatRequest, ServerCompatResponse};
use prost::Message as _;

use door::{Behind, Open};

/// What the suite may send when it names no limit; the largest it does send is a few hundred kilobytes.
const UNLIMITED: usize = 4 * 1024 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let parent = parent_id();
    atelier_kit::outbound::crypto();
    let mut input = std::io::stdin().lock();
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let mut request = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    input.read_exact(&mut request)?;
    let request = ServerCompatRequest::decode(request.as_slice())?;

    let limit = match usize::try_from(request.message_receive_limit)? {
        0 => UNLIMITED,
        limit => limit,
    };
    let behind = Behind {
        service: SERVICE,
        methods: &METHODS,
        routes: routes(limit),
        limit,
    };
    let creds = request
        .server_creds
        .filter(|_| request.use_tls)
        .map(|creds| (creds.cert, creds.key));
    let pem_cert = creds.clone().map(|(cert, _)| cert).unwrap_or_default();
    let runtime = tokio::runtime::Runtime::new()?;
    let open = runtime.block_on(Open::new(behind, creds))?;

    let response = ServerCompatResponse {
        host: open.address.ip().to_string(),
        port: open.address.port().into(),
        pem_cert,
    }
    .encode_to_vec();
    let mut output = std::io::stdout().lock();
    output.write_all(&u32::try_from(response.len())?.to_be_bytes())?;
    output.write_all(&response)?;
    output.flush()?;

    // The suite ends its servers with a signal; one that was itself ended abruptly leaves none behind.
    runtime.block_on(async {
        while parent_id() == parent {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    Ok(())
}
