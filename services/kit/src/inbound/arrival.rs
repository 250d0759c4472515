//! The outermost layer: gives a call its id and its trace, and tells at its end how it went; it decides nothing.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::header::USER_AGENT;
use http::{HeaderName, HeaderValue};
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use tonic::Code;
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::body::Watched;
use super::{CallersFault, Inbound, Side};
use crate::call::{REQUEST_ID, TRACEPARENT, Trace};
use crate::check::is_id;
use crate::network::{self, Network};
use crate::next::Next;

/// A call's id and trace, until [`super::identify`] makes a whole [`crate::call::Call`] of it.
#[derive(Clone)]
pub(super) struct Arrived {
    pub(super) id: Arc<str>,
    pub(super) trace: Trace,
    pub(super) user_agent: Arc<str>,
    pub(super) network: Option<Network>,
}

pub(super) async fn arrive(inbound: &Inbound, mut request: Request, next: impl Next) -> Response {
    let headers = request.headers();
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let id: Arc<str> = match text(&REQUEST_ID) {
        Some(id) if is_id(id) => id.into(),
        _ => crate::moment::new_id().into(),
    };
    let from = text(&TRACEPARENT).and_then(Trace::parse);
    let user_agent: Arc<str> = text(&USER_AGENT)
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect::<String>()
        .into();

    let network = match &inbound.side {
        Side::Service(verifier) => verifier.network(headers),
        // The edge is the one who sees it.
        Side::Edge(_) => network::client(request.extensions()).map(Network::of),
    };

    let method = inbound.meters.of(request.uri().path());
    let span = tracing::info_span!(
        "rpc",
        otel.name = %method.name(),
        otel.kind = "server",
        rpc.system.name = "grpc",
        rpc.method = %method.name(),
        service = inbound.role,
        request_id = %id,
    );
    if let Some(from) = from {
        let parent = SpanContext::new(
            TraceId::from_bytes(from.trace_id.to_be_bytes()),
            SpanId::from_bytes(from.span_id.to_be_bytes()),
            if from.sampled {
                TraceFlags::SAMPLED
            } else {
                TraceFlags::default()
            },
            true,
            TraceState::default(),
        );
        // Without an exporter there is no OpenTelemetry layer to take the parent, and the trace goes on all the same.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
    }
    let recorded = span.context();
    let recorded = recorded.span().span_context().clone();
    let trace = if recorded.is_valid() {
        Trace {
            trace_id: u128::from_be_bytes(recorded.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(recorded.span_id().to_bytes()),
            sampled: recorded.is_sampled(),
        }
    } else {
        from.map_or_else(Trace::begin, Trace::child)
    };

    request.extensions_mut().insert(Arrived {
        id: id.clone(),
        trace,
        user_agent,
        network,
    });
    // Made before the call, so that a caller who goes away before there is an answer is counted as well.
    let mut ending = inbound.meters.begin(method, span.clone());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if response.extensions().get::<CallersFault>().is_some() {
        ending.blame_caller();
    }
    if let Some(code) = code_of(response.headers()) {
        ending.tell(Some(code));
    }
    response.map(|body| axum::body::Body::new(Watched::new(body, ending)))
}

/// The status in a set of headers or trailers.
pub(super) fn code_of(headers: &http::HeaderMap) -> Option<Code> {
    headers
        .get("grpc-status")
        .map(|value| Code::from_bytes(value.as_bytes()))
}
