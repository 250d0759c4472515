//! Logs to standard error, traces to an OTLP endpoint where one is set, metrics for Prometheus; secrets go to none of them.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::{ConfigError, Setting, Settings};

/// What is logged.
pub const LOG: Setting = Setting::new(
    "ATELIER_LOG",
    "warn,atelier=info",
    "What is logged: tracing directives, as in `debug` or `warn,atelier_users=debug`.",
);
/// How it is logged.
pub const LOG_FORMAT: Setting = Setting::new(
    "ATELIER_LOG_FORMAT",
    "text",
    "How it is logged: `text` or `json`.",
);
/// Where traces go.
pub const OTLP_ENDPOINT: Setting = Setting::new(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "",
    "Where traces are sent over OTLP/gRPC, as in `http://localhost:4317`; nothing is sent when empty.",
);
/// All settings of this room.
pub const SETTINGS: &[Setting] = &[LOG, LOG_FORMAT, OTLP_ENDPOINT];

/// How the process is seen.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    filter: String,
    json: bool,
    otlp: Option<String>,
}

impl TelemetryConfig {
    /// Reads the settings of this room.
    pub fn read(settings: &Settings) -> Self {
        let filter = settings.text(&LOG).unwrap_or_default();
        if let Err(error) = EnvFilter::builder().parse(&filter) {
            settings.problem(&LOG, &format!("{filter:?} cannot be used: {error}"));
        }
        let format = settings.text(&LOG_FORMAT).unwrap_or_default();
        if !matches!(format.as_str(), "text" | "json") {
            settings.problem(&LOG_FORMAT, "must be `text` or `json`");
        }
        Self {
            filter,
            json: format == "json",
            otlp: settings.url(&OTLP_ENDPOINT).map(|url| url.to_string()),
        }
    }
}

/// Keeps the exporters alive; [`Telemetry::flush`] ends them.
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Begins. Only the first call in a process has an effect on logs.
    pub fn start(config: &TelemetryConfig) -> Result<Self, ConfigError> {
        metrics();
        let traces = config.otlp.as_deref().map(exporter).transpose()?;
        let filter = EnvFilter::builder()
            .parse(&config.filter)
            .map_err(|error| ConfigError(format!("{}: {error}", LOG.name)))?;
        let format = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            // It would be told on standard error, where a terminal that is gone makes a panic of it.
            .log_internal_errors(false);
        let format = if config.json {
            format.json().boxed()
        } else {
            format
                .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
                .boxed()
        };
        let otel = traces
            .as_ref()
            .map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer("atelier")));
        // A second start in one process (tests, a demo) keeps the first's logs.
        let _ = tracing_subscriber::registry()
            .with(filter)
            .with(format)
            .with(otel)
            .try_init();
        Ok(Self { traces })
    }

    /// Sends what is waiting, and ends. Blocks for some seconds when the collector is away.
    pub fn flush(self) {
        if let Some(traces) = self.traces
            && let Err(error) = traces.shutdown()
        {
            tracing::warn!(%error, "traces were not flushed");
        }
    }
}

fn exporter(endpoint: &str) -> Result<SdkTracerProvider, ConfigError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| ConfigError(format!("{}: {error}", OTLP_ENDPOINT.name)))?;
    let resource = opentelemetry_sdk::Resource::builder()
        .with_service_name("atelier")
        .build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

/// The metrics of this process, installed at the first use.
pub fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let seconds = [
            0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
        ];
        let tokens = [
            1.0,
            4.0,
            16.0,
            64.0,
            256.0,
            1024.0,
            4096.0,
            16_384.0,
            65_536.0,
            262_144.0,
            1_048_576.0,
        ];
        let pace = [
            1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0,
        ];
        let suffix = |end: &str| Matcher::Suffix(end.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(suffix("_seconds"), &seconds)
            .and_then(|builder| builder.set_buckets_for_metric(suffix("_token_usage"), &tokens))
            .and_then(|builder| builder.set_buckets_for_metric(suffix("_per_second"), &pace))
            .unwrap_or_else(|_| PrometheusBuilder::new())
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed; /metrics stays empty");
        }
        handle
    })
}
