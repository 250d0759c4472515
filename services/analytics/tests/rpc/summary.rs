//! What GetUsageSummary promises, over an in-memory link with the real client and the whole stack.

use super::stage::*;
use atelier_kit::fault::reason_of;
use atelier_kit::identity::Role;
use atelier_kit::moment;
use atelier_proto::analytics::v1::*;
use tonic::Code;

#[tokio::test]
async fn a_summary_divides_and_orders_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let tell = |id: &str, user: &str, model: &str, outcome: Outcome, time: i64| UsageEvent {
        model: model.into(),
        outcome: outcome.into(),
        ..event("tts", id, user, time)
    };
    let batch = vec![
        tell("1", "bob", "small", Outcome::Completed, MIDNIGHT + DAY),
        tell("2", "ana", "small", Outcome::Failed, MIDNIGHT + DAY - 1),
        tell("3", "ana", "large", Outcome::Cancelled, MIDNIGHT),
        tell("4", "bob", "small", Outcome::Completed, MIDNIGHT + HOUR),
    ];
    stage.record("tts", batch).await.unwrap();
    stage
        .record("llm-chat", vec![event("llm-chat", "1", "ana", MIDNIGHT)])
        .await
        .unwrap();

    let all = [Dimension::User, Dimension::Service, Dimension::Model];
    let rows = stage
        .summary("root", Role::Admin, days(2, &all))
        .await
        .unwrap()
        .rows;
    let keys: Vec<_> = rows
        .iter()
        .map(|r| {
            (
                start_of(r) - MIDNIGHT,
                r.service.as_str(),
                r.model.as_str(),
                r.user_id.as_str(),
            )
        })
        .collect();
    let expected = [
        (0, "llm-chat", "small", "ana"),
        (0, "tts", "large", "ana"),
        (0, "tts", "small", "ana"),
        (0, "tts", "small", "bob"),
        (DAY, "tts", "small", "bob"),
    ];
    assert_eq!(keys, expected);

    let rows = stage
        .summary("root", Role::Admin, days(2, &[]))
        .await
        .unwrap()
        .rows;
    let first = &rows[0];
    assert_eq!(
        (
            first.service.as_str(),
            first.model.as_str(),
            first.user_id.as_str()
        ),
        ("", "", "")
    );
    assert_eq!(
        (first.generations, first.failed, first.cancelled),
        (4, 1, 1)
    );
    assert_eq!(
        (rows[1].generations, rows[1].failed, rows[1].cancelled),
        (1, 0, 0)
    );

    let rows = stage
        .summary("root", Role::Admin, hours(2, &[Dimension::Model]))
        .await
        .unwrap()
        .rows;
    let keys: Vec<_> = rows
        .iter()
        .map(|r| (start_of(r) - MIDNIGHT, r.model.as_str(), r.generations))
        .collect();
    assert_eq!(keys, [(0, "large", 1), (0, "small", 1), (HOUR, "small", 1)]);
}

#[tokio::test]
async fn the_end_is_exclusive_to_the_microsecond_and_the_beginning_is_rounded_down() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let half = MIDNIGHT + HOUR / 2;
    let batch: Vec<_> = [MIDNIGHT - 1, MIDNIGHT, half - 1, half, half + 1]
        .iter()
        .enumerate()
        .map(|(n, time)| event("tts", &n.to_string(), "ana", *time))
        .collect();
    stage.record("tts", batch).await.unwrap();
    let request = GetUsageSummaryRequest {
        start_time: Some(moment::timestamp(half - 1)),
        end_time: Some(moment::timestamp(half)),
        ..hours(1, &[])
    };
    let rows = stage
        .summary("ana", Role::User, request)
        .await
        .unwrap()
        .rows;
    assert_eq!(rows.len(), 1);
    assert_eq!((start_of(&rows[0]), rows[0].generations), (MIDNIGHT, 2));
    assert_eq!(rows[0].usage.unwrap().output_tokens, 10);
}

