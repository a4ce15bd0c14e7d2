//! Scaled dot-product attention.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    DType, OpError, Operation, TensorType,
    interp::{
        Tensor,
        index::{self, broadcast_strides, lanes, offset},
    },
    op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Attention>()];

/// `attention(q [B,H,M,D], k [B,H,N,D], v [B,H,N,E], mask?, bias?)`:
/// softmax(softcap(q·kᵀ·scale) + bias)·v over N, with softcap(s) = c·tanh(s/c). Row-major.
///
/// The mask is bool and broadcasts to `[B,H,M,N]`; **true leaves the key out**. A query whose keys are
/// all left out gives 0. The bias has q's dtype and broadcasts likewise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attention {
    /// The factor on q·kᵀ; absent means 1/√D.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// The bound c of the scores; absent means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub softcap: Option<f64>,
    /// Whether query i attends only to keys up to i (+ N − M).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub causal: bool,
    /// Whether a mask is among the inputs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mask: bool,
    /// Whether a bias is among the inputs, after the mask.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bias: bool,
}

impl Attention {
    /// The factor on q·kᵀ for heads of dimension `head_dim`.
    pub fn scale_for(&self, head_dim: usize) -> f64 {
        self.scale.unwrap_or_else(|| 1.0 / (head_dim as f64).sqrt())
    }
}

impl Operation for Attention {
    const NAMES: &'static [&'static str] = &["attention"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        let count = 3 + usize::from(self.mask) + usize::from(self.bias);
        rules::arity(inputs, count..=count)?;
        rules::same_float(&inputs[..3])?;
        rules::all_row_major(inputs)?;
        let (q, k, v) = (inputs[0], inputs[1], inputs[2]);
        for (name, t) in [("q", q), ("k", k), ("v", v)] {
            rules::rank(name, t, 4)?;
        }
        let [b, h, m, d] = q.shape[..] else {
            unreachable!("rank 4 was checked")
        };
        let n = k.shape[2];
        rules::shape("k", k, &[b, h, n, d])?;
        rules::shape("v", v, &[b, h, n, v.shape[3]])?;
        for (extra, t) in inputs[3..].iter().enumerate() {
            let is_mask = self.mask && extra == 0;
            let dtype = if is_mask { DType::Bool } else { q.dtype };
            op_ensure!(
                t.dtype == dtype,
                "{} must be {dtype}, got {t}",
                if is_mask { "the mask" } else { "the bias" }
            );
            op_ensure!(
                t.rank() == 4
                    && t.shape
                        .iter()
                        .zip([b, h, m, n])
                        .all(|(&a, to)| a == to || a == 1),
                "{t} does not broadcast to the scores [{b},{h},{m},{n}]"
            );
        }
        Ok(vec![TensorType::new(q.dtype, [b, h, m, v.shape[3]])])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let mut scores = self.scores(inputs)?;
        for lane in lanes(&score_shape(inputs), 3) {
            if lane.offsets().all(|i| scores[i] == f64::NEG_INFINITY) {
                lane.offsets().for_each(|i| scores[i] = 0.0);
            } else {
                super::softmax::softmax(&mut scores, lane);
            }
        }
        let (v, shape) = (inputs[2], &outputs[0].shape);
        let (values, [keys, width]) = (v.floats()?, [v.shape()[2], v.shape()[3]]);
        let rows = index::strides(&score_shape(inputs));
        let out = index::map(shape, |i| {
            let row = offset(&i[..3], &rows[..3]);
            let head = (i[0] * shape[1] + i[1]) * keys * width;
            (0..keys)
                .map(|n| scores[row + n] * values[head + n * width + i[3]])
                .sum()
        });
        Ok(vec![Tensor::float(shape.as_slice(), out)?])
    }

    fn flops(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        let (q, n) = (inputs[0], inputs[1].shape[2]);
        let scores = rules::operations(&[2, q.numel(), n]);
        let softmax = rules::operations(&[5, q.shape[0], q.shape[1], q.shape[2], n]);
        let sums = rules::operations(&[2, outputs[0].numel(), n]);
        scores.saturating_add(softmax).saturating_add(sums)
    }
}

fn score_shape(inputs: &[&Tensor]) -> [usize; 4] {
    let (q, k) = (inputs[0].shape(), inputs[1].shape());
    [q[0], q[1], q[2], k[2]]
}

impl Attention {
    /// What the softmax takes: −∞ where a key is left out.
    fn scores(&self, inputs: &[&Tensor]) -> Result<Vec<f64>, OpError> {
        let shape @ [_, heads, queries, keys] = score_shape(inputs);
        let (q, k, depth) = (
            inputs[0].floats()?,
            inputs[1].floats()?,
            inputs[0].shape()[3],
        );
        let scale = self.scale_for(depth);
        let mut scores = index::map(&shape, |i| {
            let head = i[0] * heads + i[1];
            let (row, key) = (
                (head * queries + i[2]) * depth,
                (head * keys + i[3]) * depth,
            );
            let score = scale * (0..depth).map(|d| q[row + d] * k[key + d]).sum::<f64>();
            self.softcap.map_or(score, |c| c * (score / c).tanh())
        });
        if self.bias {
            let bias = inputs[3 + usize::from(self.mask)];
            let (values, strides) = (bias.floats()?, broadcast_strides(bias.shape(), &shape));
            let added = index::map(&shape, |i| values[offset(i, &strides)]);
            scores
                .iter_mut()
                .zip(added)
                .for_each(|(score, b)| *score += b);
        }
        let mut out = vec![false; scores.len()];
        if self.mask {
            let (mask, strides) = (
                inputs[3].bools()?,
                broadcast_strides(inputs[3].shape(), &shape),
            );
            out = index::map(&shape, |i| mask[offset(i, &strides)]);
        }
        let later = index::map(&shape, |i| self.causal && i[3] + queries > i[2] + keys);
        for ((score, out), later) in scores.iter_mut().zip(out).zip(later) {
            if out || later {
                *score = f64::NEG_INFINITY;
            }
        }
        Ok(scores)
    }
}
