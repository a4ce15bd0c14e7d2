//! The command line of `mirage run`.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use clap::{Args, ValueEnum};
use mirage_stream::SamplerConfig;
use mirage_video::{OnFrameError, OnSourceError, Pipeline, Policy, Rational};

use crate::args::{BackendArgs, ModelArgs, PassArgs, SizeArg, rate};

const AFTER_HELP: &str = "\
Decodes, runs every frame through the model, encodes. Then runs the first frames again, in turn with
your passes and without, and prints what each pass did and what it brought. \"Without passes\" means
with canonicalization and cleanup alone, which always run.

Examples:
  mirage run                                                  the test scene, no optimization
  mirage run --passes fp16,channels_last,sdpa                 three passes, compared with none
  mirage run --passes 'fp16{keep=norm+softmax}' --steps 4     a pass with an option
  mirage run in.y4m out.y4m --size 96x64                      a file; the output has its size again
  mirage run --input in.mp4 --output - | ffplay -             into another program, as y4m
  mirage run --live --input /dev/video0 --output cam.mp4      a camera; late frames are skipped

Ctrl-C finishes the file with the frames that are done and exits with 0; before the first frame it
leaves nothing and exits with 130. A second Ctrl-C ends at once.";

/// Run a model on a video, live or from a file
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RunArgs {
    /// The input; the same as --input
    #[arg(value_name = "INPUT", conflicts_with = "input")]
    input_path: Option<String>,
    /// The output; the same as --output
    #[arg(value_name = "OUTPUT", conflicts_with = "output")]
    output_path: Option<String>,

    #[command(flatten)]
    pub(super) passes: PassArgs,

    /// `scene` (a built-in moving test picture), a .y4m or .gif file, images (`frames/`,
    /// `frames/%04d.png`, 'frames/*.jpg'), `-` for y4m on standard input; anything else through ffmpeg
    #[arg(
        long,
        short,
        value_name = "VIDEO",
        default_value = "scene",
        help_heading = "Video"
    )]
    input: String,
    /// A .gif or .y4m file, `frames/` for PNG images, `-` for y4m on standard output; .mp4, .webm and
    /// .mkv through ffmpeg. Written atomically
    #[arg(
        long,
        short,
        value_name = "VIDEO",
        default_value = "mirage-out.gif",
        help_heading = "Video"
    )]
    output: String,
    /// Stop after so many frames; by default 48 of the scene and all of anything else
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Video")]
    pub(super) frames: Option<u64>,
    /// Frames per second of inputs that carry none: the scene (default 24) and images (25)
    #[arg(long, value_name = "R", value_parser = rate, help_heading = "Video")]
    pub(super) fps: Option<Rational>,
    /// Size that the model runs at; frames are resized to it and back. By default the model's
    #[arg(long, value_name = "WxH", help_heading = "Video")]
    pub(super) size: Option<SizeArg>,
    /// Take frames at their rate and, when they come faster than they are processed, skip all but
    /// the newest
    #[arg(long, help_heading = "Video")]
    pub(super) live: bool,
    /// When a frame fails or the input is damaged in the middle: `abort` leaves no file; `continue`
    /// leaves out failed frames and keeps those before the damage
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnError::Abort, help_heading = "Video")]
    pub(super) on_error: OnError,

    #[command(flatten)]
    pub(super) model: ModelArgs,

    /// Denoising steps a frame, 1 to 50
    #[arg(long, value_name = "N", default_value_t = SamplerConfig::default().steps, help_heading = "Sampler")]
    pub(super) steps: usize,
    /// Noise between steps: 0 for none (DDIM) to 1 (DDPM)
    #[arg(long, value_name = "X", default_value_t = SamplerConfig::default().eta, help_heading = "Sampler")]
    pub(super) eta: f64,
    /// How much of the frame is noised before denoising: above 0 (little) to 1 (all)
    #[arg(long, value_name = "X", default_value_t = SamplerConfig::default().strength, help_heading = "Sampler")]
    pub(super) strength: f64,
    /// The same noise in every frame, or fresh noise
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = NoiseArg::Fixed, help_heading = "Sampler")]
    pub(super) noise: NoiseArg,

    #[command(flatten)]
    pub(super) backend: BackendArgs,

    /// Frames at the start that are left out of every time
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4,
        help_heading = "Measuring"
    )]
    pub(super) warmup: usize,
    /// Frames to run again with and without passes, in turn, after the warm-up; 0 for none
    #[arg(
        long,
        value_name = "N",
        default_value_t = 24,
        help_heading = "Measuring"
    )]
    pub(super) compare: usize,

    /// Write everything measured to a JSON file (docs/reference/report.md has the schema)
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(super) report: Option<PathBuf>,
    /// Print the report as JSON instead of tables
    #[arg(long, help_heading = "Reports")]
    pub(super) json: bool,
    /// Show every step of the pipeline, also automatic ones that changed nothing
    #[arg(long, short = 'v', visible_short_alias = 'a', help_heading = "Reports")]
    pub(super) all_passes: bool,
    /// No progress bar
    #[arg(long, help_heading = "Reports")]
    pub(super) no_progress: bool,
    /// Write the graph before and after every pass that changes it, as text, to this folder
    #[arg(long, value_name = "DIR", help_heading = "Reports")]
    pub(super) dump_dir: Option<PathBuf>,
    /// If a pass fails, write what it takes to see it again to this folder
    #[arg(long, value_name = "DIR", help_heading = "Reports")]
    pub(super) reproducers: Option<PathBuf>,
}

/// What an error in the middle does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OnError {
    Abort,
    Continue,
}

/// Which noise frames get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum NoiseArg {
    Fixed,
    Fresh,
}

impl RunArgs {
    /// What is read.
    pub(super) fn input(&self) -> &str {
        self.input_path.as_ref().unwrap_or(&self.input)
    }

    /// What is written.
    pub(super) fn output(&self) -> &str {
        self.output_path.as_ref().unwrap_or(&self.output)
    }

    /// The sampler's settings, unchecked.
    pub(super) fn sampler(&self) -> SamplerConfig {
        SamplerConfig {
            steps: self.steps,
            eta: self.eta,
            strength: self.strength,
        }
    }

    /// The threads' settings.
    pub(super) fn pipeline(&self, stop: Arc<AtomicBool>) -> Pipeline {
        let (on_frame_error, on_source_error) = match self.on_error {
            OnError::Abort => (OnFrameError::Abort, OnSourceError::Discard),
            OnError::Continue => (OnFrameError::Continue, OnSourceError::Keep),
        };
        Pipeline {
            policy: if self.live {
                Policy::Latest
            } else {
                Policy::EveryFrame
            },
            on_frame_error,
            on_source_error,
            stop,
            ..Pipeline::default()
        }
    }
}