#[tokio::test]
async fn a_bucket_whose_events_all_lie_after_the_end_has_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    stage
        .record("tts", vec![event("tts", "1", "ana", MIDNIGHT + 10)])
        .await
        .unwrap();
    let request = GetUsageSummaryRequest {
        end_time: Some(moment::timestamp(MIDNIGHT + 10)),
        ..hours(1, &[])
    };
    assert!(
        stage
            .summary("ana", Role::User, request)
            .await
            .unwrap()
            .rows
            .is_empty()
    );
}

#[tokio::test]
async fn an_end_on_the_hour_leaves_that_hour_out_and_takes_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let batch = [MIDNIGHT, MIDNIGHT + HOUR, MIDNIGHT + HOUR + 1]
        .map(|time| event("tts", &time.to_string(), "ana", time));
    stage.record("tts", batch.to_vec()).await.unwrap();
    for (request, seen) in [(hours(1, &[]), 1), (hours(2, &[]), 3)] {
        let request = GetUsageSummaryRequest {
            bucket_width: BucketWidth::Day.into(),
            ..request
        };
        let rows = stage
            .summary("ana", Role::User, request)
            .await
            .unwrap()
            .rows;
        assert_eq!((rows.len(), rows[0].generations), (1, seen));
    }
}

#[tokio::test]
async fn without_bounds_a_summary_is_the_last_thirty_days() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let now = moment::now();
    let first_day = (now - 30 * DAY) / DAY * DAY;
    let batch: Vec<_> = [first_day - 1, first_day, now - HOUR, now + 10 * DAY]
        .iter()
        .enumerate()
        .map(|(n, time)| event("tts", &n.to_string(), "ana", *time))
        .collect();
    stage.record("tts", batch).await.unwrap();
    let rows = stage
        .summary("ana", Role::User, GetUsageSummaryRequest::default())
        .await
        .unwrap()
        .rows;
    assert_eq!(rows.iter().map(|row| row.generations).sum::<i64>(), 2);
    assert_eq!(start_of(&rows[0]), first_day);
}

#[tokio::test]
async fn what_a_summary_cannot_do_is_told_by_field() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let time = |micros| Some(moment::timestamp(micros));
    let nonsense = Some(prost_types::Timestamp {
        seconds: i64::MAX,
        nanos: -1,
    });
    let good = || days(1, &[]);
    let bad = [
        (
            "start_time",
            GetUsageSummaryRequest {
                start_time: nonsense,
                ..good()
            },
        ),
        (
            "end_time",
            GetUsageSummaryRequest {
                end_time: nonsense,
                ..good()
            },
        ),
        (
            "end_time",
            GetUsageSummaryRequest {
                end_time: time(MIDNIGHT),
                ..good()
            },
        ),
        ("end_time", days(367, &[])),
        ("end_time", hours(31 * 24 + 1, &[])),
        (
            "bucket_width",
            GetUsageSummaryRequest {
                bucket_width: 3,
                ..good()
            },
        ),
        (
            "dimensions[0]",
            GetUsageSummaryRequest {
                dimensions: vec![0; 3_000],
                ..good()
            },
        ),
        (
            "dimensions[1]",
            GetUsageSummaryRequest {
                dimensions: vec![1, 4],
                ..good()
            },
        ),
        (
            "dimensions[2]",
            GetUsageSummaryRequest {
                dimensions: vec![2, 1, 2, 2],
                ..good()
            },
        ),
        (
            "user_id",
            GetUsageSummaryRequest {
                user_id: "u".repeat(65),
                ..good()
            },
        ),
    ];
    for (field, request) in bad {
        let status = stage
            .summary("root", Role::Admin, request)
            .await
            .unwrap_err();
        assert_eq!(bad_fields(&status), [field]);
    }
    assert!(
        stage
            .summary("root", Role::Admin, days(366, &[]))
            .await
            .is_ok()
    );
    assert!(
        stage
            .summary("root", Role::Admin, hours(31 * 24, &[]))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn an_account_sees_its_own_and_an_admin_everybodys() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let batch = vec![
        event("tts", "1", "ana", MIDNIGHT),
        event("tts", "2", "bob", MIDNIGHT),
    ];
    stage.record("tts", batch).await.unwrap();
    let of = |user: &str| GetUsageSummaryRequest {
        user_id: user.into(),
        ..days(1, &[])
    };
    let events_of = |user: &str| ListUsageEventsRequest {
        user_id: user.into(),
        ..Default::default()
    };
    for (who, role, asked, seen) in [
        ("ana", Role::Anonymous, "", 1),
        ("ana", Role::User, "ana", 1),
        ("root", Role::Admin, "", 2),
        ("root", Role::Admin, "bob", 1),
        ("root", Role::Admin, "nobody", 0),
    ] {
        let rows = stage.summary(who, role, of(asked)).await.unwrap().rows;
        assert_eq!(
            rows.iter().map(|row| row.generations).sum::<i64>(),
            seen,
            "{who} {asked}"
        );
        let events = stage
            .list(who, role, events_of(asked))
            .await
            .unwrap()
            .events;
        assert_eq!(events.len() as i64, seen, "{who} {asked}");
    }
    for role in [Role::Anonymous, Role::User, Role::Moderator] {
        let status = stage.summary("ana", role, of("bob")).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        let status = stage.list("ana", role, events_of("bob")).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert_eq!(reason_of(&status).as_deref(), Some("USAGE_OF_ANOTHER"));
    }
}

