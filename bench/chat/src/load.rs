//! What is done to a way: as many calls as it takes, streams at a light load, and a thousand slow streams at once.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures_util::future::try_join_all;

use crate::ours::{Conversation, Ours, PROMPT};
use crate::upstream::Kind;
use crate::ways::{Call, Way};
use crate::wire::{Line, Protocol, Reply};

/// How many connections call at once.
pub const CONNECTIONS: usize = 32;

/// One caller: a connection, and what it knows from call to call.
pub struct Caller {
    way: Way,
    line: Line,
    conversation: Conversation,
}

impl Caller {
    /// Connects the caller with this number.
    pub async fn connect(way: &Way, ours: &Ours, number: usize) -> anyhow::Result<Self> {
        let token = match way.call {
            Call::Ours(_) => Some(ours.token(number)),
            Call::Completions => way.key.as_deref(),
        };
        Ok(Self {
            way: way.clone(),
            line: Line::connect(way.address, way.protocol, token).await?,
            conversation: Conversation::default(),
        })
    }

    /// One reply, and that it is whole.
    pub async fn call(&mut self, kind: Kind, gaps: bool) -> anyhow::Result<Reply> {
        let streamed = kind != Kind::Call;
        let (path, body) = match self.way.call {
            Call::Completions => ("/v1/chat/completions", completions(kind, streamed)),
            Call::Ours(method) => self.conversation.next(method, kind, &mut self.line).await?,
        };
        let reply = self.line.reply(path, body, streamed, gaps).await?;
        ensure!(
            !self.way.counted || reply.pieces == kind.pieces(),
            "{} pieces instead of {}",
            reply.pieces,
            kind.pieces()
        );
        Ok(reply)
    }
}

fn completions(kind: Kind, stream: bool) -> Bytes {
    let mut body = serde_json::json!({
        "model": kind.model(),
        "messages": [{"role": "user", "content": PROMPT}],
    });
    if stream {
        body["stream"] = true.into();
    }
    body.to_string().into()
}

/// Connects so many callers.
pub async fn callers(way: &Way, ours: &Ours, count: usize) -> anyhow::Result<Vec<Caller>> {
    let mut callers = Vec::with_capacity(count);
    for number in 0..count {
        let caller = Caller::connect(way, ours, number).await;
        callers.push(caller.with_context(|| way.name)?);
    }
    Ok(callers)
}

/// That a way answers, and ours only those who may call.
pub async fn prove(way: &Way, ours: &Ours) -> anyhow::Result<()> {
    let mut caller = Caller::connect(way, ours, 0).await?;
    for kind in [Kind::Call, Kind::Burst] {
        caller.call(kind, false).await?;
    }
    if matches!(way.call, Call::Ours(_)) {
        let mut stranger = Line::connect(way.address, way.protocol, None).await?;
        let body = Bytes::from_static(&[0; 5]);
        let path = "/atelier.llm_chat.v1.LlmChatService/Complete";
        let refused = stranger.reply(path, body, true, false).await;
        let refused = refused
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        ensure!(
            refused.contains("\"16\""),
            "a stranger was not refused: {refused:?}"
        );
    }
    Ok(())
}

/// What came of calling as often as the way takes it.
pub struct Taken {
    /// Replies in a second.
    pub rate: f64,
    /// How long each reply took, in seconds.
    pub whole: Vec<f64>,
}

/// Calls over all connections, each one call after the other, for `slice`.
pub async fn storm(callers: &mut [Caller], kind: Kind, slice: Duration) -> anyhow::Result<Taken> {
    let begun = Instant::now();
    let until = begun + slice;
    let each = callers.iter_mut().map(|caller| async move {
        let mut whole = Vec::new();
        while Instant::now() < until {
            whole.push(caller.call(kind, false).await?.whole);
        }
        anyhow::Ok(whole)
    });
    let whole = try_join_all(each).await?.concat();
    Ok(Taken {
        rate: whole.len() as f64 / begun.elapsed().as_secs_f64(),
        whole,
    })
}

/// Streams at their pace over all connections, some on each, begun one after the other and not at once. Returns how long
/// the first piece of each took.
pub async fn stroll(callers: &mut [Caller], streams: usize) -> anyhow::Result<Vec<f64>> {
    let step = Duration::from_millis(950) / u32::try_from(callers.len()).unwrap_or(1);
    let each = callers
        .iter_mut()
        .enumerate()
        .map(|(number, caller)| async move {
            tokio::time::sleep(step * u32::try_from(number).unwrap_or(0)).await;
            let mut firsts = Vec::new();
            for _ in 0..streams {
                firsts.push(caller.call(Kind::Paced, false).await?.first);
            }
            anyhow::Ok(firsts)
        });
    Ok(try_join_all(each).await?.concat())
}

/// Many streams at their pace at once, begun within two seconds. Returns how long after the one before each piece came.
pub async fn crowd(callers: Vec<Caller>) -> anyhow::Result<Vec<f64>> {
    let step = Duration::from_secs(2) / u32::try_from(callers.len()).unwrap_or(1);
    let each = callers.into_iter().enumerate().map(|(number, mut caller)| {
        tokio::spawn(async move {
            tokio::time::sleep(step * u32::try_from(number).unwrap_or(0)).await;
            Ok::<_, anyhow::Error>(caller.call(Kind::Minute, true).await?.gaps)
        })
    });
    let mut gaps = Vec::new();
    for found in try_join_all(each).await? {
        gaps.extend(found?.into_iter().map(f64::from));
    }
    Ok(gaps)
}

/// What a protocol is called on the page.
pub fn protocol(way: &Way) -> &'static str {
    match way.protocol {
        Protocol::Json => "JSON, server-sent events",
        Protocol::Grpc => "gRPC",
        Protocol::Web => "grpc-web",
    }
}
