//! Reductions of slices with a running value for each lane of a vector, because the compiler may not
//! reorder a float sum.

const LANES: usize = 16;

/// Running values, one for each lane.
#[derive(Clone, Copy)]
pub(crate) struct Lanes([f32; LANES]);

impl Lanes {
    pub(crate) fn new(start: f32) -> Self {
        Lanes([start; LANES])
    }

    /// Combines each value into a lane.
    #[inline(always)]
    pub(crate) fn take_in(&mut self, values: &[f32], f: impl Fn(f32, f32) -> f32) {
        let mut chunks = values.chunks_exact(LANES);
        for chunk in &mut chunks {
            for (lane, &x) in self.0.iter_mut().zip(chunk) {
                *lane = f(*lane, x);
            }
        }
        for (lane, &x) in self.0.iter_mut().zip(chunks.remainder()) {
            *lane = f(*lane, x);
        }
    }

    /// Replaces each value by `map` of it and combines it into a lane.
    #[inline(always)]
    pub(crate) fn replace(
        &mut self,
        values: &mut [f32],
        map: impl Fn(f32) -> f32,
        f: impl Fn(f32, f32) -> f32,
    ) {
        let mut chunks = values.chunks_exact_mut(LANES);
        for chunk in &mut chunks {
            for (lane, x) in self.0.iter_mut().zip(chunk) {
                *x = map(*x);
                *lane = f(*lane, *x);
            }
        }
        for (lane, x) in self.0.iter_mut().zip(chunks.into_remainder()) {
            *x = map(*x);
            *lane = f(*lane, *x);
        }
    }

    /// Combines all lanes pairwise to one value.
    #[inline(always)]
    pub(crate) fn together(mut self, f: impl Fn(f32, f32) -> f32) -> f32 {
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                self.0[i] = f(self.0[i], self.0[i + half]);
            }
            half /= 2;
        }
        self.0[0]
    }
}

/// Returns the larger; the first if the second is NaN.
#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

#[inline(always)]
pub(crate) fn plus(a: f32, b: f32) -> f32 {
    a + b
}

/// Returns the sum of at most a few thousand elements, because it is computed in f32.
#[inline(always)]
fn sum(values: &[f32]) -> f64 {
    let mut lanes = Lanes::new(0.0);
    lanes.take_in(values, plus);
    f64::from(lanes.together(plus))
}

/// Returns the sum of squared distances from `centre`, of at most a few thousand elements.
#[inline(always)]
fn sum_of_squares(values: &[f32], centre: f32) -> f64 {
    let mut lanes = Lanes::new(0.0);
    lanes.take_in(values, |a, x| a + (x - centre) * (x - centre));
    f64::from(lanes.together(plus))
}

/// Count, mean and sum of squared distances from the mean, merged from parts without cancellation
/// (Chan, Golub, LeVeque 1979).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) count: f64,
    pub(crate) mean: f64,
    pub(crate) squares: f64,
}

impl Moments {
    /// Merges two disjoint sets.
    #[inline(always)]
    pub(crate) fn merge(self, other: Moments) -> Moments {
        let count = self.count + other.count;
        if count == 0.0 {
            return self;
        }
        let distance = other.mean - self.mean;
        Moments {
            count,
            mean: self.mean + distance * other.count / count,
            squares: self.squares
                + other.squares
                + distance * distance * self.count * other.count / count,
        }
    }

    /// Computes the moments of contiguous elements, in pieces that fit into the nearest cache.
    #[inline(always)]
    pub(crate) fn of(values: &[f32]) -> Moments {
        let mut all = Moments::default();
        for part in values.chunks(2048) {
            let count = part.len() as f64;
            let mean = sum(part) / count;
            let squares = sum_of_squares(part, mean as f32);
            all = all.merge(Moments {
                count,
                mean,
                squares,
            });
        }
        all
    }

    /// Returns 1/√(variance + eps).
    #[inline(always)]
    pub(crate) fn inverse_deviation(&self, eps: f64) -> f64 {
        1.0 / (self.squares / self.count + eps).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_survive_a_mean_far_from_zero() {
        let values: Vec<f32> = (0..10_007)
            .map(|i| 1000.0 + (i % 17) as f32 * 0.125)
            .collect();
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let squares: f64 = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum();
        let got = Moments::of(&values);
        assert!((got.mean - mean).abs() < 1e-4, "{got:?} {mean}");
        assert!(
            (got.squares / squares - 1.0).abs() < 1e-6,
            "{got:?} {squares}"
        );
    }

    #[test]
    fn the_largest_is_found_in_every_place() {
        for len in [1, 15, 16, 17, 40] {
            for at in 0..len {
                let mut values = vec![-3.0; len];
                values[at] = 2.0;
                let mut lanes = Lanes::new(f32::NEG_INFINITY);
                lanes.take_in(&values, larger);
                assert_eq!(lanes.together(larger), 2.0);
                let mut lanes = Lanes::new(0.0);
                lanes.replace(&mut values, |x| x + 4.0, plus);
                assert_eq!(lanes.together(plus), len as f32 + 5.0);
                assert_eq!(values[at], 6.0);
            }
        }
    }
}
