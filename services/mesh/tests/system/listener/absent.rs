//! Callers who begin and do not go on, or are not there any more: each is ended by a clock.

use std::time::Duration;

use super::stage::{Attack, OPEN, Outcome, STRANGER, Stage};
use super::wire::{HEADERS, Wire, call, frame};
use crate::running::alone;

/// What the process may take while it waits for them.
const CEILING: usize = 256;
/// What a busy machine adds to a bound.
const SLACK: Duration = Duration::from_secs(12);
/// How many there are of each kind.
const EACH: usize = 100;
/// How many shake no hands: more than ever were let to at once.
const SILENT: usize = 700;

/// What is to be there after the connection, at which pace, and after which time it ends.
struct Slow {
    first: Vec<u8>,
    then: Option<u8>,
    ends_after: Duration,
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_do_not_go_on_are_ended_by_a_clock() {
    let _alone = alone().await;
    let stage = Stage::start("Absent", CEILING, &[]).await;
    let (opening, head, silence) = (10, 30, 40);
    let slow = |first: &[u8], then, ends_after| Slow {
        first: first.to_vec(),
        then,
        ends_after: Duration::from_secs(ends_after),
    };
    let http2 = [
        super::wire::PREFACE,
        &frame(super::wire::SETTINGS, 0, 0, &[]),
    ]
    .concat();
    let half = [&http2[..], &frame(HEADERS, 0, 1, &call(OPEN))].concat();
    let post = format!(
        "POST {OPEN} HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web+proto\r\n\
         content-length: 1000\r\n\r\n\0\0\0\u{3}"
    );
    let attacks: Vec<Attack<'_>> = [
        ("nothing", slow(b"", None, opening)),
        (
            "half a preface",
            slow(b"PRI * HTTP/2.0\r\n\r\nSM", None, opening),
        ),
        (
            "a header of HTTP/1.1, a byte each second",
            slow(
                b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ",
                Some(b'x'),
                head,
            ),
        ),
        ("half a header block of HTTP/2", slow(&half, None, silence)),
        (
            "no answer to PING (a client that vanished)",
            slow(&http2, None, silence),
        ),
        (
            "a body of HTTP/1.1, a byte each second",
            slow(post.as_bytes(), Some(0), 5),
        ),
    ]
    .into_iter()
    .map(|(name, slow)| -> Attack<'_> { (name, Box::pin(wait(&stage, name, slow, EACH))) })
    .collect();
    stage.attacks(attacks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_never_come_keep_nobody_out() {
    let _alone = alone().await;
    let stage = Stage::start("TLS", CEILING, &[("ATELIER_EDGE_TLS", "development")]).await;
    // The head of a record of a handshake, and of a ClientHello.
    let half = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let attacks = [("no handshake", &[][..]), ("half a ClientHello", &half[..])]
        .into_iter()
        .map(|(name, first)| -> Attack<'_> {
            let slow = Slow {
                first: first.to_vec(),
                then: None,
                ends_after: Duration::from_secs(10),
            };
            let many = if first.is_empty() { SILENT } else { EACH };
            (name, Box::pin(wait(&stage, name, slow, many)))
        })
        .collect();
    stage.attacks(attacks).await;
}

/// Many who are slow; each is ended when it is time, and not before.
async fn wait(stage: &Stage, name: &str, slow: Slow, many: usize) -> Outcome {
    let Slow {
        first,
        then,
        ends_after,
    } = slow;
    let mut wires = Vec::new();
    for _ in 0..many {
        let mut wire = Wire::silent(stage.port, STRANGER).await;
        wire.send(&first).await;
        wires.push(wire);
    }
    let limit = ends_after + SLACK;
    let (mut soonest, mut latest) = (limit, Duration::ZERO);
    while !wires.is_empty() {
        let ended = |wire: &Wire| wire.heard(|heard| heard.ended).map(|at| at - wire.begun);
        let mut waiting = Vec::new();
        for mut wire in wires {
            if let Some(after) = ended(&wire) {
                (soonest, latest) = (soonest.min(after), latest.max(after));
                continue;
            }
            assert!(wire.begun.elapsed() < limit, "{name}: it goes on");
            if let Some(byte) = then {
                wire.send(&[byte]).await;
            }
            waiting.push(wire);
        }
        wires = waiting;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let early = ends_after.mul_f64(0.9);
    assert!(soonest >= early, "{name}: ended after {soonest:?}");
    Outcome::new(
        format!("{many} connections with {} bytes each", first.len()),
        format!(
            "the end of each, after {:.0} to {:.0} s",
            soonest.as_secs_f64(),
            latest.as_secs_f64()
        ),
    )
}
