//! HTTP/1.1, as a browser or a proxy speaks it, and as neither should.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::stage::{OPEN, Outcome, STRANGER, Stage};
use super::wire::connect;
use crate::running::alone;

/// What the process may take while it is asked strange things.
const CEILING: usize = 256;
/// How long an answer may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(20);
/// After which silence an answer is over.
const SILENCE: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_the_older_protocol_are_bounded_and_never_read_in_two_ways() {
    let _alone = alone().await;
    let stage = Stage::start("HTTP/1.1", CEILING, &[]).await;
    let get = |headers: &str| format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    let post = |headers: &str, body: &str| {
        format!(
            "POST {OPEN} HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web+proto\r\n{headers}\r\n{body}"
        )
    };
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    let both = format!("0\r\n\r\n{smuggled}");
    for (name, sent, status) in [
        (
            "a header of 70 KiB",
            get(&format!("x: {}\r\n", "x".repeat(70 * 1024))),
            "431",
        ),
        (
            "a path of 70 KiB",
            format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(70 * 1024)),
            "431",
        ),
        ("300 headers", get(&"x: y\r\n".repeat(300)), "431"),
        (
            "two lengths",
            post("content-length: 5\r\ncontent-length: 6\r\n", "\0\0\0\0\0"),
            "400",
        ),
        (
            "a length below zero",
            post("content-length: -1\r\n", ""),
            "400",
        ),
        (
            "a length with a sign",
            post("content-length: +5\r\n", "\0\0\0\0\0"),
            "400",
        ),
        (
            "an encoding that is not chunked",
            post("transfer-encoding: xchunked\r\n", smuggled),
            "400",
        ),
        (
            "chunked, and then something else",
            post("transfer-encoding: chunked, identity\r\n", smuggled),
            "400",
        ),
        (
            "chunked in HTTP/1.0",
            post("transfer-encoding: chunked\r\n", "0\r\n\r\n").replace("1.1", "1.0"),
            "400",
        ),
        ("a space before the colon", get("x : y\r\n"), "400"),
        ("a folded header", get("x: y\r\n z\r\n"), "400"),
        ("a zero in a header", get("x: \0\r\n"), "400"),
        ("noise", "\u{1}\u{2}\u{3}noise\r\n\r\n".to_owned(), "400"),
    ] {
        let refused = refused(&stage, name, sent, status);
        stage.attack(name, refused).await;
    }
    // RFC 9112, section 6.1: chunks are what counts, and nothing after them is read.
    for (name, headers) in [
        (
            "Content-Length and Transfer-Encoding",
            "content-length: 60\r\ntransfer-encoding: chunked\r\n",
        ),
        (
            "Transfer-Encoding and Content-Length",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        ),
    ] {
        let broken = broken(&stage, name, post(headers, &both));
        stage.attack(name, broken).await;
    }
    for (name, body) in [
        (
            "a chunk's length that is no number",
            "zz\r\n\0\0\0\0\0\r\n0\r\n\r\n".to_owned(),
        ),
        (
            "a chunk's length beyond 64 bits",
            "fffffffffffffffff\r\n".to_owned(),
        ),
        (
            "a chunk's extension without end",
            format!("5;{}", "x".repeat(300_000)),
        ),
        (
            "trailers without end",
            format!("0\r\n{}", "x: y\r\n".repeat(50_000)),
        ),
    ] {
        let sent = post("transfer-encoding: chunked\r\n", &body);
        let broken = broken(&stage, name, sent);
        stage.attack(name, broken).await;
    }
    let large = large(
        &stage,
        post("content-length: 5242885\r\n", "\0\0\u{50}\0\0"),
    );
    stage.attack("grpc-web, a message of 5 MiB", large).await;
    let pipelined = pipelined(&stage, get(""));
    stage.attack("10,000 requests at once", pipelined).await;
    let unread = unread(&stage, get(""));
    stage
        .attack("requests without end, and no answer is read", unread)
        .await;
}

