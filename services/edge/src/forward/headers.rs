//! Which headers pass, each way: metadata does, what belongs to one connection or to the browser does not.

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TE};

/// Whether a header belongs to one connection (RFC 9110, 7.6.1), which no proxy passes on.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether a header is what a browser or a proxy in front says to the edge and to nobody behind it. Cookies are here because
/// nothing behind reads them, and a header that nobody reads is best not sent.
fn is_for_the_edge(name: &HeaderName) -> bool {
    let families = ["sec-", "x-forwarded-", "access-control-"];
    let name = name.as_str();
    let is_one = matches!(
        name,
        "accept"
            | "accept-encoding"
            | "accept-language"
            | "cache-control"
            | "content-length"
            | "cookie"
            | "dnt"
            | "expect"
            | "forwarded"
            | "host"
            | "origin"
            | "pragma"
            | "priority"
            | "referer"
            | "via"
            | "x-grpc-web"
            | "x-real-ip"
    );
    is_one || families.iter().any(|family| name.starts_with(family))
}

/// Takes from the headers of a request what is not for a service.
pub(super) fn onward(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    take_out(headers, |name| {
        is_hop_by_hop(name)
            || is_for_the_edge(name)
            || named.iter().any(|named| named == name.as_str())
    });
    headers.insert(TE, HeaderValue::from_static("trailers"));
}

/// Takes from an answer what is not for the caller. A length goes too: the grpc-web layer makes another body.
pub(super) fn backward(headers: &mut HeaderMap) {
    take_out(headers, |name| {
        is_hop_by_hop(name)
            || *name == CONTENT_LENGTH
            || name.as_str().starts_with("access-control-")
    });
}

fn take_out(headers: &mut HeaderMap, which: impl Fn(&HeaderName) -> bool) {
    let names = headers.keys().filter(|name| which(name));
    for name in names.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<HeaderName>().unwrap(),
                    value.parse::<HeaderValue>().unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn metadata_passes_and_what_is_for_the_edge_stays() {
        let mut onward = headers(&[
            ("authorization", "Bearer x"),
            ("grpc-timeout", "1S"),
            ("content-type", "application/grpc"),
            ("user-agent", "browser"),
            ("x-request-id", "r"),
            ("idempotency-key", "k"),
            ("trace-bin", "AAAA"),
            ("cookie", "session=1"),
            ("origin", "http://localhost:3000"),
            ("x-forwarded-for", "10.0.0.1"),
            ("sec-fetch-mode", "cors"),
            ("connection", "keep-alive, X-Secret-Hop"),
            ("x-secret-hop", "1"),
            ("transfer-encoding", "chunked"),
        ]);
        super::onward(&mut onward);
        let mut names: Vec<&str> = onward.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "authorization",
                "content-type",
                "grpc-timeout",
                "idempotency-key",
                "te",
                "trace-bin",
                "user-agent",
                "x-request-id"
            ]
        );
        assert_eq!(onward["te"], "trailers");
    }

    #[test]
    fn a_value_that_is_sent_twice_passes_twice() {
        let mut onward = headers(&[("x-tag", "a"), ("x-tag", "b")]);
        super::onward(&mut onward);
        assert_eq!(onward.get_all("x-tag").iter().count(), 2);
    }

    #[test]
    fn an_answer_keeps_its_metadata_alone() {
        let mut answer = headers(&[
            ("content-type", "application/grpc"),
            ("x-voice", "kal"),
            ("content-length", "5"),
            ("connection", "close"),
            ("access-control-allow-origin", "*"),
        ]);
        backward(&mut answer);
        let mut names: Vec<&str> = answer.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-voice"]);
    }
}
