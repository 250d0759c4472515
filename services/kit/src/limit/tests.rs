//! What the limits promise: the last call that is allowed, the first that is not, and the moment it is again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;

use super::*;
use crate::testing::{MovedTime, servers};

const SECOND: Duration = Duration::from_secs(1);

fn account(who: &str) -> Counted<'_> {
    let scope = Scope::Account;
    Counted { scope, who }
}

fn anonymous(who: &str) -> Counted<'_> {
    let scope = Scope::Anonymous;
    Counted { scope, who }
}

fn draw_of(who: &str, quota: Quota) -> Draw {
    let key = Key::of(Bucket::Read, &account(who));
    let alone = quota.shared(0.5);
    Draw { key, quota, alone }
}

fn allowed(drawn: Drawn) -> Option<u32> {
    match drawn {
        Drawn::Allowed { remaining, .. } => Some(remaining),
        Drawn::Refused { .. } => None,
    }
}

fn on(limiter: Arc<dyn Limiter>, table: Table) -> (Limits, MovedTime) {
    let time = MovedTime::default();
    let limits = Limits::new(table, limiter, Arc::new(time.clone()));
    (limits, time)
}

/// Every adapter, with the shortest time that it knows. The server's is a database of its own.
fn adapters(database: u8) -> [(Arc<dyn Limiter>, Duration); 2] {
    let redis = super::redis_tests::redis(servers::Redis::shared(), database);
    let shared = RedisLimiter::new(redis).by_told_time();
    [
        (Arc::new(LocalLimiter::default()), Duration::from_nanos(1)),
        (Arc::new(shared), Duration::from_micros(1)),
    ]
}

