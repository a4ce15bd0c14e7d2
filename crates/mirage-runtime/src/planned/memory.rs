//! Assigns offsets in one allocation to buffers, so that buffers whose lifetimes do not overlap share
//! memory.

use std::ops::Range;

/// A buffer: its length, and the first and the last step that use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub(super) len: usize,
    pub(super) first: usize,
    pub(super) last: usize,
}

impl Lifetime {
    fn meets(&self, other: &Lifetime) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Offsets are multiples of this many elements: a cache line of floats.
const ALIGNMENT: usize = 16;

/// Returns the offset of every buffer and the total length. Large buffers are placed first, each at the
/// lowest offset that is free during its lifetime (Pisarchyk, Lee: Efficient memory management for deep
/// neural net inference, 2020, "greedy by size").
pub(super) fn place(buffers: &[Lifetime]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(buffers[i].len), buffers[i].first));
    let mut offsets = vec![0; buffers.len()];
    let mut placed: Vec<(Range<usize>, usize)> = Vec::with_capacity(buffers.len());
    let mut whole = 0;
    for i in order {
        let len = buffers[i].len.next_multiple_of(ALIGNMENT);
        let mut at = 0;
        // `placed` is sorted by offset.
        for (taken, j) in &placed {
            if !buffers[*j].meets(&buffers[i]) {
                continue;
            }
            if at + len <= taken.start {
                break;
            }
            at = at.max(taken.end);
        }
        offsets[i] = at;
        whole = whole.max(at + len);
        let position = placed.partition_point(|(taken, _)| taken.start <= at);
        placed.insert(position, (at..at + len, i));
    }
    (offsets, whole)
}

/// A slice split into the ranges to write, in the requested sequence, and the rest with its offsets.
pub(super) struct Carved<'l, 'm, T> {
    pub(super) written: &'l mut [&'m mut [T]],
    rest: &'l [(usize, &'m [T])],
}

impl<'m, T> Carved<'_, 'm, T> {
    /// Elements that are not written.
    pub(super) fn read(&self, range: Range<usize>) -> &'m [T] {
        let piece = self
            .rest
            .partition_point(|(start, _)| *start <= range.start)
            - 1;
        let (start, piece) = self.rest[piece];
        &piece[range.start - start..range.end - start]
    }
}

/// Carves disjoint ranges out of a slice.
pub(super) fn carve<'l, 'm, T>(
    memory: &'m mut [T],
    ranges: impl ExactSizeIterator<Item = Range<usize>>,
    lists: &'l bumpalo::Bump,
) -> Carved<'l, 'm, T>
where
    'm: 'l,
{
    let ranges = lists.alloc_slice_fill_iter(ranges.enumerate());
    let written = lists.alloc_slice_fill_with(ranges.len(), |_| <&mut [T]>::default());
    let rest = lists.alloc_slice_fill_with(ranges.len() + 1, |_| (usize::MAX, <&[T]>::default()));
    ranges.sort_unstable_by_key(|(_, range)| (range.start, range.end));
    let (mut at, mut left) = (0, memory);
    for (i, (number, range)) in ranges.iter().enumerate() {
        let (before, from) = left.split_at_mut(range.start - at);
        let (piece, after) = from.split_at_mut(range.len());
        rest[i] = (at, before);
        written[*number] = piece;
        (at, left) = (range.end, after);
    }
    rest[ranges.len()] = (at, left);
    Carved { written, rest }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn buffers() -> impl Strategy<Value = Vec<Lifetime>> {
        let one = (0..200usize, 0..40usize, 0..12usize);
        let all = proptest::collection::vec(one, 0..60);
        all.prop_map(|all| {
            let lifetime = |(len, first, steps)| Lifetime {
                len,
                first,
                last: first + steps,
            };
            all.into_iter().map(lifetime).collect()
        })
    }

    proptest! {
        #[test]
        fn buffers_that_meet_do_not_overlap(buffers in buffers()) {
            let (offsets, whole) = place(&buffers);
            for (i, a) in buffers.iter().enumerate() {
                prop_assert!(offsets[i] + a.len <= whole);
                for (j, b) in buffers.iter().enumerate().filter(|&(j, b)| i != j && a.meets(b)) {
                    let apart = offsets[i] + a.len <= offsets[j] || offsets[j] + b.len <= offsets[i];
                    prop_assert!(apart || a.len == 0 || b.len == 0, "{i} and {j} at {offsets:?}");
                }
            }
        }
    }

    #[test]
    fn a_chain_takes_two_buffers() {
        let chain: Vec<Lifetime> = (0..10)
            .map(|i| Lifetime {
                len: 64,
                first: i,
                last: i + 1,
            })
            .collect();
        assert_eq!(place(&chain).1, 128);
    }

    #[test]
    fn what_is_written_and_what_is_left_make_the_whole() {
        let mut memory: Vec<u32> = (0..20).collect();
        let lists = bumpalo::Bump::new();
        let carved = carve(&mut memory, [10..14, 2..5].into_iter(), &lists);
        assert_eq!(carved.written[0], [10, 11, 12, 13]);
        assert_eq!(carved.written[1], [2, 3, 4]);
        assert_eq!(carved.read(0..2), [0, 1]);
        assert_eq!(carved.read(6..10), [6, 7, 8, 9]);
        assert_eq!(carved.read(14..20), (14..20).collect::<Vec<_>>());
    }
}
