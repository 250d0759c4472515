//! Any order and any repetition of batches gives the summary that a reference model of ten lines gives.

use std::collections::{BTreeMap, BTreeSet};

use super::stage::*;
use atelier_kit::identity::Role;
use atelier_kit::moment;
use atelier_proto::analytics::v1::*;
use atelier_proto::generation::v1::Usage;
use proptest::prelude::*;

const SOURCES: [&str; 2] = ["llm-chat", "tts"];
const USERS: [&str; 3] = ["ana", "bob", "eve"];

/// All events that a case tells of; each (source, id) has one content.
fn universe() -> impl Strategy<Value = Vec<UsageEvent>> {
    let figure = prop_oneof![
        Just(0),
        Just(1_000_000_000_000),
        0..=1_000_000_000_000_i64,
        0..10_i64
    ];
    let figures = prop::array::uniform5(figure);
    let one = (
        0..2_usize,
        0..3_usize,
        0..3_usize,
        1..=3_i32,
        figures,
        any::<bool>(),
        // Most of them within six hours around a midnight, where windows end as well.
        prop_oneof![0..30 * 6_i64, 21 * 6..27 * 6_i64, 23 * 6..25 * 6_i64],
        0..3_i64,
    );
    prop::collection::vec(one, 1..25).prop_map(|events| {
        let events = events.into_iter().enumerate();
        let told = events.map(
            |(n, (source, user, model, outcome, figures, estimated, tenth, micro))| {
                let [
                    input_tokens,
                    output_tokens,
                    images,
                    characters,
                    audio_millis,
                ] = figures;
                UsageEvent {
                    model: ["", "large", "small"][model].into(),
                    outcome,
                    usage: Some(Usage {
                        input_tokens,
                        output_tokens,
                        images,
                        characters,
                        audio_millis,
                        estimated,
                    }),
                    // Around the edges of ten-minute steps, which are the edges of hours and days too.
                    ..event(
                        SOURCES[source],
                        &format!("g{n}"),
                        USERS[user],
                        MIDNIGHT + tenth * HOUR / 6 + micro - 1,
                    )
                }
            },
        );
        told.collect()
    })
}

/// Which events each batch tells of, by their place in the universe, with repetitions.
fn batches() -> impl Strategy<Value = Vec<Vec<prop::sample::Index>>> {
    prop::collection::vec(
        prop::collection::vec(any::<prop::sample::Index>(), 1..12),
        1..8,
    )
}

fn query() -> impl Strategy<Value = GetUsageSummaryRequest> {
    let end = prop_oneof![21 * 6..27 * 6_i64, 23 * 6..25 * 6_i64];
    let dimensions = prop::sample::subsequence(vec![1, 2, 3], 0..=3).prop_shuffle();
    let user = prop::sample::select(vec!["", "", "ana", "bob"]);
    (end, 1..30 * 6_i64, 0..3_i64, 0..=2_i32, dimensions, user).prop_map(
        |(end, length, micro, bucket_width, dimensions, user_id)| GetUsageSummaryRequest {
            start_time: Some(moment::timestamp(MIDNIGHT + (end - length) * HOUR / 6)),
            end_time: Some(moment::timestamp(MIDNIGHT + end * HOUR / 6 + micro - 1)),
            bucket_width,
            dimensions,
            user_id: user_id.into(),
        },
    )
}

type Key = (i64, String, String, String);

/// The reference: a set of what is known and a map of sums, with none of the product's code.
fn reference(told: &[UsageEvent], ask: &GetUsageSummaryRequest) -> Vec<(Key, [i64; 8], bool)> {
    let micros = |time: &Option<prost_types::Timestamp>| {
        let time = time.unwrap();
        time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000
    };
    let width = if ask.bucket_width == 1 { HOUR } else { DAY };
    let (mut known, mut sums) = (BTreeSet::new(), BTreeMap::<Key, ([i64; 8], bool)>::new());
    for event in told
        .iter()
        .filter(|event| known.insert((event.source.clone(), event.id.clone())))
    {
        let bucket = micros(&event.time) / width * width;
        let inside = bucket >= micros(&ask.start_time) / width * width
            && micros(&event.time) < micros(&ask.end_time);
        if inside && (ask.user_id.is_empty() || ask.user_id == event.user_id) {
            let part = |number, text: &str| {
                if ask.dimensions.contains(&number) {
                    text.into()
                } else {
                    String::new()
                }
            };
            let key = (
                bucket,
                part(1, &event.source),
                part(2, &event.model),
                part(3, &event.user_id),
            );
            let (row, estimated) = sums.entry(key).or_default();
            let (failed, cancelled) =
                (i64::from(event.outcome == 2), i64::from(event.outcome == 3));
            let u = event.usage.unwrap();
            let figures = [
                1,
                failed,
                cancelled,
                u.input_tokens,
                u.output_tokens,
                u.images,
                u.characters,
                u.audio_millis,
            ];
            row.iter_mut()
                .zip(figures)
                .for_each(|(sum, figure)| *sum += figure);
            *estimated |= u.estimated;
        }
    }
    sums.into_iter()
        .map(|(key, (row, estimated))| (key, row, estimated))
        .collect()
}

fn told_by(answer: GetUsageSummaryResponse) -> Vec<(Key, [i64; 8], bool)> {
    let rows = answer.rows.into_iter().map(|row| {
        let u = row.usage.unwrap();
        let counts = [
            row.generations,
            row.failed,
            row.cancelled,
            u.input_tokens,
            u.output_tokens,
            u.images,
            u.characters,
            u.audio_millis,
        ];
        let start = start_of(&row);
        (
            (start, row.service, row.model, row.user_id),
            counts,
            u.estimated,
        )
    });
    rows.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_any_repetition_gives_the_reference_summary(
        universe in universe(),
        batches in batches(),
        queries in prop::collection::vec(query(), 8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let stage = Stage::open(folder.path()).await;
            let mut told = Vec::new();
            for batch in batches {
                let batch: Vec<_> = batch.iter().map(|at| at.get(&universe).clone()).collect();
                for source in SOURCES {
                    let own: Vec<_> = batch.iter().filter(|event| event.source == source).cloned().collect();
                    if !own.is_empty() {
                        let sent = own.len() as i32;
                        let (new, known) = stage.record(source, own).await.unwrap();
                        prop_assert_eq!(new + known, sent);
                    }
                }
                told.extend(batch);
            }
            for query in queries {
                let answer = stage.summary("root", Role::Admin, query.clone()).await.unwrap();
                prop_assert!(!answer.truncated);
                prop_assert_eq!(told_by(answer), reference(&told, &query));
            }
            Ok(())
        })?;
    }
}
