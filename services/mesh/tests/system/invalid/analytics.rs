//! Invalid requests about usage, one for each rule that the contract's comments state.

use atelier_proto::analytics::v1 as analytics;
use atelier_proto::generation::v1::Usage;
use prost_types::Timestamp;

use super::Table;

const SERVICE: &str = "/atelier.analytics.v1.AnalyticsService/";

/// The rows.
pub fn rows(table: &mut Table) {
    table.ids(SERVICE, "ExportPersonalData", "user_id", |user_id| {
        analytics::ExportPersonalDataRequest { user_id }
    });
    table.ids(SERVICE, "ErasePersonalData", "user_id", |user_id| {
        analytics::ErasePersonalDataRequest { user_id }
    });
    let event = || analytics::UsageEvent {
        id: "g".into(),
        source: "tts".into(),
        user_id: "u".into(),
        outcome: analytics::Outcome::Completed.into(),
        time: Some(Timestamp {
            seconds: 1_700_000_000,
            nanos: 0,
        }),
        ..Default::default()
    };
    let record = |events| analytics::RecordEventsRequest { events };
    let figures = Some(Usage {
        input_tokens: -1,
        ..Default::default()
    });
    for (request, field) in [
        (record(vec![]), "events"),
        (record(vec![event(); 501]), "events"),
        (
            record(vec![analytics::UsageEvent {
                id: String::new(),
                ..event()
            }]),
            "events[0].id",
        ),
        (
            record(vec![
                event(),
                analytics::UsageEvent {
                    source: "s".repeat(33),
                    ..event()
                },
            ]),
            "events[1].source",
        ),
        (
            record(vec![analytics::UsageEvent {
                user_id: String::new(),
                ..event()
            }]),
            "events[0].user_id",
        ),
        (
            record(vec![analytics::UsageEvent {
                provider: "p".repeat(65),
                ..event()
            }]),
            "events[0].provider",
        ),
        (
            record(vec![analytics::UsageEvent {
                model: "m".repeat(129),
                ..event()
            }]),
            "events[0].model",
        ),
        (
            record(vec![analytics::UsageEvent {
                outcome: 0,
                ..event()
            }]),
            "events[0].outcome",
        ),
        (
            record(vec![analytics::UsageEvent {
                usage: figures,
                ..event()
            }]),
            "events[0].usage.input_tokens",
        ),
        (
            record(vec![analytics::UsageEvent {
                time: None,
                ..event()
            }]),
            "events[0].time",
        ),
    ] {
        table.add(SERVICE, "RecordEvents", request, field);
    }
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let summary = analytics::GetUsageSummaryRequest::default;
    for (request, field) in [
        (
            analytics::GetUsageSummaryRequest {
                start_time: at(i64::MAX),
                ..summary()
            },
            "start_time",
        ),
        (
            analytics::GetUsageSummaryRequest {
                start_time: at(2000),
                end_time: at(1000),
                ..summary()
            },
            "end_time",
        ),
        (
            analytics::GetUsageSummaryRequest {
                start_time: at(0),
                end_time: at(400 * 86_400),
                ..summary()
            },
            "end_time",
        ),
        (
            analytics::GetUsageSummaryRequest {
                bucket_width: 77,
                ..summary()
            },
            "bucket_width",
        ),
        (
            analytics::GetUsageSummaryRequest {
                dimensions: vec![0],
                ..summary()
            },
            "dimensions[0]",
        ),
        (
            analytics::GetUsageSummaryRequest {
                dimensions: vec![1, 1],
                ..summary()
            },
            "dimensions[1]",
        ),
        (
            analytics::GetUsageSummaryRequest {
                user_id: "u".repeat(65),
                ..summary()
            },
            "user_id",
        ),
    ] {
        table.add(SERVICE, "GetUsageSummary", request, field);
    }
    table.pages(SERVICE, "ListUsageEvents", |page_size, page_token| {
        analytics::ListUsageEventsRequest {
            page_size,
            page_token,
            user_id: String::new(),
        }
    });
    let of = analytics::ListUsageEventsRequest {
        user_id: "u".repeat(65),
        ..Default::default()
    };
    table.add(SERVICE, "ListUsageEvents", of, "user_id");
}