async fn wait(limits: &Limits, bucket: Bucket, who: &[Counted<'_>]) -> Option<Duration> {
    match limits.draw(bucket, who).await.unwrap().drawn {
        Drawn::Allowed { .. } => None,
        Drawn::Refused { retry_after, .. } => Some(retry_after),
    }
}

#[tokio::test]
async fn every_limit_holds_to_the_call_and_to_the_shortest_time() {
    for (limiter, tick) in adapters(1) {
        for bucket in Bucket::ALL {
            for scope in Scope::ALL {
                let (limits, time) = on(limiter.clone(), Table::default());
                holds(&limits, &time, tick, bucket, scope).await;
            }
        }
    }
}

async fn holds(limits: &Limits, time: &MovedTime, tick: Duration, bucket: Bucket, scope: Scope) {
    let (x, y) = (
        format!("x{bucket:?}{scope:?}"),
        format!("y{bucket:?}{scope:?}"),
    );
    let who = [Counted { scope, who: &x }];
    let quota = limits.table().quota(bucket, scope).unwrap();
    for left in (0..quota.burst()).rev() {
        let verdict = limits.draw(bucket, &who).await.unwrap();
        assert_eq!(allowed(verdict.drawn), Some(left), "{bucket:?} {scope:?}");
        assert_eq!((verdict.quota, verdict.scope), (quota, scope));
    }
    assert_eq!(
        wait(limits, bucket, &who).await,
        Some(quota.interval()),
        "{bucket:?} {scope:?}"
    );
    time.advance(quota.interval() - tick);
    assert_eq!(
        wait(limits, bucket, &who).await,
        Some(tick),
        "a refused call costs nothing: {bucket:?} {scope:?}"
    );
    time.advance(tick);
    assert_eq!(wait(limits, bucket, &who).await, None);
    assert_eq!(wait(limits, bucket, &who).await, Some(quota.interval()));
    // Somebody else, and the same one in another bucket, have their own.
    let other = [Counted { scope, who: &y }];
    assert_eq!(wait(limits, bucket, &other).await, None);
    let elsewhere = Bucket::ALL.into_iter().find(|b| *b != bucket).unwrap();
    assert_eq!(wait(limits, elsewhere, &who).await, None);
    // A long pause fills it, and no more than that.
    time.advance(quota.fill() * 10);
    let verdict = limits.draw(bucket, &who).await.unwrap();
    assert_eq!(allowed(verdict.drawn), Some(quota.burst() - 1));
}

#[tokio::test]
async fn new_anonymous_accounts_gain_nothing() {
    for (limiter, _) in adapters(2) {
        let (limits, time) = on(limiter, Table::default());
        nothing_is_gained(&limits, &time).await;
    }
}

async fn nothing_is_gained(limits: &Limits, time: &MovedTime) {
    let network = anonymous("192.0.2.7");
    for who in ["a", "b"] {
        let drawn = wait(limits, Bucket::Image, &[anonymous(who), network]).await;
        assert_eq!(drawn, None);
    }
    let refused = limits
        .draw(Bucket::Image, &[anonymous("c"), network])
        .await
        .unwrap();
    assert_eq!(allowed(refused.drawn), None);
    assert_eq!(refused.scope, Scope::Anonymous);
    // The account that was refused for its network has lost nothing: elsewhere it has both of its own.
    let elsewhere = [anonymous("c"), anonymous("198.51.100.1")];
    let verdict = limits.draw(Bucket::Image, &elsewhere).await.unwrap();
    assert_eq!(allowed(verdict.drawn), Some(1));
    // And one that moves from network to network is still one.
    assert_eq!(
        wait(limits, Bucket::Image, &[anonymous("c"), anonymous("x")]).await,
        None
    );
    assert_eq!(
        wait(limits, Bucket::Image, &[anonymous("c"), anonymous("y")]).await,
        Some(30 * SECOND)
    );
    time.advance(30 * SECOND);
    assert_eq!(
        wait(limits, Bucket::Image, &[anonymous("d"), network]).await,
        None
    );
}

#[tokio::test]
async fn a_limit_that_changes_takes_over_what_was_drawn() {
    for (limiter, _) in adapters(3) {
        let (limits, time) = on(limiter, Table::default());
        takes_over(&limits, &time).await;
    }
}

async fn takes_over(limits: &Limits, time: &MovedTime) {
    let who = [account("x")];
    for _ in 0..10 {
        assert_eq!(wait(limits, Bucket::Image, &who).await, None);
    }
    assert_eq!(wait(limits, Bucket::Image, &who).await, Some(6 * SECOND));
    // Ten times as much: what is owed is paid back ten times as fast, and not forgotten.
    let read = |text: &str| Table::read("limits.toml", text).unwrap();
    limits.change(read("[image]\naccount = { per_minute = 100 }"));
    assert_eq!(
        wait(limits, Bucket::Image, &who).await,
        Some(SECOND * 6 / 10)
    );
    time.advance(SECOND);
    assert_eq!(wait(limits, Bucket::Image, &who).await, None);
    // Much less: nobody waits longer than the new bucket takes to fill.
    limits.change(read("[image]\naccount = { per_minute = 60, burst = 1 }"));
    assert_eq!(wait(limits, Bucket::Image, &who).await, Some(SECOND));
    // None, and back again.
    limits.change(Table::unlimited());
    assert_eq!(limits.draw(Bucket::Image, &who).await, None);
    limits.change(Table::default());
    assert!(wait(limits, Bucket::Image, &who).await.is_some());
}

#[tokio::test]
async fn keys_are_swept_and_bounded_and_strangers_crowd_each_other_alone() {
    let quota = Quota::new(60, 1).unwrap();
    let limiter = LocalLimiter::with_room(4);
    let draw = |who: &'static str, at: Duration| {
        let limiter = &limiter;
        async move { allowed(limiter.draw(&[draw_of(who, quota)], at).await.unwrap()) }
    };
    let start = 1000 * SECOND;
    for who in ["a", "b", "c", "d"] {
        assert_eq!(draw(who, start).await, Some(0));
    }
    assert_eq!(draw("e", start).await, Some(0), "the crowd has its one");
    assert_eq!(draw("f", start).await, None, "and no more");
    assert_eq!(
        draw("a", start).await,
        None,
        "no stranger empties a known key"
    );
    assert_eq!(limiter.len(), 5);
    // After a second all are full again; whoever comes has a key of his own.
    let later = start + 2 * SECOND;
    for who in ["e", "f", "g", "h"] {
        assert_eq!(draw(who, later).await, Some(0), "{who}");
    }
    assert_eq!(limiter.len(), 4);
}

#[test]
fn a_large_table_is_swept_before_it_is_full() {
    let quota = Quota::new(60, 1).unwrap();
    let limiter = LocalLimiter::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    // A thousand strangers a second, for a minute: a second's worth of them is owed anything at a time.
    for n in 0..60_000_u64 {
        let draw = draw_of(&n.to_string(), quota);
        let at = Duration::from_millis(n);
        let drawn = runtime.block_on(limiter.draw(&[draw], at)).unwrap();
        assert_eq!(allowed(drawn), Some(0));
    }
    assert!(limiter.len() <= 2_100, "{}", limiter.len());
}

/// The whole of GCRA, as its definition has it: a theoretical time of arrival for each key.
#[derive(Default)]
struct Reference(HashMap<u8, i128>);

impl Reference {
    fn draw(&mut self, key: u8, quota: Quota, now: i128) -> Result<i128, i128> {
        let interval = 60_000_000_000 / i128::from(quota.per_minute());
        let tolerance = interval * (i128::from(quota.burst()) - 1);
        let arrival = self.0.get(&key).map_or(now, |arrival| now.max(*arrival));
        if arrival - tolerance > now {
            return Err(arrival - tolerance - now);
        }
        self.0.insert(key, arrival + interval);
        Ok((tolerance - (arrival - now)) / interval)
    }
}

