//! Pictures through a program: bytes in and out, exactly, on the CPU backend and by definition.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor},
};
use mirage_ir::{
    DType, TensorData,
    interp::{self, Tensor as Value},
};
use mirage_model::{Size, StepInput, StepOutput, StreamModel};
use mirage_stream::{NoisePolicy, SamplerConfig, Session, StreamError, Trajectory, capture_frame};
use mirage_video::Frame;

use crate::common::{planned, prepared, registry};

const SIZE: Size = Size {
    width: 24,
    height: 16,
};

/// Gives the frame times `gain`, plus `offset`.
#[derive(Module, Debug)]
struct Affine {
    gain: Param<Tensor<4>>,
    offset: Param<Tensor<4>>,
}

impl Affine {
    fn new(gain: f32, offset: f32) -> Self {
        let scalar = |x: f32| Param::from_tensor(Tensor::full([1, 1, 1, 1], x, &Device::flex()));
        Affine {
            gain: scalar(gain),
            offset: scalar(offset),
        }
    }
}

impl StreamModel for Affine {
    fn denoise(&self, step: StepInput) -> StepOutput {
        StepOutput::new(step.frame * self.gain.val() + self.offset.val())
    }
}

fn trajectory(model: &Affine, steps: usize) -> Trajectory {
    let config = SamplerConfig {
        steps,
        ..SamplerConfig::default()
    };
    Trajectory::plan(&model.schedule(), &config).unwrap()
}

fn session(model: &Affine, passes: &str, steps: usize) -> Session {
    let captured = capture_frame(model, SIZE, &trajectory(model, steps)).unwrap();
    let plan = planned(&registry(), passes);
    Session::new(prepared(&captured, &plan).executable, 3, NoisePolicy::Fixed).unwrap()
}

/// Every byte in every channel, in a sequence of its own for each.
fn every_byte() -> Frame {
    let pixels = SIZE.width * SIZE.height;
    let data = (0..pixels).flat_map(|i| [i, 255 - i % 256, 7 * i].map(|x| (x % 256) as u8));
    Frame::from_rgb(24, 16, 5, data.collect()).unwrap()
}

const SETS: [&str; 6] = [
    "",
    "fuse",
    "channels_last,fuse",
    "graph_capture",
    "channels_last,fuse,graph_capture",
    "fp16{inputs=true},channels_last,fuse,graph_capture",
];

#[test]
fn every_byte_survives_an_identity() {
    let frame = every_byte();
    for passes in SETS {
        // A step that is called gets the frame too.
        for steps in [1, 9] {
            let mut session = session(&Affine::new(1.0, 0.0), passes, steps);
            let mut picture = frame.clone();
            session.run(&mut picture).unwrap();
            assert_eq!(picture, frame, "passes `{passes}`, {steps} steps");
            let previous = session.previous().unwrap();
            assert_eq!(previous[0], -1.0);
            let green = previous[24 * 16];
            assert_eq!(green, 1.0, "the green plane follows the red one");
        }
    }
}

/// By the interpreter, which is what the reference backend runs.
#[test]
fn every_byte_survives_an_identity_by_definition() {
    let frame = every_byte();
    let model = Affine::new(1.0, 0.0);
    let captured = capture_frame(&model, SIZE, &trajectory(&model, 1)).unwrap();
    let shape = [1, 16, 24, 3];
    let data = TensorData::new(DType::U8, shape, frame.rgb().to_vec()).unwrap();
    let noise = Value::float([1, 3, 16, 24], vec![0.5; 1152]).unwrap();
    let inputs = [Value::from_data(&data).unwrap(), noise];
    let run = interp::run(&captured.graph, &captured.params, &inputs, &[]).unwrap();
    assert_eq!(run.outputs[0].to_data(DType::U8).unwrap(), data);
}

/// round((y + 1) · 127.5), limited to 0 to 255.
#[test]
fn values_are_rounded_and_limited() {
    let frame = every_byte();
    for passes in SETS {
        let mut session = session(&Affine::new(1.7, 0.25), passes, 1);
        let mut picture = frame.clone();
        session.run(&mut picture).unwrap();
        let pairs = picture.rgb().iter().zip(frame.rgb());
        for (&is, &byte) in pairs {
            let y = (f32::from(byte) / 127.5 - 1.0) * 1.7 + 0.25;
            let want = ((y + 1.0) * 127.5).clamp(0.0, 255.0);
            // What lies within rounding of the border between two bytes may be either.
            let off = (f32::from(is) - want).abs();
            assert!(
                off <= 0.501,
                "passes `{passes}`: {byte} became {is}, not {want}"
            );
        }
        assert!(picture.rgb().contains(&0) && picture.rgb().contains(&255));
    }
}

#[test]
fn outputs_that_are_not_finite_are_an_error() {
    for (value, passes) in [
        (f32::NAN, ""),
        (f32::INFINITY, "channels_last,fuse,graph_capture"),
        (f32::NEG_INFINITY, "fuse"),
    ] {
        let mut session = session(&Affine::new(1.0, value), passes, 1);
        let mut picture = every_byte();
        let error = session.run(&mut picture).unwrap_err();
        assert!(matches!(error, StreamError::NotFinite { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains("1152"), "{message}");
        assert_eq!(picture, every_byte(), "the picture is as it was");
    }
}

#[test]
fn pictures_of_another_size_are_refused() {
    let mut session = session(&Affine::new(1.0, 0.0), "", 1);
    assert_eq!(session.size(), (24, 16));
    let mut picture = Frame::new(16, 24, 9).unwrap();
    let error = session.run(&mut picture).unwrap_err().to_string();
    assert_eq!(error, "frame 9 is 16x24, but the model runs at 24x16");
    let error = session
        .run_latents(0, &mut [0.0; 1152])
        .unwrap_err()
        .to_string();
    assert!(error.contains("u8[1,16,24,3]"), "{error}");
}
