//! What is seen of a generation at work: a span and figures, named as in the GenAI conventions of OpenTelemetry.
//!
//! Source of the names: <https://github.com/open-telemetry/semantic-conventions-genai> (in development; what is ours begins
//! with `atelier`). Nothing that was asked for or answered is in them.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{FinishReason, State, Usage};
use tracing::Span;
use tracing::field::Empty;

use crate::ports::GenerationRecord;

/// What generations of a service put out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Text, by chatting.
    Text,
    /// Pictures.
    Image,
    /// Speech.
    Speech,
}

impl Output {
    fn name(self) -> &'static str {
        match self {
            Output::Text => "text",
            Output::Image => "image",
            Output::Speech => "speech",
        }
    }

    fn operation(self) -> &'static str {
        match self {
            Output::Text => "chat",
            Output::Image | Output::Speech => "generate_content",
        }
    }
}

/// The span and the times of one generation at its present owner.
pub(crate) struct Measure {
    output: Output,
    owned: Instant,
    span: OnceLock<Span>,
    /// When a provider was asked last, and which of its models.
    asked: Mutex<Option<Asked>>,
    /// When the first piece came.
    heard: OnceLock<Instant>,
}

#[derive(Clone)]
struct Asked {
    provider: String,
    model: String,
    at: Instant,
}

/// How it ended.
pub(crate) struct Ending<'a> {
    pub(crate) state: State,
    pub(crate) usage: Usage,
    pub(crate) reason: FinishReason,
    pub(crate) failure: Option<&'a str>,
}

impl Measure {
    /// Of a generation that this process owns from now on.
    pub(crate) fn begin(output: Output) -> Self {
        Self {
            output,
            owned: Instant::now(),
            span: OnceLock::new(),
            asked: Mutex::default(),
            heard: OnceLock::new(),
        }
    }

    /// The span in which providers work on it, a part of whatever is under way where it is made.
    pub(crate) fn operation(&self, record: &GenerationRecord) -> Span {
        let operation = self.output.operation();
        let make = || {
            tracing::info_span!(
                "operation",
                otel.name = format!("{operation} {}", record.model),
                otel.kind = "client",
                otel.status_code = Empty,
                gen_ai.operation.name = operation,
                gen_ai.output.type = self.output.name(),
                gen_ai.provider.name = record.provider,
                gen_ai.request.model = record.model,
                gen_ai.response.model = Empty,
                gen_ai.response.finish_reasons = Empty,
                gen_ai.response.time_to_first_chunk = Empty,
                gen_ai.usage.input_tokens = Empty,
                gen_ai.usage.output_tokens = Empty,
                error.type = Empty,
                atelier.generation.id = record.id,
                atelier.generation.epoch = record.epoch,
            )
        };
        self.span.get_or_init(make).clone()
    }

    /// Something was told of it.
    pub(crate) fn told(&self, event: &Event) {
        match event {
            Event::Started(started) => self.asked(&started.provider, &started.model),
            Event::TextDelta(_) | Event::AudioChunk(_) | Event::ImagePreview(_) => {
                self.heard.get_or_init(Instant::now);
            }
            _ => {}
        }
    }

    /// A provider is asked, for the first time or in place of another.
    fn asked(&self, provider: &str, model: &str) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.is_none() {
            metrics::histogram!("atelier_generation_queue_seconds", "gen_ai_output_type" => self.output.name())
                .record(self.owned.elapsed().as_secs_f64());
        }
        if let Some(span) = self.span.get() {
            span.record("gen_ai.provider.name", provider);
            span.record("gen_ai.response.model", model);
        }
        *asked = Some(Asked {
            provider: provider.to_owned(),
            model: model.to_owned(),
            at: Instant::now(),
        });
    }

    /// It has ended. What no provider was asked for is no operation.
    pub(crate) fn end(&self, ending: &Ending<'_>) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(asked) = asked.clone() else { return };
        let took = asked.at.elapsed();
        let first = self
            .heard
            .get()
            .map(|at| at.saturating_duration_since(asked.at));
        let error = match ending.state {
            State::Completed => None,
            State::Cancelled => Some("cancelled"),
            _ => Some(ending.failure.unwrap_or("_OTHER")),
        };
        self.describe(ending, first, error);

        let labels = [
            ("gen_ai_operation_name", self.output.operation().to_owned()),
            ("gen_ai_output_type", self.output.name().to_owned()),
            ("gen_ai_provider_name", asked.provider),
            ("gen_ai_request_model", asked.model),
        ];
        let mut with_error = labels.to_vec();
        with_error.extend(error.map(|error| ("error_type", error.to_owned())));
        metrics::histogram!("gen_ai_client_operation_duration_seconds", &with_error)
            .record(took.as_secs_f64());
        if let Some(first) = first {
            metrics::histogram!(
                "gen_ai_client_operation_time_to_first_chunk_seconds",
                &labels
            )
            .record(first.as_secs_f64());
        }
        for (kind, count) in [
            ("input", ending.usage.input_tokens),
            ("output", ending.usage.output_tokens),
        ] {
            if count > 0 {
                let mut labels = labels.to_vec();
                labels.push(("gen_ai_token_type", kind.to_owned()));
                metrics::histogram!("gen_ai_client_token_usage", &labels).record(count as f64);
            }
        }
        if let Some(pace) = pace(took, first, ending.usage.output_tokens) {
            metrics::histogram!("atelier_generation_tokens_per_second", &labels).record(pace);
        }
    }

    fn describe(&self, ending: &Ending<'_>, first: Option<Duration>, error: Option<&str>) {
        let Some(span) = self.span.get() else { return };
        if let Some(first) = first {
            span.record("gen_ai.response.time_to_first_chunk", first.as_secs_f64());
        }
        if ending.usage.input_tokens > 0 {
            span.record("gen_ai.usage.input_tokens", ending.usage.input_tokens);
        }
        if ending.usage.output_tokens > 0 {
            span.record("gen_ai.usage.output_tokens", ending.usage.output_tokens);
        }
        let reason = match ending.reason {
            FinishReason::Stop => Some("stop"),
            FinishReason::Length => Some("length"),
            FinishReason::ContentFilter => Some("content_filter"),
            FinishReason::Unspecified => None,
        };
        if let Some(reason) = reason {
            span.record("gen_ai.response.finish_reasons", reason);
        }
        if let Some(error) = error {
            span.record("error.type", error);
        }
        if ending.state == State::Failed {
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// Tokens a second, from the first piece to the end; one token has no pace.
fn pace(took: Duration, first: Option<Duration>, tokens: i64) -> Option<f64> {
    let spoken = took.saturating_sub(first?).as_secs_f64();
    (tokens > 1 && spoken > 0.0).then(|| (tokens - 1) as f64 / spoken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_needs_two_tokens_and_some_time() {
        let seconds = Duration::from_secs;
        assert_eq!(pace(seconds(3), Some(seconds(1)), 21), Some(10.0));
        assert_eq!(pace(seconds(3), Some(seconds(1)), 1), None);
        assert_eq!(pace(seconds(3), Some(seconds(3)), 21), None);
        assert_eq!(pace(seconds(3), None, 21), None);
    }
}
