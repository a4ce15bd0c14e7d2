//! Outliers, counted and never removed.

use serde::{Deserialize, Serialize};

use crate::{percentiles::sorted, quantile};

/// How many values lie beyond Tukey's fences (Tukey, Exploratory Data Analysis, 1977): mild ones
/// more than 1.5 interquartile ranges outside the quartiles, severe ones more than 3. A severe
/// value does not count as mild. They stay in every other number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outliers {
    /// Far below.
    pub low_severe: usize,
    /// Below.
    pub low_mild: usize,
    /// Above.
    pub high_mild: usize,
    /// Far above.
    pub high_severe: usize,
}

impl Outliers {
    /// Among these values.
    pub fn of(values: &[f64]) -> Self {
        let mut found = Outliers::default();
        let Some(sorted) = sorted(values) else {
            return found;
        };
        let (q1, q3) = (quantile(&sorted, 0.25), quantile(&sorted, 0.75));
        let range = q3 - q1;
        for value in sorted {
            if value < q1 - 3.0 * range {
                found.low_severe += 1;
            } else if value < q1 - 1.5 * range {
                found.low_mild += 1;
            } else if value > q3 + 3.0 * range {
                found.high_severe += 1;
            } else if value > q3 + 1.5 * range {
                found.high_mild += 1;
            }
        }
        found
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.low_severe + self.low_mild + self.high_mild + self.high_severe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fence_has_its_count() {
        // Sorted: -30 -6 1 2 3 4 5 6 7 8 9 17 60; q1 = 2, q3 = 8, range 6:
        // fences -16, -7, 17, 26.
        let mut values: Vec<f64> = (1..=9).map(f64::from).collect();
        values.extend([60.0, 17.0, -30.0, -6.0]);
        let found = Outliers::of(&values);
        assert_eq!((found.low_severe, found.high_severe), (1, 1));
        // A value on the fence is inside.
        assert_eq!((found.low_mild, found.high_mild), (0, 0));
        values[9] = 20.0;
        assert_eq!(Outliers::of(&values).high_mild, 1);
        assert_eq!(Outliers::of(&[]).total(), 0);
    }
}
