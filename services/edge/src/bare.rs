//! Errors without details, for services behind the edge that know nothing of Atelier: what the edge itself adds to a
//! code and a message is taken away, and what a service told stays.

use atelier_kit::fault::DOMAIN;
use atelier_kit::next::Next;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tonic::Status;
use tonic_types::StatusExt as _;

const DETAILS: &str = "grpc-status-details-bin";

/// Where errors are to be bare.
pub(crate) async fn strip(is_bare: bool, request: Request, next: impl Next) -> Response {
    let mut response = next.run(request).await;
    if !is_bare {
        return response;
    }
    strip_own(response.headers_mut());
    if response.headers().contains_key("grpc-status") {
        return response;
    }
    response.map(|body| {
        Body::new(body.map_frame(|frame| match frame.into_trailers() {
            Ok(mut trailers) => {
                strip_own(&mut trailers);
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        }))
    })
}

fn strip_own(headers: &mut HeaderMap) {
    let own = Status::from_header_map(headers)
        .and_then(|status| status.get_details_error_info())
        .is_some_and(|info| info.domain == DOMAIN);
    if own {
        headers.remove(DETAILS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_kit::fault::{Fault, Kind};
    use tonic_types::ErrorDetails;

    #[test]
    fn what_a_service_told_stays() {
        let own = Fault::new(Kind::Deadline, "DEADLINE_EXCEEDED", "over").into();
        let details = ErrorDetails::with_error_info("SOLD_OUT", "shop.example", []);
        let told = Status::with_error_details(tonic::Code::Aborted, "none left", details);
        for (status, stays) in [(own, false), (told, true)] {
            let mut headers = HeaderMap::new();
            status.add_header(&mut headers).unwrap();
            strip_own(&mut headers);
            assert_eq!(headers.contains_key(DETAILS), stays, "{status:?}");
            assert!(headers.contains_key("grpc-status"));
            assert!(headers.contains_key("grpc-message"));
        }
    }
}
