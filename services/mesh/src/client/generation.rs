//! Following a generation of any medium to its end: over lost connections, by its sequence, and cancelled by Ctrl-C.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{
    Artifact, Completed, Failed, GenerationEvent, Snapshot, Usage,
};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{LocalBoxStream, StreamExt as _};
use tonic::Code;

use super::credits::calendar;
use super::interrupt::Interrupts;
use super::session::Session;
use super::trouble::{Trouble, is_lost, status_of};

/// The events of a generation; nothing is asked before the first is waited for.
pub type Events<'a> = LocalBoxStream<'a, anyhow::Result<GenerationEvent>>;

/// A generation that can be started, under a request id that makes a repeated start join it, and what the service of
/// its medium offers for every generation.
pub trait Medium {
    /// Starts it, or joins it.
    fn start(&self) -> Events<'_>;
    /// Follows it after a sequence.
    fn watch(&self, generation_id: String, after_sequence: i64) -> Events<'_>;
    /// Ends it.
    fn cancel(&self, generation_id: String) -> LocalBoxFuture<'_, anyhow::Result<()>>;
    /// Makes sure that the next call finds the mesh, after a connection to it was lost.
    fn mend(&self) -> LocalBoxFuture<'_, anyhow::Result<()>>;
}

/// What is done with the events of a generation.
#[async_trait(?Send)]
pub trait Listener {
    /// An event that moves on from everything told before; a snapshot replaces it.
    async fn hear(&mut self, event: &Event) -> anyhow::Result<()>;
    /// A moment has passed: the time to show what was held back for the sake of calm.
    fn tick(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
    /// The connection is lost, and is made again.
    fn lost(&mut self) {}
}

/// A generation that ended well.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Its id.
    pub generation_id: String,
    /// Who made it.
    pub provider: String,
    /// With which model.
    pub model: String,
    /// What it used, where that was told.
    pub usage: Option<Usage>,
    /// Its stored result, where its medium has one.
    pub artifact: Option<Artifact>,
    /// How it came to its end.
    pub completed: Completed,
}

/// How long a lost connection is tried again without hearing anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before the first new attempt, and before any.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// How long a cancelled generation may take to end.
const CANCELLED_WITHIN: Duration = Duration::from_secs(5);
/// How often a listener is told that time passes.
const TICK: Duration = Duration::from_millis(30);

/// What is known of a generation while it is followed.
struct Known {
    ended: Ended,
    sequence: i64,
    /// Since when nothing has been heard.
    silent_since: Instant,
    pause: Duration,
}

