//! What the tests share: a small model, pictures, and a stream loop without a sampler.
#![allow(dead_code, reason = "each test binary uses a part")]

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mirage_model::{AnyModel, AnyTensor, ModelConfig, NamedTensors, StepInput, StreamModel, build};

pub(crate) const SIDE: usize = 32;

/// lsd-tiny with a short memory, at the seed that the tests use.
pub(crate) fn tiny(device: &Device) -> AnyModel {
    let config = ModelConfig::load("lsd-tiny").expect("preset");
    let config = config
        .with_overrides(&["network.memory.slots=3"])
        .expect("override");
    build(&config, device, 1).expect("model")
}

pub(crate) fn preset(name: &str, device: &Device) -> AnyModel {
    build(&ModelConfig::load(name).expect("preset"), device, 1).expect("model")
}

/// A smooth picture with colour and soft edges, `[1, 3, side, side]` in [-1, 1], that moves with `time`.
pub(crate) fn picture(side: usize, time: usize, device: &Device) -> Tensor<4> {
    let shift = time as f32 * 0.05;
    let mut values = Vec::new();
    for channel in 0..3 {
        let phase = channel as f32 * 0.9 + shift;
        for y in 0..side {
            for x in 0..side {
                let (u, v) = (x as f32 / side as f32, y as f32 / side as f32);
                let disc = (8.0 * (0.3 - ((u - 0.5).hypot(v - 0.5 - 0.1 * shift.sin())))).tanh();
                values.push(0.5 * (6.0 * u + phase).sin() * (4.0 * v + phase).cos() + 0.35 * disc);
            }
        }
    }
    Tensor::from_data(TensorData::new(values, [1, 3, side, side]), device)
}

/// Deterministic noise of unit deviation, `[1, 3, side, side]`.
pub(crate) fn noise(side: usize, seed: u64, device: &Device) -> Tensor<4> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let values: Vec<f32> = (0..3 * side * side)
        .map(|_| ((0..12).map(|_| uniform()).sum::<f32>()) - 6.0)
        .collect();
    Tensor::from_data(TensorData::new(values, [1, 3, side, side]), device)
}

pub(crate) fn timestep(t: i64, device: &Device) -> Tensor<1, Int> {
    Tensor::from_data([t].as_slice(), (device, DType::I64))
}

/// One frame of a single step from pure noise; the output and the next state.
pub(crate) fn frame(
    model: &AnyModel,
    time: usize,
    previous: Tensor<4>,
    state: NamedTensors,
    side: usize,
    device: &Device,
) -> (Tensor<4>, NamedTensors) {
    let step = StepInput {
        sample: noise(side, time as u64, device),
        frame: picture(side, time, device),
        previous: previous.clone(),
        timestep: timestep(999, device),
        state: state.clone(),
        conditions: NamedTensors::default(),
    };
    let result = model.denoise(step);
    let output = model.blend(result.picture.clone(), previous, &state);
    (output, model.update_state(state, &result))
}

/// The named inputs of one forward pass in mid-stream: a memory that has been written to, a previous output.
pub(crate) fn inputs(
    model: &AnyModel,
    side: usize,
    frames: i64,
    device: &Device,
) -> Vec<(String, AnyTensor)> {
    let specs = model.input_specs(1, side, side).expect("specs");
    let memory_shape = specs[4].shape.clone();
    let count = memory_shape.iter().product::<usize>();
    let memory: Vec<f32> = (0..count).map(|at| (at as f32 * 0.37).sin()).collect();
    let memory = Tensor::<3>::from_data(TensorData::new(memory, memory_shape), device);
    let frames = Tensor::<1, Int>::from_data([frames].as_slice(), (device, DType::I64));
    vec![
        ("sample".to_owned(), noise(side, 5, device).into()),
        ("frame".to_owned(), picture(side, 3, device).into()),
        ("previous".to_owned(), picture(side, 2, device).into()),
        ("timestep".to_owned(), timestep(400, device).into()),
        ("memory".to_owned(), memory.into()),
        ("frames".to_owned(), frames.into()),
    ]
}

pub(crate) fn floats(tensor: AnyTensor) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .expect("floats")
}

/// All outputs of one forward pass as floats, by name.
pub(crate) fn outputs(
    model: &AnyModel,
    inputs: Vec<(String, AnyTensor)>,
) -> Vec<(String, Vec<f32>)> {
    let outputs = model.forward_named(inputs).expect("forward");
    outputs
        .into_iter()
        .map(|(name, tensor)| (name, floats(tensor)))
        .collect()
}

/// Peak signal-to-noise ratio of two pictures in [-1, 1], in dB.
pub(crate) fn psnr(a: &[f32], b: &[f32]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    10.0 * (4.0 / (squares / a.len() as f64)).log10()
}

pub(crate) fn max_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}
