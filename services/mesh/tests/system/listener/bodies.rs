//! Messages that are larger than they may be, or than they say, or that never end; and callers who do not read.

use std::io::Write as _;
use std::time::{Duration, Instant};

use atelier_proto::llm_chat::v1 as chat;
use flate2::{Compress, Compression, Crc, FlushCompress};
use prost::Message as _;

use super::hpack::literal;
use super::stage::{OPEN, Outcome, STRANGER, Stage};
use super::wire::{DATA, END_HEADERS, END_STREAM, HEADERS, Heard, Wire, call, frame, message};
use crate::people::Person;
use crate::running::alone;
use crate::web;

/// What the process may take while messages are thrown at it.
const CEILING: usize = 384;
/// How long an answer may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(20);
/// A method whose message may have a mebibyte, for those with an account.
const LARGE: &str = "/atelier.llm_chat.v1.LlmChatService/Complete";
const MIB: usize = 1024 * 1024;
/// How many calls one connection may have under way.
const STREAMS: u32 = 200;
/// How long the calls of those may take who have no room for an answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many calls the edge takes: those of one connection, and a few.
const PLACES: &str = "230";

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_bounded_before_they_are_read_and_callers_who_do_not_read_by_their_deadline() {
    let _alone = alone().await;
    let settings = [("ATELIER_EDGE_MAX_CALLS", PLACES)];
    let stage = Stage::start("Messages and readers", CEILING, &settings).await;
    let person = Person::register(stage.mesh.edge()).await;
    let token = format!("Bearer {}", person.tokens.access_token);
    for (name, declared, code) in [
        ("a message of 5 MiB that says so", 5 * MIB, "8"),
        ("a message of 5 MiB that says 100 bytes", 100, "12"),
        ("noise after the message", 0, "12"),
    ] {
        let large = large(&stage, declared, code);
        stage.attack(name, large).await;
    }
    let lie = lie(&stage);
    stage.attack("more than its content-length", lie).await;
    let bomb = bomb(&stage, &token);
    stage.attack("a gzip bomb", bomb).await;
    let endless = endless(&stage, None);
    stage
        .attack("messages that never end, of nobody", endless)
        .await;
    let endless = self::endless(&stage, Some(&token));
    stage
        .attack("messages that never end, of an account", endless)
        .await;
    let shut = shut(&stage, &token);
    stage.attack("a window of 0", shut).await;
    let deaf = deaf(&stage);
    stage
        .attack("answers that nobody takes off the socket", deaf)
        .await;
}

/// A call's headers, with a token and a deadline.
fn headers(path: &str, token: Option<&str>, timeout: Option<&str>) -> Vec<u8> {
    let mut block = call(path);
    if let Some(token) = token {
        literal("authorization", token, &mut block);
    }
    if let Some(timeout) = timeout {
        literal("grpc-timeout", timeout, &mut block);
    }
    block
}

/// The status that a call has ended with.
async fn status(wire: &Wire, stream: u32) -> String {
    let ended = |heard: &Heard| heard.header(stream, "grpc-status").is_some();
    let told = wire.hears(ANSWER, ended).await;
    let status = wire.heard(|heard| heard.header(stream, "grpc-status").map(str::to_owned));
    assert!(told, "{:?}", wire.heard(|heard| format!("{heard:?}")));
    status.unwrap()
}

/// Five mebibytes, of which as many are sent as there is room for until the answer comes.
async fn large(stage: &Stage, declared: usize, code: &str) -> Outcome {
    let mut wire = stage.wire().await;
    wire.send(&frame(HEADERS, END_HEADERS, 1, &call(OPEN)))
        .await;
    wire.send(&frame(DATA, 0, 1, &message(false, declared, &[])))
        .await;
    let mut sent = 5;
    let piece = frame(DATA, 0, 1, &vec![0; 16 * 1024]);
    // No more than the window that everybody has at first.
    while sent < 48 * 1024 && !wire.heard(|heard| heard.headers.contains_key(&1)) {
        wire.send(&piece).await;
        sent += 16 * 1024;
    }
    assert_eq!(status(&wire, 1).await, code);
    Outcome::new(
        format!("{sent} bytes of it"),
        match code {
            "8" => "RESOURCE_EXHAUSTED, the rest is not awaited",
            _ => "UNIMPLEMENTED (what follows is a second message), the rest is not awaited",
        },
    )
}

