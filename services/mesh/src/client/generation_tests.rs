//! Following a generation that a script tells: cut off, told twice, begun anew, failed.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::*;
use atelier_proto::generation::v1::{Cancelled, Started as Begun, TextDelta};
use futures_util::stream;
use tonic::Status;

type Scripted = Vec<anyhow::Result<GenerationEvent>>;

/// What each stream tells, in order, and what was asked for.
#[derive(Default)]
struct Script {
    streams: RefCell<VecDeque<Scripted>>,
    asked: RefCell<Vec<String>>,
}

impl Script {
    fn new(streams: impl IntoIterator<Item = Scripted>) -> Self {
        Self {
            streams: RefCell::new(streams.into_iter().collect()),
            ..Self::default()
        }
    }

    fn next(&self, asked: String) -> Events<'_> {
        self.asked.borrow_mut().push(asked);
        let told = self.streams.borrow_mut().pop_front().unwrap_or_default();
        Box::pin(stream::iter(told))
    }
}

impl Medium for Script {
    fn start(&self) -> Events<'_> {
        self.next("start".to_owned())
    }

    fn watch(&self, generation_id: String, after_sequence: i64) -> Events<'_> {
        self.next(format!("watch {generation_id} {after_sequence}"))
    }

    fn cancel(&self, _: String) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn mend(&self) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

#[derive(Default)]
struct Ear {
    text: String,
    lost: u32,
}

#[async_trait(?Send)]
impl Listener for Ear {
    async fn hear(&mut self, event: &Event) -> anyhow::Result<()> {
        match event {
            Event::TextDelta(delta) => self.text.push_str(&delta.text),
            Event::Snapshot(snapshot) => self.text.clone_from(&snapshot.text),
            _ => {}
        }
        Ok(())
    }

    fn lost(&mut self) {
        self.lost += 1;
    }
}

fn told(sequence: i64, event: Event) -> anyhow::Result<GenerationEvent> {
    Ok(GenerationEvent {
        generation_id: "g".to_owned(),
        sequence,
        time: None,
        event: Some(event),
    })
}

fn delta(sequence: i64, text: &str) -> anyhow::Result<GenerationEvent> {
    let text = text.to_owned();
    told(sequence, Event::TextDelta(TextDelta { text }))
}

fn begun(sequence: i64) -> anyhow::Result<GenerationEvent> {
    let by = Begun {
        provider: "offline".to_owned(),
        model: "m".to_owned(),
        allowance: None,
    };
    told(sequence, Event::Started(by))
}

fn cut() -> anyhow::Result<GenerationEvent> {
    Err(Status::from_error(Box::new(std::io::Error::other("reset"))).into())
}

async fn tell(script: &Script) -> (Ear, anyhow::Result<Ended>) {
    let mut ear = Ear::default();
    let mut interrupts = Interrupts::of_terminal().unwrap();
    let ended = follow(script, &mut ear, &mut interrupts).await;
    (ear, ended)
}

#[tokio::test]
async fn a_cut_stream_goes_on_after_its_last_sequence() {
    let script = Script::new([
        vec![cut()],
        vec![begun(1), delta(2, "one "), cut()],
        vec![],
        vec![
            delta(2, "one "),
            delta(3, "two"),
            told(4, Event::Completed(Completed::default())),
        ],
    ]);
    let (ear, ended) = tell(&script).await;
    let ended = ended.unwrap();
    assert_eq!((ear.text.as_str(), ear.lost), ("one two", 3));
    assert_eq!(
        (ended.provider.as_str(), ended.model.as_str()),
        ("offline", "m")
    );
    let asked = script.asked.borrow();
    assert_eq!(*asked, ["start", "start", "watch g 2", "watch g 2"]);
}

#[tokio::test]
async fn a_snapshot_replaces_what_was_told() {
    let whole = Snapshot {
        text: "anew".to_owned(),
        ..Snapshot::default()
    };
    let script = Script::new([vec![
        delta(1, "old"),
        told(9, Event::Snapshot(whole)),
        told(10, Event::Completed(Completed::default())),
    ]]);
    let (ear, ended) = tell(&script).await;
    assert!(ended.is_ok());
    assert_eq!(ear.text, "anew");
}

#[tokio::test]
async fn a_refusal_and_a_failure_end_it() {
    let script = Script::new([vec![Err(Status::invalid_argument("no").into())]]);
    let refused = tell(&script).await.1.unwrap_err();
    assert_eq!(super::super::trouble::exit_of(&refused), 64);

    let mut failed = Failed {
        reason: "UPSTREAM_REFUSED".to_owned(),
        message: "refused".to_owned(),
        retryable: false,
        retry_time: None,
    };
    for (retryable, exit) in [(false, 1), (true, 75)] {
        failed.retryable = retryable;
        let script = Script::new([vec![begun(1), told(2, Event::Failed(failed.clone()))]]);
        let error = tell(&script).await.1.unwrap_err();
        assert_eq!(super::super::trouble::exit_of(&error), exit);
    }

    let script = Script::new([vec![begun(1), told(2, Event::Cancelled(Cancelled {}))]]);
    let error = tell(&script).await.1.unwrap_err();
    assert_eq!(super::super::trouble::exit_of(&error), 1);
}

#[tokio::test]
async fn what_is_not_paid_for_says_when_it_may_work_again() {
    let midnight = prost_types::Timestamp {
        seconds: 1_795_996_800,
        nanos: 0,
    };
    let again = "; it may work again at 2026-11-30 00:00 UTC";
    for (reason, retry_time, exit, end) in [
        ("QUOTA_EXHAUSTED", Some(midnight), 75, again),
        ("SPENDING_STOPPED", Some(midnight), 75, again),
        ("INSUFFICIENT_CREDITS", None, 1, " tells what is left)"),
    ] {
        let failed = Failed {
            reason: reason.to_owned(),
            message: "no".to_owned(),
            retryable: false,
            retry_time,
        };
        let script = Script::new([vec![told(1, Event::Failed(failed))]]);
        let error = tell(&script).await.1.unwrap_err();
        assert_eq!(super::super::trouble::exit_of(&error), exit, "{reason}");
        let line = error.to_string();
        assert!(line.starts_with("no") && line.ends_with(end), "{line}");
        // Who is over the operator's bound has nothing of their own to look at.
        let hint = line.contains("`atelier credits`");
        assert_eq!(hint, reason != "SPENDING_STOPPED", "{line}");
    }
}
