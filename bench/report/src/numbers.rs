//! Percentiles and medians; nothing is smoothed and no outlier is taken away.

/// The value below which a part of `sorted` lies (nearest rank); `part` is in `0.0..=1.0`. Not a number when empty.
pub fn percentile(sorted: &[f64], part: f64) -> f64 {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

/// The middle of some values in any order: of an even number of them, the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// Some measured values, by rank.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    sorted: Vec<f64>,
}

impl Spread {
    /// Takes values in any order and any unit.
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { sorted: values }
    }

    /// The value below which a part lies, in `0.0..=1.0`.
    pub fn at(&self, part: f64) -> f64 {
        percentile(&self.sorted, part)
    }

    /// The largest.
    pub fn max(&self) -> f64 {
        self.at(1.0)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_values_themselves() {
        let spread = Spread::new(vec![5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(
            [0.0, 0.2, 0.5, 0.9, 1.0].map(|part| spread.at(part)),
            [1.0, 1.0, 3.0, 5.0, 5.0]
        );
        assert_eq!((spread.max(), spread.count()), (5.0, 5));
        assert!(Spread::default().max().is_nan());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }
}