/// Starts a generation and follows it to its end.
///
/// A lost connection is made again, and the generation watched from the last sequence that was seen. Ctrl-C cancels the
/// generation where it runs, and is an error with exit code 130; a second one does not wait for that. A generation that
/// failed, or that was cancelled by another client, is an error.
pub async fn follow(
    medium: &dyn Medium,
    listener: &mut dyn Listener,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Ended> {
    let mut known = Known {
        ended: Ended::default(),
        sequence: 0,
        silent_since: Instant::now(),
        pause: PAUSES.0,
    };
    let mut given_up: Option<tokio::time::Instant> = None;
    let mut cancelled = false;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut events = medium.start();
    loop {
        if given_up.is_some() && !cancelled && !known.ended.generation_id.is_empty() {
            cancelled = true;
            let cancel = medium.cancel(known.ended.generation_id.clone());
            tokio::select! {
                done = tokio::time::timeout(CANCELLED_WITHIN, cancel) => match done {
                    Ok(done) => done?,
                    Err(_) => return Err(unheard(&known)),
                },
                () = interrupts.next() => return Err(unheard(&known)),
            }
        }
        let next = tokio::select! {
            biased;
            () = interrupts.next() => {
                if given_up.is_some() {
                    return Err(unheard(&known));
                }
                given_up = Some(tokio::time::Instant::now() + CANCELLED_WITHIN);
                continue;
            }
            () = tokio::time::sleep_until(given_up.unwrap_or_else(tokio::time::Instant::now)),
                if given_up.is_some() => return Err(unheard(&known)),
            next = events.next() => next,
            _ = ticks.tick() => {
                listener.tick()?;
                continue;
            }
        };
        match next {
            Some(Ok(event)) => {
                let Some(event) = known.take(event) else {
                    continue;
                };
                match event {
                    Event::Completed(completed) if given_up.is_none() => {
                        known.ended.completed = completed;
                        listener.tick()?;
                        return Ok(known.ended);
                    }
                    Event::Completed(_) => {
                        return Err(Trouble::interrupted("it had just been finished").into());
                    }
                    Event::Cancelled(_) if given_up.is_some() => {
                        return Err(Trouble::interrupted("cancelled").into());
                    }
                    Event::Cancelled(_) => {
                        return Err(Trouble::failed("it was cancelled by another client").into());
                    }
                    Event::Failed(failed) => return Err(failure(&failed).into()),
                    // What was given up is not shown any more, and nobody waits for a reader who does not read.
                    _ if given_up.is_some() => {}
                    event => tokio::select! {
                        heard = listener.hear(&event) => if let Err(error) = heard {
                            // Nobody is left to take it; what it would still cost is saved.
                            let cancel = medium.cancel(known.ended.generation_id.clone());
                            let _ = tokio::time::timeout(CANCELLED_WITHIN, cancel).await;
                            return Err(error);
                        },
                        () = interrupts.next() => {
                            given_up = Some(tokio::time::Instant::now() + CANCELLED_WITHIN);
                        }
                    },
                }
            }
            Some(Err(error)) if !known.may_try_again(&error) => return Err(error),
            // Without an end the stream was cut off, whatever it says.
            Some(Err(_)) | None => {
                if known.silent_since.elapsed() > PATIENCE {
                    return Err(known.left_behind());
                }
                listener.lost();
                drop(events);
                tokio::select! {
                    () = tokio::time::sleep(known.pause) => {}
                    () = interrupts.next() => return Err(unheard(&known)),
                }
                // Where it cannot be found now, it may be a moment later.
                let _ = medium.mend().await;
                known.pause = (known.pause * 2).min(PAUSES.1);
                events = if known.ended.generation_id.is_empty() {
                    medium.start()
                } else {
                    medium.watch(known.ended.generation_id.clone(), known.sequence)
                };
            }
        }
    }
}

impl Known {
    /// Takes an event in; none when it was told before.
    fn take(&mut self, event: GenerationEvent) -> Option<Event> {
        self.silent_since = Instant::now();
        self.pause = PAUSES.0;
        self.ended.generation_id = event.generation_id;
        if event.sequence <= self.sequence {
            return None;
        }
        self.sequence = event.sequence;
        let event = event.event?;
        let ended = &mut self.ended;
        match &event {
            Event::Started(started) => {
                ended.provider.clone_from(&started.provider);
                ended.model.clone_from(&started.model);
            }
            Event::Snapshot(snapshot) => ended.replace(snapshot),
            Event::Artifact(artifact) => ended.artifact = Some(artifact.clone()),
            Event::Usage(usage) => ended.usage = Some(*usage),
            _ => {}
        }
        Some(event)
    }

    /// Whether an error leaves hope: the connection was lost, or the time for one stream is over.
    fn may_try_again(&self, error: &anyhow::Error) -> bool {
        let over = status_of(error).is_some_and(|status| status.code() == Code::DeadlineExceeded);
        is_lost(error) || (over && !self.ended.generation_id.is_empty())
    }

    fn left_behind(&self) -> anyhow::Error {
        let line = if self.ended.generation_id.is_empty() {
            "the connection was lost and could not be made again".to_owned()
        } else {
            format!(
                "the connection was lost and could not be made again; generation {} goes on without us",
                self.ended.generation_id
            )
        };
        Trouble::unreachable(line).into()
    }
}

impl Ended {
    fn replace(&mut self, snapshot: &Snapshot) {
        if !snapshot.provider.is_empty() {
            self.provider.clone_from(&snapshot.provider);
            self.model.clone_from(&snapshot.model);
        }
        if let Some(artifact) = snapshot.artifacts.last() {
            self.artifact = Some(artifact.clone());
        }
        if snapshot.usage.is_some() {
            self.usage = snapshot.usage;
        }
    }
}

fn unheard(known: &Known) -> anyhow::Error {
    let line = if known.ended.generation_id.is_empty() {
        "interrupted before anything was heard; it may have been started".to_owned()
    } else {
        format!(
            "interrupted; generation {} may go on for a moment",
            known.ended.generation_id
        )
    };
    Trouble::interrupted(line).into()
}

fn failure(failed: &Failed) -> Trouble {
    let mut line = failed.message.clone();
    if matches!(&*failed.reason, "INSUFFICIENT_CREDITS" | "QUOTA_EXHAUSTED") {
        line.push_str(" (`atelier credits` tells what is left)");
    }
    match &failed.retry_time {
        Some(time) => {
            let when = calendar::shown(time);
            Trouble::later(format!("{line}; it may work again at {when}"))
        }
        None if failed.retryable => Trouble::later(format!("{line}; it may work later")),
        None => Trouble::failed(line),
    }
}

/// A request id that nobody has used.
pub fn request_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// The events of a call that starts or watches a generation.
pub fn events<'a, R>(
    call: impl Future<Output = anyhow::Result<tonic::Streaming<R>>> + 'a,
    event: fn(R) -> Option<GenerationEvent>,
) -> Events<'a>
where
    R: 'static,
{
    use futures_util::stream::{TryStreamExt as _, once};
    Box::pin(
        once(call)
            .map_ok(|stream| stream.map_err(anyhow::Error::from))
            .try_flatten()
            .try_filter_map(move |answer| std::future::ready(Ok(event(answer)))),
    )
}

/// `watch` and `cancel` of [`Medium`], by the client of the medium's service; all of them have the same shape.
macro_rules! follows {
    ($room:ident, $client:ty) => {
        fn watch(
            &self,
            generation_id: String,
            after_sequence: i64,
        ) -> $crate::client::generation::Events<'_> {
            let request = atelier_proto::$room::v1::WatchGenerationRequest {
                generation_id,
                after_sequence,
            };
            $crate::client::generation::events(
                self.session.call(request, async |channel, request| {
                    <$client>::new(channel).watch_generation(request).await
                }),
                |answer| answer.event,
            )
        }

        fn cancel(
            &self,
            generation_id: String,
        ) -> futures_util::future::LocalBoxFuture<'_, anyhow::Result<()>> {
            let request = atelier_proto::$room::v1::CancelGenerationRequest { generation_id };
            Box::pin(async move {
                self.session
                    .ask(request, async |channel, request| {
                        <$client>::new(channel).cancel_generation(request).await
                    })
                    .await?;
                Ok(())
            })
        }

        fn mend(&self) -> futures_util::future::LocalBoxFuture<'_, anyhow::Result<()>> {
            Box::pin(self.session.mend())
        }
    };
}
pub(super) use follows;

/// What every medium needs beside its request.
pub struct Started<'a, M> {
    /// Who asks.
    pub session: &'a Session<'a>,
    /// The request, with its request id.
    pub request: M,
}

#[cfg(test)]
#[path = "generation_tests.rs"]
mod tests;
