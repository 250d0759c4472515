//! How one replica stands: what is known of its connection, its health and its failures. Times are told, nothing is awaited.

use std::time::Duration;

use tokio::time::Instant;

use super::line::Line;

/// How long a connection may take to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How long it may take to answer how it is.
pub(super) const ASK_PATIENCE: Duration = Duration::from_secs(1);
/// The least between two attempts to connect, however many calls wait for one.
pub(super) const BREATH: Duration = Duration::from_millis(25);
/// How long a call waits for a connection to a replica that failed before. One that refuses says so at once; one that
/// says nothing has been waited for by those before.
const PATIENCE: Duration = Duration::from_millis(200);
/// The first pause after a connection could not be made; each is longer than the one before,
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// up to this one.
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// The most that a connection waits after one that was good: all callers of a replica lose theirs together.
const SPREAD: Duration = Duration::from_millis(50);
/// A connection that lasted as long was good.
const LASTS: Duration = Duration::from_secs(1);
/// After so many questions without an answer it is taken to be unwell; at the beginning one is enough.
const SILENCES: u32 = 2;
/// So many calls in a row that broke, or that it refused as if nobody were there, and it is left out.
const STRIKES: u32 = 5;
/// Calls that break together count as one, since one connection carries all.
const TOGETHER: Duration = Duration::from_millis(100);
/// How long it is left out for the first time, unless it is said otherwise; the second time is twice as long, the third
/// three times,
pub(super) const EJECTION: Duration = Duration::from_secs(30);
/// and so on up to this.
const MOST_EJECTIONS: u32 = 10;
/// How long after it was let in again another failure counts as a repetition.
const REMEMBERED: Duration = Duration::from_secs(60);

/// How a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A first attempt to connect is about to be made, or is made.
    New,
    /// There is no connection.
    Away,
    /// It failed too often, and is left out for a while.
    Ejected,
    /// It is connected and says that it takes no calls, or says nothing.
    NotServing,
    /// It is connected, and has not been heard yet.
    Connected,
    /// It is connected and well.
    Serving,
}

impl State {
    /// As it is counted.
    pub(super) fn name(self) -> &'static str {
        match self {
            State::New | State::Away => "away",
            State::Ejected => "ejected",
            State::NotServing => "not_serving",
            State::Connected => "connected",
            State::Serving => "serving",
        }
    }

    /// Those with the highest rank get the calls; those with none cannot.
    pub(super) fn rank(self) -> u8 {
        match self {
            // Who has not been heard yet may be nobody who ever answers.
            State::New | State::Away | State::Connected => 0,
            State::Ejected | State::NotServing => 1,
            State::Serving => 2,
        }
    }
}

/// What a replica said when it was asked how it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It takes calls.
    Good,
    /// It takes none.
    Bad,
    /// It did not answer.
    Silent,
}

/// What is being done for a connection.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Nothing yet.
    New,
    /// An attempt that began then.
    Connecting(Instant),
    /// There is one, since then.
    Connected(Instant),
    /// A pause. The attempt, or the connection, that ended before it had begun then.
    Resting(Instant),
}

/// How a replica stands.
pub(super) struct Standing {
    line: Option<Line>,
    phase: Phase,
    /// Attempts in a row that led to nothing.
    failures: u32,
    /// What it said last on this connection.
    health: Option<Health>,
    /// Questions in a row that were not answered.
    silences: u32,
    /// Calls in a row that broke.
    strikes: u32,
    struck_at: Option<Instant>,
    /// Ejections that followed each other.
    ejections: u32,
    /// When it was let in again.
    pardoned_at: Option<Instant>,
    ejected_until: Option<Instant>,
    /// How long the first of them is.
    ejection: Duration,
    /// It is no longer one of the replicas.
    gone: bool,
}

impl Standing {
    pub(super) fn new(ejection: Duration) -> Self {
        Self {
            line: None,
            phase: Phase::New,
            failures: 0,
            health: None,
            silences: 0,
            strikes: 0,
            struck_at: None,
            ejections: 0,
            pardoned_at: None,
            ejected_until: None,
            ejection,
            gone: false,
        }
    }

    /// What that makes of it.
    pub(super) fn state(&self) -> State {
        if self.line.is_none() {
            return match self.phase {
                Phase::New => State::New,
                Phase::Connecting(_) if self.failures == 0 => State::New,
                _ => State::Away,
            };
        }
        match self.health {
            _ if self.ejected_until.is_some() => State::Ejected,
            None => State::Connected,
            Some(Health::Good) => State::Serving,
            Some(Health::Bad | Health::Silent) => State::NotServing,
        }
    }

    /// Its connection.
    pub(super) fn line(&self) -> Option<&Line> {
        self.line.as_ref()
    }

    /// Until when it is left out.
    pub(super) fn ejected_until(&self) -> Option<Instant> {
        self.ejected_until
    }

