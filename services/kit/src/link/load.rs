//! How busy a replica is: what it takes to answer (its peak, forgotten with time) times the calls it has under way.
//!
//! tower's `PeakEwma` has the same idea and does not fit: a call counts there until its handle is dropped, and its whole
//! life is then taken for the time of an answer, so that a stream of an hour says that the replica needs an hour; a
//! call that fails at once says that it is fast; and a replica that is new is taken to need a second, so that beside
//! others that need a millisecond it gets nothing to do for a minute.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How fast the past is forgotten: after this time a third of it is left. Where it is longer, as the ten seconds that are
/// customary, one hiccup of a busy machine keeps a replica idle for most of a minute.
const MEMORY: Duration = Duration::from_secs(2);
/// Differences below this say nothing about a replica; then the calls under way alone decide, and after them chance.
const FLOOR: Duration = Duration::from_millis(5);

/// The load of one replica.
#[derive(Debug, Default)]
pub(super) struct Load {
    under_way: AtomicUsize,
    answers: Mutex<Option<Answers>>,
}

/// What it took to answer, in seconds, and when that was reckoned.
#[derive(Clone, Copy, Debug)]
struct Answers {
    seconds: f64,
    at: Instant,
}

impl Answers {
    /// What is left of it by now.
    fn left(self, now: Instant) -> f64 {
        self.seconds * kept(now.saturating_duration_since(self.at))
    }
}

fn kept(elapsed: Duration) -> f64 {
    (-elapsed.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}

impl Load {
    /// A call that begins.
    pub(super) fn begin(self: &Arc<Self>, now: Instant) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay {
            load: self.clone(),
            begun: Some(now),
        }
    }

    /// How many calls are under way, streams included.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Whether this one is less busy than another. One that never answered is taken to be as fast as the other.
    pub(super) fn is_below(&self, other: &Self, now: Instant) -> bool {
        let (own, others) = (self.seconds(now), other.seconds(now));
        let floor = FLOOR.as_secs_f64();
        let cost = |known: Option<f64>, fallback: Option<f64>, calls: usize| {
            known.or(fallback).unwrap_or(floor).max(floor) * (calls as f64 + 1.0)
        };
        cost(own, others, self.under_way()) < cost(others, own, other.under_way())
    }

    fn seconds(&self, now: Instant) -> Option<f64> {
        let answers = *self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.map(|answers| answers.left(now))
    }

    fn observe(&self, begun: Instant, now: Instant, is_answer: bool) {
        let took = now.saturating_duration_since(begun).as_secs_f64();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = match *answers {
            None => took,
            Some(known) if known.left(now) <= took => took,
            // Somebody who waited no longer for an answer says only that it would have taken more.
            Some(_) if !is_answer => return,
            Some(known) => {
                let kept = kept(now.saturating_duration_since(known.at));
                known.seconds * kept + took * (1.0 - kept)
            }
        };
        *answers = Some(Answers { seconds, at: now });
    }
}

/// A call under way; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    load: Arc<Load>,
    begun: Option<Instant>,
}

impl UnderWay {
    /// Its answer has begun: a stream goes on to count, and says no more about how fast the replica answers.
    pub(super) fn answered(&mut self, now: Instant) {
        if let Some(begun) = self.begun.take() {
            self.load.observe(begun, now, true);
        }
    }

    /// It failed, which says nothing about how fast the replica answers.
    pub(super) fn failed(&mut self) {
        self.begun = None;
    }

    /// Nobody waits for its answer any more.
    fn abandoned(&mut self, now: Instant) {
        if let Some(begun) = self.begun.take() {
            self.load.observe(begun, now, false);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.load.under_way.fetch_sub(1, Ordering::Relaxed);
        self.abandoned(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that a test moves, and two replicas.
    struct Stage {
        now: Instant,
        one: Arc<Load>,
        other: Arc<Load>,
    }

    impl Stage {
        fn new() -> Self {
            Self {
                now: Instant::now(),
                one: Arc::default(),
                other: Arc::default(),
            }
        }

        fn pass(&mut self, millis: u64) {
            self.now += Duration::from_millis(millis);
        }

        fn answers_in(&mut self, load: &Arc<Load>, millis: u64) {
            let mut call = load.begin(self.now);
            self.pass(millis);
            call.answered(self.now);
        }

        fn one_is_below(&self) -> bool {
            self.one.is_below(&self.other, self.now)
        }

        fn other_is_below(&self) -> bool {
            self.other.is_below(&self.one, self.now)
        }
    }

    #[test]
    fn whoever_answers_faster_and_has_less_under_way_is_less_busy() {
        let mut stage = Stage::new();
        stage.answers_in(&stage.one.clone(), 10);
        stage.answers_in(&stage.other.clone(), 100);
        assert!(stage.one_is_below() && !stage.other_is_below());
        let streams: Vec<UnderWay> = (0..20).map(|_| stage.one.begin(stage.now)).collect();
        assert!(stage.other_is_below());
        for mut stream in streams {
            stream.failed();
        }
        assert!(stage.one_is_below());
    }

    #[test]
    fn a_stream_counts_while_it_lasts_and_its_length_does_not() {
        let mut stage = Stage::new();
        stage.answers_in(&stage.other.clone(), 20);
        let mut stream = stage.one.begin(stage.now);
        stage.pass(20);
        stream.answered(stage.now);
        assert!(stage.other_is_below());
        stage.pass(3_600_000);
        assert_eq!(stage.one.under_way(), 1);
        drop(stream);
        assert_eq!(stage.one.under_way(), 0);
        // An hour of streaming is forgotten as anything else is: both answer within what makes no difference.
        assert!(!stage.other_is_below() && !stage.one_is_below());
    }

    #[test]
    fn a_new_one_is_taken_for_as_fast_as_the_other() {
        let mut stage = Stage::new();
        stage.answers_in(&stage.one.clone(), 50);
        assert!(!stage.one_is_below() && !stage.other_is_below());
        let mut call = stage.one.begin(stage.now);
        assert!(stage.other_is_below());
        call.failed();
    }

    #[test]
    fn a_peak_is_forgotten_with_time() {
        let mut stage = Stage::new();
        stage.answers_in(&stage.one.clone(), 1000);
        stage.answers_in(&stage.other.clone(), 10);
        assert!(stage.other_is_below());
        for _ in 0..30 {
            stage.pass(1000);
            stage.answers_in(&stage.other.clone(), 10);
        }
        assert!(stage.one_is_below());
    }

    #[test]
    fn a_failure_is_no_fast_answer_and_a_vain_wait_is_a_slow_one() {
        let mut stage = Stage::new();
        stage.answers_in(&stage.one.clone(), 20);
        stage.answers_in(&stage.other.clone(), 40);
        stage.other.begin(stage.now).failed();
        assert!(stage.one_is_below());
        stage.other.begin(stage.now).abandoned(stage.now);
        assert!(stage.one_is_below());
        let mut vain = stage.one.begin(stage.now);
        stage.pass(500);
        vain.abandoned(stage.now);
        drop(vain);
        assert!(stage.other_is_below());
    }

    #[test]
    fn differences_too_small_to_tell_decide_nothing() {
        let mut stage = Stage::new();
        let mut call = stage.one.begin(stage.now);
        stage.now += Duration::from_micros(50);
        call.answered(stage.now);
        drop(call);
        let mut call = stage.other.begin(stage.now);
        stage.now += Duration::from_micros(4900);
        call.answered(stage.now);
        drop(call);
        assert!(!stage.one_is_below() && !stage.other_is_below());
    }
}
