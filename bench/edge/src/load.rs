//! As many calls as a way takes, for a while; what they took, and what worked for them.

use std::time::{Duration, Instant};

use bench_report::{Process, Spread, of_process};
use futures_util::future::try_join_all;

use crate::call::Caller;
use crate::stand::{Entry, Stand};

/// What one measurement found.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// Answers in a second.
    pub rate: f64,
    /// What half of the calls took at most, in seconds.
    pub half: f64,
    /// What 99 of 100 took at most.
    pub most: f64,
    /// What stands before the service worked for each, in seconds; nothing where nothing does.
    pub front: f64,
    /// What the service worked for each.
    pub service: f64,
}

/// The memory of what stands before the service, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// The most that it ever held.
    pub most: f64,
    /// What it holds after the last call.
    pub after: f64,
}

/// Calls over all connections, each one call after the other, for a while. Each connection is a task of its own, as it is
/// cheapest.
async fn calls(callers: &mut Vec<Caller>, slice: Duration) -> anyhow::Result<Vec<f64>> {
    let until = Instant::now() + slice;
    let each = callers.drain(..).map(|mut caller| {
        tokio::spawn(async move {
            let mut took = Vec::new();
            let mut now = Instant::now();
            while now < until {
                caller.call().await?;
                let after = Instant::now();
                took.push((after - now).as_secs_f64());
                now = after;
            }
            anyhow::Ok((caller, took))
        })
    });
    let mut all = Vec::new();
    for ended in try_join_all(each.collect::<Vec<_>>()).await? {
        let (caller, took) = ended?;
        callers.push(caller);
        all.extend(took);
    }
    Ok(all)
}

/// One measurement, after a short while that is not counted.
pub async fn storm(
    stand: &Stand,
    entry: &Entry,
    callers: &mut Vec<Caller>,
    slice: Duration,
) -> anyhow::Result<Storm> {
    let (front, service) = (stand.front(entry), &stand.service);
    calls(callers, slice / 6).await?;
    let begun = Instant::now();
    let worked = || (front.map_or(0.0, Process::worked), service.worked());
    let before = worked();
    let took = calls(callers, slice).await?;
    let passed = begun.elapsed().as_secs_f64();
    let after = worked();
    let count = took.len() as f64;
    let spread = Spread::new(took);
    Ok(Storm {
        rate: count / passed,
        half: spread.at(0.5),
        most: spread.at(0.99),
        front: (after.0 - before.0) / count,
        service: (after.1 - before.1) / count,
    })
}

/// The memory of a way.
pub fn memory(stand: &Stand, entry: &Entry) -> Memory {
    let id = stand.front(entry).and_then(Process::id);
    let read = |name| {
        let kib = id.and_then(|id| of_process(id, name));
        kib.map_or(f64::NAN, |kib| kib as f64 * 1024.0)
    };
    Memory {
        most: read("VmHWM"),
        after: read("VmRSS"),
    }
}