    /// Whether it is no longer one of the replicas.
    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether it may connect if it is asked to.
    pub(super) fn is_resting(&self) -> bool {
        matches!(self.phase, Phase::Resting(_))
    }

    /// Until when it is worth to wait for it, for a call that began then.
    pub(super) fn hope(&self, begun: Instant, now: Instant) -> Option<Instant> {
        let until = match self.phase {
            Phase::New => begun + CONNECT,
            Phase::Connecting(since) if self.failures == 0 => since + CONNECT,
            Phase::Connecting(since) => since + PATIENCE,
            // It is asked how it is, or it is about to be found out that it is lost.
            Phase::Connected(since) => (since + ASK_PATIENCE).max(begun) + BREATH,
            // This call has already seen it fail.
            Phase::Resting(since) if since >= begun => return None,
            Phase::Resting(_) => begun + BREATH + PATIENCE,
        };
        (until > now).then_some(until)
    }

    /// An attempt begins.
    pub(super) fn connecting(&mut self, now: Instant) {
        self.phase = Phase::Connecting(now);
    }

    /// It led to a connection. One that nobody is going to ask how it is, is well.
    pub(super) fn connected(&mut self, line: Line, is_asked: bool, now: Instant) {
        self.phase = Phase::Connected(now);
        self.line = Some(line);
        self.silences = 0;
        self.health = (!is_asked).then_some(Health::Good);
    }

    /// It led to nothing. Whether that is news.
    pub(super) fn missed(&mut self) -> bool {
        if let Phase::Connecting(since) = self.phase {
            self.phase = Phase::Resting(since);
        }
        self.failures = self.failures.saturating_add(1);
        self.failures == 1
    }

    /// A connection takes no more calls; it may be one that was lost before.
    pub(super) fn lost(&mut self, line: &Line, now: Instant) {
        if self.line.as_ref().is_none_or(|own| own.id() != line.id()) {
            return;
        }
        self.line = None;
        let Phase::Connected(since) = self.phase else {
            return;
        };
        self.phase = Phase::Resting(since);
        // One on which nothing was answered, or which did not last, is no better than none.
        let was_good = line.is_proven() && now.saturating_duration_since(since) >= LASTS;
        self.failures = if was_good {
            0
        } else {
            self.failures.saturating_add(1)
        };
    }

    /// How long to rest before the next attempt.
    pub(super) fn pause(&self) -> Duration {
        match self.failures {
            0 => SPREAD.mul_f64(fastrand::f64()),
            failures => about(growing(FIRST_PAUSE, 1.6, failures - 1, LAST_PAUSE)),
        }
    }

    /// It was asked how it is.
    pub(super) fn heard(&mut self, health: Health) {
        if health != Health::Silent {
            self.silences = 0;
            self.health = Some(health);
            return;
        }
        self.silences += 1;
        if self.silences >= SILENCES || self.health.is_none() {
            self.health = Some(health);
        }
    }

    /// A call broke. Whether it is left out for that, if it may be.
    pub(super) fn struck(&mut self, now: Instant, may_go: impl FnOnce() -> bool) -> bool {
        let since = |at: Instant| now.saturating_duration_since(at);
        let together = self.struck_at.is_some_and(|at| since(at) < TOGETHER);
        if together || self.ejected_until.is_some() {
            return false;
        }
        self.struck_at = Some(now);
        self.strikes = self.strikes.saturating_add(1);
        if self.strikes < STRIKES || !may_go() {
            return false;
        }
        self.ejections = (self.ejections + 1).min(MOST_EJECTIONS);
        self.ejected_until = Some(now + self.ejection * self.ejections);
        true
    }

    /// It is let in again: one call more that breaks, and it is left out for longer.
    pub(super) fn pardoned(&mut self) {
        self.pardoned_at = self.ejected_until.take();
        self.strikes = STRIKES - 1;
    }

    /// A call went well.
    pub(super) fn answered(&mut self, now: Instant) {
        self.strikes = 0;
        let since = |at: Instant| now.saturating_duration_since(at);
        let last = self.struck_at.max(self.pardoned_at);
        if last.is_none_or(|at| since(at) > REMEMBERED) {
            self.ejections = 0;
        }
    }

    /// It is no longer one of the replicas.
    pub(super) fn leave(&mut self) {
        self.gone = true;
        self.line = None;
    }
}

/// A time that grows with each repetition, and is bounded.
fn growing(first: Duration, by: f64, repetitions: u32, last: Duration) -> Duration {
    let factor = by.powi(i32::try_from(repetitions.min(32)).unwrap_or(32));
    first.mul_f64(factor).min(last)
}

