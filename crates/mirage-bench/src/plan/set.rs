//! Sets of passes.

use std::fmt;

/// The most passes that a plan can have.
pub const MAX_PASSES: usize = 64;

/// A set of passes, each named by its place in the pipeline, from 0, below [`MAX_PASSES`].
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PassSet(u64);

impl PassSet {
    /// No pass.
    pub const NONE: PassSet = PassSet(0);

    /// The first `count` passes of the pipeline, at most [`MAX_PASSES`].
    pub fn first(count: usize) -> Self {
        PassSet(match count {
            0..MAX_PASSES => (1 << count) - 1,
            _ => u64::MAX,
        })
    }

    /// These passes.
    pub fn of(passes: &[usize]) -> Self {
        passes.iter().fold(Self::NONE, |set, &p| set.with(p))
    }

    /// This set and a pass.
    #[must_use]
    pub fn with(self, pass: usize) -> Self {
        PassSet(self.0 | 1 << pass)
    }

    /// This set without a pass.
    #[must_use]
    pub fn without(self, pass: usize) -> Self {
        PassSet(self.0 & !(1 << pass))
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        PassSet(self.0 & !other.0)
    }

    /// Whether the pass is in it.
    pub fn contains(self, pass: usize) -> bool {
        self.0 >> pass & 1 == 1
    }

    /// Whether every pass of it is in the other.
    pub fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The number of passes.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The passes in pipeline order.
    pub fn indices(self) -> Vec<usize> {
        (0..MAX_PASSES).filter(|&p| self.contains(p)).collect()
    }

    /// Every subset, the smallest sets first, those of one size in the order of their numbers; sizes
    /// are left out from the first whose sets would make it more than `limit` in all.
    pub(crate) fn subsets(self, limit: usize) -> impl Iterator<Item = PassSet> {
        let members = self.indices();
        let count = members.len();
        let mut total = 0_u128;
        let sizes: Vec<usize> = (0..=count)
            .take_while(|&size| {
                total = total.saturating_add(choose(count, size));
                total <= limit as u128
            })
            .collect();
        sizes.into_iter().flat_map(move |size| {
            let members = members.clone();
            combinations(count, size).map(move |places| {
                places
                    .iter()
                    .fold(PassSet::NONE, |set, &i| set.with(members[i]))
            })
        })
    }
}

impl fmt::Debug for PassSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.indices()).finish()
    }
}

fn choose(n: usize, k: usize) -> u128 {
    (0..k as u128).fold(1, |c, i| c * (n as u128 - i) / (i + 1))
}

/// The `size`-element subsets of `0..count` in lexicographic order.
fn combinations(count: usize, size: usize) -> impl Iterator<Item = Vec<usize>> {
    let first: Option<Vec<usize>> = (size <= count).then(|| (0..size).collect());
    std::iter::successors(first, move |last| {
        // The rightmost place that can still move right takes those after it along.
        let place = (0..size).rev().find(|&i| last[i] < count - size + i)?;
        let mut next = last.clone();
        next[place] += 1;
        for i in place + 1..size {
            next[i] = next[i - 1] + 1;
        }
        Some(next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_come_by_size_and_once() {
        let all: Vec<PassSet> = PassSet::of(&[1, 4, 6]).subsets(100).collect();
        let expected: [&[usize]; 8] =
            [&[], &[1], &[4], &[6], &[1, 4], &[1, 6], &[4, 6], &[1, 4, 6]];
        assert_eq!(all, expected.map(PassSet::of));
        assert_eq!(PassSet::first(64).subsets(100).count(), 65);
        assert_eq!(PassSet::first(64).len(), 64);
    }
}
