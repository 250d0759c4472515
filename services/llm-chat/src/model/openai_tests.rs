//! Streams as providers send them, and as they never should: however one is cut into chunks, its deltas are the same, and
//! no bytes at all take the reader down.

use atelier_upstream::calls::events;
use bytes::Bytes;
use futures_util::FutureExt as _;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Reads a stream that comes in these chunks.
async fn read(chunks: impl IntoIterator<Item = Vec<u8>>) -> Vec<Result<Delta, String>> {
    let chunks: Vec<Result<Bytes, ProviderError>> = chunks
        .into_iter()
        .map(|part| Ok(Bytes::from(part)))
        .collect();
    let events = events(futures_util::stream::iter(chunks), EVENT_BYTES);
    deltas(events, Secrets::default())
        .map(|delta| delta.map_err(|error| error.to_string()))
        .collect()
        .await
}

/// The same for chunks that are there at once, so that nothing is waited for.
fn read_now(chunks: impl IntoIterator<Item = Vec<u8>>) -> Vec<Result<Delta, String>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(read(chunks))
}

/// A stream cut into chunks of a size.
fn every(text: &[u8], size: usize) -> Vec<Vec<u8>> {
    text.chunks(size.max(1)).map(<[u8]>::to_vec).collect()
}

/// A stream cut at these places, in any order; some chunks may be empty.
fn cut_at(text: &[u8], places: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = places.iter().map(|it| it.index(text.len() + 1)).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|ends| text[ends[0]..ends[1]].to_vec())
        .collect()
}

const GOOD: &str = ": hello\r\n\
    data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n\
    data: {\"choices\":[{\"delta\":{\"content\":\"Olé \"}}]}\n\n\
    data: {\"choices\":[{\"delta\":{\"content\":\"🎨\"},\"finish_reason\":\"length\"}]}\n\n\
    data: {\"choices\":null,\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n\
    data: [DONE]\n\n";

#[tokio::test]
async fn any_cut_of_the_stream_gives_the_same_deltas() {
    let whole = read([GOOD.into()]).await;
    assert_eq!(whole[0], Ok(Delta::Text("Olé ".into())));
    assert_eq!(whole[1], Ok(Delta::Text("🎨".into())));
    assert_eq!(whole[2], Ok(Delta::Finish(FinishReason::Length)));
    assert_eq!(whole.len(), 4);
    for cut in 1..40 {
        let found = read(every(GOOD.as_bytes(), cut)).await;
        assert_eq!(found, whole, "cut every {cut} bytes");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error() {
    let cut = GOOD
        .find("data: {\"choices\":[{\"delta\":{\"content\":\"🎨")
        .unwrap();
    let deltas = read(every(&GOOD.as_bytes()[..cut], 7)).await;
    assert!(deltas.last().unwrap().is_err());
}

#[tokio::test]
async fn nonsense_and_endless_lines_are_errors() {
    assert!(read(every(b"data: {nonsense\n\n", 5)).await[0].is_err());
    let told = b"data: {\"error\":{\"message\":\"no\"}}\n\n";
    assert!(read(every(told, 5)).await[0].is_err());
    let endless = vec![b'x'; EVENT_BYTES + 10];
    assert!(read(every(&endless, 1000)).await.last().unwrap().is_err());
}

/// How one event is written.
#[derive(Clone, Debug)]
struct Manner {
    /// The end of its lines.
    end: &'static str,
    /// Its data over several lines.
    over_lines: bool,
    /// What stands before it, and is of no use here; a lone `data` is an empty line of the document.
    before: Vec<&'static str>,
    /// A space after the colon, which may be there or not.
    space: bool,
}

fn manner() -> impl Strategy<Value = Manner> {
    let before = prop::sample::select(vec![
        ": ping",
        ":",
        "event: message",
        "id: 7",
        "retry: 500",
        "data",
    ]);
    (
        prop::sample::select(vec!["\n", "\r\n", "\r"]),
        any::<bool>(),
        prop::collection::vec(before, 0..3),
        any::<bool>(),
    )
        .prop_map(|(end, over_lines, before, space)| Manner {
            end,
            over_lines,
            before,
            space,
        })
}

impl Manner {
    fn write(&self, document: &serde_json::Value, into: &mut String) {
        let text = match self.over_lines {
            true => serde_json::to_string_pretty(document).unwrap(),
            false => document.to_string(),
        };
        for line in &self.before {
            into.push_str(line);
            into.push_str(self.end);
        }
        for line in text.lines() {
            into.push_str(if self.space { "data: " } else { "data:" });
            into.push_str(line);
            into.push_str(self.end);
        }
        into.push_str(self.end);
    }
}

/// What a provider says in one reply, and how.
#[derive(Clone, Debug)]
struct Reply {
    pieces: Vec<(String, Manner)>,
    last: Manner,
    reason: &'static str,
    /// The chunk of the usage: whether its choices are `null`, empty, or left out; `None` for no such chunk.
    usage: Option<(u8, i64, i64)>,
    /// Whether `[DONE]` ends it.
    done: bool,
    /// Whether it begins with a mark of the byte order.
    mark: bool,
}

fn reply() -> impl Strategy<Value = Reply> {
    (
        prop::collection::vec((".{0,12}", manner()), 0..8),
        manner(),
        prop::sample::select(vec!["stop", "length", "content_filter", "tool_calls"]),
        prop::option::of((0..3_u8, 0..1_000_000_i64, 0..1_000_000_i64)),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(pieces, last, reason, usage, done, mark)| Reply {
            pieces,
            last,
            reason,
            usage,
            done,
            mark,
        })
}

impl Reply {
    fn write(&self) -> String {
        let mut text = String::new();
        if self.mark {
            text.push('\u{feff}');
        }
        for (piece, manner) in &self.pieces {
            let chunk = json!({"id": "x", "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": null}]});
            manner.write(&chunk, &mut text);
        }
        let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": self.reason}], "usage": null});
        self.last.write(&end, &mut text);
        if let Some((choices, input, output)) = self.usage {
            let mut chunk = json!({"usage": {"prompt_tokens": input, "completion_tokens": output}});
            match choices {
                0 => chunk["choices"] = json!(null),
                1 => chunk["choices"] = json!([]),
                _ => {}
            }
            self.last.write(&chunk, &mut text);
        }
        if self.done {
            text.push_str("data: [DONE]");
            text.push_str(self.last.end);
            text.push_str(self.last.end);
        }
        text
    }

    fn deltas(&self) -> Vec<Result<Delta, String>> {
        let mut deltas: Vec<Delta> = self
            .pieces
            .iter()
            .filter(|(piece, _)| !piece.is_empty())
            .map(|(piece, _)| Delta::Text(piece.clone()))
            .collect();
        deltas.push(Delta::Finish(match self.reason {
            "length" => FinishReason::Length,
            "content_filter" => FinishReason::ContentFilter,
            _ => FinishReason::Stop,
        }));
        if let Some((_, input_tokens, output_tokens)) = self.usage {
            deltas.push(Delta::Usage(Usage {
                input_tokens,
                output_tokens,
                ..Usage::default()
            }));
        }
        deltas.into_iter().map(Ok).collect()
    }
}

