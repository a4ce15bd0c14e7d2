//! Streams by the facade: what they give is what the crates below give, and bad settings are typed errors.

#![allow(clippy::unwrap_used)]

use std::{cell::RefCell, error::Error as _, num::NonZeroUsize};

use burn::{
    module::Module,
    nn::conv::{Conv2d, Conv2dConfig},
    tensor::{DType as BurnDType, Device, Tensor},
};
use mirage::{
    Error, Frame, FrameFormat, Pipeline, PipelineBuilder, StepInput, StepOutput, StreamModel,
    TensorData, TensorSpec,
};

fn tiny<'a>() -> PipelineBuilder<'a> {
    Pipeline::builder().model("lsd-tiny").size(32, 32).steps(1)
}

fn picture(width: u32, height: u32) -> Frame {
    let bytes = (0..3 * width * height).map(|i| (i * 7 % 256) as u8);
    Frame::from_rgb(width, height, 0, bytes.collect()).unwrap()
}

#[test]
fn frames_keep_their_size_and_the_warm_up_leaves_no_trace() {
    let frame = picture(48, 40);
    let outputs = [0, 3].map(|warmup| {
        let mut stream = tiny().warmup(warmup).build().unwrap();
        [stream.push(&frame).unwrap(), stream.push(&frame).unwrap()]
    });
    assert_eq!((outputs[0][0].width(), outputs[0][0].height()), (48, 40));
    assert_eq!(outputs[0][0].rgb(), outputs[1][0].rgb());
    assert_eq!(outputs[0][1].rgb(), outputs[1][1].rgb());
    // The untrained weights pass the picture through.
    let mean =
        |f: &Frame| f.rgb().iter().map(|&b| f64::from(b)).sum::<f64>() / f.rgb().len() as f64;
    assert!((mean(&outputs[0][0]) - mean(&frame)).abs() < 20.0);
    assert_ne!(outputs[0][0].rgb(), frame.rgb());
}

#[test]
fn everything_up_to_the_first_frame_is_told_in_order() {
    let told = RefCell::new(Vec::new());
    let stream = tiny()
        .passes("sdpa")
        .warmup(1)
        .on_event(|event| told.borrow_mut().push(format!("{event:?}")))
        .build()
        .unwrap();
    let told = told.take();
    assert!(
        told[0].starts_with("Captured { model: \"lsd-tiny\""),
        "{told:?}"
    );
    let sdpa = told.iter().find(|t| t.contains("\"sdpa\"")).unwrap();
    assert!(!sdpa.contains("rewrites: 0"), "{sdpa}");
    let end: Vec<&str> = told[told.len() - 2..].iter().map(String::as_str).collect();
    assert!(
        end[0].starts_with("Compiled") && end[1] == "WarmUp { done: 1, of: 1 }",
        "{end:?}"
    );
    assert_eq!(told.len() - 3, stream.report().passes.len());
}

#[test]
fn bad_settings_are_typed_and_say_what_to_do() {
    let fails = |builder: PipelineBuilder<'_>| match builder.build() {
        Err(error) => error,
        Ok(_) => panic!("it was built"),
    };
    let backend = fails(tiny().backend("cpus"));
    assert!(matches!(backend, Error::UnknownBackend { .. }));
    assert_eq!(
        backend.to_string(),
        "unknown backend `cpus`: did you mean `cpu`?"
    );
    let device = fails(tiny().device(7));
    assert!(matches!(device, Error::NoDevice { device: 7, .. }));
    assert_eq!(
        device.to_string(),
        "backend `cpu` has no device 7; available: 0"
    );
    assert!(matches!(fails(tiny().passes("sdpa,,")), Error::Grammar(_)));
    assert!(matches!(fails(tiny().passes("sdpaa")), Error::Plan(_)));
    assert!(matches!(
        fails(Pipeline::builder().model("lsd")),
        Error::Model(_)
    ));
    assert!(matches!(fails(tiny().size(33, 32)), Error::Model(_)));
    let weights = fails(tiny().weights("nowhere.safetensors"));
    assert!(
        weights.to_string().contains("nowhere.safetensors"),
        "{weights}"
    );
    let steps = fails(tiny().steps(0));
    assert!(
        matches!(steps, Error::Stream(_)) && steps.to_string().contains("steps"),
        "{steps}"
    );
    assert!(
        fails(tiny().passes("fp16,bf16"))
            .source()
            .is_none_or(|s| !s.to_string().is_empty())
    );
}

#[test]
fn the_number_of_threads_is_fixed_once() {
    let now = NonZeroUsize::new(rayon::current_num_threads()).unwrap();
    assert!(tiny().threads(now).build().is_ok());
    let more = NonZeroUsize::new(now.get() + 1).unwrap();
    let refused = tiny().threads(more).build().err().unwrap().to_string();
    assert!(
        refused.starts_with("threads: this process computes with"),
        "{refused}"
    );
}

#[derive(Module, Debug)]
struct Latent {
    mix: Conv2d,
}

impl StreamModel for Latent {
    fn denoise(&self, step: StepInput) -> StepOutput {
        let shift = step.conditions.expect::<Tensor<2>>("shift");
        StepOutput::new(self.mix.forward(step.frame) + shift.unsqueeze_dims(&[2, 3]))
    }

    fn frame_format(&self) -> FrameFormat {
        FrameFormat::Latents { channels: 4 }
    }

    fn condition_specs(&self) -> Vec<TensorSpec> {
        vec![TensorSpec::new("shift", [1, 4], BurnDType::F32)]
    }
}

#[test]
fn a_model_of_ones_own_streams_latents_with_a_condition() {
    let model = || Latent {
        mix: Conv2dConfig::new([4, 4], [1, 1]).init(&Device::flex()),
    };
    let unsized_model = Pipeline::builder().own_model(model()).build();
    assert!(
        unsized_model
            .err()
            .unwrap()
            .to_string()
            .contains(".size(width, height)")
    );

    let mut stream = Pipeline::builder()
        .own_model(model())
        .size(8, 8)
        .build()
        .unwrap();
    let latents = || vec![0.25; 4 * 8 * 8];
    assert!(stream.push_latents(0, &mut latents()).is_err());
    let shift = |value: f32| TensorData::from_f32([1, 4], &[value; 4]).unwrap();
    stream.set_input("shift", &shift(0.0)).unwrap();
    let mut plain = latents();
    stream.push_latents(0, &mut plain).unwrap();
    stream.restart().unwrap();
    stream.set_input("shift", &shift(0.5)).unwrap();
    let mut shifted = latents();
    stream.push_latents(0, &mut shifted).unwrap();
    for (a, b) in plain.iter().zip(&shifted) {
        assert!((b - a - 0.5).abs() < 1e-5, "{a} {b}");
    }
    assert!(stream.push(&Frame::new(8, 8, 0).unwrap()).is_err());
}
