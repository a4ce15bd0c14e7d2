//! A burn module of your own as a live stream: frames are latents of 4 channels, and a style vector
//! conditions them. The style can be changed while the stream runs.
//!
//! `cargo run --release -p own_model`

#![allow(clippy::print_stdout, reason = "a program prints")]

use std::error::Error;

use burn::{
    module::Module,
    nn::{
        Linear, LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
    },
    tensor::{DType, Device, Tensor, activation::silu},
};
use mirage_backend::CompileOptions;
use mirage_backend_cpu as _;
use mirage_ir::TensorData;
use mirage_model::{FrameFormat, Size, StepInput, StepOutput, StreamModel, TensorSpec};
use mirage_pass::{Manager, Registry, plan};
use mirage_stream::{NoisePolicy, SamplerConfig, Session, Trajectory, capture_frame, prepare};

const CHANNELS: usize = 4;
const STYLE: usize = 8;

#[derive(Module, Debug)]
struct Stylist {
    enter: Conv2d,
    style: Linear,
    leave: Conv2d,
}

impl Stylist {
    fn new(hidden: usize, device: &Device) -> Self {
        let conv = |from, to| {
            let same = PaddingConfig2d::Explicit(1, 1, 1, 1);
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(same)
                .init(device)
        };
        Stylist {
            enter: conv(3 * CHANNELS, hidden),
            style: LinearConfig::new(STYLE, hidden).init(device),
            leave: conv(hidden, CHANNELS),
        }
    }
}

impl StreamModel for Stylist {
    fn denoise(&self, step: StepInput) -> StepOutput {
        let x = Tensor::cat(vec![step.sample, step.frame, step.previous], 1);
        let style = self
            .style
            .forward(step.conditions.expect::<Tensor<2>>("style"));
        let x = silu(self.enter.forward(x)) * style.unsqueeze_dims(&[2, 3]);
        StepOutput::new(self.leave.forward(x))
    }

    fn frame_format(&self) -> FrameFormat {
        FrameFormat::Latents { channels: CHANNELS }
    }

    fn condition_specs(&self) -> Vec<TensorSpec> {
        vec![TensorSpec::new("style", [1, STYLE], DType::F32)]
    }
}

/// Compiles the model as a stream on the CPU, with some passes.
fn stream(model: &Stylist, passes: &str) -> Result<Session, Box<dyn Error>> {
    let size = Size {
        width: 16,
        height: 16,
    };
    let trajectory = Trajectory::plan(&model.schedule(), &SamplerConfig::default())?;
    let captured = capture_frame(model, size, &trajectory)?;
    mirage_passes::link();
    let plan = plan(&Registry::linked()?, &passes.parse()?)?;
    let backend = mirage_backend::find("cpu").ok_or("no backend has the name `cpu`")?;
    let options = CompileOptions::default();
    let prepared = prepare(&captured, &plan, &mut Manager::new(), backend, &options)?;
    Ok(Session::new(prepared.executable, 7, NoisePolicy::Fixed)?)
}

/// Returns a deterministic style vector.
fn style(value: f32) -> Result<TensorData, String> {
    TensorData::from_f32([1, STYLE], &[value; STYLE])
}

fn main() -> Result<(), Box<dyn Error>> {
    let model = Stylist::new(16, &Device::flex());
    let mut session = stream(&model, "channels_last,fuse,graph_capture")?;
    session.set_input("style", &style(0.0)?)?;
    for frame in 0..8 {
        if frame == 4 {
            session.set_input("style", &style(1.0)?)?;
        }
        let mut latents: Vec<f32> = (0..CHANNELS * 16 * 16)
            .map(|i| ((i + frame) as f32 * 0.1).sin())
            .collect();
        session.run_latents(frame as u64, &mut latents)?;
        let mean = latents.iter().sum::<f32>() / latents.len() as f32;
        println!("frame {frame}: {} elements, mean {mean:+.4}", latents.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_takes_effect_on_a_running_stream() -> Result<(), Box<dyn Error>> {
        let model = Stylist::new(16, &Device::flex());
        for passes in ["", "channels_last,fuse,graph_capture"] {
            let mut session = stream(&model, passes)?;
            let mut frame = |style_is: Option<f32>| -> Result<Vec<f32>, Box<dyn Error>> {
                session.restart()?;
                if let Some(value) = style_is {
                    session.set_input("style", &style(value)?)?;
                }
                let mut latents = vec![0.5; CHANNELS * 16 * 16];
                session.run_latents(0, &mut latents)?;
                Ok(latents)
            };
            let unset = frame(None).err().map(|e| e.to_string());
            assert!(unset.is_some_and(|e| e.starts_with("input `style` is not set")));
            let first = frame(Some(0.0))?;
            assert_ne!(frame(Some(1.0))?, first);
            assert_eq!(frame(Some(0.0))?, first);
        }
        Ok(())
    }
}
