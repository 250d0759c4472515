//! Which headers pass, each way: metadata does, what belongs to one connection or to the browser does not.

use http::header::{HeaderMap, HeaderName, HeaderValue, TE};

/// Headers of one connection (RFC 9110, 7.6.1), which no proxy passes on.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a browser or a proxy in front says to the edge and to nobody behind it. Cookies are here because nothing
/// behind reads them, and a header that nobody reads is best not sent.
const FOR_THE_EDGE: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-length",
    "cookie",
    "dnt",
    "expect",
    "forwarded",
    "host",
    "origin",
    "pragma",
    "priority",
    "referer",
    "via",
    "x-grpc-web",
    "x-real-ip",
];

/// Families of the same.
const FOR_THE_EDGE_PREFIXES: &[&str] = &["sec-", "x-forwarded-", "access-control-"];

/// Whether a header belongs to one connection.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(&name.as_str())
}

/// The headers of a request on its way to a service.
pub(super) fn onward(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<String> = headers
        .get_all("connection")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mut onward = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let text = name.as_str();
        let stays = is_hop_by_hop(name)
            || FOR_THE_EDGE.contains(&text)
            || FOR_THE_EDGE_PREFIXES.iter().any(|p| text.starts_with(p))
            || named.iter().any(|named| named == text);
        if !stays {
            onward.append(name.clone(), value.clone());
        }
    }
    onward.insert(TE, HeaderValue::from_static("trailers"));
    onward
}

/// Takes from an answer what is not for the caller. A length goes too: the grpc-web layer makes another body.
pub(super) fn backward(headers: &mut HeaderMap) {
    let stays: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            is_hop_by_hop(name)
                || name.as_str() == "content-length"
                || name.as_str().starts_with("access-control-")
        })
        .cloned()
        .collect();
    for name in stays {
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
        let onward = onward(&headers(&[
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
        ]));
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
        let onward = onward(&headers(&[("x-tag", "a"), ("x-tag", "b")]));
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