proptest! {
    #[test]
    fn what_is_said_is_heard_however_it_is_written_and_cut(
        reply in reply(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let text = reply.write();
        prop_assert_eq!(read_now(cut_at(text.as_bytes(), &places)), reply.deltas());
    }

    #[test]
    fn no_bytes_take_the_reader_down(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
    ) {
        // A stream of bytes that says nothing of an end has none: the last word is always an error.
        let told = read_now(chunks);
        prop_assert!(told.last().is_some_and(Result::is_err) || told.iter().any(|it| matches!(it, Ok(Delta::Finish(_)))));
    }

    #[test]
    fn a_stream_with_a_piece_changed_ends_or_fails_and_never_hangs(
        reply in reply(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        size in 1..50_usize,
    ) {
        let mut text = reply.write().into_bytes();
        let place = place.index(text.len());
        text[place] = byte;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        // All of it is there already, so all of it is read without waiting.
        let told = runtime.block_on(async { read(every(&text, size)).now_or_never() });
        prop_assert!(told.is_some());
    }
}

/// Whole streams that somebody has bent: pieces repeated, cut out, and changed, at any place.
fn bent() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let bend = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        prop::collection::vec(any::<u8>(), 0..6),
        0..4_u8,
    );
    (reply(), prop::collection::vec(bend, 0..12), 1..80_usize).prop_map(|(reply, bends, size)| {
        let mut text = reply.write().into_bytes();
        for (from, to, bytes, how) in bends {
            let (from, to) = (from.index(text.len() + 1), to.index(text.len() + 1));
            let (from, to) = (from.min(to), from.max(to));
            match how {
                0 => drop(text.splice(from..to, bytes)),
                1 => drop(text.drain(from..to)),
                2 if text.len() < 100_000 => {
                    let piece = text[from..to].to_vec();
                    drop(text.splice(to..to, piece));
                }
                _ => drop(text.splice(from..from, bytes)),
            }
        }
        every(&text, size)
    })
}

/// For as long as a campaign says; by default once.
#[test]
fn fuzz_streams() {
    let seconds = atelier_kit::testing::campaign::size("ATELIER_CAMPAIGN_FUZZ_SECONDS", 0);
    let until = std::time::Instant::now() + Duration::from_secs(seconds);
    let mut cases = 0_u64;
    loop {
        cases += 256;
        let mut runner = proptest::test_runner::TestRunner::default();
        runner
            .run(&bent(), |chunks| {
                let sent: usize = chunks.iter().map(Vec::len).sum();
                let told = read_now(chunks);
                let said: usize = told
                    .iter()
                    .map(|it| match it {
                        Ok(Delta::Text(text)) => text.len(),
                        Ok(_) => 0,
                        Err(error) => error.len(),
                    })
                    .sum();
                // An error quotes at most 300 characters.
                prop_assert!(said <= sent + 4 * 300 + 200, "{said} of {sent}");
                let errors = told.iter().filter(|it| it.is_err()).count();
                prop_assert!(errors == 0 || (errors == 1 && told.last().unwrap().is_err()));
                Ok(())
            })
            .unwrap();
        if std::time::Instant::now() >= until {
            break;
        }
    }
    atelier_kit::testing::campaign::report(format!("fuzz_streams: {cases} cases"));
}
