//! What the suite of Connect asks of the server it starts, and hears of it.

use std::error::Error;
use std::io::{Read as _, Write as _};

use atelier_conformance::connect::{METHODS, SERVICE, routes};
use atelier_conformance::proto::connect::{ServerCompatRequest, ServerCompatResponse};
use prost::Message as _;
use tokio::runtime::Runtime;

use crate::USUAL_LIMIT;
use crate::door::{Behind, Open};

/// Reads one message, and answers with where the edge listens.
pub(crate) fn open(runtime: &Runtime) -> Result<Open, Box<dyn Error>> {
    let mut input = std::io::stdin().lock();
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let mut request = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    input.read_exact(&mut request)?;
    let request = ServerCompatRequest::decode(request.as_slice())?;

    let limit = match usize::try_from(request.message_receive_limit)? {
        0 => USUAL_LIMIT,
        limit => limit,
    };
    let behind = Behind {
        service: SERVICE,
        methods: &METHODS,
        routes: routes(limit),
        limit,
        of_the_house: false,
    };
    let creds = request
        .server_creds
        .filter(|_| request.use_tls)
        .map(|creds| (creds.cert, creds.key));
    let pem_cert = creds.clone().map(|(cert, _)| cert).unwrap_or_default();
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
    Ok(open)
}
