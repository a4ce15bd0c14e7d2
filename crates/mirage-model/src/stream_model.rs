//! What a sampler needs of a network to run a live stream with it.

use burn::{
    module::Module,
    tensor::{Int, Tensor},
};

use crate::{ModelError, NamedTensors, Schedule, Size, TensorSpec};

/// What the frames of a stream are, where they enter and leave the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFormat {
    /// 8-bit pictures of this many channels (3: RGB). Inside the program they are f32 in [-1, 1].
    Picture {
        /// Channels of a pixel.
        channels: usize,
    },
    /// Latents: f32 `[1, channels, H, W]`, which enter and leave the program as they are.
    Latents {
        /// Channels.
        channels: usize,
    },
}

impl FrameFormat {
    /// 8-bit RGB pictures.
    pub const RGB: Self = Self::Picture { channels: 3 };

    /// The number of channels.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Self::Picture { channels } | Self::Latents { channels } => channels,
        }
    }
}

/// The inputs of one denoising step. All are on one device; `sample`, `frame` and `previous` are f32 of the same shape
/// `[B, C, H, W]`, with the channels of [`StreamModel::frame_format`].
#[derive(Debug, Clone)]
pub struct StepInput {
    /// The noisy frame `x_t` of the forward process of the model's [`Schedule`].
    pub sample: Tensor<4>,
    /// The frame that conditions the output: a picture in [-1, 1], or latents.
    pub frame: Tensor<4>,
    /// The stream's previous output; zeros before the first frame.
    pub previous: Tensor<4>,
    /// The timestep `t` of `sample`, `[B]`, i64, in `0..train_timesteps`.
    pub timestep: Tensor<1, Int>,
    /// The declared state, with the names, shapes and types of [`StreamModel::state_specs`].
    pub state: NamedTensors,
    /// The conditioning inputs, with the names, shapes and types of [`StreamModel::condition_specs`].
    pub conditions: NamedTensors,
}

/// What one denoising step gives.
#[derive(Debug, Clone)]
pub struct StepOutput {
    /// The predicted clean frame x0, of the shape of [`StepInput::sample`]; a picture is in [-1, 1].
    pub picture: Tensor<4>,
    /// What [`StreamModel::update_state`] reads, such as the network's innermost features, `[B, C, h, w]`.
    pub features: Tensor<4>,
}

impl StepOutput {
    /// A step of a model whose state's update reads the predicted frame or nothing.
    #[must_use]
    pub fn new(picture: Tensor<4>) -> Self {
        Self {
            features: picture.clone(),
            picture,
        }
    }
}

/// A network that runs live: it denoises towards a frame, blends with its previous output, and keeps state from frame to
/// frame. Nothing here reads a tensor's contents or makes random numbers, so all of it can be captured into one graph.
///
/// Only [`denoise`](Self::denoise) has to be written; the other methods describe an RGB model without state and without
/// conditioning inputs unless they are overridden.
///
/// A frame is: `denoise` for each step of the sampler, all with the state before the frame; `blend` of the sampler's final
/// picture; `update_state` with the last step. The blended picture is the frame's output and the next frame's `previous`,
/// which is a state of the stream too though not among [`state_specs`](Self::state_specs), because every model has it.
pub trait StreamModel: Module {
    /// Predicts the clean frame x0 from one noisy sample, whatever the network itself was trained to predict.
    ///
    /// # Panics
    /// On inputs of other shapes or types than [`StepInput`] says, as burn does.
    fn denoise(&self, step: StepInput) -> StepOutput;

    /// The model's name in reports and messages. By default the name of its type.
    fn name(&self) -> &str {
        let path = std::any::type_name::<Self>();
        path.rsplit("::").next().unwrap_or(path)
    }

    /// The noise schedule that the network was trained with. By default [`Schedule::default`].
    fn schedule(&self) -> Schedule {
        Schedule::default()
    }

    /// What frames are. By default 8-bit RGB pictures.
    fn frame_format(&self) -> FrameFormat {
        FrameFormat::RGB
    }

    /// Checks that the network can run on frames of this size, in pixels of a picture or elements of a latent's plane.
    /// By default every size can be run whose sides are from 1 to 16384; see [`Size::check_halvings`].
    ///
    /// # Errors
    /// A size that the network cannot run at.
    fn check_size(&self, size: Size) -> Result<(), ModelError> {
        size.check_halvings(self.name(), 0)
    }

    /// The conditioning inputs, such as a text's embedding: names, shapes and types. They stay the same from frame to frame
    /// until they are set anew. By default there are none.
    fn condition_specs(&self) -> Vec<TensorSpec> {
        Vec::new()
    }

    /// The declared state besides `previous`: names, shapes and types. Before the first frame all are zero. By default
    /// there is none.
    fn state_specs(&self, _batch: usize) -> Vec<TensorSpec> {
        Vec::new()
    }

    /// The state after a frame, from the state before it and the frame's last step. By default it stays as it is.
    fn update_state(&self, state: NamedTensors, _last: &StepOutput) -> NamedTensors {
        state
    }

    /// The frame's output: the sampler's final picture blended with the previous output. `state` is the state before the
    /// frame. On the first frame of a stream this is the picture itself. By default it always is.
    fn blend(&self, picture: Tensor<4>, _previous: Tensor<4>, _state: &NamedTensors) -> Tensor<4> {
        picture
    }
}
