//! What the interop clients of gRPC are told of the server they call: where it listens, and whom to trust.

use std::error::Error;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use atelier_conformance::interop::{METHODS, SERVICE, routes};
use atelier_kit::tls::{Authority, files_of};
use tokio::runtime::Runtime;

use crate::USUAL_LIMIT;
use crate::door::{Behind, Open};

/// The role in the certificate: clients expect its name (`edge.atelier.internal`).
const ROLE: &str = "edge";

/// Writes one line, the address. With a folder it listens with TLS, and clients find there whom to trust (`ca.pem`).
pub(crate) fn open(runtime: &Runtime, folder: Option<OsString>) -> Result<Open, Box<dyn Error>> {
    let creds = match folder {
        None => None,
        Some(folder) => Some(certified(folder.as_ref())?),
    };
    let behind = Behind {
        service: SERVICE,
        methods: &METHODS,
        routes: routes(USUAL_LIMIT),
        limit: USUAL_LIMIT,
        of_the_house: true,
    };
    let open = runtime.block_on(Open::new(behind, creds))?;
    writeln!(std::io::stdout().lock(), "{}", open.address)?;
    Ok(open)
}

/// A certificate and its key, of an authority whose own certificate stays in the folder.
fn certified(folder: &Path) -> Result<(Vec<u8>, Vec<u8>), Box<dyn Error>> {
    Authority::in_folder(folder)?.issue(ROLE, &[], 1)?;
    let (chain, key) = files_of(folder, ROLE);
    Ok((std::fs::read(chain)?, std::fs::read(key)?))
}
