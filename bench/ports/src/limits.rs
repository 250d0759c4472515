//! What callers are counted by: in memory, or on Redis.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use atelier_kit::limit::{
    Bucket, Draw, Drawn, Key, Limiter, LocalLimiter, Quota, RedisLimiter, Scope,
};
use atelier_kit::redis::Redis;

use crate::engines::Engines;
use crate::{Port, Side, Turn, Verb};

/// How many accounts are counted.
const ACCOUNTS: usize = 1000;

/// The port.
pub fn port(engines: &Engines) -> anyhow::Result<Port> {
    let redis = RedisLimiter::new(Redis::new(&engines.redis.server_of())?);
    Ok(Port {
        name: "The limits",
        about: "`LocalLimiter` and `RedisLimiter`, called directly. *Draw* takes one call from the quota of an account, of 1000 accounts \
                in turn. The port reads nothing without drawing.",
        verbs: &[(Verb::Write, "draw")],
        embedded: ("memory", Limits::open(LocalLimiter::default())?),
        servers: vec![("Redis", Limits::open(redis)?)],
    })
}

struct Limits<L> {
    limiter: L,
    draws: Vec<[Draw; 1]>,
}

impl<L: Limiter> Limits<L> {
    fn open(limiter: L) -> anyhow::Result<Arc<dyn Side>> {
        // More than any run draws: what is refused is not what is measured.
        let quota = Quota::new(Quota::MOST, Quota::MOST).context("a quota")?;
        let draw = |account| Draw {
            key: Key {
                bucket: Bucket::Read,
                scope: Scope::Account,
                who: Some(format!("account-{account}").into()),
            },
            quota,
            alone: quota,
        };
        let draws = (0..ACCOUNTS).map(|account| [draw(account)]).collect();
        Ok(Arc::new(Self { limiter, draws }))
    }
}

#[async_trait]
impl<L: Limiter> Side for Limits<L> {
    async fn once(&self, _: Verb, turn: Turn) -> anyhow::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let draws = &self.draws[turn.number % self.draws.len()];
        let drawn = self.limiter.draw(draws, now).await?;
        ensure!(matches!(drawn, Drawn::Allowed { .. }), "{drawn:?}");
        Ok(())
    }
}
