//! The benchmark network: two U-Nets in sequence and a temporal stage. Nearly all of a frame's time is spent in
//! convolutions and attention.

mod block;
mod seeding;
mod unet;

use burn::{
    module::Module,
    tensor::{DType, Device, Int, Tensor},
};

use self::{
    block::{AttentionBlock, HeavyBlock},
    unet::UNet,
};
use crate::{
    AnyTensor, ModelError, StepInput, StepOutput, StreamModel, TensorSpec,
    config::{Size, StressConfig},
    forward::{NamedForward, Ordered},
};

/// Channels of a frame.
const RGB: usize = 3;

/// `GPUStressTestModel`: a U-Net of `base_channels` on the image and a plane of timestep / timesteps, one of half as many on
/// its output, and a temporal stage (heavy block, attention, heavy block) on that output and the previous picture.
///
/// As a [`StreamModel`] it denoises like img2img: its `input` is only the noisy sample, so the frame enters only by the
/// noised frame that the trajectory starts from. Its values are in [0, 1], because its last activation is SiLU, which is
/// never below −0.28: frames in [-1, 1] are mapped to [0, 1], and its output is clamped to that and mapped back. `previous`
/// is the network's own last output. It has no other state, and blends only by its temporal stage; on the first frame
/// `previous` is grey.
#[derive(Module, Debug)]
pub struct StressNetwork {
    unets: Vec<UNet>,
    temporal_processor: (HeavyBlock, AttentionBlock, HeavyBlock),
    /// The divisor of timesteps.
    timesteps: f64,
}

impl StressNetwork {
    /// The network of a validated configuration for a schedule of `timesteps`.
    pub(crate) fn new(config: &StressConfig, timesteps: usize, device: &Device) -> Self {
        let base = config.base_channels;
        Self {
            unets: vec![
                UNet::new(RGB + 1, RGB, base, device),
                UNet::new(RGB, RGB, base / 2, device),
            ],
            temporal_processor: (
                HeavyBlock::new(2 * RGB, base, device),
                AttentionBlock::new(base, device),
                HeavyBlock::new(base, RGB, device),
            ),
            timesteps: timesteps as f64,
        }
    }

    /// `input` and `previous` are `[B, 3, H, W]`, `timestep` is `[B]`; gives `[B, 3, H, W]`. The sides are multiples of 16.
    fn forward(
        &self,
        input: Tensor<4>,
        previous: Tensor<4>,
        timestep: Tensor<1, Int>,
    ) -> Tensor<4> {
        let [batch, _, height, width] = input.dims();
        let plane = timestep
            .float()
            .div_scalar(self.timesteps)
            .reshape([batch, 1, 1, 1])
            .expand([batch, 1, height, width]);
        let x = Tensor::cat(vec![input, plane], 1);
        let x = self.unets.iter().fold(x, |x, unet| unet.forward(x));
        let (enter, attention, leave) = &self.temporal_processor;
        leave.forward(attention.forward(enter.forward(Tensor::cat(vec![x, previous], 1))))
    }
}

/// From [-1, 1] to [0, 1].
fn to_unit(picture: Tensor<4>) -> Tensor<4> {
    picture.mul_scalar(0.5).add_scalar(0.5)
}

/// From [0, 1] to [-1, 1].
fn from_unit(picture: Tensor<4>) -> Tensor<4> {
    picture.mul_scalar(2.0).sub_scalar(1.0)
}

/// Returns the sample: the temporal stage has blended it within the step.
impl StreamModel for StressNetwork {
    fn denoise(&self, step: StepInput) -> StepOutput {
        let output = self.forward(to_unit(step.sample), to_unit(step.previous), step.timestep);
        StepOutput::new(from_unit(output.clamp(0.0, 1.0)))
    }
}

impl NamedForward for StressNetwork {
    fn picture_input(&self) -> &'static str {
        "input"
    }

    fn input_specs(&self, batch: usize, size: Size) -> Vec<TensorSpec> {
        vec![
            TensorSpec::picture("input", batch, size),
            TensorSpec::picture("previous", batch, size),
            TensorSpec::new("timestep", [batch], DType::I64),
        ]
    }

    fn output_specs(&self, batch: usize, size: Size) -> Vec<TensorSpec> {
        vec![TensorSpec::picture("output", batch, size)]
    }

    /// Runs the network itself, on values of any range.
    fn forward_ordered(&self, mut inputs: Ordered) -> Result<Vec<(String, AnyTensor)>, ModelError> {
        let input = inputs.take()?;
        let previous = inputs.take()?;
        let output = self.forward(input, previous, inputs.take()?);
        Ok(vec![("output".to_owned(), output.into())])
    }
}
