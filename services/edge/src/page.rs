//! The page at `/`: what this is and how to call it; it knows nothing that reflection does not tell.

use crate::Door;

/// Plain text, since its readers sit at a shell as often as in a browser.
pub(crate) fn text(door: &Door) -> String {
    let url = &door.config.public_url;
    let plain = if url.starts_with("https://") {
        ""
    } else {
        "-plaintext "
    };
    let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let services: String = door
        .roster
        .iter()
        .map(|destination| format!("  {}\n", destination.service))
        .collect();
    format!(
        "Atelier: chat, pictures and speech, over gRPC.\n\
         \n\
         Services\n{services}\
         \n\
         From a shell\n  \
         grpcurl {plain}{authority} list\n  \
         grpcurl {plain}{authority} grpc.health.v1.Health/Check\n\
         \n\
         From a browser\n  \
         grpc-web (application/grpc-web+proto, application/grpc-web-text) at {url}\n\
         \n\
         Public keys\n  \
         {url}/.well-known/jwks.json\n"
    )
}