proptest! {
    #[test]
    fn the_limiter_of_one_process_is_gcra(
        per_minute in 1_u32..1000,
        burst in 1_u32..50,
        calls in proptest::collection::vec((0_u8..3, 0_u64..5_000_000_000), 1..200),
    ) {
        let quota = Quota::new(per_minute, burst).unwrap();
        let limiter = LocalLimiter::default();
        let mut reference = Reference::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut now = 1_800_000_000_000_000_000_u64;
        for (key, pause) in calls {
            now += pause;
            let draw = draw_of(&key.to_string(), quota);
            let drawn = runtime.block_on(limiter.draw(&[draw], Duration::from_nanos(now))).unwrap();
            let found = match drawn {
                Drawn::Allowed { remaining, .. } => Ok(i128::from(remaining)),
                Drawn::Refused { retry_after, .. } => Err(i128::try_from(retry_after.as_nanos()).unwrap()),
            };
            prop_assert_eq!(found, reference.draw(key, quota, i128::from(now)));
        }
    }
}

/// A store that several processes would share.
#[derive(Default)]
struct Shared {
    is_away: AtomicBool,
    hangs: AtomicBool,
    asked: AtomicUsize,
    inner: LocalLimiter,
}

#[async_trait]
impl Limiter for Arc<Shared> {
    async fn draw(&self, draws: &[Draw], now: Duration) -> Result<Drawn, Away> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Away);
        }
        self.inner.draw(draws, now).await
    }

    fn empty(&self, now: Duration) {
        self.inner.empty(now);
    }
}

#[tokio::test]
async fn while_the_shared_store_is_away_a_share_of_the_limit_holds_and_it_is_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let shared = Arc::new(Shared::default());
    let time = MovedTime::default();
    let limits = Limits::new(
        Table::default(),
        Arc::new(FailoverLimiter::new(Arc::new(shared.clone()))),
        Arc::new(time.clone()),
    );
    let who = [account("x")];
    let count = |limits| count(limits, &who);
    assert_eq!(wait(&limits, Bucket::Image, &who).await, None);
    assert_eq!(shared.asked.load(Ordering::SeqCst), 1);
    for way in [&shared.is_away, &shared.hangs] {
        time.advance(120 * SECOND);
        way.store(true, Ordering::SeqCst);
        let before = shared.asked.load(Ordering::SeqCst);
        // What others drew from the store before is not known here: nothing is left of it until something has come back.
        assert_eq!(wait(&limits, Bucket::Image, &who).await, Some(12 * SECOND));
        time.advance(12 * SECOND);
        assert_eq!(count(&limits).await, 1);
        time.advance(120 * SECOND);
        // Half of ten.
        assert_eq!(count(&limits).await, 5);
        assert_eq!(
            shared.asked.load(Ordering::SeqCst),
            before + 3,
            "it is left alone for a while each time"
        );
        time.advance(SECOND);
        assert!(wait(&limits, Bucket::Image, &who).await.is_some());
        assert_eq!(
            shared.asked.load(Ordering::SeqCst),
            before + 4,
            "and asked again"
        );
        way.store(false, Ordering::SeqCst);
        time.advance(SECOND);
        // It does not know what was drawn meanwhile, and was empty when something was last drawn here.
        assert_eq!(wait(&limits, Bucket::Image, &who).await, Some(5 * SECOND));
    }
    let told = handle.render();
    // Of each: one refusal, one and a refusal, five and a refusal, and one more refusal.
    assert!(
        told.contains("atelier_rate_limiter_fallbacks_total 20"),
        "{told}"
    );
    assert!(told.contains("atelier_rate_limiter_is_shared 1"), "{told}");
    time.advance(60 * SECOND);
    assert_eq!(count(&limits).await, 10, "it is back with all of its limit");
}

async fn count(limits: &Limits, who: &[Counted<'_>]) -> usize {
    let mut drawn = 0;
    while wait(limits, Bucket::Image, who).await.is_none() {
        drawn += 1;
    }
    drawn
}

#[tokio::test]
async fn a_limiter_that_is_away_lets_nobody_in() {
    let shared = Arc::new(Shared::default());
    shared.is_away.store(true, Ordering::SeqCst);
    let limits = Limits::new(
        Table::default(),
        Arc::new(shared),
        Arc::new(MovedTime::default()),
    );
    assert_eq!(
        wait(&limits, Bucket::Image, &[account("x")]).await,
        Some(SECOND)
    );
}
