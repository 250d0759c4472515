//! HTTP/2 frames by hand over a socket, well-formed or not; nothing here obeys the protocol by itself. What the other
//! side says is read all the time, unless somebody asks that it is not.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::hpack::{Decoder, literal};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RESET: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GO_AWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// The flag of the last frame of a stream, and of an acknowledgement.
pub const END_STREAM: u8 = 1;
/// The flag of the last frame of a header block.
pub const END_HEADERS: u8 = 4;

pub const CANCEL: u32 = 8;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// What every HTTP/2 connection begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(9 + payload.len());
    frame.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The frame that ends a stream.
pub fn reset(stream: u32) -> Vec<u8> {
    frame(RESET, 0, stream, &CANCEL.to_be_bytes())
}

/// The headers of a call, to which more can be added.
pub fn call(path: &str) -> Vec<u8> {
    // POST and http are in the static table.
    let mut block = vec![0x83, 0x86];
    literal(":path", path, &mut block);
    literal(":authority", "localhost", &mut block);
    literal("content-type", "application/grpc", &mut block);
    literal("te", "trailers", &mut block);
    block
}

/// A message with its length before it.
pub fn message(compressed: bool, declared: usize, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::from(compressed)];
    bytes.extend_from_slice(&(declared as u32).to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// What the other side has said.
#[derive(Debug, Default)]
pub struct Heard {
    /// How many frames there were of each kind.
    pub frames: BTreeMap<u8, usize>,
    /// The settings that it announced.
    pub settings: BTreeMap<u16, u32>,
    /// The code of each stream that it has reset.
    pub resets: BTreeMap<u32, u32>,
    /// The headers and the trailers of each stream.
    pub headers: BTreeMap<u32, Vec<(String, String)>>,
    /// How many bytes came on each stream.
    pub data: BTreeMap<u32, usize>,
    /// The code with which it has told the connection to go away.
    pub gone: Option<u32>,
    /// When the connection was over.
    pub ended: Option<Instant>,
}

impl Heard {
    /// A header of a stream.
    pub fn header(&self, stream: u32, name: &str) -> Option<&str> {
        let headers = self.headers.get(&stream)?;
        let found = headers.iter().find(|(called, _)| called == name)?;
        Some(&found.1)
    }

    /// The name of the code with which it has told the connection to go away.
    pub fn farewell(&self) -> &'static str {
        match self.gone {
            None => "none",
            Some(0) => "NO_ERROR",
            Some(1) => "PROTOCOL_ERROR",
            Some(3) => "FLOW_CONTROL_ERROR",
            Some(6) => "FRAME_SIZE_ERROR",
            Some(ENHANCE_YOUR_CALM) => "ENHANCE_YOUR_CALM",
            Some(_) => "another code",
        }
    }

    /// How many frames of a kind there were.
    pub fn count(&self, kind: u8) -> usize {
        self.frames.get(&kind).copied().unwrap_or(0)
    }
}

/// A connection.
pub struct Wire {
    write: OwnedWriteHalf,
    /// Where nothing is read: kept, so that the connection stays.
    unread: Option<OwnedReadHalf>,
    heard: Arc<Mutex<Heard>>,
    reading: Option<JoinHandle<()>>,
    /// When it began.
    pub begun: Instant,
}

/// Connects from an address of this machine.
pub async fn connect(port: u16, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect((Ipv4Addr::LOCALHOST, port).into()).await
}

impl Wire {
    /// A connection on which nothing has been said.
    pub async fn silent(port: u16, from: Ipv4Addr) -> Self {
        let socket = connect(port, from).await.expect("it accepts");
        let mut wire = Self::over(socket);
        let read = wire.unread.take().unwrap();
        let told = wire.heard.clone();
        wire.reading = Some(tokio::spawn(listen(read, told)));
        wire
    }

    /// An HTTP/2 connection with these settings.
    pub async fn open(port: u16, from: Ipv4Addr, settings: &[(u16, u32)]) -> Self {
        let mut wire = Self::silent(port, from).await;
        wire.begin(settings).await;
        wire
    }

    /// An HTTP/2 connection of which nothing is ever read.
    pub async fn deaf(port: u16, from: Ipv4Addr, settings: &[(u16, u32)]) -> Self {
        let mut wire = Self::over(connect(port, from).await.expect("it accepts"));
        wire.begin(settings).await;
        wire
    }

