//! The Pareto front of time and error.

/// Time and error of something that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Its time, in any unit.
    pub time: f64,
    /// Its error, in any measure that is smaller for better.
    pub error: f64,
}

impl Point {
    /// Whether this is at least as good as the other in both, and better in one.
    fn dominates(&self, other: &Point) -> bool {
        let no_worse = self.time <= other.time && self.error <= other.error;
        no_worse && (self.time < other.time || self.error < other.error)
    }
}

/// The places of the points that no other dominates, the fastest first. Points that are equal are all
/// on the front; a point that is not a number is not.
pub fn front(points: &[Point]) -> Vec<usize> {
    let is_number = |p: &Point| !p.time.is_nan() && !p.error.is_nan();
    let on_front = |i: &usize| {
        let me = &points[*i];
        is_number(me) && !points.iter().any(|p| p.dominates(me))
    };
    let mut front: Vec<usize> = (0..points.len()).filter(on_front).collect();
    front.sort_by(|&a, &b| {
        let (a, b) = (&points[a], &points[b]);
        a.time.total_cmp(&b.time).then(a.error.total_cmp(&b.error))
    });
    front
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(all: &[(f64, f64)]) -> Vec<Point> {
        let point = |&(time, error): &(f64, f64)| Point { time, error };
        all.iter().map(point).collect()
    }

    #[test]
    fn what_is_worse_in_both_is_not_on_the_front() {
        let all = points(&[
            (10.0, 0.0),
            (5.0, 0.1),
            (6.0, 0.2),
            (2.0, 0.3),
            (f64::NAN, 0.0),
        ]);
        assert_eq!(front(&all), [3, 1, 0]);
        assert_eq!(front(&points(&[(1.0, 1.0), (1.0, 1.0)])), [0, 1]);
        assert!(front(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn everyone_is_on_it_or_beaten_by_someone_on_it(
            all in prop::collection::vec((0u8..8, 0u8..8), 1..20),
        ) {
            let all: Vec<(f64, f64)> = all.iter().map(|&(t, e)| (t.into(), e.into())).collect();
            let all = points(&all);
            let front = front(&all);
            prop_assert!(!front.is_empty());
            for (i, point) in all.iter().enumerate() {
                let beaten = front.iter().any(|&f| all[f].dominates(point));
                prop_assert_eq!(front.contains(&i), !beaten);
            }
        }
    }
}
