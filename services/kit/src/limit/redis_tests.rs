//! What processes that count on one server promise together: the limit, and no more than it, whatever becomes of the server.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;
use crate::redis::{Redis, RedisServer};
use crate::testing::servers;

/// A database of a server.
pub(super) fn redis(server: &servers::Redis, database: u8) -> Redis {
    Redis::new(&RedisServer::parse(&server.url(database)).unwrap()).unwrap()
}

fn table(text: &str) -> Table {
    Table::read("limits.toml", text).unwrap()
}

/// The limits of a process.
fn process(server: &servers::Redis, database: u8, table: Table) -> Arc<Limits> {
    Arc::new(Limits::shared(table, redis(server, database)))
}

async fn is_allowed(limits: &Limits, bucket: Bucket, who: &str) -> bool {
    let scope = Scope::Account;
    let verdict = limits.draw(bucket, &[Counted { scope, who }]).await;
    matches!(verdict.unwrap().drawn, Drawn::Allowed { .. })
}

#[tokio::test]
async fn two_processes_hold_ten_a_minute_to_ten() {
    let server = servers::Redis::shared();
    let both = [(); 2].map(|()| process(server, 4, Table::default()));
    let mut draws = Vec::new();
    for at in 0..60 {
        let limits = both[at % 2].clone();
        draws.push(tokio::spawn(async move {
            is_allowed(&limits, Bucket::Image, "x").await
        }));
    }
    let mut allowed = 0;
    for draw in draws {
        allowed += usize::from(draw.await.unwrap());
    }
    assert_eq!(allowed, 10);
}

