//! The wire of analytics: reads requests, checks every field, and words answers; it names no adapter.

use std::sync::Arc;

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::Caller;
use atelier_kit::moment;
use atelier_kit::page::Pages;
use atelier_privacy::Keepsakes;
use atelier_proto::analytics::v1 as wire;
use atelier_proto::analytics::v1::analytics_service_server::AnalyticsService;
use atelier_proto::generation::v1::Usage;
use tonic::{Request, Response, Status};

use crate::keepsakes::UsageOfAccounts;
use crate::ports::UsageStore;
use crate::summary::{Division, SummaryQuery, SummaryRow, Width, Window, WindowError, summarize};
use crate::usage::{Cursor, Event, Figures, MAX_FIGURE, Outcome, record, scope};

/// The most events of one batch.
const MAX_EVENTS: usize = 500;

/// Answers the calls of `AnalyticsService`.
pub struct AnalyticsGrpc {
    store: Arc<dyn UsageStore>,
    pages: Pages,
    keepsakes: Arc<dyn Keepsakes>,
}

impl AnalyticsGrpc {
    /// Over this store; `pages` signs the tokens of listings.
    pub fn new(store: Arc<dyn UsageStore>, pages: Pages) -> Self {
        Self {
            keepsakes: Arc::new(UsageOfAccounts {
                store: store.clone(),
            }),
            store,
            pages,
        }
    }
}

#[tonic::async_trait]
impl AnalyticsService for AnalyticsGrpc {
    type ExportPersonalDataStream = atelier_privacy::Pieces<wire::ExportPersonalDataResponse>;

    async fn export_personal_data(
        &self,
        request: Request<wire::ExportPersonalDataRequest>,
    ) -> Result<Response<Self::ExportPersonalDataStream>, Status> {
        let account = request.into_inner().user_id;
        let keepsakes = self.keepsakes.clone();
        atelier_privacy::export(keepsakes, crate::ROLE, &account, |piece| {
            wire::ExportPersonalDataResponse { piece }
        })
        .map(Response::new)
    }

    async fn erase_personal_data(
        &self,
        request: Request<wire::ErasePersonalDataRequest>,
    ) -> Result<Response<wire::ErasePersonalDataResponse>, Status> {
        let account = request.into_inner().user_id;
        let receipt = atelier_privacy::erase(&*self.keepsakes, crate::ROLE, &account).await?;
        Ok(Response::new(wire::ErasePersonalDataResponse {
            receipt: Some(receipt),
        }))
    }

    async fn record_events(
        &self,
        request: Request<wire::RecordEventsRequest>,
    ) -> Result<Response<wire::RecordEventsResponse>, Status> {
        let call = Call::of(&request)?;
        // The policy lets services alone come here; without a role there would be nothing to hold `source` against.
        let Caller::Service(role) = &call.caller else {
            return Err(Fault::new(
                Kind::Denied,
                "INTERNAL_ONLY",
                "this method is for services of the mesh alone",
            )
            .into());
        };
        let events = events_of(request.into_inner().events)?;
        let recorded = record(&*self.store, role, &events).await?;
        Ok(Response::new(wire::RecordEventsResponse {
            recorded: recorded.new,
            duplicates: recorded.duplicates,
        }))
    }

    async fn get_usage_summary(
        &self,
        request: Request<wire::GetUsageSummaryRequest>,
    ) -> Result<Response<wire::GetUsageSummaryResponse>, Status> {
        let call = Call::of(&request)?;
        let query = query_of(&request.into_inner(), &call)?;
        let (rows, truncated) = summarize(&*self.store, &query).await?;
        Ok(Response::new(wire::GetUsageSummaryResponse {
            rows: rows.into_iter().map(wire_row).collect(),
            truncated,
        }))
    }

