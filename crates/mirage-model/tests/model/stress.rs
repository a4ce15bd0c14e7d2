//! The stress network: its size, its weight files, its inputs, and what it does to a picture untrained.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::common::{floats, noise, picture, timestep};
use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{DType, Device, Tensor},
};
use mirage_model::{
    AnyModel, AnyTensor, ModelConfig, ModelError, NamedTensors, Size, StepInput, StreamModel,
    WeightLayout, build, named_parameters, parameter_count,
};

fn config(base: usize) -> ModelConfig {
    let base = format!("network.base_channels={base}");
    let config = ModelConfig::load("stress").expect("preset");
    config.with_overrides(&[base]).expect("override")
}

fn stress(base: usize) -> AnyModel {
    build(&config(base), &Device::flex(), 1).expect("model")
}

/// Weights of 16 base channels as PyTorch saved them.
fn checkpoint() -> PathBuf {
    let data = "../mirage-stream/tests/data/stress_b16.safetensors";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(data)
}

/// Counts the parameters that have been drawn.
#[derive(Default)]
struct Drawn(usize);

impl ModuleVisitor for Drawn {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 += usize::from(param.is_initialized());
    }
}

/// Tensors by name.
type Inputs = Vec<(String, AnyTensor)>;

#[test]
fn it_has_the_documented_parameters_and_counting_draws_none() {
    for (base, count) in [(16, 6_136_525), (192, 880_258_653)] {
        let model = stress(base);
        assert_eq!(parameter_count(&model), count, "base {base}");
        let mut drawn = Drawn::default();
        model.visit(&mut drawn);
        assert_eq!(drawn.0, 0, "base {base}");
    }
    let parameters = named_parameters(&stress(16));
    // Two statistics for each of (2·9 + 2·2 + 2)·4 norms.
    let statistics = parameters.iter().filter(|p| p.is_statistic).count();
    assert_eq!(statistics, 176);
}

#[test]
fn channels_are_multiples_of_8() {
    for preset in ["stress-light", "stress", "stress-heavy"] {
        let model = build(
            &ModelConfig::load(preset).expect(preset),
            &Device::flex(),
            0,
        );
        for parameter in named_parameters(&model.expect(preset)) {
            let odd = parameter.shape.iter().find(|n| !n.is_multiple_of(8));
            // Colours, the timestep's plane, and kernels.
            let of_a_picture = odd.is_none_or(|n| [1, 3, 4, 6].contains(n));
            assert!(
                of_a_picture,
                "{preset}: {} {:?}",
                parameter.path, parameter.shape
            );
        }
    }
}

/// The keys of a safetensors file.
fn keys(path: &Path) -> BTreeSet<String> {
    let bytes = std::fs::read(path).expect("file");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).expect("text");
    let quoted = header.split('"').map(str::to_owned);
    quoted
        .filter(|part| part.starts_with("unets.") || part.starts_with("temporal_processor."))
        .collect()
}

#[test]
fn parameters_have_the_names_of_the_checkpoint() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("w.safetensors");
    let mut model = stress(16);
    assert_eq!(
        WeightLayout::detect(&checkpoint()).expect("layout"),
        WeightLayout::PyTorch
    );
    model
        .load_weights(&checkpoint(), WeightLayout::PyTorch)
        .expect("loads");
    assert!(model.is_trained());

    model
        .save_weights(&path, WeightLayout::PyTorch)
        .expect("saves");
    let mut wanted = keys(&checkpoint());
    wanted.retain(|key| !key.ends_with("num_batches_tracked"));
    assert_eq!(wanted.len(), 676);
    assert_eq!(keys(&path), wanted);

    model
        .save_weights(&path, WeightLayout::Burn)
        .expect("saves");
    assert_eq!(
        WeightLayout::detect(&path).expect("layout"),
        WeightLayout::Burn
    );
    let mut again = stress(16);
    again
        .load_weights(&path, WeightLayout::Burn)
        .expect("loads");
    assert_eq!(forward(&again, 32), forward(&model, 32));
}

