//! The interface between networks and samplers.

use burn::{
    module::Module,
    tensor::{Int, Tensor},
};

use crate::{ModelError, NamedTensors, Schedule, Size, TensorSpec};

/// The format of a stream's frames as inputs and outputs of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFormat {
    /// 8-bit images with this number of channels (3: RGB). Inside of the program they are f32 in [-1, 1].
    Picture {
        /// Channels of a pixel.
        channels: usize,
    },
    /// Latents: f32 `[1, channels, H, W]`, without conversion.
    Latents {
        /// Channels.
        channels: usize,
    },
}

impl FrameFormat {
    /// 8-bit RGB images.
    pub const RGB: Self = Self::Picture { channels: 3 };

    /// Returns the number of channels.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Self::Picture { channels } | Self::Latents { channels } => channels,
        }
    }
}

/// The inputs of one denoising step, all on one device. `sample`, `frame` and `previous` are f32 of the same shape
/// `[B, C, H, W]`, with the channels of [`StreamModel::frame_format`].
#[derive(Debug, Clone)]
pub struct StepInput {
    /// The noisy frame `x_t` of the forward process of the model's [`Schedule`].
    pub sample: Tensor<4>,
    /// The frame that conditions the output: an image in [-1, 1], or latents.
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

/// The result of one denoising step.
#[derive(Debug, Clone)]
pub struct StepOutput {
    /// The predicted clean frame x0, with the shape of [`StepInput::sample`]; an image is in [-1, 1].
    pub picture: Tensor<4>,
    /// A tensor for [`StreamModel::update_state`], such as the network's innermost features, `[B, C, h, w]`.
    pub features: Tensor<4>,
}

impl StepOutput {
    /// Returns a result without features, for a model whose state update does not need them.
    #[must_use]
    pub fn new(picture: Tensor<4>) -> Self {
        Self {
            features: picture.clone(),
            picture,
        }
    }
}

/// A network for live streams: it denoises towards a frame, blends with its previous output, and keeps state between
/// frames. Its methods must not read the contents of tensors or draw random numbers, so that they can be captured.
///
/// Only [`denoise`](Self::denoise) is required. By default, the other methods describe an RGB model without state and
/// conditioning inputs.
///
/// A frame runs `denoise` for each step of the sampler, all with the state before the frame, then `blend` on the sampler's
/// final prediction, then `update_state` with the last step. The blended result is the frame's output and the next frame's
/// `previous`, which every model has and which is not listed in [`state_specs`](Self::state_specs).
pub trait StreamModel: Module {
    /// Predicts the clean frame x0 from a noisy sample, whatever the network itself was trained to predict.
    ///
    /// # Panics
    /// If the inputs have other shapes or types than in [`StepInput`], like burn.
    fn denoise(&self, step: StepInput) -> StepOutput;

    /// Returns the model's name for reports and messages. The default is the name of its type.
    fn name(&self) -> &str {
        let path = std::any::type_name::<Self>();
        path.rsplit("::").next().unwrap_or(path)
    }

    /// Returns the noise schedule that the network was trained with. The default is [`Schedule::default`].
    fn schedule(&self) -> Schedule {
        Schedule::default()
    }

    /// Returns the format of frames. The default is 8-bit RGB images.
    fn frame_format(&self) -> FrameFormat {
        FrameFormat::RGB
    }

    /// Checks that the network supports frames of this size, in pixels of an image or elements of a latent's plane.
    /// By default, sides from 1 to 16384 are supported; see [`Size::check_halvings`].
    ///
    /// # Errors
    /// If the network does not support the size.
    fn check_size(&self, size: Size) -> Result<(), ModelError> {
        size.check_halvings(self.name(), 0)
    }

    /// Returns names, shapes and types of the conditioning inputs, such as a text embedding. They keep their values
    /// until they are set again. By default there are none.
    fn condition_specs(&self) -> Vec<TensorSpec> {
        Vec::new()
    }

    /// Returns names, shapes and types of the state, without `previous`. It is zero before the first frame. By default
    /// there is none.
    fn state_specs(&self, _batch: usize) -> Vec<TensorSpec> {
        Vec::new()
    }

    /// Returns the state after a frame, from the state before it and the frame's last step. By default it does not change.
    fn update_state(&self, state: NamedTensors, _last: &StepOutput) -> NamedTensors {
        state
    }

    /// Returns the frame's output: the sampler's final prediction blended with the previous output. `state` is the state
    /// before the frame. On the first frame of a stream, and by default always, this is the prediction itself.
    fn blend(&self, picture: Tensor<4>, _previous: Tensor<4>, _state: &NamedTensors) -> Tensor<4> {
        picture
    }
}