    async fn list_usage_events(
        &self,
        request: Request<wire::ListUsageEventsRequest>,
    ) -> Result<Response<wire::ListUsageEventsResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let mut check = Check::new();
        let limit = check.page_size(request.page_size);
        check.bytes("user_id", &request.user_id, 0..=64);
        check.finish()?;
        let whose = scope(&request.user_id, &call.account()?.id, call.is_admin())?;
        // An id can be any text, so the kind of scope is a part of its own.
        let page_scope = match whose.as_deref() {
            Some(user_id) => ["usage-events", "of", user_id],
            None => ["usage-events", "all", ""],
        };
        let after = self
            .pages
            .cursor::<(i64, String, String)>(&page_scope, &request.page_token)?
            .map(|(time, source, id)| Cursor { time, source, id });
        let mut events = self
            .store
            .list(whose.as_deref(), after.as_ref(), limit + 1)
            .await?;
        let next_page_token = self.pages.cut(&page_scope, &mut events, limit, |event| {
            (event.time, event.source.clone(), event.id.clone())
        });
        Ok(Response::new(wire::ListUsageEventsResponse {
            events: events.into_iter().map(wire_event).collect(),
            next_page_token,
        }))
    }
}

/// The events of a batch. Every broken rule of the first bad event is told, and none of later ones: five hundred
/// bad events would make an error that no header block holds.
fn events_of(events: Vec<wire::UsageEvent>) -> Result<Vec<Event>, Fault> {
    let mut check = Check::new();
    check.that(
        (1..=MAX_EVENTS).contains(&events.len()),
        "events",
        "must have 1 to 500 events",
    );
    check.finish()?;
    events
        .into_iter()
        .enumerate()
        .map(|(at, event)| event_of(at, event))
        .collect()
}

fn event_of(at: usize, event: wire::UsageEvent) -> Result<Event, Fault> {
    let field = |name: &str| format!("events[{at}].{name}");
    let usage = event.usage.unwrap_or_default();
    let outcome = match event.outcome() {
        wire::Outcome::Unspecified => None,
        wire::Outcome::Completed => Some(Outcome::Completed),
        wire::Outcome::Failed => Some(Outcome::Failed),
        wire::Outcome::Cancelled => Some(Outcome::Cancelled),
    };
    // What took no time, and what is not told, is zero; a length below zero is neither.
    let duration = event
        .duration
        .map_or(Some(0), |span| moment::from_duration(&span));
    let time = event
        .time
        .and_then(|time| moment::from_timestamp(&time))
        .filter(|time| *time >= 0);

    let mut check = Check::new();
    check
        .bytes(&field("id"), &event.id, 1..=64)
        .bytes(&field("source"), &event.source, 1..=32)
        .bytes(&field("user_id"), &event.user_id, 1..=64)
        .bytes(&field("provider"), &event.provider, 0..=64)
        .bytes(&field("model"), &event.model, 0..=128)
        .within(
            &field("usage.input_tokens"),
            usage.input_tokens,
            0..=MAX_FIGURE,
        )
        .within(
            &field("usage.output_tokens"),
            usage.output_tokens,
            0..=MAX_FIGURE,
        )
        .within(&field("usage.images"), usage.images, 0..=MAX_FIGURE)
        .within(&field("usage.characters"), usage.characters, 0..=MAX_FIGURE)
        .within(
            &field("usage.audio_millis"),
            usage.audio_millis,
            0..=MAX_FIGURE,
        );
    if outcome.is_none() {
        check.broken(&field("outcome"), "must be COMPLETED, FAILED or CANCELLED");
    }
    if duration.is_none() {
        check.broken(
            &field("duration"),
            "must be a duration that is not negative",
        );
    }
    if time.is_none() {
        check.broken(&field("time"), "must be a time from 1970 to 9999");
    }
    check.finish()?;
    let (Some(outcome), Some(duration), Some(time)) = (outcome, duration, time) else {
        return Err(Fault::new(
            Kind::Invalid,
            "INVALID_REQUEST",
            "the event breaks a rule",
        ));
    };
    Ok(Event {
        source: event.source,
        id: event.id,
        user_id: event.user_id,
        provider: event.provider,
        model: event.model,
        outcome,
        figures: Figures {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            images: usage.images,
            characters: usage.characters,
            audio_millis: usage.audio_millis,
        },
        estimated: usage.estimated,
        duration,
        time,
    })
}

