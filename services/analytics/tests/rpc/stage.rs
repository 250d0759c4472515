//! The analytics service on an in-memory link with its whole stack, and the words that its tests are written in.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use atelier_kit::call::Call;
use atelier_kit::config::Settings;
use atelier_kit::identity::{Role, ServiceTokens};
use atelier_kit::link::{Link, Route};
use atelier_kit::moment;
use atelier_kit::policy::Policies;
use atelier_kit::service::Ending;
use atelier_kit::testing::{Issuer, foundation, mount_route, secret};
use atelier_proto::analytics::v1::analytics_service_client::AnalyticsServiceClient;
use atelier_proto::analytics::v1::*;
use atelier_proto::generation::v1::Usage;
use tokio_util::sync::DropGuard;
use tonic::Status;
use tonic_types::StatusExt as _;

pub const HOUR: i64 = 3_600_000_000;
pub const DAY: i64 = 24 * HOUR;
/// The beginning of some day in 2026.
pub const MIDNIGHT: i64 = 1_780_012_800_000_000;

pub struct Stage {
    route: Route,
    close: Option<Ending>,
    _guard: DropGuard,
}

fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(Issuer::new)
}

impl Stage {
    pub async fn open(folder: &Path) -> Self {
        let config = atelier_analytics::Config::read(&Settings::default());
        let mut service = atelier_analytics::build(config, &foundation("analytics", folder))
            .await
            .unwrap();
        let close = service.close.take();
        let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
        let (route, guard) = mount_route(service, "analytics", policies, issuer());
        Self {
            route,
            close,
            _guard: guard,
        }
    }

    pub async fn shut(mut self) {
        self.close.take().unwrap()().await;
    }

    pub fn client(&self, role: &str) -> AnalyticsServiceClient<Link> {
        let tokens = ServiceTokens::new(&secret(), role);
        AnalyticsServiceClient::new(Link::new("analytics", &self.route, Some(tokens)).unwrap())
    }

    /// Records as a service: how many were new, and how many were known.
    pub async fn record(&self, role: &str, events: Vec<UsageEvent>) -> Result<(i32, i32), Status> {
        let request =
            Call::background(Duration::from_secs(60)).request(RecordEventsRequest { events });
        let answer = self.client(role).record_events(request).await?.into_inner();
        Ok((answer.recorded, answer.duplicates))
    }

    pub async fn record_as_account(
        &self,
        who: &str,
        role: Role,
        request: RecordEventsRequest,
    ) -> Result<RecordEventsResponse, Status> {
        let request = issuer().sign(who, role, request);
        Ok(self
            .client("tester")
            .record_events(request)
            .await?
            .into_inner())
    }

    pub async fn summary(
        &self,
        who: &str,
        role: Role,
        request: GetUsageSummaryRequest,
    ) -> Result<GetUsageSummaryResponse, Status> {
        let request = issuer().sign(who, role, request);
        Ok(self
            .client("tester")
            .get_usage_summary(request)
            .await?
            .into_inner())
    }

    pub async fn list(
        &self,
        who: &str,
        role: Role,
        request: ListUsageEventsRequest,
    ) -> Result<ListUsageEventsResponse, Status> {
        let request = issuer().sign(who, role, request);
        Ok(self
            .client("tester")
            .list_usage_events(request)
            .await?
            .into_inner())
    }
}

pub fn event(source: &str, id: &str, user_id: &str, time: i64) -> UsageEvent {
    UsageEvent {
        id: id.into(),
        source: source.into(),
        user_id: user_id.into(),
        provider: "offline".into(),
        model: "small".into(),
        outcome: Outcome::Completed.into(),
        usage: Some(Usage {
            input_tokens: 3,
            output_tokens: 5,
            ..Usage::default()
        }),
        duration: Some(moment::duration(1_500_000)),
        time: Some(moment::timestamp(time)),
    }
}

/// A summary of the days from [`MIDNIGHT`] on.
pub fn days(count: i64, dimensions: &[Dimension]) -> GetUsageSummaryRequest {
    GetUsageSummaryRequest {
        start_time: Some(moment::timestamp(MIDNIGHT)),
        end_time: Some(moment::timestamp(MIDNIGHT + count * DAY)),
        dimensions: dimensions
            .iter()
            .map(|dimension| (*dimension).into())
            .collect(),
        ..Default::default()
    }
}

pub fn hours(count: i64, dimensions: &[Dimension]) -> GetUsageSummaryRequest {
    GetUsageSummaryRequest {
        end_time: Some(moment::timestamp(MIDNIGHT + count * HOUR)),
        bucket_width: BucketWidth::Hour.into(),
        ..days(1, dimensions)
    }
}

pub fn start_of(row: &UsageRow) -> i64 {
    moment::from_timestamp(row.bucket_start.as_ref().unwrap()).unwrap()
}

/// The fields that a `BadRequest` names.
pub fn bad_fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().expect("a BadRequest");
    details
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}
