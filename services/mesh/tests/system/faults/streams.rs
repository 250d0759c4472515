//! Fifty open streams: replies that take a while, each watched through both edges by several callers, who come back where they
//! were cut off.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use atelier_proto::llm_chat::v1::WatchGenerationRequest;
use futures_util::future::join_all;
use tokio::task::JoinSet;
use tonic::Status;

use super::load::Done;
use super::things::{converse, passes, say};
use crate::people::Person;
use crate::running::eventually;
use crate::storm::watcher::Watcher;
use crate::told::{Tells as _, next};

/// How many replies there are.
const REPLIES: usize = 5;
/// How many listen to each, through one edge after the other.
const LISTENERS: usize = 10;
/// The model of these replies.
pub const PATIENT: &str = "patient";
/// Its provider: a reply takes seven seconds.
pub const PROVIDER: &str = "simulator://?tokens=56&tokens_per_second=8";
/// How long a caller waits who was cut off.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a stream may take to its end.
const LONGEST: Duration = Duration::from_secs(60);

/// What all callers have met.
#[derive(Default)]
struct Tally {
    /// How many streams are open and have told something.
    heard: AtomicUsize,
    /// How often one was cut off.
    cut: AtomicUsize,
    /// When the last that was cut off was open again.
    resumed: Mutex<Option<Instant>>,
}

/// The streams, and who listens.
pub struct Streams {
    callers: JoinSet<(usize, Watcher)>,
    replies: Vec<(String, String)>,
    tally: Arc<Tally>,
}

/// What came of them.
pub struct Heard {
    /// The replies that came to their end, as somebody's of this number.
    pub done: Vec<Done>,
    /// How many replies were broken off, and their callers told so.
    pub failed: u64,
    /// How many streams there were.
    pub streams: usize,
    /// How often one was cut off, and resumed.
    pub cut: usize,
    /// When the last that was cut off was open again.
    pub resumed: Option<Instant>,
}

impl Streams {
    /// Begins the replies, and opens a stream of each through each edge; returns when all are open and under way.
    pub async fn open(edges: &[String], person: &Person) -> Self {
        let me = person.through(&edges[0]);
        let replies = join_all((0..REPLIES).map(|number| {
            let me = &me;
            async move {
                let conversation = converse(me, PATIENT).await.expect("a conversation");
                let stream = say(me, &conversation, format!("Take your time, {number}.")).await;
                let first = next(&mut stream.expect("a reply")).await.expect("an event");
                (conversation, first.generation_id)
            }
        }))
        .await;
        let tally = Arc::new(Tally::default());
        let mut callers = JoinSet::new();
        for (number, (_, id)) in replies.iter().enumerate() {
            for listener in 0..LISTENERS {
                let me = person.through(&edges[(number + listener) % edges.len()]);
                let (id, tally) = (id.clone(), tally.clone());
                callers.spawn(async move { (number, listen(&me, id, &tally).await) });
            }
        }
        let streams = callers.len();
        eventually("all streams are open", LONGEST, || async {
            tally.heard.load(Ordering::SeqCst) == streams
        })
        .await;
        Self {
            callers,
            replies,
            tally,
        }
    }

    /// Hears all of them to their ends. Those who listen to one reply have heard the same.
    pub async fn heard(mut self, person: usize) -> Heard {
        let streams = self.callers.len();
        let mut ends: Vec<Option<Watcher>> = vec![None; self.replies.len()];
        while let Some(caller) = self.callers.join_next().await {
            let (number, watcher) = caller.expect("a stream to its end");
            match &ends[number] {
                Some(other) => {
                    assert_eq!(other.end, watcher.end);
                    assert_eq!(other.text, watcher.text);
                    assert_eq!(other.last, watcher.last);
                }
                None => ends[number] = Some(watcher),
            }
        }
        let mut heard = Heard {
            done: Vec::new(),
            failed: 0,
            streams,
            cut: self.tally.cut.load(Ordering::SeqCst),
            resumed: *self.tally.resumed.lock().unwrap(),
        };
        for (watcher, (conversation, generation)) in ends.into_iter().zip(self.replies) {
            let watcher = watcher.expect("somebody has listened");
            match watcher.is_completed() {
                true => heard.done.push(Done::Reply {
                    person,
                    conversation,
                    generation,
                    text: watcher.text,
                }),
                false => {
                    assert!(watcher.is_interrupted(), "{watcher:?}");
                    heard.failed += 1;
                }
            }
        }
        heard
    }
}

/// One caller, who comes back with the last sequence that he has seen.
async fn listen(me: &Person, generation_id: String, tally: &Tally) -> Watcher {
    let mut watcher = Watcher::default();
    let begun = Instant::now();
    let mut has_heard = false;
    while watcher.end.is_none() {
        let waited = begun.elapsed();
        assert!(waited < LONGEST, "no end after {waited:?}: {watcher:?}");
        let was_cut = watcher.last > 0;
        let told: Result<(), Status> = async {
            let request = WatchGenerationRequest {
                generation_id: generation_id.clone(),
                after_sequence: watcher.last,
            };
            let mut stream = me.chat().watch_generation(request).await?.into_inner();
            if was_cut {
                *tally.resumed.lock().unwrap() = Some(Instant::now());
            }
            while let Some(answer) = stream.message().await? {
                watcher.hear(answer.tells());
                if !has_heard && !watcher.text.is_empty() {
                    has_heard = true;
                    tally.heard.fetch_add(1, Ordering::SeqCst);
                }
            }
            assert!(watcher.end.is_some(), "the stream ended before the reply");
            Ok(())
        }
        .await;
        if let Err(status) = told {
            assert!(passes(&status), "{status:?}");
            tally.cut.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(PAUSE).await;
        }
    }
    watcher
}
