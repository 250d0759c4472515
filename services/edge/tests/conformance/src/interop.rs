//! The service that the interop clients of gRPC call: it answers with as many bytes as it is asked for, and gives back
//! the metadata and the status that it was sent.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::post;
use futures_util::Stream;
use http::HeaderName;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::answer::{Answer, to_many, to_one};
use crate::proto::interop::{
    EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};

/// Its full name. `grpc.testing.UnimplementedService` is a name that nobody here has.
pub const SERVICE: &str = "grpc.testing.TestService";
/// Its methods that the clients call: the name, whether it takes a stream, whether it answers with one.
pub const METHODS: [(&str, bool, bool); 6] = [
    ("EmptyCall", false, false),
    ("UnaryCall", false, false),
    ("StreamingOutputCall", false, true),
    ("StreamingInputCall", true, false),
    ("FullDuplexCall", true, true),
    ("UnimplementedCall", false, false),
];

/// What comes back in the headers of an answer, and what in its trailers.
const ECHO_INITIAL: HeaderName = HeaderName::from_static("x-grpc-test-echo-initial");
const ECHO_TRAILING: HeaderName = HeaderName::from_static("x-grpc-test-echo-trailing-bin");

/// Its routes; a message may have `limit` bytes.
pub fn routes(limit: usize) -> Router {
    let path = |method: &str| format!("/{SERVICE}/{method}");
    Router::new()
        .route(
            &path("EmptyCall"),
            post(move |request: Request| to_one(request, limit, empty_call)),
        )
        .route(
            &path("UnaryCall"),
            post(move |request: Request| to_one(request, limit, unary_call)),
        )
        .route(
            &path("StreamingOutputCall"),
            post(move |request: Request| to_one(request, limit, streaming_output_call)),
        )
        .route(
            &path("StreamingInputCall"),
            post(move |request: Request| to_many(request, limit, streaming_input_call)),
        )
        .route(
            &path("FullDuplexCall"),
            post(move |request: Request| to_many(request, limit, full_duplex_call)),
        )
        .fallback(async || Status::unimplemented("").into_http::<axum::body::Body>())
}

async fn empty_call(request: tonic::Request<Empty>) -> Result<Answer<Empty>, Status> {
    Ok(answer(request.metadata(), one(Empty {})))
}

async fn unary_call(
    request: tonic::Request<SimpleRequest>,
) -> Result<Answer<SimpleResponse>, Status> {
    let wanted = request.get_ref();
    refuse_if_asked(wanted.response_status.as_ref())?;
    let id = || std::process::id().to_string();
    let response = SimpleResponse {
        payload: Some(payload(wanted.response_size)?),
        server_id: wanted.fill_server_id.then(id).unwrap_or_default(),
        ..Default::default()
    };
    Ok(answer(request.metadata(), one(response)))
}

async fn streaming_output_call(
    request: tonic::Request<StreamingOutputCallRequest>,
) -> Result<Answer<StreamingOutputCallResponse>, Status> {
    let (metadata, _, wanted) = request.into_parts();
    let messages = async_stream::try_stream! {
        for parameters in wanted.response_parameters {
            yield piece(parameters).await?;
        }
    };
    Ok(answer(&metadata, messages))
}

async fn streaming_input_call(
    request: tonic::Request<Streaming<StreamingInputCallRequest>>,
) -> Result<Answer<StreamingInputCallResponse>, Status> {
    let (metadata, _, mut incoming) = request.into_parts();
    let mut sum = 0;
    while let Some(message) = incoming.message().await? {
        sum += message.payload.unwrap_or_default().body.len();
    }
    let aggregated_payload_size =
        i32::try_from(sum).map_err(|error| Status::out_of_range(error.to_string()))?;
    let response = StreamingInputCallResponse {
        aggregated_payload_size,
    };
    Ok(answer(&metadata, one(response)))
}

async fn full_duplex_call(
    request: tonic::Request<Streaming<StreamingOutputCallRequest>>,
) -> Result<Answer<StreamingOutputCallResponse>, Status> {
    let (metadata, _, mut incoming) = request.into_parts();
    let messages = async_stream::try_stream! {
        while let Some(wanted) = incoming.message().await? {
            refuse_if_asked(wanted.response_status.as_ref())?;
            for parameters in wanted.response_parameters {
                yield piece(parameters).await?;
            }
        }
    };
    Ok(answer(&metadata, messages))
}

/// These messages, with the metadata that is to come back around them.
fn answer<T>(
    heard: &MetadataMap,
    messages: impl Stream<Item = Result<T, Status>> + Send + 'static,
) -> Answer<T> {
    let heard = heard.as_ref();
    let echo = |name: HeaderName| {
        let value = heard.get(&name).cloned();
        value.map(|value| (name, value)).into_iter().collect()
    };
    Answer {
        headers: echo(ECHO_INITIAL),
        messages: Box::pin(messages),
        trailers: echo(ECHO_TRAILING),
    }
}

fn one<T: Send>(message: T) -> impl Stream<Item = Result<T, Status>> + Send {
    futures_util::stream::iter([Ok(message)])
}

/// The status that a request asks for. It has a detail: what a service says without any, the house takes for a failure
/// that it did not mean to tell.
fn refuse_if_asked(wanted: Option<&EchoStatus>) -> Result<(), Status> {
    let Some(wanted) = wanted.filter(|wanted| wanted.code != 0) else {
        return Ok(());
    };
    let details = ErrorDetails::with_error_info("AS_ASKED", "grpc.testing", []);
    let code = Code::from_i32(wanted.code);
    Err(Status::with_error_details(code, &wanted.message, details))
}

async fn piece(wanted: ResponseParameters) -> Result<StreamingOutputCallResponse, Status> {
    let pause = u64::try_from(wanted.interval_us).unwrap_or_default();
    tokio::time::sleep(Duration::from_micros(pause)).await;
    Ok(StreamingOutputCallResponse {
        payload: Some(payload(wanted.size)?),
        ..Default::default()
    })
}

fn payload(size: i32) -> Result<Payload, Status> {
    let size = usize::try_from(size)
        .map_err(|_| Status::invalid_argument("a payload has no negative size"))?;
    Ok(Payload {
        body: vec![0; size],
        ..Default::default()
    })
}