async fn lie(stage: &Stage) -> Outcome {
    let mut wire = stage.wire().await;
    let mut block = call(OPEN);
    literal("content-length", "5", &mut block);
    wire.send(&frame(HEADERS, END_HEADERS, 1, &block)).await;
    wire.send(&frame(DATA, 0, 1, &[0; 100])).await;
    let reset = |heard: &Heard| heard.resets.contains_key(&1);
    assert!(wire.hears(ANSWER, reset).await);
    assert_eq!(wire.heard(|heard| heard.resets[&1]), 1);
    Outcome::new(
        "content-length 5 and 100 bytes",
        "RST_STREAM (PROTOCOL_ERROR)",
    )
}

/// A gzip stream of zeros that fills `room`; how much it stands for.
fn zeros(room: usize) -> (Vec<u8>, usize) {
    let mut deflate = Compress::new(Compression::best(), false);
    let zeros = vec![0; MIB];
    let mut piece = || {
        let mut piece = Vec::with_capacity(64 * 1024);
        deflate
            .compress_vec(&zeros, &mut piece, FlushCompress::Full)
            .unwrap();
        piece
    };
    // After a full flush each mebibyte is compressed to the same bytes.
    let (first, again) = (piece(), piece());
    let times = (room - first.len() - 32) / again.len();
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
    gzip.extend(first);
    (0..times).for_each(|_| gzip.extend(&again));
    gzip.extend([1, 0, 0, 0xff, 0xff]);
    let mut crc = Crc::new();
    (0..=times).for_each(|_| crc.update(&zeros));
    gzip.write_all(&crc.sum().to_le_bytes()).unwrap();
    gzip.write_all(&crc.amount().to_le_bytes()).unwrap();
    (gzip, (times + 1) * MIB)
}

async fn bomb(stage: &Stage, token: &str) -> Outcome {
    let (gzip, stands_for) = tokio::task::spawn_blocking(|| zeros(MIB - 64))
        .await
        .unwrap();
    let mut wire = stage.wire().await;
    wire.agree().await;
    let mut block = headers(LARGE, Some(token), None);
    literal("grpc-encoding", "gzip", &mut block);
    wire.send(&frame(HEADERS, END_HEADERS, 1, &block)).await;
    let body = message(true, gzip.len(), &gzip);
    let pieces: Vec<&[u8]> = body.chunks(16 * 1024).collect();
    for (n, piece) in pieces.iter().enumerate() {
        let last = if n + 1 == pieces.len() { END_STREAM } else { 0 };
        wire.send(&frame(DATA, last, 1, piece)).await;
    }
    assert_eq!(status(&wire, 1).await, "12");
    Outcome::new(
        format!(
            "{} KiB that stand for {} MiB",
            gzip.len() / 1024,
            stands_for / MIB
        ),
        "UNIMPLEMENTED: no request is expanded",
    )
}

/// As many calls as a connection may have, each with all of a large message but its end.
async fn endless(stage: &Stage, token: Option<&str>) -> Outcome {
    const EACH: usize = 32 * 1024;
    let mut wire = stage.wire().await;
    wire.agree().await;
    let block = headers(LARGE, token, Some("3S"));
    let streams: Vec<u32> = (0..STREAMS).map(|n| 2 * n + 1).collect();
    let mut sent = 0;
    for stream in &streams {
        let begin = message(false, MIB, &[0; 11]);
        wire.send(&frame(HEADERS, END_HEADERS, *stream, &block))
            .await;
        wire.send(&frame(DATA, 0, *stream, &begin)).await;
        sent += begin.len();
    }
    for _ in 0..EACH / 1024 {
        for stream in &streams {
            // Nothing more once the call has been refused, and never more than the window of the connection.
            if sent < MIB / 2 && !wire.heard(|heard| heard.headers.contains_key(stream)) {
                wire.send(&frame(DATA, 0, *stream, &[0; 1024])).await;
                sent += 1024;
            }
        }
    }
    let code = if token.is_some() { "4" } else { "16" };
    for stream in streams {
        assert_eq!(status(&wire, stream).await, code);
    }
    Outcome::new(
        format!(
            "{STREAMS} calls with {} KiB of messages of 1 MiB, and a deadline of 3 s",
            sent / 1024
        ),
        match token {
            Some(_) => "DEADLINE_EXCEEDED, each",
            None => "UNAUTHENTICATED at once, each",
        },
    )
}