#[tokio::test]
async fn one_estimate_makes_the_row_an_estimate() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let mut guessed = event("tts", "1", "ana", MIDNIGHT + DAY);
    guessed.usage.as_mut().unwrap().estimated = true;
    let known = [
        event("tts", "2", "ana", MIDNIGHT),
        event("tts", "3", "ana", MIDNIGHT + DAY + HOUR),
    ];
    stage
        .record("tts", vec![guessed, known[0].clone(), known[1].clone()])
        .await
        .unwrap();
    let rows = stage
        .summary("ana", Role::User, days(2, &[]))
        .await
        .unwrap()
        .rows;
    let estimated: Vec<_> = rows
        .iter()
        .map(|row| row.usage.unwrap().estimated)
        .collect();
    assert_eq!(estimated, [false, true]);
}

#[tokio::test]
async fn a_summary_of_more_rows_than_it_may_have_is_cut_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    for batch in 0..20 {
        let events = (0..500).map(|n| {
            let model = format!("model-{:05}", batch * 500 + n);
            UsageEvent {
                model: model.clone(),
                ..event("tts", &model, "ana", MIDNIGHT)
            }
        });
        stage.record("tts", events.collect()).await.unwrap();
    }
    let by_model = days(1, &[Dimension::Model]);
    let whole = stage
        .summary("ana", Role::User, by_model.clone())
        .await
        .unwrap();
    assert_eq!((whole.rows.len(), whole.truncated), (10_000, false));
    let last = UsageEvent {
        model: "model-10000".into(),
        ..event("tts", "last", "ana", MIDNIGHT)
    };
    stage.record("tts", vec![last]).await.unwrap();
    let cut = stage.summary("ana", Role::User, by_model).await.unwrap();
    assert_eq!((cut.rows.len(), cut.truncated), (10_000, true));
    assert_eq!(cut.rows.last().unwrap().model, "model-09999");
}

#[tokio::test]
async fn the_greatest_figures_neither_overflow_nor_lose_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    const MOST: i64 = 1_000_000_000_000;
    for batch in 0..4 {
        let events = (0..500).map(|n| {
            let mut event = event(
                "tts",
                &format!("{batch}-{n}"),
                "ana",
                MIDNIGHT + n * 60_000_000,
            );
            event.usage.as_mut().unwrap().input_tokens = MOST - 1;
            event
        });
        stage.record("tts", events.collect()).await.unwrap();
    }
    let rows = stage
        .summary("ana", Role::User, days(1, &[]))
        .await
        .unwrap()
        .rows;
    assert_eq!(rows[0].usage.unwrap().input_tokens, 2_000 * (MOST - 1));
}
