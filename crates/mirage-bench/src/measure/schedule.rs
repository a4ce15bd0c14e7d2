//! The order in which subjects run.

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

/// Rounds of two legs: every subject once in a random order, then once in the reverse of it
/// (A B C, C B A). What drifts steadily through a round adds the same to each subject's two runs,
/// and who comes after whom changes from round to round.
pub(crate) struct Schedule {
    rng: StdRng,
    order: Vec<usize>,
}

impl Schedule {
    pub(crate) fn new(subjects: usize, seed: u64) -> Self {
        Schedule {
            rng: StdRng::seed_from_u64(seed),
            order: (0..subjects).collect(),
        }
    }

    /// The two legs of the next round.
    pub(crate) fn round(&mut self) -> [Vec<usize>; 2] {
        self.order.shuffle(&mut self.rng);
        let there = self.order.clone();
        let back = there.iter().rev().copied().collect();
        [there, back]
    }
}
