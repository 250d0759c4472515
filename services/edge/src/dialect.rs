//! Which protocol a request speaks, by its content type. The layers below are told once and read no content type; what
//! is no gRPC at all gets a plain answer here and goes no further.

use atelier_kit::fault::{Fault, Kind};
use atelier_kit::next::Next;
use axum::extract::Request;
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use tonic::Status;

use crate::plain;
use crate::web::{Form, Spoken};

const GRPC: &str = "application/grpc";

/// What a content type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// gRPC over HTTP/2.
    Grpc,
    /// grpc-web, binary.
    Web,
    /// grpc-web, base64.
    WebText,
    /// gRPC with messages that are not Protobuf.
    OtherCodec,
    /// Not gRPC.
    Other,
}

impl Dialect {
    /// Reads a content type; parameters and letter case do not matter.
    fn of(text: &str) -> Self {
        let essence = text.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            GRPC | "application/grpc+proto" => Self::Grpc,
            "application/grpc-web" | "application/grpc-web+proto" => Self::Web,
            "application/grpc-web-text" | "application/grpc-web-text+proto" => Self::WebText,
            other if other.starts_with(GRPC) => Self::OtherCodec,
            _ => Self::Other,
        }
    }

    /// What a request says.
    pub(crate) fn of_request(headers: &HeaderMap) -> Self {
        headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map_or(Self::Other, Self::of)
    }

    /// The form of grpc-web that the answer should have: as `accept` asks, else as the request.
    fn of_answer(headers: &HeaderMap, request: Self) -> Self {
        headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(Self::of)
            .find(|dialect| matches!(dialect, Self::Web | Self::WebText))
            .unwrap_or(request)
    }

    fn form(self) -> Form {
        match self {
            Self::WebText => Form::Text,
            Self::Web | Self::Grpc | Self::OtherCodec | Self::Other => Form::Binary,
        }
    }
}

/// Lets gRPC and grpc-web pass, in the one spelling that the layers below know, and answers everything else; where errors are
/// to be `bare`, without details.
pub(crate) async fn listen(
    is_method: bool,
    is_bare: bool,
    mut request: Request,
    next: impl Next,
) -> Response {
    let dialect = Dialect::of_request(request.headers());
    let is_http2 = request.version() == Version::HTTP_2;
    if dialect == Dialect::Other {
        return not_grpc(&request, is_method);
    }
    if request.method() != Method::POST {
        return plain::method_not_allowed("POST");
    }
    match dialect {
        Dialect::Grpc if is_http2 => {}
        Dialect::Web | Dialect::WebText => {
            let answered = Dialect::of_answer(request.headers(), dialect);
            request.extensions_mut().insert(Spoken {
                asked: dialect.form(),
                answered: answered.form(),
            });
        }
        Dialect::Grpc => {
            return plain::error(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "HTTP2_NEEDED",
                "application/grpc needs HTTP/2; over HTTP/1.1 use application/grpc-web+proto",
            );
        }
        Dialect::OtherCodec | Dialect::Other => {
            let why =
                "the messages of application/grpc and application/grpc-web are Protobuf alone";
            if is_http2 {
                let fault = Fault::new(Kind::Unimplemented, "CODEC_UNKNOWN", why);
                let status = if is_bare {
                    Status::unimplemented(why)
                } else {
                    fault.into()
                };
                return status.into_http();
            }
            return plain::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "CODEC_UNKNOWN", why);
        }
    }
    let grpc = HeaderValue::from_static(GRPC);
    request.headers_mut().insert(CONTENT_TYPE, grpc);
    next.run(request).await
}

fn not_grpc(request: &Request, is_method: bool) -> Response {
    if !is_method {
        return plain::not_found();
    }
    if request.method() != Method::POST {
        return plain::method_not_allowed("POST");
    }
    plain::error(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "CONTENT_TYPE_UNKNOWN",
        "this path takes application/grpc over HTTP/2, application/grpc-web+proto and application/grpc-web-text+proto",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_is_known_in_any_spelling() {
        for (text, dialect) in [
            ("application/grpc", Dialect::Grpc),
            ("Application/GRPC+Proto", Dialect::Grpc),
            ("application/grpc-web+proto; charset=utf-8", Dialect::Web),
            ("APPLICATION/GRPC-WEB", Dialect::Web),
            (" application/grpc-web-text ;a=b", Dialect::WebText),
            ("application/grpc-web-text+proto", Dialect::WebText),
            ("application/grpc+json", Dialect::OtherCodec),
            ("application/grpc-web+json", Dialect::OtherCodec),
            ("application/json", Dialect::Other),
            ("", Dialect::Other),
        ] {
            assert_eq!(Dialect::of(text), dialect, "{text:?}");
        }
    }

    #[test]
    fn the_answer_is_in_the_form_that_was_asked_for_else_in_that_of_the_request() {
        let accepting = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(text));
            headers
        };
        for (accept, request, answer) in [
            ("*/*", Dialect::WebText, Dialect::WebText),
            ("*/*", Dialect::Web, Dialect::Web),
            ("application/grpc-web-text", Dialect::Web, Dialect::WebText),
            (
                "text/html, application/grpc-web+proto;q=1",
                Dialect::WebText,
                Dialect::Web,
            ),
        ] {
            assert_eq!(
                Dialect::of_answer(&accepting(accept), request),
                answer,
                "{accept}"
            );
        }
    }
}