#[test]
fn a_checkpoint_of_another_width_is_refused_with_every_key() {
    let mut model = stress(32);
    let before = forward(&model, 16);
    let error = model
        .load_weights(&checkpoint(), WeightLayout::PyTorch)
        .expect_err("another width");
    let text = error.to_string();
    let ModelError::WeightsMisfit { misfit, .. } = error else {
        panic!("{text}");
    };
    assert!(
        misfit.missing.is_empty() && misfit.unused.is_empty(),
        "{text}"
    );
    // All but what has only colours: the 1×1 convolutions' biases, and in the last block all but one weight.
    let parameters = named_parameters(&model).len();
    assert_eq!(misfit.mismatched.len(), parameters - 2 - (4 * 6 - 1));
    let first = "unets.0.enc1.conv_layers.0.weight (network [32, 4, 3, 3], file [16, 4, 3, 3])";
    assert!(text.contains(first), "{text}");
    let count = format!("{} of another shape: ", misfit.mismatched.len());
    assert!(
        text.contains(&count) && text.ends_with(", …") && !text.contains('\n'),
        "{text}"
    );
    assert_eq!(text.matches("(network").count(), 10, "{text}");
    assert!(!model.is_trained());
    assert_eq!(forward(&model, 16), before, "a failed load changes nothing");
}

