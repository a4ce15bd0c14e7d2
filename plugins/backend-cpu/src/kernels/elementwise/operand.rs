//! The layout of operands relative to the result.

use mirage_ir::TensorType;

/// The dimensions of the result's memory and each operand's strides along them. Dimensions that are
/// contiguous in all operands are merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Sizes, outermost first; at least one.
    sizes: Vec<usize>,
    /// For each operand, its stride along each dimension; 0 if it is repeated.
    steps: Vec<Vec<usize>>,
}

impl Walk {
    pub(super) fn new(out: &TensorType, operands: &[TensorType]) -> Self {
        let strides: Vec<Vec<usize>> = operands.iter().map(TensorType::strides).collect();
        let step = |i: usize, d: usize| match operands[i].shape[d] {
            1 => 0,
            _ => strides[i][d],
        };
        let steps = |d| (0..operands.len()).map(|i| step(i, d)).collect();
        Walk::of(out.order.dims().map(|d| (out.shape[d], steps(d))))
    }

    /// Merges dimensions, given their sizes, outermost first, and every operand's strides.
    pub(crate) fn of(dimensions: impl IntoIterator<Item = (usize, Vec<usize>)>) -> Self {
        let (mut sizes, mut all): (Vec<usize>, Vec<Vec<usize>>) = Default::default();
        let mut operands = 0;
        for (size, steps) in dimensions {
            operands = steps.len();
            let last = all.last_mut().filter(|outer: &&mut Vec<usize>| {
                outer
                    .iter()
                    .zip(&steps)
                    .all(|(outer, s)| *outer == s * size)
            });
            match (size, last) {
                (1, _) => {}
                (_, Some(last)) => {
                    *last = steps;
                    if let Some(whole) = sizes.last_mut() {
                        *whole *= size;
                    }
                }
                (_, None) => {
                    sizes.push(size);
                    all.push(steps);
                }
            }
        }
        if sizes.is_empty() {
            sizes.push(1);
            all.push(vec![0; operands]);
        }
        let of_operand = |i: usize| all.iter().map(|steps| steps[i]).collect();
        Walk {
            steps: (0..operands).map(of_operand).collect(),
            sizes,
        }
    }

    /// Whether an operand has the layout of the result.
    pub(super) fn is_whole(&self, operand: usize) -> bool {
        let mut expected = 1;
        let pairs = self.sizes.iter().zip(&self.steps[operand]);
        pairs.rev().all(|(&size, &step)| {
            let fits = step == expected || size == 1;
            expected *= size;
            fits
        })
    }

    /// Reads the operand's elements for the result's elements from `start` on, each through `f`.
    #[inline(always)]
    pub(crate) fn gather<T: Copy>(
        &self,
        operand: usize,
        elements: &[T],
        start: usize,
        out: &mut [f32],
        f: impl Fn(T) -> f32,
    ) {
        let steps = &self.steps[operand];
        let (inner, step) = (self.sizes.len() - 1, steps[self.sizes.len() - 1]);
        let line = self.sizes[inner];
        let mut done = 0;
        while done < out.len() {
            let at = start + done;
            let (mut outer, column) = (at / line, at % line);
            let mut from = column * step;
            for d in (0..inner).rev() {
                from += outer % self.sizes[d] * steps[d];
                outer /= self.sizes[d];
            }
            let run = (line - column).min(out.len() - done);
            let out = &mut out[done..done + run];
            match step {
                0 => out.fill(f(elements[from])),
                1 => {
                    for (out, x) in out.iter_mut().zip(&elements[from..from + run]) {
                        *out = f(*x);
                    }
                }
                _ => {
                    for (out, x) in out.iter_mut().zip(elements[from..].iter().step_by(step)) {
                        *out = f(*x);
                    }
                }
            }
            done += run;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(texts: &[&str]) -> Vec<TensorType> {
        texts.iter().map(|t| t.parse().expect("a type")).collect()
    }

    #[test]
    fn dimensions_that_all_walk_alike_are_one() {
        let t = types(&["f32[2,8,4,4]@[0,2,3,1]", "f32[1,8,1,1]", "f32[1,1,1,1]"]);
        let walk = Walk::new(&t[0], &t);
        assert_eq!(walk.sizes, [32, 8]);
        assert_eq!(walk.steps, [[8, 1], [0, 1], [0, 0]]);
        assert!(walk.is_whole(0) && !walk.is_whole(1));
        let mut out = [0.0; 11];
        let channels: Vec<f32> = (0..8).map(|c| c as f32).collect();
        walk.gather(1, &channels, 6, &mut out, |x| x);
        assert_eq!(out, [6.0, 7.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.0]);
    }

    #[test]
    fn an_operand_in_another_order_is_gathered() {
        let t = types(&["f32[2,3]", "f32[2,3]@[1,0]"]);
        let walk = Walk::new(&t[0], &t);
        let mut out = [0.0; 6];
        walk.gather(1, &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0], 0, &mut out, |x| x);
        assert_eq!(out, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}
