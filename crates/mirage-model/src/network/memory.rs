//! The context memory: a ring buffer of one token a frame, kept in the stream's declared state.

use burn::{
    module::{Module, Param},
    nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig},
    tensor::{Bool, DType, Device, Int, Tensor},
};

use crate::{NamedTensors, TensorSpec};

/// State: the tokens, `[B, slots, dim]` f32.
pub(crate) const MEMORY: &str = "memory";
/// State: the number of frames written so far, `[1]` i64.
pub(crate) const FRAMES: &str = "frames";

/// What cross-attention sees of the memory.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// `[B, 1 + slots, dim]`: the empty token, then the slots.
    pub(crate) tokens: Tensor<3>,
    /// `[1, 1, 1, 1 + slots]`: true for slots that no frame was written to yet.
    pub(crate) hidden: Tensor<4, Bool>,
}

/// Reads and writes the ring buffer.
///
/// Slot `i` holds the frame whose number is `i` modulo the number of slots. A learned token that is always visible stands
/// before the slots, so that attention has something to see on the first frame.
#[derive(Module, Debug)]
pub(crate) struct ContextMemory {
    /// The learned token, `[dim]`.
    empty: Param<Tensor<1>>,
    /// `[1 + slots]` i64, −1 for the learned token, then 0 to `slots` − 1: a constant, no parameter.
    index: Tensor<1, Int>,
    write_norm: LayerNorm,
    write: Linear,
    slots: usize,
    dim: usize,
}

impl ContextMemory {
    /// `channels` are those of the features that tokens are pooled from.
    pub(crate) fn new(channels: usize, slots: usize, dim: usize, device: &Device) -> Self {
        let index: Vec<i64> = (-1..slots as i64).collect();
        Self {
            empty: Param::from_tensor(Tensor::zeros([dim], device)),
            index: Tensor::from_data(index.as_slice(), (device, DType::I64)),
            write_norm: LayerNormConfig::new(channels).init(device),
            write: LinearConfig::new(channels, dim).init(device),
            slots,
            dim,
        }
    }

    pub(crate) fn specs(&self, batch: usize) -> Vec<TensorSpec> {
        vec![
            TensorSpec::new(MEMORY, [batch, self.slots, self.dim], DType::F32),
            TensorSpec::new(FRAMES, [1], DType::I64),
        ]
    }

    /// What cross-attention sees.
    pub(crate) fn read(&self, state: &NamedTensors) -> Context {
        let memory: Tensor<3> = state.expect(MEMORY);
        let frames: Tensor<1, Int> = state.expect(FRAMES);
        let [batch, _, dim] = memory.dims();
        let empty = self
            .empty
            .val()
            .reshape([1, 1, dim])
            .expand([batch, 1, dim]);
        let hidden = self
            .index
            .clone()
            .greater_equal(frames.expand([1 + self.slots]));
        Context {
            tokens: Tensor::cat(vec![empty, memory], 1),
            hidden: hidden.reshape([1, 1, 1, 1 + self.slots]),
        }
    }

    /// The state after a frame with these innermost features, `[B, C, h, w]`: their token in the next slot, one frame more.
    pub(crate) fn write(&self, state: &NamedTensors, features: Tensor<4>) -> NamedTensors {
        let memory: Tensor<3> = state.expect(MEMORY);
        let frames: Tensor<1, Int> = state.expect(FRAMES);
        let [batch, channels, height, width] = features.dims();
        let shape = memory.dims();

        let pooled = features
            .reshape([batch, channels, height * width])
            .mean_dim(2);
        let pooled = self
            .write_norm
            .forward(pooled.reshape([batch, 1, channels]));
        let token = self.write.forward(pooled).expand(shape);

        let cursor = frames.clone().remainder_scalar(self.slots as i64);
        let slot = self.index.clone().slice([1..=self.slots]);
        let written = slot.equal(cursor.expand([self.slots]));
        let written = written.reshape([1, self.slots, 1]).expand(shape);

        NamedTensors::new(vec![
            (MEMORY.to_owned(), memory.mask_where(written, token).into()),
            (FRAMES.to_owned(), frames.add_scalar(1_i64).into()),
        ])
    }

    /// 1 if a frame was written before, else 0; `[1, 1, 1, 1]` f32.
    pub(crate) fn has_history(state: &NamedTensors) -> Tensor<4> {
        let frames: Tensor<1, Int> = state.expect(FRAMES);
        frames.greater_elem(0_i64).float().reshape([1, 1, 1, 1])
    }
}
