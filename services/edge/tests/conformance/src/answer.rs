//! Answers with any headers, messages, status and trailers: tonic's own have no trailers beside those of an error.

use std::future::Future;
use std::pin::Pin;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::Stream;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt as _;
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::server::Grpc;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// The messages of an answer, and the error that may end them.
pub type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// An answer: one message or many are the same on the wire.
pub struct Answer<T> {
    /// Sent at once.
    pub headers: HeaderMap,
    /// Sent as they come.
    pub messages: Messages<T>,
    /// Sent with the status.
    pub trailers: HeaderMap,
}

/// In the extensions of a response until its body is made.
#[derive(Clone)]
struct Trailers(HeaderMap);

/// Answers a method that takes one message.
pub async fn to_one<In, Out, Fut>(
    request: Request,
    limit: usize,
    handle: impl Fn(tonic::Request<In>) -> Fut + Send,
) -> Response
where
    In: Message + Default + 'static,
    Out: Message + Default + 'static,
    Fut: Future<Output = Result<Answer<Out>, Status>> + Send,
{
    let handler = service_fn(move |request: tonic::Request<In>| {
        let answer = handle(request);
        async move { answer.await.map(dress) }
    });
    finish(
        grpc::<In, Out>(limit)
            .server_streaming(handler, request)
            .await,
    )
}

/// Answers a method that takes a stream.
pub async fn to_many<In, Out, Fut>(
    request: Request,
    limit: usize,
    handle: impl Fn(tonic::Request<Streaming<In>>) -> Fut + Send,
) -> Response
where
    In: Message + Default + 'static,
    Out: Message + Default + 'static,
    Fut: Future<Output = Result<Answer<Out>, Status>> + Send,
{
    let handler = service_fn(move |request: tonic::Request<Streaming<In>>| {
        let answer = handle(request);
        async move { answer.await.map(dress) }
    });
    finish(grpc::<In, Out>(limit).streaming(handler, request).await)
}

fn grpc<In, Out>(limit: usize) -> Grpc<ProstCodec<Out, In>>
where
    In: Message + Default + 'static,
    Out: Message + 'static,
{
    Grpc::new(ProstCodec::default())
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(limit)
}

fn dress<T>(answer: Answer<T>) -> tonic::Response<Messages<T>> {
    let mut response = tonic::Response::new(answer.messages);
    *response.metadata_mut() = MetadataMap::from_headers(answer.headers);
    response.extensions_mut().insert(Trailers(answer.trailers));
    response
}

fn finish(mut response: http::Response<tonic::body::Body>) -> Response {
    let Some(Trailers(more)) = response.extensions_mut().remove::<Trailers>() else {
        return response.map(Body::new);
    };
    response.map(|body| {
        Body::new(body.map_frame(move |frame| match frame.into_trailers() {
            Ok(mut trailers) => {
                trailers.extend(more.clone());
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        }))
    })
}
