//! What RecordEvents promises, over an in-memory link with the real client and the whole stack.

use super::stage::*;
use atelier_kit::fault::reason_of;
use atelier_kit::identity::Role;
use atelier_kit::moment;
use atelier_proto::analytics::v1::*;
use atelier_proto::generation::v1::Usage;
use tonic::Code;

#[tokio::test]
async fn an_event_is_counted_once_and_acknowledged_again() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let told = event("tts", "g1", "ana", MIDNIGHT);
    assert_eq!(
        stage
            .record("tts", vec![told.clone(), told.clone()])
            .await
            .unwrap(),
        (1, 1)
    );
    assert_eq!(
        stage.record("tts", vec![told.clone()]).await.unwrap(),
        (0, 1)
    );
    // The same id of another service is another event, and a changed event is a known one.
    let other = UsageEvent {
        source: "llm-chat".into(),
        ..told.clone()
    };
    assert_eq!(stage.record("llm-chat", vec![other]).await.unwrap(), (1, 0));
    let changed = UsageEvent {
        user_id: "bob".into(),
        ..told
    };
    assert_eq!(stage.record("tts", vec![changed]).await.unwrap(), (0, 1));
    let rows = stage
        .summary("root", Role::Admin, days(1, &[Dimension::User]))
        .await
        .unwrap()
        .rows;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].user_id.as_str(), rows[0].generations), ("ana", 2));
}

#[tokio::test]
async fn identical_batches_at_once_are_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let batch: Vec<_> = (0..50)
        .map(|n| event("tts", &format!("g{n}"), "ana", MIDNIGHT + n * HOUR / 10))
        .collect();
    let calls: Vec<_> = (0..8).map(|_| stage.record("tts", batch.clone())).collect();
    let (mut new, mut known) = (0, 0);
    for told in futures_util::future::join_all(calls).await {
        let (recorded, duplicates) = told.unwrap();
        new += recorded;
        known += duplicates;
    }
    assert_eq!((new, known), (50, 350));
    let rows = stage
        .summary("ana", Role::User, days(1, &[]))
        .await
        .unwrap()
        .rows;
    assert_eq!(
        (rows[0].generations, rows[0].usage.unwrap().input_tokens),
        (50, 150)
    );
}

#[tokio::test]
async fn a_service_records_its_own_events_alone() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let batch = vec![
        event("tts", "g1", "ana", MIDNIGHT),
        event("llm-chat", "g2", "ana", MIDNIGHT),
    ];
    let status = stage.record("tts", batch).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(reason_of(&status).as_deref(), Some("SOURCE_MISMATCH"));
    assert!(
        stage
            .summary("ana", Role::User, days(1, &[]))
            .await
            .unwrap()
            .rows
            .is_empty()
    );
}

#[tokio::test]
async fn accounts_and_strangers_do_not_record() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let request = || RecordEventsRequest {
        events: vec![event("tts", "g1", "ana", MIDNIGHT)],
    };
    let status = stage
        .client("tts")
        .record_events(request())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let issuer = atelier_kit::testing::Issuer::new();
    let signed = issuer.sign("root", Role::Admin, request());
    assert_eq!(
        stage
            .client("tts")
            .record_events(signed)
            .await
            .unwrap_err()
            .code(),
        Code::Unauthenticated
    );
    let status = stage
        .record_as_account("root", Role::Admin, request())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let status = stage
        .client("tts")
        .get_usage_summary(days(1, &[]))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn every_broken_rule_of_an_event_is_told_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let bad = UsageEvent {
        id: "x".repeat(65),
        source: "s".repeat(33),
        user_id: String::new(),
        provider: "p".repeat(65),
        model: "m".repeat(129),
        outcome: 9,
        usage: Some(Usage {
            input_tokens: -1,
            output_tokens: i64::MAX,
            images: 1_000_000_000_001,
            characters: i64::MIN,
            audio_millis: -5,
            estimated: true,
        }),
        duration: Some(prost_types::Duration {
            seconds: -1,
            nanos: 0,
        }),
        time: None,
    };
    let batch = vec![
        event("tts", "g1", "ana", MIDNIGHT),
        bad,
        UsageEvent::default(),
    ];
    let status = stage.record("tts", batch).await.unwrap_err();
    let expected: Vec<_> = [
        "id",
        "source",
        "user_id",
        "provider",
        "model",
        "usage.input_tokens",
        "usage.output_tokens",
        "usage.images",
        "usage.characters",
        "usage.audio_millis",
        "outcome",
        "duration",
        "time",
    ]
    .iter()
    .map(|name| format!("events[1].{name}"))
    .collect();
    assert_eq!(bad_fields(&status), expected);
    // The good event before it was not kept either.
    assert_eq!(
        stage
            .record("tts", vec![event("tts", "g1", "ana", MIDNIGHT)])
            .await
            .unwrap(),
        (1, 0)
    );
}

