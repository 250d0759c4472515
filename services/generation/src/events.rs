//! Streams of events for watchers: from the journal where it knows the generation, else from the record.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use atelier_kit::moment;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{
    Allowance, Cancelled, Completed, Failed, GenerationEvent, Snapshot, State,
};
use futures_util::Stream;

use crate::engine::Generations;
use crate::error::Error;
use crate::fold::{base, is_last};
use crate::ports::GenerationRecord;
use crate::reasons::QUOTA_EXHAUSTED;

/// The events of one generation, to its end.
pub struct EventStream {
    events: Pin<Box<dyn Stream<Item = Result<GenerationEvent, Error>> + Send>>,
    /// What the events told of it so far.
    allowance: Option<Allowance>,
    /// Who knows of it where the stream begins too late to tell.
    resumed: Option<(Generations, String)>,
}

impl EventStream {
    /// What was set aside for the generation, as far as this stream has told; one that was resumed asks the record.
    pub(crate) async fn allowance(self) -> Option<Allowance> {
        let Self {
            allowance, resumed, ..
        } = self;
        let (None, Some((engine, id))) = (&allowance, resumed) else {
            return allowance;
        };
        match engine.record().find(&id).await {
            Ok(record) => record?.snapshot.allowance,
            // All that was to be told is told: the end must not fail for this.
            Err(error) => {
                tracing::warn!(
                    generation = %id, error = %atelier_kit::fault::chain(&error), "a stream ends without its allowance"
                );
                None
            }
        }
    }
}

impl Stream for EventStream {
    type Item = Result<GenerationEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.events.as_mut().poll_next(cx));
        if let Some(Ok(event)) = &item {
            let told = match &event.event {
                Some(Event::Started(started)) => started.allowance.clone(),
                Some(Event::Snapshot(snapshot)) => snapshot.allowance.clone(),
                // Nothing was set aside, and nothing is left.
                Some(Event::Failed(failed)) if failed.reason == QUOTA_EXHAUSTED => {
                    Some(Allowance {
                        quota_reset_time: failed.retry_time,
                        ..Allowance::default()
                    })
                }
                _ => None,
            };
            if told.is_some() {
                self.allowance = told;
            }
        }
        Poll::Ready(item)
    }
}

/// How often a generation of another process is looked at.
const POLL: Duration = Duration::from_millis(300);
/// The first looks come sooner: it may have been inserted a moment ago, and its journal opens in the next.
const FIRST_POLL: Duration = Duration::from_millis(10);
/// How long a journal may be silent before the record is asked whether the end came about elsewhere.
const SILENCE: Duration = Duration::from_secs(2);

/// All events of a generation after a sequence.
pub(crate) fn follow(engine: Generations, record: GenerationRecord, after: i64) -> EventStream {
    let resumed = (after > 0).then(|| (engine.clone(), record.id.clone()));
    let events = async_stream::try_stream! {
        let id = record.id.clone();
        let mut record = Some(record);
        let mut after = after;
        let mut pause = FIRST_POLL;
        loop {
            let replay = engine.journal().read(&id, after).await?;
            let journalled = replay.is_some();
            if let Some(replay) = replay {
                for event in replay.events {
                    after = event.sequence;
                    let last = is_last(&event);
                    yield event;
                    if last {
                        return;
                    }
                }
                if replay.ended {
                    return;
                }
                record = None;
                if tokio::time::timeout(SILENCE, engine.journal().wait(&id, after)).await.is_ok() {
                    continue;
                }
            }
            // The journal of this process does not know it: it ended long ago, or runs in another process. Or it is
            // silent, as it stays when another process took over.
            let known = match record.take() {
                Some(record) => record,
                None => match engine.record().find(&id).await {
                    // The journal knows it: whoever watches need not hear that the record is away for a while.
                    Err(error) if journalled && error.is_passing() => continue,
                    known => known?.ok_or(Error::NotFound)?,
                },
            };
            if known.has_ended() {
                for event in epilogue(&engine, &known, after).await {
                    yield event;
                }
                return;
            }
            if journalled {
                continue;
            }
            if engine.is_stopping() {
                // It waits, or works in another process: from here nothing more of it can be told for long.
                Err(Error::HandedOver)?;
            }
            // A record that is as it was inserted has told nothing yet.
            if known.sequence > after.max(base(1)) {
                after = known.sequence;
                yield snapshot(&engine, &known, known.sequence).await;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(POLL);
        }
    };
    EventStream {
        events: Box::pin(events),
        allowance: None,
        resumed,
    }
}

/// What is told of an ended generation from its record alone: its whole state, then its end.
async fn epilogue(
    engine: &Generations,
    record: &GenerationRecord,
    after: i64,
) -> Vec<GenerationEvent> {
    let mut events = Vec::new();
    if after < record.sequence - 1 {
        events.push(snapshot(engine, record, record.sequence - 1).await);
    }
    if after < record.sequence {
        events.push(GenerationEvent {
            generation_id: record.id.clone(),
            sequence: record.sequence,
            time: record.end_time.map(moment::timestamp),
            event: Some(last(record)),
        });
    }
    events
}

fn last(record: &GenerationRecord) -> Event {
    match record.state {
        State::Cancelled => Event::Cancelled(Cancelled {}),
        State::Failed => {
            let failed = record.failure.clone().map(Failed::from);
            Event::Failed(failed.unwrap_or_default())
        }
        _ => Event::Completed(Completed {
            finish_reason: record.finish_reason.into(),
        }),
    }
}

async fn snapshot(
    engine: &Generations,
    record: &GenerationRecord,
    sequence: i64,
) -> GenerationEvent {
    let mut snapshot: Snapshot = record.snapshot.clone();
    for artifact in &mut snapshot.artifacts {
        *artifact = engine.provider().present(std::mem::take(artifact)).await;
    }
    GenerationEvent {
        generation_id: record.id.clone(),
        sequence,
        time: Some(moment::timestamp(moment::now())),
        event: Some(Event::Snapshot(snapshot)),
    }
}
