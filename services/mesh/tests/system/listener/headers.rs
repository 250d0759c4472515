//! Headers without end, and headers that are larger than they look.

use std::time::Duration;

use super::hpack::{indexed, literal};
use super::stage::{OPEN, Outcome, Stage};
use super::wire::{CONTINUATION, END_HEADERS, END_STREAM, HEADERS, Heard, Wire, call, frame};
use crate::running::alone;

/// What the process may take while it is sent headers.
const CEILING: usize = 256;
/// How long an answer may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_bounded_before_they_are_kept() {
    let _alone = alone().await;
    let stage = Stage::start("Headers", CEILING, &[]).await;
    for (name, piece) in [
        ("empty CONTINUATION without end", Vec::new()),
        ("CONTINUATION of a header each without end", {
            let mut header = Vec::new();
            literal("x-a", "b", &mut header);
            header
        }),
        ("CONTINUATION of 16 KiB without end", vec![0; 16 * 1024]),
    ] {
        let endless = endless(&stage, &piece);
        stage.attack(name, endless).await;
    }
    let large = too_large(&stage);
    stage.attack("one header of 20 KiB", large).await;
    let many = too_many(&stage);
    stage.attack("5,000 headers of three bytes", many).await;
    let bomb = bomb(&stage);
    stage.attack("a bomb of references", bomb).await;
}

/// A header block that does not end.
async fn endless(stage: &Stage, piece: &[u8]) -> Outcome {
    let mut wire = stage.wire().await;
    wire.send(&frame(HEADERS, 0, 1, &call(OPEN))).await;
    let piece = frame(CONTINUATION, 0, 1, piece);
    let mut sent = 0;
    while sent < 100_000 && wire.heard(|heard| heard.ended.is_none()) && wire.send(&piece).await {
        sent += 1;
    }
    assert!(wire.ends(ANSWER).await.is_some(), "it goes on after {sent}");
    assert!(sent < 100_000);
    assert!(wire.heard(|heard| heard.gone.is_some()));
    Outcome::new(
        format!("HEADERS and {sent} × CONTINUATION, none the last"),
        format!("GOAWAY ({}) and the end", wire.heard(Heard::farewell)),
    )
}

/// A call of which the headers are refused: how.
async fn told(wire: &Wire, stream: u32) -> String {
    wire.hears(ANSWER, |heard| {
        heard.headers.contains_key(&stream)
            || heard.resets.contains_key(&stream)
            || heard.gone.is_some()
    })
    .await;
    let (status, reset, gone) = wire.heard(|heard| {
        (
            heard.header(stream, ":status").map(str::to_owned),
            heard.resets.get(&stream).copied(),
            heard.gone,
        )
    });
    match (status, reset, gone) {
        (Some(status), ..) => {
            assert_eq!(status, "431");
            "status 431".to_owned()
        }
        (None, Some(code), _) => format!("RST_STREAM ({code})"),
        (None, None, Some(_)) => format!("GOAWAY ({})", wire.heard(Heard::farewell)),
        (None, None, None) => panic!("it was not refused"),
    }
}

/// The frames of a header block of any size.
fn frames(block: &[u8], stream: u32) -> Vec<u8> {
    let mut pieces = block.chunks(16 * 1024).peekable();
    let mut frames = Vec::new();
    let mut kind = HEADERS;
    while let Some(piece) = pieces.next() {
        let mut flags = if kind == HEADERS { END_STREAM } else { 0 };
        if pieces.peek().is_none() {
            flags |= END_HEADERS;
        }
        frames.extend(frame(kind, flags, stream, piece));
        kind = CONTINUATION;
    }
    frames
}

async fn too_large(stage: &Stage) -> Outcome {
    let mut wire = stage.wire().await;
    let mut block = call(OPEN);
    literal("x-large", &"x".repeat(20 * 1024), &mut block);
    wire.send(&frames(&block, 1)).await;
    let told = told(&wire, 1).await;
    Outcome::new(format!("{} bytes", block.len()), told)
}

async fn too_many(stage: &Stage) -> Outcome {
    let mut wire = stage.wire().await;
    let mut block = call(OPEN);
    for _ in 0..5000 {
        literal("x", "y", &mut block);
    }
    wire.send(&frames(&block, 1)).await;
    let told = told(&wire, 1).await;
    Outcome::new(
        format!("{} bytes, that count for 170 KB", block.len()),
        told,
    )
}

/// One header of almost four kibibytes is put into the table, and then named by one byte each time.
async fn bomb(stage: &Stage) -> Outcome {
    let mut wire = stage.wire().await;
    let mut first = call(OPEN);
    indexed("x-bomb", &"x".repeat(3900), &mut first);
    wire.send(&frames(&first, 1)).await;
    assert!(wire.answered(1).await);
    let (mut streams, mut how) = (0, String::new());
    for stream in (3..200).step_by(2) {
        let mut block = call(OPEN);
        block.extend([0x80 | 62; 15_000]);
        if !wire.send(&frames(&block, stream)).await {
            break;
        }
        streams += 1;
        how = told(&wire, stream).await;
        if how.starts_with("GOAWAY") {
            break;
        }
    }
    Outcome::new(format!("{streams} × 15 KB that stand for 58 MB each"), how)
}