#[tokio::test]
async fn each_rule_alone_refuses_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let good = event("tts", "g1", "ana", MIDNIGHT);
    let with = |change: fn(&mut UsageEvent)| {
        let mut event = good.clone();
        change(&mut event);
        event
    };
    let bad = [
        ("id", with(|e| e.id.clear())),
        ("source", with(|e| e.source.clear())),
        ("outcome", with(|e| e.outcome = 0)),
        ("time", with(|e| e.time = Some(moment::timestamp(-1)))),
        (
            "time",
            with(|e| {
                e.time = Some(prost_types::Timestamp {
                    seconds: i64::MAX,
                    nanos: 0,
                })
            }),
        ),
        (
            "time",
            with(|e| {
                e.time = Some(prost_types::Timestamp {
                    seconds: 0,
                    nanos: 1_000_000_000,
                })
            }),
        ),
        (
            "duration",
            with(|e| {
                e.duration = Some(prost_types::Duration {
                    seconds: i64::MAX,
                    nanos: 0,
                })
            }),
        ),
    ];
    for (field, event) in bad {
        let status = stage.record("tts", vec![event]).await.unwrap_err();
        assert_eq!(bad_fields(&status), [format!("events[0].{field}")]);
    }
    let allowed = [
        with(|e| (e.id, e.model, e.provider) = ("x".repeat(64), String::new(), String::new())),
        with(|e| (e.id, e.usage, e.duration) = ("y".into(), None, None)),
        with(|e| (e.id, e.time) = ("z".into(), Some(moment::timestamp(0)))),
    ];
    assert_eq!(stage.record("tts", allowed.to_vec()).await.unwrap(), (3, 0));
}

#[tokio::test]
async fn a_batch_has_one_to_five_hundred_events() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    assert_eq!(
        bad_fields(&stage.record("tts", vec![]).await.unwrap_err()),
        ["events"]
    );
    let batch: Vec<_> = (0..501)
        .map(|n| event("tts", &format!("g{n}"), "ana", MIDNIGHT))
        .collect();
    assert_eq!(
        bad_fields(&stage.record("tts", batch.clone()).await.unwrap_err()),
        ["events"]
    );
    assert_eq!(
        stage.record("tts", batch[..500].to_vec()).await.unwrap(),
        (500, 0)
    );
    // Five hundred bad events are an error that still arrives.
    let status = stage
        .record("tts", vec![UsageEvent::default(); 500])
        .await
        .unwrap_err();
    assert_eq!(bad_fields(&status)[0], "events[0].id");
}

#[tokio::test]
async fn a_restart_keeps_what_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let told = event("tts", "g1", "ana", MIDNIGHT);
    let stage = Stage::open(folder.path()).await;
    stage.record("tts", vec![told.clone()]).await.unwrap();
    stage.shut().await;

    let stage = Stage::open(folder.path()).await;
    assert_eq!(
        stage.record("tts", vec![told.clone()]).await.unwrap(),
        (0, 1)
    );
    let rows = stage
        .summary("ana", Role::User, days(1, &[]))
        .await
        .unwrap()
        .rows;
    assert_eq!(rows[0].generations, 1);
    let events = stage
        .list("ana", Role::User, ListUsageEventsRequest::default())
        .await
        .unwrap()
        .events;
    assert_eq!(events, [told]);
}
