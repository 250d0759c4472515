//! The service that the suite of Connect calls: it does what each request says, and tells what it heard.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::post;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use prost_types::Any;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status, Streaming};

use crate::answer::{Answer, to_many, to_one};
use crate::proto::connect::conformance_payload::RequestInfo;
use crate::proto::connect::unary_response_definition::Response as Wanted;
use crate::proto::connect::{
    BidiStreamRequest, BidiStreamResponse, ClientStreamRequest, ClientStreamResponse,
    ConformancePayload, Error, Header, ServerStreamRequest, ServerStreamResponse,
    StreamResponseDefinition, UnaryRequest, UnaryResponse, UnaryResponseDefinition,
};

/// Its full name.
pub const SERVICE: &str = "connectrpc.conformance.v1.ConformanceService";
/// Its methods: the name, whether it takes a stream, whether it answers with one.
pub const METHODS: [(&str, bool, bool); 5] = [
    ("Unary", false, false),
    ("ServerStream", false, true),
    ("ClientStream", true, false),
    ("BidiStream", true, true),
    ("Unimplemented", false, false),
];
/// The edge gives every call a deadline, and the suite asks whether one was heard that it did not set: what is as long
/// as this is the edge's own, since the suite sets seconds.
pub const NO_DEADLINE: Duration = Duration::from_secs(1800);

/// Its routes; a message may have `limit` bytes.
pub fn routes(limit: usize) -> Router {
    let path = |method: &str| format!("/{SERVICE}/{method}");
    Router::new()
        .route(
            &path("Unary"),
            post(move |request: Request| to_one(request, limit, unary)),
        )
        .route(
            &path("ServerStream"),
            post(move |request: Request| to_one(request, limit, server_stream)),
        )
        .route(
            &path("ClientStream"),
            post(move |request: Request| to_many(request, limit, client_stream)),
        )
        .route(
            &path("BidiStream"),
            post(move |request: Request| to_many(request, limit, bidi_stream)),
        )
        .fallback(async || Status::unimplemented("").into_http::<axum::body::Body>())
}

async fn unary(request: tonic::Request<UnaryRequest>) -> Result<Answer<UnaryResponse>, Status> {
    let heard = Heard::of(request.metadata());
    let message = request.into_inner();
    let info = heard.with(vec![any("UnaryRequest", &message)]);
    single(message.response_definition, info, |payload| UnaryResponse {
        payload: Some(payload),
    })
    .await
}

async fn client_stream(
    request: tonic::Request<Streaming<ClientStreamRequest>>,
) -> Result<Answer<ClientStreamResponse>, Status> {
    let heard = Heard::of(request.metadata());
    let mut messages = request.into_inner();
    let (mut definition, mut requests) = (None, Vec::new());
    while let Some(message) = messages.message().await? {
        requests.push(any("ClientStreamRequest", &message));
        if requests.len() == 1 {
            definition = message.response_definition;
        }
    }
    let info = heard.with(requests);
    single(definition, info, |payload| ClientStreamResponse {
        payload: Some(payload),
    })
    .await
}

/// The answer of a method that gives one message.
async fn single<T: Send + 'static>(
    definition: Option<UnaryResponseDefinition>,
    info: RequestInfo,
    wrap: fn(ConformancePayload) -> T,
) -> Result<Answer<T>, Status> {
    let definition = definition.unwrap_or_default();
    pause(definition.response_delay_ms).await;
    let answer = match definition.response {
        Some(Wanted::Error(error)) => Err(status(error, Some(info))),
        wanted => Ok(wrap(ConformancePayload {
            data: match wanted {
                Some(Wanted::ResponseData(data)) => data,
                _ => Vec::new(),
            },
            request_info: Some(info),
        })),
    };
    if let (Err(status), [], []) = (
        &answer,
        &definition.response_headers[..],
        &definition.response_trailers[..],
    ) {
        // An answer of trailers alone.
        return Err(status.clone());
    }
    Ok(Answer {
        headers: headers(&definition.response_headers)?,
        trailers: headers(&definition.response_trailers)?,
        messages: Box::pin(futures_util::stream::iter([answer])),
    })
}

async fn server_stream(
    request: tonic::Request<ServerStreamRequest>,
) -> Result<Answer<ServerStreamResponse>, Status> {
    let heard = Heard::of(request.metadata());
    let message = request.into_inner();
    let mut info = Some(heard.with(vec![any("ServerStreamRequest", &message)]));
    let definition = message.response_definition.unwrap_or_default();
    let (headers, trailers) = around(&definition)?;
    let messages = async_stream::stream! {
        for data in definition.response_data {
            pause(definition.response_delay_ms).await;
            let payload = ConformancePayload { data, request_info: info.take() };
            yield Ok(ServerStreamResponse { payload: Some(payload) });
        }
        if let Some(error) = definition.error {
            yield Err(status(error, info));
        }
    };
    Ok(Answer {
        headers,
        trailers,
        messages: Box::pin(messages),
    })
}