fn query_of(request: &wire::GetUsageSummaryRequest, call: &Call) -> Result<SummaryQuery, Fault> {
    let mut check = Check::new();
    let mut moment_of = |field: &str, time: Option<&prost_types::Timestamp>| {
        let read = time.and_then(moment::from_timestamp);
        check.that(
            time.is_some() == read.is_some(),
            field,
            "must be a time from year 1 to 9999",
        );
        read
    };
    let start = moment_of("start_time", request.start_time.as_ref());
    let end = moment_of("end_time", request.end_time.as_ref());
    let width = match wire::BucketWidth::try_from(request.bucket_width) {
        Ok(wire::BucketWidth::Unspecified | wire::BucketWidth::Day) => Width::Day,
        Ok(wire::BucketWidth::Hour) => Width::Hour,
        Err(_) => {
            check.broken("bucket_width", "must be HOUR or DAY");
            Width::Day
        }
    };
    let division = division_of(&request.dimensions, &mut check);
    check.bytes("user_id", &request.user_id, 0..=64).finish()?;

    let window = Window::new(start, end, width, moment::now()).map_err(|error| {
        let rule = match error {
            WindowError::Empty => "must be after start_time".to_owned(),
            WindowError::TooLong => {
                format!(
                    "must be at most {} days after start_time",
                    width.longest_days()
                )
            }
        };
        let mut check = Check::new();
        let told = check.broken("end_time", rule.clone()).finish();
        told.err()
            .unwrap_or_else(|| Fault::new(Kind::Invalid, "INVALID_REQUEST", rule))
    })?;
    let user_id = scope(&request.user_id, &call.account()?.id, call.is_admin())?;
    Ok(SummaryQuery {
        window,
        width,
        division,
        user_id,
    })
}

/// What to divide by. The first bad dimension is told and no later one, as there can be thousands.
fn division_of(dimensions: &[i32], check: &mut Check) -> Division {
    let mut division = Division::default();
    for (at, dimension) in dimensions.iter().enumerate() {
        let chosen = match wire::Dimension::try_from(*dimension) {
            Ok(wire::Dimension::Service) => &mut division.service,
            Ok(wire::Dimension::Model) => &mut division.model,
            Ok(wire::Dimension::User) => &mut division.user,
            Ok(wire::Dimension::Unspecified) | Err(_) => {
                check.broken(
                    &format!("dimensions[{at}]"),
                    "must be SERVICE, MODEL or USER",
                );
                break;
            }
        };
        if std::mem::replace(chosen, true) {
            check.broken(&format!("dimensions[{at}]"), "must be named at most once");
            break;
        }
    }
    division
}

fn wire_usage(figures: Figures, estimated: bool) -> Usage {
    Usage {
        input_tokens: figures.input_tokens,
        output_tokens: figures.output_tokens,
        images: figures.images,
        characters: figures.characters,
        audio_millis: figures.audio_millis,
        estimated,
    }
}

fn wire_row(row: SummaryRow) -> wire::UsageRow {
    wire::UsageRow {
        bucket_start: Some(moment::timestamp(row.bucket_start)),
        service: row.service,
        model: row.model,
        user_id: row.user_id,
        generations: row.counts.generations,
        failed: row.counts.failed,
        cancelled: row.counts.cancelled,
        usage: Some(wire_usage(row.counts.figures, row.counts.estimated > 0)),
    }
}

fn wire_event(event: Event) -> wire::UsageEvent {
    let outcome = match event.outcome {
        Outcome::Completed => wire::Outcome::Completed,
        Outcome::Failed => wire::Outcome::Failed,
        Outcome::Cancelled => wire::Outcome::Cancelled,
    };
    wire::UsageEvent {
        id: event.id,
        source: event.source,
        user_id: event.user_id,
        provider: event.provider,
        model: event.model,
        outcome: outcome.into(),
        usage: Some(wire_usage(event.figures, event.estimated)),
        duration: Some(moment::duration(event.duration)),
        time: Some(moment::timestamp(event.time)),
    }
}
