//! How long a login takes by what is known of its e-mail, and how far apart two kinds of them are; it decides nothing.

use std::time::Instant;

use bench_report::Spread;

use crate::stand::{Stand, Way};

/// What was measured, in seconds: as many of each kind, in turn.
#[derive(Default)]
pub struct Kinds {
    /// An e-mail that has an account, with a wrong password.
    pub wrong: Vec<f64>,
    /// An e-mail that has none.
    pub unknown: Vec<f64>,
    /// An e-mail that has an account, with its password.
    pub right: Vec<f64>,
}

impl Kinds {
    /// One after the other through the edge: so many of each kind, none of whose e-mails comes twice in a kind, in
    /// another order each time, so that none of them always follows the same one.
    pub async fn measure(stand: &Stand, count: usize) -> anyhow::Result<Self> {
        let mut kinds = Self::default();
        for number in 0..count {
            for turn in 0..3 {
                let unknown = format!("stranger-{number}@example.org");
                let known = stand.email(number);
                let begun = Instant::now();
                match (number + turn) % 3 {
                    0 => {
                        stand.refused(Way::Edge, number, &known).await?;
                        kinds.wrong.push(begun.elapsed().as_secs_f64());
                    }
                    1 => {
                        stand.refused(Way::Edge, number, &unknown).await?;
                        kinds.unknown.push(begun.elapsed().as_secs_f64());
                    }
                    _ => {
                        stand.right(Way::Edge, number + count / 2).await?;
                        kinds.right.push(begun.elapsed().as_secs_f64());
                    }
                }
            }
        }
        Ok(kinds)
    }
}

/// The two-sample Kolmogorov–Smirnov statistic: the largest distance between the two empirical distributions, from 0
/// for the same to 1 for two that do not overlap.
pub fn kolmogorov_smirnov(one: &[f64], other: &[f64]) -> f64 {
    let sorted = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let (one, other) = (sorted(one), sorted(other));
    let below = |values: &[f64], at: f64| {
        values.partition_point(|value| *value <= at) as f64 / values.len() as f64
    };
    one.iter()
        .chain(&other)
        .map(|at| (below(&one, *at) - below(&other, *at)).abs())
        .fold(0.0, f64::max)
}

/// The statistic that two samples of one distribution exceed once in twenty times.
pub fn once_in_twenty(one: usize, other: usize) -> f64 {
    1.358 * ((one + other) as f64 / (one * other) as f64).sqrt()
}

/// The statistic of a sample's own halves: what the noise of this run makes of nothing.
pub fn of_halves(values: &[f64]) -> f64 {
    let half = |odd: usize| -> Vec<f64> { values.iter().skip(odd).step_by(2).copied().collect() };
    kolmogorov_smirnov(&half(0), &half(1))
}

/// The values by rank.
pub fn spread(values: &[f64]) -> Spread {
    Spread::new(values.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statistic_is_the_largest_distance() {
        let one: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(kolmogorov_smirnov(&one, &one), 0.0);
        let beyond: Vec<f64> = one.iter().map(|value| value + 1000.0).collect();
        assert_eq!(kolmogorov_smirnov(&one, &beyond), 1.0);
        let moved: Vec<f64> = one.iter().map(|value| value + 25.0).collect();
        assert!((kolmogorov_smirnov(&one, &moved) - 0.25).abs() < 1e-9);
        assert!((once_in_twenty(500, 500) - 0.0859).abs() < 1e-4);
    }
}
