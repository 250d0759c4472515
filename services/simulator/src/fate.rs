//! What befalls each request: made from the seed, the request, and how often it came before, and from nothing else, so
//! that the order in which requests come changes nothing.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};

use crate::script::{Act, Script};
use crate::stats::Visit;

/// Of how many requests it is remembered how often they came.
const REMEMBERED: usize = 100_000;
/// After how many bytes at the most something befalls an answer by chance.
const BY_CHANCE: u64 = 512;
/// What belongs to no answer, of whatever medium.
const NONSENSE: &[u8] = b"\ndata: {\"choices\":[{\"delta\":{\"con\xff\xfe\n\n";

/// The fates of all requests.
pub(crate) struct Fates {
    script: Script,
    /// How often each request came.
    came: Mutex<HashMap<[u8; 32], u64>>,
}

/// What befalls one request.
pub(crate) struct Fate {
    /// The time before its first byte.
    pub(crate) latency: Duration,
    /// What befalls it.
    pub(crate) act: Act,
    /// After how many bytes, of what befalls it on the way.
    after: u64,
}

impl Fates {
    pub(crate) fn new(script: Script) -> Self {
        Self {
            script,
            came: Mutex::default(),
        }
    }

    pub(crate) fn script(&self) -> &Script {
        &self.script
    }

    /// What befalls a request that comes now.
    pub(crate) fn of(&self, request: &[u8]) -> Fate {
        let digest: [u8; 32] = Sha256::digest(request).into();
        let time = {
            let mut came = self
                .came
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if came.len() >= REMEMBERED && !came.contains_key(&digest) {
                came.clear();
            }
            let times = came.entry(digest).or_insert(0);
            *times += 1;
            *times - 1
        };
        let mut rng = chance(self.script.seed, &[&digest, &time.to_be_bytes()]);
        let latency = within(&mut rng, &self.script);
        let act = self.act(time, &mut rng);
        let after = match act {
            Act::Stall(after) | Act::Cut(after) | Act::Malformed(after) => {
                after.unwrap_or_else(|| rng.u64(0..=BY_CHANCE))
            }
            Act::Serve | Act::Refuse(_) => 0,
        };
        Fate {
            latency,
            act,
            after,
        }
    }

    fn act(&self, time: u64, rng: &mut Rng) -> Act {
        let told = usize::try_from(time).unwrap_or(usize::MAX);
        if let Some(act) = self.script.acts.get(told).or(self.script.acts.last()) {
            return *act;
        }
        let mut drawn = rng.f64() * 100.0;
        for (act, percent) in &self.script.chances {
            if drawn < *percent {
                return *act;
            }
            drawn -= percent;
        }
        Act::Serve
    }
}

/// Chances that are the same whenever they are made from the same.
pub(crate) fn chance(seed: u64, of: &[&[u8]]) -> Rng {
    let mut digest = Sha256::new_with_prefix(seed.to_be_bytes());
    for part in of {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let mut seed = [0; 8];
    seed.copy_from_slice(&digest[..8]);
    Rng::with_seed(u64::from_be_bytes(seed))
}

fn within(rng: &mut Rng, script: &Script) -> Duration {
    let (from, to) = (*script.latency.start(), *script.latency.end());
    from + (to - from).mul_f64(rng.f64())
}

impl Fate {
    /// The pieces of an answer as they go out: whole, or until something befalls them.
    pub(crate) fn befall<P: Stream<Item = Bytes> + Send + 'static>(
        &self,
        pieces: P,
        visit: Visit,
    ) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + use<P> {
        let (act, mut left) = (self.act, self.after);
        async_stream::stream! {
            let mut pieces = std::pin::pin!(pieces);
            let mut befallen = matches!(act, Act::Serve | Act::Refuse(_));
            while let Some(mut piece) = pieces.next().await {
                if !befallen && piece.len() as u64 >= left {
                    let before = piece.split_to(usize::try_from(left).unwrap_or(piece.len()));
                    if !before.is_empty() {
                        yield Ok(before);
                    }
                    match act {
                        Act::Stall(_) => std::future::pending::<()>().await,
                        Act::Cut(_) => {
                            visit.cut();
                            // What was said before is sent before the connection breaks.
                            tokio::task::yield_now().await;
                            yield Err(io::Error::from(io::ErrorKind::ConnectionReset));
                            return;
                        }
                        _ => yield Ok(Bytes::from_static(NONSENSE)),
                    }
                    befallen = true;
                }
                left = left.saturating_sub(piece.len() as u64);
                if !piece.is_empty() {
                    yield Ok(piece);
                }
            }
            visit.served();
        }
    }
}
