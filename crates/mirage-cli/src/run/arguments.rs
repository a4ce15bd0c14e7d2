//! The command line of `mirage run`.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use clap::{Args, ValueEnum};
use mirage_stream::SamplerConfig;
use mirage_video::{
    ColorMatrix, OnFrameError, OnSourceError, Pipeline, Policy, Rational, SinkOptions,
    SourceOptions,
};

use crate::{
    args::{BackendArgs, ModelArgs, PassArgs, SizeArg, rate},
    files::Files,
};

const AFTER_HELP: &str = "\
Decodes a video, runs every frame through the model and encodes the result. Then runs the first
frames again, alternating between with and without your passes, and prints what each pass did and
the speed, memory and error of all of them. \"Without passes\" means with canonicalization and
cleanup alone, which always run.

Examples:
  mirage run                                                  the test scene, no passes
  mirage run --passes fp16,channels_last,sdpa                 three passes, compared with none
  mirage run --passes 'fp16{keep=norm+softmax}' --steps 4     a pass with an option
  mirage run in.y4m out.y4m --size 96x64                      a file; the output keeps its size
  mirage run --input in.mp4 --output - | ffplay -             pipe y4m into another program
  mirage run --live --input /dev/video0 --output cam.mp4      a camera; late frames are skipped

Ctrl-C completes the output file with the frames done so far and exits with 0; before the first
frame, no file is written and the exit code is 130. A second Ctrl-C exits at once.

Frames keep their times: a variable rate, skipped and failed frames change no duration. Damage that
ffmpeg or another decoder complains of is a note, and the exit code is 0 if the rest was read.";

/// Run a model on a video, live or from a file
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RunArgs {
    /// Input video, same as --input
    #[arg(value_name = "INPUT", conflicts_with = "input")]
    input_path: Option<String>,
    /// Output video, same as --output
    #[arg(value_name = "OUTPUT", conflicts_with = "output")]
    output_path: Option<String>,

    #[command(flatten)]
    pub(super) passes: PassArgs,

    /// Input: `scene` (the built-in test scene), a .y4m or .gif file, images (`frames/`,
    /// `frames/%04d.png`, 'frames/*.jpg') or `-` (standard input); others are read with ffmpeg
    #[arg(
        long,
        short,
        value_name = "VIDEO",
        default_value = "scene",
        help_heading = "Video"
    )]
    input: String,
    /// Output: a .gif or .y4m file, `frames/` (PNG images) or `-` (y4m on standard output); .mp4, .webm
    /// and .mkv are written with ffmpeg. Written atomically
    #[arg(
        long,
        short,
        value_name = "VIDEO",
        default_value = "mirage-out.gif",
        help_heading = "Video"
    )]
    output: String,
    /// Stop after N frames [default: 48 for the scene, otherwise all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Video")]
    pub(super) frames: Option<u64>,
    /// Frames per second of inputs without a frame rate [default: 24 for the scene, 25 for images]
    #[arg(long, value_name = "R", value_parser = rate, help_heading = "Video")]
    pub(super) fps: Option<Rational>,
    /// Size that the model runs at; frames are resized to it and back [default: the model's]
    #[arg(long, value_name = "WxH", help_heading = "Video")]
    pub(super) size: Option<SizeArg>,
    /// Read frames at the input's frame rate; if processing is slower, skip all but the newest frame
    #[arg(long, help_heading = "Video")]
    pub(super) live: bool,
    /// What to do if the model fails on a frame: `abort` writes no file; `continue` shows the frame
    /// before it instead. Damage of the input is never fatal: what can be decoded is kept
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnError::Abort, help_heading = "Video")]
    pub(super) on_error: OnError,

    /// Leave out the sound of the input, which .mp4, .mkv and .webm otherwise keep
    #[arg(long, help_heading = "Video")]
    no_audio: bool,
    /// Colour matrix of y4m, which does not state it: `601` as ffmpeg reads it, or `709`; of other
    /// outputs by the size unless given
    #[arg(long, value_name = "MATRIX", value_enum, default_value_t = MatrixArg::Auto, help_heading = "Video")]
    matrix: MatrixArg,
    /// Resize frames to square pixels, if the input's are not
    #[arg(long, help_heading = "Video")]
    square_pixels: bool,

    #[command(flatten)]
    pub(super) model: ModelArgs,

    /// Denoising steps per frame, 1 to 50
    #[arg(long, value_name = "N", default_value_t = SamplerConfig::default().steps, help_heading = "Sampler")]
    pub(super) steps: usize,
    /// Noise added between steps, from 0 (none, DDIM) to 1 (DDPM)
    #[arg(long, value_name = "X", default_value_t = SamplerConfig::default().eta, help_heading = "Sampler")]
    pub(super) eta: f64,
    /// How strongly a frame is noised before denoising: above 0 (little) to 1 (completely)
    #[arg(long, value_name = "X", default_value_t = SamplerConfig::default().strength, help_heading = "Sampler")]
    pub(super) strength: f64,
    /// Use the same noise for every frame, or fresh noise
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = NoiseArg::Fixed, help_heading = "Sampler")]
    pub(super) noise: NoiseArg,

    #[command(flatten)]
    pub(super) backend: BackendArgs,

    /// Exclude the first N frames from all times
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4,
        help_heading = "Measuring"
    )]
    pub(super) warmup: usize,
    /// Frames to run again with and without passes for a comparison; 0 disables it
    #[arg(
        long,
        value_name = "N",
        default_value_t = 24,
        help_heading = "Measuring"
    )]
    pub(super) compare: usize,

    /// Write the report to a JSON file (docs/reference/report.md has the schema)
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(super) report: Option<PathBuf>,
    /// Print the report as JSON instead of tables
    #[arg(long, help_heading = "Reports")]
    pub(super) json: bool,
    /// Show every pass, including automatic ones that changed nothing, and all notes
    #[arg(long, short = 'v', visible_short_alias = 'a', help_heading = "Reports")]
    pub(super) all_passes: bool,
    /// Hide the progress bar
    #[arg(long, help_heading = "Reports")]
    pub(super) no_progress: bool,
    /// Write the graph as text to this folder, before the first pass and after every pass that changes it
    #[arg(long, value_name = "DIR", help_heading = "Reports")]
    pub(super) dump_dir: Option<PathBuf>,
    /// If a pass fails, write a reproducer for `mirage graph run` to this folder
    #[arg(long, value_name = "DIR", help_heading = "Reports")]
    pub(super) reproducers: Option<PathBuf>,
}

