//! Events as they are sent, and as they never should be.

use proptest::prelude::*;

use super::*;

fn read(chunks: &[&[u8]], most: usize) -> (Vec<String>, Result<(), Oddity>) {
    let mut reader = EventReader::new(most);
    let mut found = Vec::new();
    for chunk in chunks {
        let read = reader.read(chunk, &mut found);
        if read.is_err() {
            return (found, read);
        }
    }
    (found, Ok(()))
}

#[test]
fn events_are_read_as_the_standard_has_them() {
    for (text, expected) in [
        ("data: a\n\n", vec!["a"]),
        ("data:a\r\rdata:  b\r\n\r\n", vec!["a", " b"]),
        ("\u{feff}data: a\n\n", vec!["a"]),
        ("data: a\ndata: b\n\n", vec!["a\nb"]),
        ("data\ndata\n\n", vec!["\n"]),
        ("data\n\ndata:\n\n", vec![]),
        (": hello\n\nevent: x\nid: 1\nretry: 5\n\n", vec![]),
        ("event: x\n: hello\ndata: a\nid: 1\n\n\n\n", vec!["a"]),
        ("data: a\n\n\u{feff}data: b\n\n", vec!["a"]),
        ("data: the end never came\n", vec![]),
        ("datum: a\n\n", vec![]),
    ] {
        let (found, read) = read(&[text.as_bytes()], 100);
        assert_eq!(
            (found, read),
            (expected.iter().map(|it| (*it).to_owned()).collect(), Ok(())),
            "{text:?}"
        );
    }
}

#[test]
fn an_event_has_a_bound_however_it_is_written_and_comments_have_none() {
    let line = "data: 34567890\n";
    let many = line.repeat(7);
    assert_eq!(read(&[many.as_bytes(), b"\n"], 110).0.len(), 1);
    let more = line.repeat(8);
    assert_eq!(read(&[more.as_bytes()], 110).1, Err(Oddity::TooLong));
    let endless = [b"x".as_slice(); 111];
    assert_eq!(read(&endless, 110).1, Err(Oddity::TooLong));
    let pings = ": still here\n".repeat(100) + "data: a\n\n";
    assert_eq!(
        read(&[pings.as_bytes()], 110),
        (vec!["a".to_owned()], Ok(()))
    );
    assert_eq!(
        read(&[b"data: a\n\ndata: \xff\n\n"], 110),
        (vec!["a".to_owned()], Err(Oddity::NotText))
    );
}

/// The standard's rules as they stand there, one after the other, for a text that is there as a whole.
fn by_the_book(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    // What follows the last end of a line is no line yet.
    lines.pop();
    let (mut found, mut data) = (Vec::new(), String::new());
    for line in lines {
        if line.is_empty() {
            if !data.is_empty() {
                data.pop();
                found.push(std::mem::take(&mut data));
            }
        } else if !line.starts_with(':') {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            if name == "data" {
                data.push_str(value.strip_prefix(' ').unwrap_or(value));
                data.push('\n');
            }
        }
    }
    found
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("data: ".to_owned()),
        Just("data".to_owned()),
        Just(":".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\r\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("\u{feff}".to_owned()),
        Just(" ".to_owned()),
        Just("id: 7".to_owned()),
        ".{0,5}",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Chunks of these bytes, each with a length of its own; some may be empty.
fn chunks<'a>(bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut found) = (bytes, Vec::new());
    for length in lengths {
        let (chunk, after) = rest.split_at((*length).min(rest.len()));
        found.push(chunk);
        rest = after;
    }
    found.push(rest);
    found
}

proptest! {
    #[test]
    fn any_text_in_any_chunks_is_read_by_the_book(text in text(), lengths in prop::collection::vec(0_usize..9, 0..80)) {
        let (found, read) = read(&chunks(text.as_bytes(), &lengths), 10_000);
        prop_assert_eq!(read, Ok(()));
        // The book has an event whose only data is an empty line end in nothing, and so has the reader.
        let expected: Vec<_> = by_the_book(&text).into_iter().filter(|data| !data.is_empty()).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn whatever_is_sent_no_more_than_an_event_is_kept(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b':'), Just(b'd'), any::<u8>()], 0..4000),
        lengths in prop::collection::vec(0_usize..300, 0..80),
        most in 1_usize..200,
    ) {
        let mut reader = EventReader::new(most);
        let mut found = Vec::new();
        for chunk in chunks(&bytes, &lengths) {
            if reader.read(chunk, &mut found).is_err() {
                break;
            }
            prop_assert!(reader.line.len() + reader.data.len() <= 2 * most);
        }
        prop_assert!(found.iter().all(|data| data.len() <= most));
    }
}

/// For as long as a campaign says, by default once: any bytes, of which many are those that events are made of, give what
/// the same bytes give when they come one by one.
#[test]
fn fuzz_events() {
    let seconds = atelier_kit::testing::campaign::size("ATELIER_CAMPAIGN_FUZZ_SECONDS", 0);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    let piece = prop_oneof![
        text().prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..30),
    ];
    let pieces = prop::collection::vec(piece, 0..12);
    let mut cases = 0_u64;
    loop {
        cases += 256;
        proptest::test_runner::TestRunner::default()
            .run(&(pieces.clone(), 1_usize..400), |(pieces, most)| {
                let bytes = pieces.concat();
                let whole = read(&[&bytes], most);
                let single: Vec<&[u8]> = bytes.chunks(1).collect();
                let one_by_one = read(&single, most);
                prop_assert_eq!(&whole.0, &one_by_one.0);
                prop_assert_eq!(whole.1, one_by_one.1);
                Ok(())
            })
            .unwrap();
        if std::time::Instant::now() >= until {
            break;
        }
    }
    atelier_kit::testing::campaign::report(format!("fuzz_events: {cases} cases"));
}