/// Writes beside reading, until the end or a silence: what was answered, and whether that was the end.
async fn say(stage: &Stage, sent: Vec<u8>) -> (String, bool) {
    let (answer, ended) = exchange(stage, sent, SILENCE).await;
    (String::from_utf8_lossy(&answer).into_owned(), ended)
}

async fn exchange(stage: &Stage, sent: Vec<u8>, silence: Duration) -> (Vec<u8>, bool) {
    let socket = connect(stage.port, STRANGER).await.unwrap();
    let (mut read, mut write) = socket.into_split();
    // It stays until the answer is there, so that the end is the server's.
    let writing = tokio::spawn(async move {
        let _ = write.write_all(&sent).await;
        write
    });
    let (mut answer, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    let mut patience = ANSWER;
    loop {
        match tokio::time::timeout(patience, read.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(more)) => answer.extend_from_slice(&buffer[..more]),
            Err(_) => {
                writing.abort();
                return (answer, false);
            }
        }
        patience = silence;
    }
    writing.abort();
    (answer, true)
}

/// How many answers there are.
fn answers(answer: &str) -> usize {
    answer.matches("HTTP/1.1 ").count()
}

/// What is refused with a status, and ends the connection: nothing behind it is read.
async fn refused(stage: &Stage, name: &str, sent: String, status: &str) -> Outcome {
    let length = sent.len();
    let (answer, ended) = say(stage, sent.into_bytes()).await;
    let told = answer.split(' ').nth(1).unwrap_or("nothing").to_owned();
    assert_eq!(
        (told.as_str(), answers(&answer)),
        (status, 1),
        "{name}: {answer}"
    );
    assert!(ended, "{name}: the connection goes on");
    Outcome::new(format!("{length} bytes"), format!("{told} and the end"))
}

/// A body that breaks: the call is refused or dropped, and the connection ends.
async fn broken(stage: &Stage, name: &str, sent: String) -> Outcome {
    let length = sent.len();
    let (answer, ended) = say(stage, sent.into_bytes()).await;
    assert!(ended, "{name}: the connection goes on: {answer}");
    assert!(answers(&answer) <= 1, "{name}: {answer}");
    let status = answer
        .lines()
        .find_map(|line| line.strip_prefix("grpc-status: "));
    assert!(
        status.is_none_or(|status| status != "0"),
        "{name}: {answer}"
    );
    Outcome::new(
        format!("{length} bytes"),
        match status {
            Some(status) => format!("grpc-status {status} and the end"),
            None => "the end".to_owned(),
        },
    )
}

async fn large(stage: &Stage, head: String) -> Outcome {
    let (answer, _) = say(stage, head.into_bytes()).await;
    assert!(answer.contains("grpc-status: 8\r\n"), "{answer}");
    Outcome::new(
        "the head and five bytes",
        "RESOURCE_EXHAUSTED, the rest is not awaited",
    )
}

async fn pipelined(stage: &Stage, get: String) -> Outcome {
    let sent = get.repeat(10_000);
    let (answer, ended) = exchange(stage, sent.into_bytes(), Duration::from_secs(5)).await;
    let answers = answers(&String::from_utf8_lossy(&answer));
    assert_eq!((answers, ended), (10_000, false));
    Outcome::new(
        "10,000 × GET / in one piece",
        "10,000 answers, one after the other",
    )
}

async fn unread(stage: &Stage, get: String) -> Outcome {
    let mut socket: TcpStream = connect(stage.port, STRANGER).await.unwrap();
    let flood = get.repeat(1000).into_bytes();
    let mut sent = 0;
    // Many times what the buffers of both systems hold.
    while sent < 100_000_000 {
        let write = socket.write(&flood);
        match tokio::time::timeout(Duration::from_secs(2), write).await {
            Ok(Ok(more)) if more > 0 => sent += more,
            _ => break,
        }
    }
    assert!(sent < 100_000_000, "all of it was taken");
    Outcome::new(
        format!("{} KiB, until no more was taken", sent / 1024),
        "it reads no more once its answers are not read",
    )
}