/// What to do after an error in the middle of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OnError {
    Abort,
    Continue,
}

/// A colour matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MatrixArg {
    Auto,
    #[value(name = "601")]
    Bt601,
    #[value(name = "709")]
    Bt709,
}

impl MatrixArg {
    fn matrix(self) -> Option<ColorMatrix> {
        match self {
            MatrixArg::Auto => None,
            MatrixArg::Bt601 => Some(ColorMatrix::Bt601),
            MatrixArg::Bt709 => Some(ColorMatrix::Bt709),
        }
    }
}

/// Noise of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum NoiseArg {
    Fixed,
    Fresh,
}

impl RunArgs {
    /// The files that are read and written.
    pub(crate) fn files(&self) -> Files {
        Files::default()
            .reads_video("--input", self.input())
            .and(self.model.files())
            .and(self.passes.files())
            .writes_video("--output", self.output())
            .writes("--report", self.report.as_ref())
            .writes_in("--dump-dir", self.dump_dir.as_deref(), "[0-9][0-9]*-*.txt")
            .writes_in(
                "--reproducers",
                self.reproducers.as_deref(),
                "[0-9][0-9]*-*.toml",
            )
    }

    /// Returns the input.
    pub(super) fn input(&self) -> &str {
        self.input_path.as_ref().unwrap_or(&self.input)
    }

    /// Returns the output.
    pub(super) fn output(&self) -> &str {
        self.output_path.as_ref().unwrap_or(&self.output)
    }

    /// Returns the sampler's settings, unchecked.
    pub(super) fn sampler(&self) -> SamplerConfig {
        SamplerConfig {
            steps: self.steps,
            eta: self.eta,
            strength: self.strength,
        }
    }

    /// Returns the settings of the input; `frames` limits it.
    pub(super) fn source_options(&self, frames: Option<u64>) -> SourceOptions {
        SourceOptions {
            frames,
            fps: self.fps,
            seed: self.model.seed,
            realtime: self.live,
            matrix: self.matrix.matrix(),
            square_pixels: self.square_pixels,
            ..SourceOptions::default()
        }
    }

    /// Returns the settings of the output.
    pub(super) fn sink_options(&self) -> SinkOptions {
        SinkOptions {
            matrix: self.matrix.matrix(),
            no_audio: self.no_audio,
            ..SinkOptions::default()
        }
    }

    /// Returns the settings of the video pipeline.
    pub(super) fn pipeline(&self, stop: Arc<AtomicBool>) -> Pipeline {
        let on_frame_error = match self.on_error {
            OnError::Abort => OnFrameError::Abort,
            OnError::Continue => OnFrameError::Continue,
        };
        Pipeline {
            policy: if self.live {
                Policy::Latest
            } else {
                Policy::EveryFrame
            },
            on_frame_error,
            on_source_error: OnSourceError::Keep,
            stop,
            ..Pipeline::default()
        }
    }
}
