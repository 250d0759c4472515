//! Frames without end: streams that are begun and dropped, and frames that cost their sender nothing.

use std::time::Duration;

use atelier_proto::users::v1::LoginRequest;
use prost::Message as _;

use super::hpack::literal;
use super::stage::{OPEN, Outcome, STRANGER, Stage};
use super::wire::{
    DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GO_AWAY, HEADERS, Heard, PING, PRIORITY,
    RESET, SETTINGS, WINDOW_UPDATE, Wire, call, frame, message, reset,
};
use crate::running::alone;

/// What the process may take while it is flooded.
const CEILING: usize = 256;
/// How long an answer may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(20);
/// How many frames a flood has.
const FLOOD: u32 = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_end_with_their_connection_or_cost_nobody_anything() {
    let _alone = alone().await;
    let stage = Stage::start("Floods", CEILING, &[]).await;
    let announced = announced(&stage);
    stage.attack("none", announced).await;
    stage.attack("malformed streams", malformed(&stage)).await;
    stage
        .attack("rapid reset, in one burst", burst(&stage))
        .await;
    let running = running(&stage);
    stage
        .attack("rapid reset, of calls that work", running)
        .await;
    let paced = paced(&stage);
    stage
        .attack("rapid reset, as calls begin to run", paced)
        .await;
    for (name, flood) in [
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        ("PING", frame(PING, 0, 0, &[7; 8])),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 16])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("empty DATA", frame(DATA, 0, 1, &[])),
        ("a frame of an unknown kind", frame(0xee, 0, 0, &[0; 64])),
    ] {
        let heard = heard(&stage, name, &flood);
        stage.attack(name, heard).await;
    }
    let unheard = unheard(&stage);
    stage.attack("PING, and no answer is read", unheard).await;
    for (name, wrong, code) in [
        (
            "a window beyond 2³¹",
            frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes()),
            3,
        ),
        (
            "a frame larger than announced",
            vec![0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1],
            6,
        ),
        ("noise after the settings", vec![0xa5; 512], 6),
    ] {
        let wrong = refused(&stage, wrong, code);
        stage.attack(name, wrong).await;
    }
}

/// What a stranger is told first.
async fn announced(stage: &Stage) -> Outcome {
    let wire = stage.wire().await;
    assert!(wire.hears(ANSWER, |heard| !heard.settings.is_empty()).await);
    let settings = wire.heard(|heard| heard.settings.clone());
    let [streams, headers] = [3, 6].map(|name| settings.get(&name).copied());
    assert_eq!(
        (streams, headers),
        (Some(200), Some(16 * 1024)),
        "{settings:?}"
    );
    let window = settings[&4];
    assert!(window <= 1024 * 1024, "a window of {window}");
    // Absent is the smallest there is.
    let largest = settings.get(&5).copied().unwrap_or(16 * 1024);
    assert_eq!(largest, 16 * 1024);
    Outcome::new(
        "a preface and SETTINGS",
        format!(
            "SETTINGS: {} streams, headers of {} KiB, frames of {} KiB, windows of {} KiB",
            200,
            16,
            largest / 1024,
            window / 1024
        ),
    )
}

/// A connection that is told to go away for what it sends; how many streams it has had answered by then.
async fn calmed(wire: &Wire) -> usize {
    let gone = wire.hears(ANSWER, |heard| heard.gone.is_some()).await;
    let seen = wire.heard(|heard| format!("{:?} {:?}", heard.frames, heard.gone));
    assert!(gone, "no GOAWAY: {seen}");
    wire.heard(|heard| heard.count(RESET))
}

async fn malformed(stage: &Stage) -> Outcome {
    let mut wire = stage.wire().await;
    let mut block = call(OPEN);
    // A header of HTTP/1.1, which may not be here.
    literal("connection", "close", &mut block);
    let mut sent = 0;
    while sent < 1100 && wire.heard(|heard| heard.gone.is_none()) {
        let stream = 2 * sent + 1;
        let flags = END_HEADERS | END_STREAM;
        if !wire.send(&frame(HEADERS, flags, stream, &block)).await {
            break;
        }
        sent += 1;
    }
    let resets = calmed(&wire).await;
    assert_eq!(wire.heard(|heard| heard.gone), Some(ENHANCE_YOUR_CALM));
    assert!(wire.ends(ANSWER).await.is_some());
    Outcome::new(
        format!("{sent} of at most 1,100 HEADERS with what may not be in them"),
        format!("{resets} × RST_STREAM, then GOAWAY (ENHANCE_YOUR_CALM) and the end"),
    )
}

async fn burst(stage: &Stage) -> Outcome {
    let mut wire = stage.wire().await;
    let block = call(OPEN);
    let flood: Vec<u8> = (0..20_000)
        .flat_map(|n| {
            [
                frame(HEADERS, END_HEADERS, 2 * n + 1, &block),
                reset(2 * n + 1),
            ]
        })
        .flatten()
        .collect();
    let (taken, _) = wire.push(&flood, ANSWER).await;
    calmed(&wire).await;
    assert!(wire.ends(ANSWER).await.is_some());
    let streams = taken / (flood.len() / 20_000);
    Outcome::new(
        format!("20,000 × HEADERS and RST_STREAM, of which {streams} were taken"),
        format!("GOAWAY ({}) and the end", wire.heard(Heard::farewell)),
    )
}

