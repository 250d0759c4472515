//! The adapter that processes share: GCRA on a Redis server, in one atomic script and by the server's own clock, so that no clock
//! of a replica has a say.
//!
//! As in memory, a key has one time: when its bucket is full again. It is written as whole microseconds, and forgotten once it is
//! full. Who is counted is written as a digest: of one length whoever it is, and no list of addresses.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::limiter::{Away, Draw, Drawn, Key, Limiter};
use crate::redis::{Redis, Script};
use crate::secret::digest;

/// Since when all buckets are known: they were empty then.
const MARK: &str = "atelier:limit:empty";

/// KEYS: the mark, then one key for each draw. ARGV: whether all buckets begin empty now, whether this process has met the store
/// before, the time in place of the server's (for tests; else 0); then for each draw the interval and the fill of its bucket, in
/// microseconds. Answers whether it is allowed, which draw decided, how many are left, and a time.
///
/// A store that has lost its mark while somebody knew it has lost all: what was drawn is not known, and all begins empty.
static DRAW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local now = tonumber(ARGV[3])
         if now == 0 then
           local time = redis.call('TIME')
           now = tonumber(time[1]) * 1000000 + tonumber(time[2])
         end
         local function text(number) return string.format('%.0f', number) end
         local empty = tonumber(redis.call('GET', KEYS[1]) or -1)
         if ARGV[1] == '1' or empty < 0 then
           empty = (ARGV[1] == '1' or ARGV[2] == '1') and now or 0
           redis.call('SET', KEYS[1], text(empty))
         end
         local by, least, reset, wait = 0, nil, 0, nil
         local after = {}
         for n = 2, #KEYS do
           local interval, fill = tonumber(ARGV[2 * n]), tonumber(ARGV[2 * n + 1])
           local full_at = tonumber(redis.call('GET', KEYS[n]) or 0)
           local owed = math.max(full_at, empty + fill) - now
           owed = math.min(math.max(owed, 0), fill) + interval
           if owed > fill then
             if not wait or owed - fill > wait then by, wait = n - 2, owed - fill end
           else
             after[n] = owed
             local left = math.floor((fill - owed) / interval)
             if not wait and (not least or left < least) then by, least, reset = n - 2, left, owed end
           end
         end
         if wait then return {0, by, 0, wait} end
         for n, owed in pairs(after) do
           redis.call('SET', KEYS[n], text(now + owed), 'PX', text(math.ceil(owed / 1000) + 10000))
         end
         return {1, by, least, reset}",
    )
});

/// Counts on a server.
pub struct RedisLimiter {
    redis: Redis,
    /// All buckets begin empty with the next draw.
    empties: AtomicBool,
    /// Whether it has answered before.
    has_met: AtomicBool,
    /// Whether the time that is told is believed, in place of the server's.
    is_told: bool,
}

impl RedisLimiter {
    /// Counts by the server's clock.
    pub fn new(redis: Redis) -> Self {
        Self {
            redis,
            empties: AtomicBool::new(false),
            has_met: AtomicBool::new(false),
            is_told: false,
        }
    }

    /// Counts by the time that is told, so that a test can move it.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn by_told_time(self) -> Self {
        Self {
            is_told: true,
            ..self
        }
    }
}

#[async_trait]
impl Limiter for RedisLimiter {
    async fn draw(&self, draws: &[Draw], now: Duration) -> Result<Drawn, Away> {
        let empties = self.empties.load(Ordering::SeqCst);
        let mut call = DRAW.prepare_invoke();
        call.key(MARK);
        for draw in draws {
            call.key(name(&draw.key));
        }
        call.arg(i64::from(empties))
            .arg(i64::from(self.has_met.load(Ordering::SeqCst)))
            .arg(if self.is_told { micros(now) } else { 0 });
        for draw in draws {
            // Rounded up: never more than the limit.
            let interval = micros_up(draw.quota.interval());
            call.arg(interval)
                .arg(interval.saturating_mul(u64::from(draw.quota.burst())));
        }
        let asked = self.redis.run::<(i64, usize, u32, u64)>(&call).await;
        // A connection that was lost unnoticed is made anew at once; what was drawn for nothing is one.
        let asked = match asked {
            Ok(answer) => Ok(answer),
            Err(_) => self.redis.run(&call).await,
        };
        let (allowed, by, remaining, time) = asked.map_err(|error| {
            tracing::debug!(error = %crate::fault::chain(&error), "a limit was not drawn from");
            Away
        })?;
        self.has_met.store(true, Ordering::SeqCst);
        if empties {
            self.empties.store(false, Ordering::SeqCst);
        }
        let time = Duration::from_micros(time);
        Ok(match allowed {
            1 => Drawn::Allowed {
                by,
                remaining,
                reset: time,
            },
            _ => Drawn::Refused {
                by,
                retry_after: time,
            },
        })
    }

    fn empty(&self, _: Duration) {
        self.empties.store(true, Ordering::SeqCst);
    }
}

fn name(key: &Key) -> String {
    let (bucket, scope) = (key.bucket.name(), key.scope.name());
    let Some(who) = &key.who else {
        return format!("atelier:limit:{bucket}:{scope}");
    };
    let mut name = format!("atelier:limit:{bucket}:{scope}:");
    for byte in &digest(&[who.as_bytes()])[..16] {
        // Two digits a byte.
        name.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        name.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    name
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn micros_up(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX)
}