    /// Acknowledges the settings of the other side: its windows hold from then on, that of the connection too.
    pub async fn agree(&mut self) {
        let told = |heard: &Heard| !heard.settings.is_empty() && heard.count(WINDOW_UPDATE) > 0;
        assert!(self.hears(PATIENCE, told).await);
        self.send(&frame(SETTINGS, END_STREAM, 0, &[])).await;
    }

    fn over(socket: TcpStream) -> Self {
        let (read, write) = socket.into_split();
        Self {
            write,
            unread: Some(read),
            heard: Arc::default(),
            reading: None,
            begun: Instant::now(),
        }
    }

    async fn begin(&mut self, settings: &[(u16, u32)]) {
        let settings: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        let mut begin = PREFACE.to_vec();
        begin.extend(frame(SETTINGS, 0, 0, &settings));
        self.send(&begin).await;
    }

    /// Sends bytes; `false` when the other side takes no more.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        tokio::time::timeout(PATIENCE, self.write.write_all(bytes))
            .await
            .is_ok_and(|sent| sent.is_ok())
    }

    /// Sends bytes for so long as they are taken: how many were, and whether the connection was still there then.
    pub async fn push(&mut self, bytes: &[u8], patience: Duration) -> (usize, bool) {
        let mut sent = 0;
        while sent < bytes.len() {
            match tokio::time::timeout(patience, self.write.write(&bytes[sent..])).await {
                Ok(Ok(more)) if more > 0 => sent += more,
                Ok(_) => return (sent, false),
                Err(_) => break,
            }
        }
        (sent, true)
    }

    /// What was heard until now.
    pub fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.heard.lock().unwrap())
    }

    /// Waits until something was heard; `false` when it is not within the time, or cannot be any more.
    pub async fn hears(&self, limit: Duration, what: impl Fn(&Heard) -> bool) -> bool {
        let begun = Instant::now();
        loop {
            let (heard, ended) = self.heard(|heard| (what(heard), heard.ended.is_some()));
            if heard || ended || begun.elapsed() > limit {
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for the end of the connection: how long after its beginning it came.
    pub async fn ends(&self, limit: Duration) -> Option<Duration> {
        self.hears(limit, |heard| heard.ended.is_some()).await;
        self.heard(|heard| heard.ended.map(|at| at - self.begun))
    }

    /// Waits for the answer to a stream.
    pub async fn answered(&self, stream: u32) -> bool {
        let answered = |heard: &Heard| {
            heard.headers.contains_key(&stream) || heard.resets.contains_key(&stream)
        };
        self.hears(PATIENCE, answered).await
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(reading) = &self.reading {
            reading.abort();
        }
    }
}

/// Reads until the end.
async fn listen(mut read: OwnedReadHalf, told: Arc<Mutex<Heard>>) {
    let (mut bytes, mut decoder) = (Vec::new(), Decoder::default());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match read.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(more) => bytes.extend_from_slice(&buffer[..more]),
        }
        let mut heard = told.lock().unwrap();
        let mut at = 0;
        while bytes.len() - at >= 9 {
            let head = &bytes[at..at + 9];
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let (kind, flags) = (head[3], head[4]);
            let Some(payload) = bytes.get(at + 9..at + 9 + length) else {
                break;
            };
            note(&mut heard, &mut decoder, (kind, flags, stream), payload);
            at += 9 + length;
        }
        bytes.drain(..at);
    }
    told.lock().unwrap().ended = Some(Instant::now());
}

fn note(
    heard: &mut Heard,
    decoder: &mut Decoder,
    (kind, flags, stream): (u8, u8, u32),
    payload: &[u8],
) {
    let number = |at: usize| {
        let bytes = payload.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    *heard.frames.entry(kind).or_default() += 1;
    match kind {
        SETTINGS if flags & END_STREAM == 0 => {
            for setting in payload.chunks_exact(6) {
                let name = u16::from_be_bytes([setting[0], setting[1]]);
                let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
                heard.settings.insert(name, value);
            }
        }
        HEADERS => {
            let more = decoder.headers(payload);
            heard.headers.entry(stream).or_default().extend(more);
        }
        RESET => {
            heard.resets.insert(stream, number(0).unwrap_or(u32::MAX));
        }
        DATA => *heard.data.entry(stream).or_default() += payload.len(),
        GO_AWAY => heard.gone = number(4),
        _ => {}
    }
}
