//! The live-stream diffusion U-Net.

use burn::{
    module::{Module, Param},
    nn::{
        GroupNorm, GroupNormConfig,
        conv::{Conv2d, Conv2dConfig},
    },
    tensor::{
        DType, Device, Int, Tensor,
        activation::{sigmoid, silu, tanh},
    },
};

use super::{
    level::{DownLevel, LevelPlan, Middle, UpLevel},
    memory::ContextMemory,
    residual::conv3x3,
    time::TimestepEmbedding,
};
use crate::{
    AnyTensor, ModelError, NamedTensors, StepInput, StepOutput, StreamModel, TensorSpec,
    config::{LiveStreamUNetConfig, Size},
    forward::{NamedForward, Ordered},
};

/// Channels of a frame.
const RGB: usize = 3;
/// Frame, previous output and noisy sample, in this order.
const INPUT: usize = 3 * RGB;

/// A U-Net that predicts a clean frame from a frame, the previous output and a noisy sample.
///
/// It predicts `x0 = clamp(mix + detail · tanh(u), −1, 1)`: `mix` is a 1×1 convolution of the nine input channels, `u` the
/// U-Net's output, and `detail` a learned weight for each colour, which bounds the U-Net's contribution for any weights.
///
/// Its U-Net: residual blocks with the timestep in each, levels joined by strided convolutions, nearest-pixel upsampling and
/// skip connections, transformer blocks at the levels that the configuration names and in the middle; those that read the
/// context memory attend to the tokens of past frames. Once a frame a token pooled from the middle is written to it.
#[derive(Module, Debug)]
pub struct LiveStreamUNet {
    mix: Conv2d,
    input: Conv2d,
    time: TimestepEmbedding,
    down: Vec<DownLevel>,
    middle: Middle,
    /// Innermost level first.
    up: Vec<UpLevel>,
    output_norm: GroupNorm,
    output: Conv2d,
    /// `[3]`
    detail: Param<Tensor<1>>,
    memory: ContextMemory,
    /// `[1]`; its sigmoid is the share of the previous output in the next.
    blend: Param<Tensor<1>>,
}

impl LiveStreamUNet {
    /// The network of a validated configuration. Its weights are burn's own initialisation: see
    /// [`build`](crate::build) for the seeded one.
    pub(crate) fn new(config: &LiveStreamUNetConfig, device: &Device) -> Self {
        let channels = config.level_channels();
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let plan = LevelPlan {
            config,
            time_dim: 4 * first,
            device,
        };

        let mut skips = vec![first];
        let mut inflow = first;
        let mut down = Vec::new();
        for (level, to) in channels.iter().enumerate() {
            down.push(DownLevel::new(&plan, level, inflow));
            skips.extend(std::iter::repeat_n(*to, config.blocks));
            inflow = *to;
        }
        let middle = Middle::new(&plan, last);
        let mut up = Vec::new();
        for (level, to) in channels.iter().enumerate().rev() {
            up.push(UpLevel::new(&plan, level, inflow, &mut skips));
            inflow = *to;
        }

        Self {
            mix: Conv2dConfig::new([INPUT, RGB], [1, 1]).init(device),
            input: conv3x3(INPUT, first, device),
            time: TimestepEmbedding::new(first, plan.time_dim, device),
            down,
            middle,
            up,
            output_norm: GroupNormConfig::new(config.norm_groups, first).init(device),
            output: conv3x3(first, RGB, device),
            detail: Param::from_tensor(Tensor::ones([RGB], device)),
            memory: ContextMemory::new(last, config.memory.slots, config.memory.dim, device),
            blend: Param::from_tensor(Tensor::zeros([1], device)),
        }
    }
}

impl StreamModel for LiveStreamUNet {
    fn denoise(&self, step: StepInput) -> StepOutput {
        let context = self.memory.read(&step.state);
        let time = self.time.forward(step.timestep);
        let input = Tensor::cat(vec![step.frame, step.previous, step.sample], 1);

        let mut x = self.input.forward(input.clone());
        let mut skips = vec![x.clone()];
        for level in &self.down {
            x = level.forward(x, &time, &context, &mut skips);
        }
        x = self.middle.forward(x, &time, &context);
        let features = x.clone();
        for level in &self.up {
            x = level.forward(x, &time, &context, &mut skips);
        }
        let texture = self.output.forward(silu(self.output_norm.forward(x)));

        let detail = self.detail.val().reshape([1, RGB, 1, 1]);
        let picture = self.mix.forward(input) + detail * tanh(texture);
        StepOutput {
            picture: picture.clamp(-1.0, 1.0),
            features,
        }
    }

    fn state_specs(&self, batch: usize) -> Vec<TensorSpec> {
        self.memory.specs(batch)
    }

    fn update_state(&self, state: NamedTensors, last: &StepOutput) -> NamedTensors {
        self.memory.write(&state, last.features.clone())
    }

    /// `picture + g·(previous − picture)`, with `g` the learned weight, or 0 on the first frame.
    fn blend(&self, picture: Tensor<4>, previous: Tensor<4>, state: &NamedTensors) -> Tensor<4> {
        let weight = sigmoid(self.blend.val()).reshape([1, 1, 1, 1]);
        let gate = ContextMemory::has_history(state);
        picture.clone() + (previous - picture) * (weight * gate)
    }
}

impl NamedForward for LiveStreamUNet {
    fn picture_input(&self) -> &'static str {
        "sample"
    }

    fn input_specs(&self, batch: usize, size: Size) -> Vec<TensorSpec> {
        let mut specs: Vec<_> = ["sample", "frame", "previous"]
            .map(|name| TensorSpec::picture(name, batch, size))
            .into();
        specs.push(TensorSpec::new("timestep", [batch], DType::I64));
        specs.extend(self.state_specs(batch));
        specs
    }

    fn output_specs(&self, batch: usize, size: Size) -> Vec<TensorSpec> {
        let mut specs = vec![TensorSpec::picture("output", batch, size)];
        specs.extend(self.state_specs(batch));
        specs
    }

    /// One step as a whole frame.
    fn forward_ordered(&self, mut inputs: Ordered) -> Result<Vec<(String, AnyTensor)>, ModelError> {
        let (sample, frame) = (inputs.take()?, inputs.take()?);
        let previous: Tensor<4> = inputs.take()?;
        let timestep: Tensor<1, Int> = inputs.take()?;
        let state = inputs.state();
        let result = self.denoise(StepInput {
            sample,
            frame,
            previous: previous.clone(),
            timestep,
            state: state.clone(),
            conditions: NamedTensors::default(),
        });
        let output = self.blend(result.picture.clone(), previous, &state);
        let mut outputs = vec![("output".to_owned(), output.into())];
        outputs.extend(self.update_state(state, &result).into_inner());
        Ok(outputs)
    }
}