/// How many calls a service has under way.
async fn under_way(stage: &Stage, service: &str) -> f64 {
    let page = web::get(&format!("{}/metrics", stage.mesh.admin())).await;
    let name = format!("atelier_rpc_in_flight{{service=\"{service}\"}} ");
    let page = page.text();
    let line = page.lines().find_map(|line| line.strip_prefix(&name));
    line.and_then(|number| number.parse().ok())
        .expect("a number")
}

/// As many calls for a reply in pieces as a connection may have, of somebody who has no room for any piece.
async fn ask(stage: &Stage, token: &str) -> Wire {
    let mut wire = Wire::open(stage.port, STRANGER, &[(4, 0)]).await;
    let block = headers(
        LARGE,
        Some(token),
        Some(&format!("{}S", DEADLINE.as_secs())),
    );
    let said = chat::InputMessage {
        role: chat::Role::User.into(),
        text: "Tell me a long story.".to_owned(),
    };
    let request = chat::CompleteRequest {
        messages: vec![said],
        ..Default::default()
    };
    let request = request.encode_to_vec();
    let body = message(false, request.len(), &request);
    for stream in (0..STREAMS).map(|n| 2 * n + 1) {
        wire.send(&frame(HEADERS, END_HEADERS, stream, &block))
            .await;
        wire.send(&frame(DATA, END_STREAM, stream, &body)).await;
    }
    for stream in (0..STREAMS).map(|n| 2 * n + 1) {
        assert!(wire.answered(stream).await);
        // Some may be told that one account has too many waiting; none that there is no place for it.
        let told = |name| wire.heard(|heard| heard.header(stream, name).map(str::to_owned));
        let why = told("grpc-message");
        assert_ne!(
            told("grpc-status").as_deref(),
            Some("14"),
            "stream {stream}: {why:?}"
        );
    }
    wire
}

/// Its calls keep no place and nothing behind them busy when their time is over, though nobody can be told.
async fn shut(stage: &Stage, token: &str) -> Outcome {
    let begun = Instant::now();
    let wire = ask(stage, token).await;
    let asked = Instant::now();
    let most = under_way(stage, "llm-chat").await;
    assert!(most > 0.0, "none is under way");
    while under_way(stage, "llm-chat").await > 0.0 {
        assert!(begun.elapsed() < ANSWER, "some are still under way");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let over = begun.elapsed();
    assert!(wire.heard(|heard| heard.data.is_empty()));
    // The service is done when it has said all; the edge keeps what nobody takes until the deadline.
    tokio::time::sleep_until((asked + DEADLINE + Duration::from_secs(1)).into()).await;
    // There is no room for both: the first have given their places back.
    let again = ask(stage, token).await;
    assert!(again.heard(|heard| heard.data.is_empty()));
    Outcome::new(
        format!(
            "twice {STREAMS} calls for a reply in pieces, with a window of 0 and a deadline of 5 s"
        ),
        format!(
            "headers; {most} under way behind the edge, none {:.1} s after the first, and their {PLACES} places are free",
            over.as_secs_f64()
        ),
    )
}

/// Calls without end over a connection that has room for all answers and of which nothing is read.
async fn deaf(stage: &Stage) -> Outcome {
    let mut wire = Wire::deaf(stage.port, STRANGER, &[(4, 0x7fff_ffff)]).await;
    let block = call("/atelier.llm_chat.v1.LlmChatService/ListModels");
    let mut calls = Vec::new();
    for n in 0..100_000 {
        calls.extend(frame(HEADERS, END_HEADERS, 2 * n + 1, &block));
        calls.extend(frame(DATA, END_STREAM, 2 * n + 1, &message(false, 0, &[])));
    }
    let each = calls.len() / 100_000;
    let (taken, there) = wire.push(&calls, Duration::from_secs(3)).await;
    assert!(taken < calls.len(), "all of it was taken");
    Outcome::new(
        format!("{} calls, until no more were taken", taken / each),
        match there {
            true => "it reads no more calls once its answers are not read",
            false => "the end",
        },
    )
}