/// About so long: callers that began together need not go on together.
pub(super) fn about(time: Duration) -> Duration {
    time.mul_f64(0.8 + 0.4 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn new() -> Standing {
        Standing::new(EJECTION)
    }

    /// A call breaks, at a replica that may be left out.
    fn strike(standing: &mut Standing, now: Instant) -> bool {
        standing.struck(now, || true)
    }

    /// For how long it is left out.
    fn left_out(standing: &Standing, now: Instant) -> Duration {
        standing.ejected_until().expect("it is left out") - now
    }

    #[test]
    fn five_calls_in_a_row_that_break_leave_it_out_and_each_time_for_longer() {
        let (mut standing, mut now) = (new(), Instant::now());
        for expected in [false, false, false, false, true] {
            now += millis(150);
            assert_eq!(strike(&mut standing, now), expected);
        }
        assert_eq!(left_out(&standing, now), Duration::from_secs(30));
        for times in [2, 3, 4, 5, 6, 7, 8, 9, 10, 10] {
            standing.pardoned();
            now += millis(200);
            assert!(strike(&mut standing, now));
            assert_eq!(left_out(&standing, now), Duration::from_secs(30) * times);
        }
    }

    #[test]
    fn one_that_must_not_be_left_out_stays_and_is_asked_for_at_each_further_failure() {
        let (mut standing, mut now) = (new(), Instant::now());
        let mut asked = 0;
        for _ in 0..10 {
            now += millis(150);
            assert!(!standing.struck(now, || {
                asked += 1;
                false
            }));
        }
        assert_eq!(asked, 6);
        assert_eq!(standing.ejected_until(), None);
        now += millis(150);
        assert!(strike(&mut standing, now));
    }

    #[test]
    fn calls_that_break_together_count_once_and_one_that_goes_well_makes_up_for_them() {
        let (mut standing, mut now) = (new(), Instant::now());
        for _ in 0..50 {
            assert!(!strike(&mut standing, now));
        }
        for _ in 0..3 {
            now += millis(150);
            assert!(!strike(&mut standing, now));
        }
        standing.answered(now);
        for _ in 0..4 {
            now += millis(150);
            assert!(!strike(&mut standing, now));
        }
        now += millis(150);
        assert!(strike(&mut standing, now));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let (mut standing, mut now) = (new(), Instant::now());
        let strike_out = |standing: &mut Standing, now: &mut Instant| {
            while !strike(standing, *now) {
                *now += millis(150);
            }
        };
        strike_out(&mut standing, &mut now);
        standing.pardoned();
        strike_out(&mut standing, &mut now);
        assert_eq!(left_out(&standing, now), EJECTION * 2);
        now += EJECTION * 2;
        standing.pardoned();
        now += REMEMBERED;
        standing.answered(now);
        strike_out(&mut standing, &mut now);
        assert_eq!(left_out(&standing, now), EJECTION * 3);
        now += EJECTION * 3;
        standing.pardoned();
        now += REMEMBERED + millis(1);
        standing.answered(now);
        strike_out(&mut standing, &mut now);
        assert_eq!(left_out(&standing, now), EJECTION);
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let mut standing = new();
        assert!(standing.pause() <= SPREAD);
        let mut last = Duration::ZERO;
        for attempt in 1..=40 {
            standing.connecting(Instant::now());
            assert_eq!(standing.missed(), attempt == 1);
            last = standing.pause();
            assert!(last <= LAST_PAUSE.mul_f64(1.2), "{last:?}");
        }
        assert!(last >= LAST_PAUSE.mul_f64(0.8), "{last:?}");
    }

    #[test]
    fn a_call_waits_for_an_attempt_that_it_has_not_seen_fail() {
        let (mut standing, begun) = (new(), Instant::now());
        assert!(standing.hope(begun, begun).is_some());
        let attempt = begun + millis(1);
        standing.connecting(attempt);
        assert_eq!(standing.hope(begun, attempt), Some(attempt + CONNECT));
        standing.missed();
        assert_eq!(standing.state(), State::Away);
        // The call before has seen it; one after has not, and waits no longer than it takes to be refused.
        assert_eq!(standing.hope(begun, attempt + millis(1)), None);
        let later = attempt + millis(2);
        assert_eq!(standing.hope(later, later), Some(later + BREATH + PATIENCE));
        standing.connecting(later);
        assert_eq!(standing.hope(later, later), Some(later + PATIENCE));
        // An attempt that has been hanging for long is waited for by nobody.
        assert_eq!(standing.hope(later, later + PATIENCE), None);
    }

    #[test]
    fn one_silence_says_nothing_of_a_replica_that_was_heard() {
        let mut standing = new();
        standing.heard(Health::Good);
        standing.heard(Health::Silent);
        assert_eq!(standing.health, Some(Health::Good));
        standing.heard(Health::Silent);
        assert_eq!(standing.health, Some(Health::Silent));
        standing.heard(Health::Good);
        assert_eq!(standing.health, Some(Health::Good));
        let mut fresh = new();
        fresh.heard(Health::Silent);
        assert_eq!(fresh.health, Some(Health::Silent));
    }
}
