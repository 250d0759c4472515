//! Calls by path with bytes for a message, as somebody would make them who has no generated client, or no manners.

use std::time::Duration;

use atelier_proto::DESCRIPTOR;
use axum::body::HttpBody as Body;
use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use tonic::client::{Grpc, GrpcService};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// A codec that leaves bytes as they are.
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Plain
    }

    fn decoder(&mut self) -> Self {
        Plain
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// How a call was answered.
#[derive(Debug)]
pub struct Answer {
    /// The code; OK once a first message has come, or the stream has ended without one.
    pub code: Code,
    /// The message of an error.
    pub message: String,
    /// The details of an error.
    pub details: ErrorDetails,
    /// The metadata that came first.
    pub metadata: MetadataMap,
}

impl Answer {
    /// The reason of an error's `ErrorInfo`; empty without one.
    pub fn reason(&self) -> &str {
        self.details
            .error_info()
            .map_or("", |info| info.reason.as_str())
    }

    /// The fields that a `BadRequest` names.
    pub fn fields(&self) -> Vec<&str> {
        self.details.bad_request().map_or_else(Vec::new, |bad| {
            bad.field_violations
                .iter()
                .map(|violation| violation.field.as_str())
                .collect()
        })
    }

    /// The request id; none when it is missing or empty.
    pub fn request_id(&self) -> Option<&str> {
        self.metadata
            .get("x-request-id")
            .and_then(|value| value.to_str().ok())
            .filter(|id| !id.is_empty())
    }
}

/// Calls a method, unary or streaming, and looks at its first answer.
pub async fn call<S>(channel: &S, path: &str, token: Option<&str>, message: Bytes) -> Answer
where
    S: GrpcService<tonic::body::Body> + Clone,
    S::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <S::ResponseBody as Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    call_keyed(channel, path, token, message, None).await
}

/// The same, with an `idempotency-key`.
pub async fn call_keyed<S>(
    channel: &S,
    path: &str,
    token: Option<&str>,
    message: Bytes,
    key: Option<&str>,
) -> Answer
where
    S: GrpcService<tonic::body::Body> + Clone,
    S::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <S::ResponseBody as Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut request = Request::new(tokio_stream::once(message));
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().expect("a header's value");
        request.metadata_mut().insert("authorization", value);
    }
    if let Some(key) = key {
        let value = key.parse().expect("a header's value");
        request.metadata_mut().insert("idempotency-key", value);
    }
    let path: PathAndQuery = path.parse().expect("a path");
    let called = async {
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready().await.map_err(|error| {
            let error: Box<dyn std::error::Error + Send + Sync> = error.into();
            Status::unavailable(format!("the connection is not ready: {error}"))
        })?;
        let answer = grpc.streaming(request, path.clone(), Plain).await?;
        let (metadata, mut stream, _) = answer.into_parts();
        match stream.message().await {
            Ok(_) => Ok((metadata, None)),
            Err(status) => Ok((metadata, Some(status))),
        }
    };
    let answered: Result<(MetadataMap, Option<Status>), Status> =
        tokio::time::timeout(Duration::from_secs(30), called)
            .await
            .unwrap_or_else(|_| panic!("{path} did not answer"));
    let (metadata, status) = match answered {
        Ok((metadata, status)) => (metadata, status),
        Err(status) => (status.metadata().clone(), Some(status)),
    };
    let status = status.unwrap_or_else(|| Status::ok(""));
    Answer {
        code: status.code(),
        message: status.message().to_owned(),
        details: status.get_error_details(),
        metadata,
    }
}

/// Every method of the contract, with its path.
pub fn methods() -> Vec<(String, MethodDescriptor)> {
    let pool = DescriptorPool::decode(DESCRIPTOR).expect("the contract's descriptor");
    let methods: Vec<(String, MethodDescriptor)> = pool
        .services()
        .filter(|service| service.full_name().starts_with("atelier."))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| {
            let service = method.parent_service().full_name().to_owned();
            (format!("/{service}/{}", method.name()), method)
        })
        .collect();
    assert!(methods.len() > 30, "the descriptor has too few methods");
    methods
}

/// The role that has a method.
pub fn role_of(path: &str) -> &'static str {
    const ROLES: [(&str, &str); 5] = [
        ("/atelier.users.", "users"),
        ("/atelier.llm_chat.", "llm-chat"),
        ("/atelier.text_image.", "text-image"),
        ("/atelier.tts.", "tts"),
        ("/atelier.analytics.", "analytics"),
    ];
    let found = ROLES.iter().find(|(start, _)| path.starts_with(start));
    found.unwrap_or_else(|| panic!("no role has {path}")).1
}

/// The reason of an error's `ErrorInfo`; empty without one.
pub fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map_or_else(String::new, |info| info.reason)
}