#[test]
fn wrong_numbers_are_refused_with_the_right_ones() {
    for (base, wanted) in [
        (
            "24",
            "network.base_channels must be a positive multiple of 16, not 24",
        ),
        (
            "0",
            "network.base_channels must be a positive multiple of 16, not 0",
        ),
        (
            "16000",
            "network.base_channels must be from 16 to 1024, not 16000",
        ),
    ] {
        let config = ModelConfig::load("stress").expect("preset");
        let key = format!("network.base_channels={base}");
        let error = config.with_overrides(&[key]).expect_err(wanted).to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let key = "network.channels=32";
    let error = ModelConfig::load("stress")
        .expect("preset")
        .with_overrides(&[key]);
    let error = error.expect_err(key).to_string();
    assert!(
        error.contains("did you mean `network.base_channels`?"),
        "{error}"
    );

    let size = Size {
        width: 72,
        height: 64,
    };
    let error = config(16)
        .validate_size(size)
        .expect_err("size")
        .to_string();
    assert_eq!(
        error,
        "model `stress` cannot run at 72x64: both sides must be multiples of 16 from 16 to 16384 \
         (the network halves them 4 times); the nearest size is 80x64"
    );
}

fn named(side: usize) -> Vec<(String, AnyTensor)> {
    let device = Device::flex();
    vec![
        ("timestep".to_owned(), timestep(30, &device).into()),
        ("previous".to_owned(), picture(side, 2, &device).into()),
        ("input".to_owned(), noise(side, 5, &device).into()),
    ]
}

fn forward(model: &AnyModel, side: usize) -> Vec<f32> {
    let mut outputs = model.forward_named(named(side)).expect("forward");
    assert_eq!(outputs.len(), 1);
    let (name, output) = outputs.remove(0);
    assert_eq!(
        (name.as_str(), output.shape()),
        ("output", vec![1, 3, side, side])
    );
    floats(output)
}

#[test]
fn inputs_and_outputs_have_the_networks_own_names() {
    let model = stress(16);
    assert_eq!(model.picture_input(), "input");
    let specs = model.input_specs(2, 16, 48).expect("specs");
    let specs: Vec<_> = specs
        .iter()
        .map(|s| (s.name.as_str(), &s.shape[..], s.dtype))
        .collect();
    let shape: &[usize] = &[2, 3, 16, 48];
    assert_eq!(
        specs,
        [
            ("input", shape, DType::F32),
            ("previous", shape, DType::F32),
            ("timestep", &[2], DType::I64)
        ]
    );
    let outputs = model.output_specs(2, 16, 48).expect("specs");
    assert_eq!(outputs.len(), 1);
    assert_eq!(
        (outputs[0].name.as_str(), &outputs[0].shape[..]),
        ("output", shape)
    );

    let refuse = |change: &dyn Fn(&mut Inputs)| {
        let mut inputs = named(16);
        change(&mut inputs);
        model
            .forward_named(inputs)
            .expect_err("refused")
            .to_string()
    };
    let renamed = refuse(&|inputs| inputs[2].0 = "sample".to_owned());
    assert_eq!(renamed, "input `input`: is missing");
    let size = refuse(&|inputs| inputs[2].1 = noise(24, 5, &Device::flex()).into());
    assert!(
        size.contains("24x24") && size.contains("multiples of 16"),
        "{size}"
    );
    let empty = model.input_specs(0, 16, 16).expect_err("empty").to_string();
    assert!(
        empty.starts_with("input `input`: the batch is empty"),
        "{empty}"
    );
}

/// Pictures of a batch do not see each other, and each has its own timestep.
#[test]
fn a_batch_is_its_pictures() {
    let device = Device::flex();
    let mut model = stress(16);
    model
        .load_weights(&checkpoint(), WeightLayout::PyTorch)
        .expect("loads");
    let side = 32;
    let pair = |a: Tensor<4>, b: Tensor<4>| Tensor::cat(vec![a, b], 0);
    let run = |input: Tensor<4>, previous: Tensor<4>, timesteps: &[i64]| {
        let timestep = Tensor::<1, burn::tensor::Int>::from_data(timesteps, (&device, DType::I64));
        let inputs = vec![
            ("input".to_owned(), input.into()),
            ("previous".to_owned(), previous.into()),
            ("timestep".to_owned(), timestep.into()),
        ];
        floats(model.forward_named(inputs).expect("forward").remove(0).1)
    };
    let (a, b) = (picture(side, 0, &device), noise(side, 7, &device));
    let both = run(
        pair(a.clone(), b.clone()),
        pair(b.clone(), a.clone()),
        &[49, 3],
    );
    let first = run(a.clone(), b.clone(), &[49]);
    let second = run(b, a.clone(), &[3]);
    let largest = first.iter().fold(0.0, |m: f32, v| m.max(v.abs()));
    let apart = crate::common::max_difference(&both, &[first.clone(), second].concat());
    assert!(apart < 1e-5 * largest, "{apart:e} of {largest}");
    let other_time = run(a, noise(side, 7, &device), &[3]);
    assert!(crate::common::max_difference(&first, &other_time) > 1e-3 * largest);
}

/// A frame of one step from the noised frame, in the stream's range.
fn denoise(model: &AnyModel, frame: &Tensor<4>, previous: &Tensor<4>, seed: u64) -> Tensor<4> {
    let device = Device::flex();
    let noise = noise(frame.dims()[3], seed, &device);
    let state = NamedTensors::default();
    let step = StepInput {
        sample: frame.clone().mul_scalar(0.95) + noise.mul_scalar(0.31),
        frame: frame.clone(),
        previous: previous.clone(),
        timestep: timestep(20, &device),
        state: state.clone(),
        conditions: NamedTensors::default(),
    };
    let result = model.denoise(step);
    model.blend(result.picture, previous.clone(), &state)
}

#[test]
fn untrained_output_is_a_picture_and_a_closed_loop_is_stable() {
    let device = Device::flex();
    let side = 32;
    for (base, seed, frames) in [(16, 0, 20), (16, 1, 3), (64, 0, 3), (64, 1, 3)] {
        let model = build(&config(base), &device, seed).expect("model");
        assert!(model.state_specs(1).is_empty());
        let mut previous = Tensor::zeros([1, 3, side, side], &device);
        for time in 0..frames {
            let frame = picture(side, time, &device);
            previous = denoise(&model, &frame, &previous, time as u64);
            let (output, input) = (floats(previous.clone().into()), floats(frame.into()));
            assert!(output.iter().all(|v| (-1.0..=1.0).contains(v)));
            for colour in 0..3 {
                let part = colour * side * side..(colour + 1) * side * side;
                let (output, input) = (&output[part.clone()], &input[part]);
                let ((out_mean, out_std), (in_mean, in_std)) = (moments(output), moments(input));
                let along = correlation(output, input);
                // The picture, not just its brightness; what the network adds moves its colours.
                let found = format!(
                    "base {base}, seed {seed}, frame {time}, colour {colour}: {out_mean} ± {out_std} for {in_mean} ± \
                     {in_std}, correlation {along}"
                );
                assert!((0.8..0.999).contains(&along), "{found}");
                assert!((0.5..1.7).contains(&(out_std / in_std)), "{found}");
                assert!((out_mean - in_mean).abs() < 0.45, "{found}");
            }
        }
    }
}

/// Mean and standard deviation.
fn moments(values: &[f32]) -> (f32, f32) {
    let count = values.len() as f32;
    let mean = values.iter().sum::<f32>() / count;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count;
    (mean, variance.sqrt())
}

fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let ((a_mean, a_std), (b_mean, b_std)) = (moments(a), moments(b));
    let products = a.iter().zip(b).map(|(a, b)| (a - a_mean) * (b - b_mean));
    products.sum::<f32>() / a.len() as f32 / (a_std * b_std)
}