/// One process of two at work: when each call was made that was allowed.
async fn hammer(limits: Arc<Limits>, began: Instant, until: Duration) -> Vec<Duration> {
    let mut allowed = Vec::new();
    while began.elapsed() < until {
        let asked = began.elapsed();
        if is_allowed(&limits, Bucket::Read, "x").await {
            allowed.push(asked);
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    allowed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_server_killed_under_load_two_processes_never_allow_more_than_the_limit() {
    let mut server = servers::Redis::start();
    // Ten a second, and twenty at once.
    let limits = || table("[read]\naccount = { per_minute = 600, burst = 20 }");
    let both = [(); 2].map(|()| process(&server, 0, limits()));
    let (began, until) = (Instant::now(), Duration::from_secs(9));
    let [one, other] = both.map(|limits| tokio::spawn(hammer(limits, began, until)));
    let sleep = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
    sleep(1).await;
    server.server().kill();
    let killed = began.elapsed();
    sleep(3).await;
    server.server().begin();
    let back = began.elapsed();
    sleep(2).await;
    server.server().freeze();
    sleep(1).await;
    server.server().thaw();
    let mut allowed = one.await.unwrap();
    allowed.extend(other.await.unwrap());
    allowed.sort();
    // In every span of time: what there is at once, and what comes back in it; a call may be decided on a moment after it
    // was made.
    for (from, first) in allowed.iter().enumerate() {
        for (to, last) in allowed.iter().enumerate().skip(from) {
            let most = 20.0 + ((*last - *first).as_secs_f64() + 0.3) * 10.0;
            let made = to - from + 1;
            assert!(
                made as f64 <= most,
                "{made} within {first:?} to {last:?}: {allowed:?}"
            );
        }
    }
    let within =
        |from: Duration, to: Duration| allowed.iter().filter(|at| (from..to).contains(*at)).count();
    let second = Duration::from_secs(1);
    // And it is no closed door either: alone each allows its half, and all of it when the server is back.
    assert!(within(killed + second, back) >= 8, "{allowed:?}");
    assert!(within(back + second, back + second * 2) >= 4, "{allowed:?}");
}

#[tokio::test]
async fn a_server_that_stands_still_is_waited_for_once_and_not_by_every_call() {
    let mut server = servers::Redis::start();
    let limits = process(&server, 0, Table::default());
    assert!(is_allowed(&limits, Bucket::Read, "x").await);
    server.server().freeze();
    let asked = Instant::now();
    for _ in 0..100 {
        is_allowed(&limits, Bucket::Read, "x").await;
    }
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "{:?}",
        asked.elapsed()
    );
    server.server().thaw();
}

#[tokio::test]
async fn a_server_that_was_killed_and_is_back_is_counted_on_again_without_a_restart() {
    let mut server = servers::Redis::start();
    let both = [(); 2].map(|()| {
        process(
            &server,
            0,
            table("[read]\naccount = { per_minute = 60000, burst = 5 }"),
        )
    });
    for limits in &both {
        assert!(is_allowed(limits, Bucket::Read, "x").await);
    }
    server.server().kill();
    server.server().begin();
    // The first call after it does not even notice: the connection is made anew for it.
    for limits in &both {
        is_allowed(limits, Bucket::Read, "x").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(is_allowed(limits, Bucket::Read, "x").await);
    }
    assert!(server.cli(&["DBSIZE"]) != "0");
}

#[tokio::test]
async fn a_store_that_has_lost_all_begins_empty_and_a_new_one_full() {
    let server = servers::Redis::start();
    let both = [(); 2].map(|()| process(&server, 0, Table::default()));
    for at in 0..20 {
        assert_eq!(is_allowed(&both[at % 2], Bucket::Image, "x").await, at < 10);
    }
    assert_eq!(server.cli(&["FLUSHALL"]), "OK");
    for limits in &both {
        for who in ["x", "y"] {
            assert!(
                !is_allowed(limits, Bucket::Image, who).await,
                "what {who} has drawn is not known"
            );
        }
    }
}

#[tokio::test]
async fn nobody_is_told_by_his_address_and_what_is_full_is_forgotten() {
    let server = servers::Redis::start();
    let limits = process(
        &server,
        0,
        table("[read]\naccount = { per_minute = 60000 }"),
    );
    assert!(is_allowed(&limits, Bucket::Read, "192.0.2.7").await);
    let keys = server.cli(&["KEYS", "*"]);
    assert!(
        keys.contains("atelier:limit:read:account:") && !keys.contains("192.0.2.7"),
        "{keys}"
    );
    let key = keys.lines().find(|key| key.contains("account")).unwrap();
    let left: i64 = server.cli(&["PTTL", key]).parse().unwrap();
    assert!((1..=10_001).contains(&left), "{left}");
}

#[test]
fn the_limiter_of_many_processes_is_gcra() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = servers::Redis::shared();
    let mut runner = TestRunner::new(ProptestConfig::with_cases(40));
    let calls = proptest::collection::vec((0_u8..3, 0_u64..5_000_000), 1..80);
    let mut round = 0;
    runtime.block_on(async {
        let limiter = RedisLimiter::new(redis(server, 5)).by_told_time();
        let limiter = &limiter;
        for _ in 0..40 {
            let input = (1_u32..1000, 1_u32..50, &calls)
                .new_tree(&mut runner)
                .unwrap()
                .current();
            let (per_minute, burst, calls) = input;
            let quota = Quota::new(per_minute, burst).unwrap();
            // As it is written there: whole microseconds, never fewer.
            let interval = i128::try_from(quota.interval().as_nanos().div_ceil(1000)).unwrap();
            let tolerance = interval * (i128::from(burst) - 1);
            let mut arrivals = [0_i128; 3];
            let mut now = 1_800_000_000_000_000_i128;
            round += 1;
            for (key, pause) in calls {
                now += i128::from(pause);
                let who = format!("{round} {key}");
                let counted = Counted {
                    scope: Scope::Account,
                    who: &who,
                };
                let draw = Draw {
                    key: Key::of(Bucket::Read, &counted),
                    quota,
                    alone: quota,
                };
                let time = Duration::from_micros(u64::try_from(now).unwrap());
                let found = match limiter.draw(&[draw], time).await.unwrap() {
                    Drawn::Allowed { remaining, .. } => Ok(i128::from(remaining)),
                    Drawn::Refused { retry_after, .. } => {
                        Err(i128::try_from(retry_after.as_micros()).unwrap())
                    }
                };
                let arrival = &mut arrivals[usize::from(key)];
                let due = now.max(*arrival);
                let expected = if due - tolerance > now {
                    Err(due - tolerance - now)
                } else {
                    *arrival = due + interval;
                    Ok((tolerance - (due - now)) / interval)
                };
                assert_eq!(found, expected, "{per_minute} {burst} {who}");
            }
        }
    });
}
