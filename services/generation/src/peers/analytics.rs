//! Where usage events are counted: the analytics service, over a link.

use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, Kind, reason_of};
use atelier_kit::link::Link;
use atelier_proto::analytics::v1::analytics_service_client::AnalyticsServiceClient;
use atelier_proto::analytics::v1::{RecordEventsRequest, UsageEvent};

use crate::ports::Courier;

/// Brings usage events to the analytics service.
#[derive(Clone, Debug)]
pub struct AnalyticsCourier {
    client: AnalyticsServiceClient<Link>,
}

impl AnalyticsCourier {
    /// Over this link.
    pub fn new(link: Link) -> Self {
        Self {
            client: AnalyticsServiceClient::new(link),
        }
    }
}

#[async_trait]
impl Courier for AnalyticsCourier {
    async fn deliver(&self, events: Vec<UsageEvent>) -> Result<(), Fault> {
        // The service's own call: it outlives whoever asked for the generation.
        let call = Call::background(Duration::from_secs(10));
        self.client
            .clone()
            .record_events(call.request(RecordEventsRequest { events }))
            .await
            .map(drop)
            .map_err(|status| {
                let reason = reason_of(&status).unwrap_or_default();
                Fault::new(
                    Kind::of(status.code()),
                    "NOT_COUNTED",
                    format!("{reason} {}", status.message()),
                )
            })
    }
}
