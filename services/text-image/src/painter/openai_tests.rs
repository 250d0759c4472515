//! Answers of a picture API as they are, and as they never should be.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::*;

#[test]
fn what_is_no_picture_is_refused() {
    assert!(measure(Bytes::from_static(b"<html>busy</html>")).is_err());
    assert!(measure(Bytes::new()).is_err());
    assert!(measure(Bytes::from_static(b"\x89PNG\r\n\x1a\n")).is_err());
}

#[test]
fn a_picture_is_counted_and_not_believed() {
    let mut large = png(8, 8);
    large.resize(PICTURE_BYTES, 0);
    assert!(measure(large.clone().into()).is_ok(), "the bound itself");
    large.push(0);
    let error = measure(large.into()).unwrap_err().to_string();
    assert!(error.contains("too large"), "{error}");
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let pixels = vec![7; (width * height * 3) as usize];
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&pixels)
        .unwrap();
    file
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(|bytes| STANDARD.encode(bytes).into()),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let names = prop::sample::select(vec![
            "data",
            "b64_json",
            "url",
            "error",
            "created",
            "usage",
            "input_tokens",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..5).prop_map(|pairs| {
                let pairs = pairs.into_iter();
                Value::Object(pairs.map(|(name, it)| (name.to_owned(), it)).collect())
            }),
        ]
    })
}

/// A good file in a good document, of which a few bytes of the file and then of the document are changed; or any document; or any
/// bytes.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let change = || prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let bend = |bytes: &mut Vec<u8>, changes: Vec<(prop::sample::Index, u8)>| {
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
    };
    prop_oneof![
        (change(), change()).prop_map(move |(in_file, in_text)| {
            let mut file = png(5, 3);
            bend(&mut file, in_file);
            let mut text = json!({"data": [{"b64_json": STANDARD.encode(file)}]})
                .to_string()
                .into_bytes();
            bend(&mut text, in_text);
            text
        }),
        value().prop_map(|value| value.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..300),
    ]
}

/// For as long as a campaign says; by default once.
#[test]
fn fuzz_pictures() {
    let seconds = atelier_kit::testing::campaign::size("ATELIER_CAMPAIGN_FUZZ_SECONDS", 0);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut cases = 0_u64;
    loop {
        cases += 256;
        TestRunner::default()
            .run(&answers(), |text| {
                let quote = |said: &str| said.chars().take(300).collect();
                match picture(&text, quote) {
                    Ok((Found::File(bytes), used)) => {
                        prop_assert!(used.input_tokens >= 0 && used.output_tokens >= 0);
                        prop_assert!(bytes.len() <= text.len());
                        if let Ok(painted) = measure(bytes) {
                            prop_assert!((1..=16_384).contains(&painted.width));
                            prop_assert!((1..=16_384).contains(&painted.height));
                        }
                    }
                    Ok((Found::At(url), _)) => prop_assert!(url.len() <= text.len()),
                    Err(error) => prop_assert!(error.to_string().len() < 4 * 300 + 200),
                }
                Ok(())
            })
            .unwrap();
        if Instant::now() >= until {
            break;
        }
    }
    atelier_kit::testing::campaign::report(format!("fuzz_pictures: {cases} cases"));
}