async fn paced(stage: &Stage) -> Outcome {
    let mut wire = stage.wire().await;
    let block = call(OPEN);
    let mut sent = 0;
    while sent < 20_000 && wire.heard(|heard| heard.gone.is_none()) {
        let begun: Vec<u8> = (sent..sent + 50)
            .flat_map(|n| frame(HEADERS, END_HEADERS, 2 * n + 1, &block))
            .collect();
        let dropped: Vec<u8> = (sent..sent + 50).flat_map(|n| reset(2 * n + 1)).collect();
        if !wire.send(&begun).await {
            break;
        }
        // They run by now, and wait for their message.
        tokio::time::sleep(Duration::from_millis(5)).await;
        if !wire.send(&dropped).await {
            break;
        }
        sent += 50;
    }
    calmed(&wire).await;
    assert!(sent < 20_000);
    Outcome::new(
        format!("{sent} × HEADERS, and RST_STREAM once they ran"),
        format!("GOAWAY ({})", wire.heard(Heard::farewell)),
    )
}

/// Sign-ins that are abandoned while a password is hashed for them.
async fn running(stage: &Stage) -> Outcome {
    let mut wire = stage.wire().await;
    let block = call("/atelier.users.v1.UsersService/Login");
    let login = LoginRequest {
        email: "nobody@example.com".to_owned(),
        password: "a password that is long enough".to_owned(),
        ..Default::default()
    };
    let login = login.encode_to_vec();
    let body = message(false, login.len(), &login);
    let mut sent = 0;
    while sent < 20_000 && wire.heard(|heard| heard.ended.is_none()) {
        let streams = (sent..sent + 20).map(|n| 2 * n + 1);
        let begun: Vec<u8> = streams
            .clone()
            .flat_map(|stream| {
                let head = frame(HEADERS, END_HEADERS, stream, &block);
                [head, frame(DATA, END_STREAM, stream, &body)].concat()
            })
            .collect();
        wire.send(&begun).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        let dropped: Vec<u8> = streams.flat_map(reset).collect();
        if !wire.send(&dropped).await || wire.heard(|heard| heard.gone.is_some()) {
            break;
        }
        sent += 20;
    }
    calmed(&wire).await;
    assert!(wire.ends(ANSWER).await.is_some(), "it goes on");
    Outcome::new(
        format!("{sent} × Login, and RST_STREAM 30 ms later"),
        format!("GOAWAY ({}) and the end", wire.heard(Heard::farewell)),
    )
}

/// A flood that is legal, or is ended: while it lasts, the answers to it are read.
async fn heard(stage: &Stage, name: &str, flood: &[u8]) -> Outcome {
    let mut wire = stage.wire().await;
    // A stream that is open, for frames of streams.
    wire.send(&frame(HEADERS, END_HEADERS, 1, &call(OPEN)))
        .await;
    let mut sent = 0;
    for _ in 0..FLOOD / 1000 {
        if !wire.send(&flood.repeat(1000)).await {
            break;
        }
        sent += 1000;
    }
    // The connection answers still, each PING, or has been ended.
    wire.send(&frame(PING, 0, 0, &[1; 8])).await;
    let pings = if name == "PING" { sent + 1 } else { 1 };
    let through = |heard: &Heard| heard.gone.is_some() || heard.count(PING) >= pings;
    assert!(
        wire.hears(ANSWER, through).await,
        "{name}: neither heard nor told"
    );
    let answers = match name {
        "SETTINGS" => wire.heard(|heard| heard.count(SETTINGS) - 1),
        "PING" => wire.heard(|heard| heard.count(PING) - 1),
        _ => 0,
    };
    let gone = wire.heard(|heard| heard.gone.is_some());
    let answered = match (gone, answers) {
        (true, _) => format!("GOAWAY ({})", wire.heard(Heard::farewell)),
        (false, 0) => "nothing, and the connection answers".to_owned(),
        (false, _) => format!("{answers} acknowledged, and the connection answers"),
    };
    Outcome::new(format!("{sent} frames"), answered)
}

/// A flood of what must be answered, of which no answer is taken.
async fn unheard(stage: &Stage) -> Outcome {
    let mut wire = Wire::deaf(stage.port, STRANGER, &[]).await;
    let flood = frame(PING, 0, 0, &[7; 8]).repeat(4_000_000);
    let (taken, there) = wire.push(&flood, Duration::from_secs(3)).await;
    assert!(taken < flood.len(), "all of it was taken");
    assert!(there, "it ended");
    Outcome::new(
        format!("PINGs for as long as they were taken: {} KiB", taken / 1024),
        "it reads no more once its answers are not read",
    )
}

/// What no connection survives.
async fn refused(stage: &Stage, wrong: Vec<u8>, expected: u32) -> Outcome {
    let mut wire = stage.wire().await;
    wire.send(&wrong).await;
    assert!(wire.ends(ANSWER).await.is_some(), "it goes on");
    assert_eq!(wire.heard(|heard| heard.gone), Some(expected));
    assert_eq!(wire.heard(|heard| heard.count(GO_AWAY)), 1);
    Outcome::new(
        format!("{} bytes", wrong.len()),
        format!("GOAWAY ({}) and the end", wire.heard(Heard::farewell)),
    )
}
