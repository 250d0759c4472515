//! One trip after the other, each timed; whatever is measured so implements [`Trip`].

use std::time::{Duration, Instant};

use bench_report::Spread;

/// Something that can be done again and again.
pub trait Trip: Send {
    /// Does it once.
    fn make(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Makes trips one after the other for `slice`; returns what each took, in seconds.
pub async fn one_by_one(trip: &mut impl Trip, slice: Duration) -> anyhow::Result<Spread> {
    let mut taken = Vec::with_capacity(4096);
    let mut begun = Instant::now();
    let end = begun + slice;
    while begun < end {
        trip.make().await?;
        let now = Instant::now();
        taken.push((now - begun).as_secs_f64());
        begun = now;
    }
    Ok(Spread::new(taken))
}