async fn bidi_stream(
    request: tonic::Request<Streaming<BidiStreamRequest>>,
) -> Result<Answer<BidiStreamResponse>, Status> {
    let heard = Heard::of(request.metadata());
    let mut incoming = request.into_inner();
    let Some(first) = incoming.message().await? else {
        return Ok(Answer {
            headers: HeaderMap::new(),
            trailers: HeaderMap::new(),
            messages: Box::pin(futures_util::stream::empty()),
        });
    };
    let mut requests = vec![any("BidiStreamRequest", &first)];
    let definition = first.response_definition.unwrap_or_default();
    let (headers, trailers) = around(&definition)?;
    if !first.full_duplex {
        // Nothing is said before all has been heard: over HTTP/1.1 a server that answers may stop reading.
        while let Some(message) = incoming.message().await? {
            requests.push(any("BidiStreamRequest", &message));
        }
    }
    let messages = async_stream::stream! {
        let mut heard = Some(heard);
        let mut reading = first.full_duplex;
        let mut data = definition.response_data.into_iter();
        while reading {
            let Some(data) = data.next() else { break };
            let new = std::mem::take(&mut requests);
            let info = match heard.take() {
                Some(heard) => heard.with(new),
                None => RequestInfo { requests: new, ..Default::default() },
            };
            pause(definition.response_delay_ms).await;
            let payload = ConformancePayload { data, request_info: Some(info) };
            yield Ok(BidiStreamResponse { payload: Some(payload) });
            match incoming.next().await {
                Some(Ok(message)) => requests.push(any("BidiStreamRequest", &message)),
                Some(Err(status)) => {
                    yield Err(status);
                    return;
                }
                None => reading = false,
            }
        }
        for data in data {
            pause(definition.response_delay_ms).await;
            let request_info = heard.take().map(|heard| heard.with(std::mem::take(&mut requests)));
            yield Ok(BidiStreamResponse { payload: Some(ConformancePayload { data, request_info }) });
        }
        if let Some(error) = definition.error {
            let info = heard.take().map(|heard| heard.with(std::mem::take(&mut requests)));
            yield Err(status(error, info));
        }
    };
    Ok(Answer {
        headers,
        trailers,
        messages: Box::pin(messages),
    })
}

/// What is told of every call, but for its messages.
struct Heard {
    headers: Vec<Header>,
    timeout_ms: Option<i64>,
}

impl Heard {
    fn of(metadata: &MetadataMap) -> Self {
        let map = metadata.clone().into_headers();
        let headers = map.keys().map(|name| Header {
            name: name.to_string(),
            value: map
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect(),
        });
        let timeout = map
            .get("grpc-timeout")
            .and_then(|value| timeout(value.to_str().ok()?))
            .filter(|timeout| *timeout < NO_DEADLINE);
        Self {
            headers: headers.collect(),
            timeout_ms: timeout.and_then(|timeout| i64::try_from(timeout.as_millis()).ok()),
        }
    }

    fn with(self, requests: Vec<Any>) -> RequestInfo {
        RequestInfo {
            request_headers: self.headers,
            timeout_ms: self.timeout_ms,
            requests,
            connect_get_info: None,
        }
    }
}

fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// A message of the suite's package, by its name there.
fn any(name: &str, message: &impl Message) -> Any {
    Any {
        type_url: format!("type.googleapis.com/connectrpc.conformance.v1.{name}"),
        value: message.encode_to_vec(),
    }
}

fn around(definition: &StreamResponseDefinition) -> Result<(HeaderMap, HeaderMap), Status> {
    Ok((
        headers(&definition.response_headers)?,
        headers(&definition.response_trailers)?,
    ))
}

fn headers(wanted: &[Header]) -> Result<HeaderMap, Status> {
    let bad = |error: &dyn std::fmt::Display| Status::invalid_argument(error.to_string());
    let mut headers = HeaderMap::new();
    for header in wanted {
        let name: HeaderName = header.name.parse().map_err(|e| bad(&e))?;
        for value in &header.value {
            headers.append(&name, HeaderValue::from_str(value).map_err(|e| bad(&e))?);
        }
    }
    Ok(headers)
}

/// An error, with what was heard where no message has told it yet.
fn status(error: Error, info: Option<RequestInfo>) -> Status {
    let mut details = error.details;
    details.extend(
        info.as_ref()
            .map(|info| any("ConformancePayload.RequestInfo", info)),
    );
    let message = error.message.unwrap_or_default();
    if details.is_empty() {
        return Status::new(Code::from_i32(error.code), message);
    }
    let whole = tonic_types::Status {
        code: error.code,
        message: message.clone(),
        details,
    };
    let details = whole.encode_to_vec().into();
    Status::with_details(Code::from_i32(error.code), message, details)
}

async fn pause(milliseconds: u32) {
    tokio::time::sleep(Duration::from_millis(milliseconds.into())).await;
}
