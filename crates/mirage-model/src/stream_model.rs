//! What a sampler needs of a network to run a live stream with it.

use burn::tensor::{Int, Tensor};

use crate::{StateTensors, TensorSpec};

/// The inputs of one denoising step. All are on one device; pictures are f32 of the same shape `[B, 3, H, W]`.
#[derive(Debug, Clone)]
pub struct StepInput {
    /// The noisy picture `x_t` of the forward process of the model's [`Schedule`](crate::Schedule).
    pub sample: Tensor<4>,
    /// The frame that conditions the picture, in [-1, 1].
    pub frame: Tensor<4>,
    /// The stream's previous output in [-1, 1]; zeros before the first frame.
    pub previous: Tensor<4>,
    /// The timestep `t` of `sample`, `[B]`, i64, in `0..train_timesteps`.
    pub timestep: Tensor<1, Int>,
    /// The declared state, with the names, shapes and types of [`StreamModel::state_specs`].
    pub state: StateTensors,
}

/// What one denoising step gives.
#[derive(Debug, Clone)]
pub struct StepOutput {
    /// The predicted clean picture x0, `[B, 3, H, W]`, in [-1, 1].
    pub picture: Tensor<4>,
    /// What [`StreamModel::update_state`] reads: the network's innermost features, `[B, C, h, w]`.
    pub features: Tensor<4>,
}

/// A network that runs live: it denoises towards a frame, blends with its previous output, and keeps state from frame to
/// frame. Nothing here reads a tensor's contents or makes random numbers, so all of it can be captured into one graph.
///
/// A frame is: `denoise` for each step of the sampler, all with the state before the frame; `blend` of the sampler's final
/// picture; `update_state` with the last step. The blended picture is the frame's output and the next frame's `previous`,
/// which is a state of the stream too though not among [`state_specs`](Self::state_specs), because every model has it.
pub trait StreamModel {
    /// Predicts the clean picture x0 in [-1, 1] from one noisy sample, whatever the network itself was trained to predict.
    ///
    /// # Panics
    /// On inputs of other shapes or types than [`StepInput`] says, as burn does.
    fn denoise(&self, step: StepInput) -> StepOutput;

    /// The declared state besides `previous`: names, shapes and types. Before the first frame all are zero.
    fn state_specs(&self, batch: usize) -> Vec<TensorSpec>;

    /// The state after a frame, from the state before it and the frame's last step.
    fn update_state(&self, state: StateTensors, last: &StepOutput) -> StateTensors;

    /// The frame's output: the sampler's final picture blended with the previous output. `state` is the state before the
    /// frame. On the first frame of a stream this is the picture itself.
    fn blend(&self, picture: Tensor<4>, previous: Tensor<4>, state: &StateTensors) -> Tensor<4>;
}
