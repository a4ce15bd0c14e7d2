//! What the untrained networks compute: shapes, that every parameter counts, that the picture stays, and the stream's state.

use crate::common::{
    SIDE, floats, frame, inputs, max_difference, noise, outputs, picture, preset, psnr, tiny,
};
use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Device, Int, Tensor},
};
use mirage_model::{
    AnyTensor, ModelConfig, NamedTensors, StreamModel, build, named_parameters, parameter_count,
    presets,
};

#[test]
fn outputs_have_the_declared_shapes() {
    let device = Device::flex();
    let model = tiny(&device);
    for (height, width) in [(32, 32), (16, 40)] {
        let inputs = model
            .input_specs(2, height, width)
            .expect("inputs")
            .iter()
            .map(|spec| (spec.name.clone(), spec.zeros(&device).expect("zeros")))
            .collect();
        let outputs = model.forward_named(inputs).expect("forward");
        let specs = model.output_specs(2, height, width).expect("outputs");
        assert_eq!(outputs.len(), specs.len());
        for ((name, tensor), spec) in outputs.iter().zip(&specs) {
            assert_eq!(
                (name, tensor.shape(), tensor.dtype()),
                (&spec.name, spec.shape.clone(), spec.dtype)
            );
        }
    }
}

#[test]
fn presets_have_the_documented_sizes() {
    let device = Device::flex();
    let ranges = [
        ("lsd-tiny", 300_000..1_000_000),
        ("lsd-light", 10_000_000..30_000_000),
        ("lsd-medium", 50_000_000..150_000_000),
        ("lsd-heavy", 400_000_000..500_000_000),
        ("stress-light", 97_874_653..97_874_654),
        ("stress", 880_258_653..880_258_654),
        ("stress-heavy", 1_564_768_285..1_564_768_286),
    ];
    let names = presets().iter().map(|preset| preset.name);
    assert!(names.eq(ranges.iter().map(|(name, _)| *name)));
    for (name, range) in ranges {
        let model = preset(name, &device);
        let count = parameter_count(&model);
        assert!(range.contains(&count), "{name}: {count}");
    }
}

#[test]
fn parameters_are_named_by_module_path() {
    let model = tiny(&Device::flex());
    let parameters = named_parameters(&model);
    let shape = |path: &str| {
        parameters
            .iter()
            .find(|p| p.path == path)
            .map(|p| p.shape.clone())
    };
    assert_eq!(
        shape("down.0.block.0.conv1.weight"),
        Some(vec![16, 16, 3, 3])
    );
    assert_eq!(
        shape("middle.transformer.cross.attention.key.weight"),
        Some(vec![64, 48])
    );
    assert_eq!(shape("blend"), Some(vec![1]));
    let mut paths: Vec<_> = parameters.iter().map(|p| &p.path).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), parameters.len(), "paths are unique");
}

#[test]
fn the_seed_alone_decides_the_weights() {
    let device = Device::flex();
    let config = ModelConfig::load("lsd-tiny").expect("preset");
    let run = |seed| {
        let model = build(&config, &device, seed).expect("model");
        outputs(&model, inputs(&model, SIDE, 2, &device))
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

/// Sets the parameter at one path to zero.
struct Zero<'a> {
    target: &'a str,
    path: Vec<String>,
}

impl ModuleMapper for Zero<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.path.join(".") == self.target {
            param.map(|value| value.zeros_like())
        } else {
            param
        }
    }
}

#[test]
fn every_parameter_can_be_seen_in_the_outputs() {
    let device = Device::flex();
    let model = tiny(&device);
    let before = outputs(&model, inputs(&model, SIDE, 2, &device));
    for parameter in named_parameters(&model) {
        let zeroed = model.clone().map(&mut Zero {
            target: &parameter.path,
            path: Vec::new(),
        });
        let after = outputs(&zeroed, inputs(&model, SIDE, 2, &device));
        let seen = before
            .iter()
            .zip(&after)
            .map(|((_, before), (_, after))| max_difference(before, after))
            .fold(0.0, f32::max);
        assert!(seen > 1e-4, "{} is invisible: {seen:e}", parameter.path);
    }
}

#[test]
fn untrained_output_keeps_the_picture_and_changes_it() {
    let device = Device::flex();
    for model in [preset("lsd-tiny", &device), preset("lsd-light", &device)] {
        let name = model.config().name.clone();
        let initial = NamedTensors::initial(&model.state_specs(1), &device).expect("state");
        let (output, _) = frame(
            &model,
            0,
            Tensor::zeros([1, 3, 64, 64], &device),
            initial,
            64,
            &device,
        );
        let (output, input) = (
            floats(output.into()),
            floats(picture(64, 0, &device).into()),
        );
        let kept = psnr(&output, &input);
        assert!((12.0..35.0).contains(&kept), "{name}: {kept} dB");
        // The picture, not just its mean: far nearer than a grey one.
        let grey = psnr(&vec![0.0; input.len()], &input);
        assert!(kept > grey + 6.0, "{name}: {kept} dB, grey {grey} dB");
        assert!(output.iter().all(|v| (-1.0..=1.0).contains(v)), "{name}");
    }
}

#[test]
fn first_frame_has_no_blend_and_later_ones_have() {
    let device = Device::flex();
    let model = tiny(&device);
    let state = |frames| NamedTensors::new(inputs(&model, SIDE, frames, &device).split_off(4));
    let now = picture(SIDE, 0, &device);
    let previous = noise(SIDE, 9, &device);
    let blended = |frames| {
        floats(
            model
                .blend(now.clone(), previous.clone(), &state(frames))
                .into(),
        )
    };
    let (now_values, previous_values) =
        (floats(now.clone().into()), floats(previous.clone().into()));
    assert_eq!(blended(0), now_values);
    let later = blended(1);
    assert_eq!(later, blended(50));
    // One weight for all pixels, strictly between the two pictures.
    for ((blend, now), previous) in later.iter().zip(&now_values).zip(&previous_values) {
        if (previous - now).abs() > 0.1 {
            let weight = (blend - now) / (previous - now);
            assert!((0.15..0.25).contains(&weight), "{weight}");
        }
    }
}

#[test]
fn memory_is_a_ring() {
    let device = Device::flex();
    let model = tiny(&device);
    let mut state = NamedTensors::initial(&model.state_specs(1), &device).expect("state");
    let mut previous = Tensor::zeros([1, 3, SIDE, SIDE], &device);
    let tokens = |state: &NamedTensors| -> Vec<Vec<f32>> {
        let memory: Tensor<3> = state.expect("memory");
        let values = floats(memory.into());
        values
            .chunks(values.len() / 3)
            .map(<[f32]>::to_vec)
            .collect()
    };
    for time in 0..7 {
        let before = tokens(&state);
        (previous, state) = frame(&model, time, previous, state, SIDE, &device);
        let after = tokens(&state);
        for slot in 0..3 {
            let changed = max_difference(&before[slot], &after[slot]) > 1e-3;
            assert_eq!(changed, slot == time % 3, "frame {time}, slot {slot}");
        }
        let frames: Tensor<1, Int> = state.expect("frames");
        assert_eq!(
            frames.into_data().try_to_vec::<i64>().expect("i64"),
            [time as i64 + 1]
        );
    }
}

/// The inputs in mid-stream with the memory's slots from `from` on filled with `value`.
fn with_slots(
    model: &mirage_model::AnyModel,
    frames: i64,
    from: usize,
    value: f32,
) -> Vec<(String, AnyTensor)> {
    let device = Device::flex();
    let mut inputs = inputs(model, SIDE, frames, &device);
    let Ok(memory) = Tensor::<3>::try_from(inputs[4].1.clone()) else {
        panic!("memory has rank 3");
    };
    let [_, slots, _] = memory.dims();
    let memory = if from < slots {
        memory.slice_fill([0..1, from..slots], value)
    } else {
        memory
    };
    inputs[4].1 = memory.into();
    inputs
}

#[test]
fn slots_not_written_yet_are_not_seen() {
    let model = tiny(&Device::flex());
    let picture = |frames, from, value| {
        outputs(&model, with_slots(&model, frames, from, value))[0]
            .1
            .clone()
    };
    for frames in 0..3 {
        let from = frames as usize;
        assert_eq!(
            picture(frames, from, 0.0),
            picture(frames, from, 1e3),
            "{frames} frames"
        );
    }
    // Written slots are seen, before and after the ring is full.
    assert!(max_difference(&picture(3, 2, 0.0), &picture(3, 2, 1e1)) > 1e-3);
    assert!(max_difference(&picture(8, 2, 0.0), &picture(8, 2, 1e1)) > 1e-3);
}

#[test]
fn closed_loop_is_stable() {
    let device = Device::flex();
    let model = tiny(&device);
    let mut state = NamedTensors::initial(&model.state_specs(1), &device).expect("state");
    let mut previous = Tensor::zeros([1, 3, SIDE, SIDE], &device);
    for time in 0..200 {
        (previous, state) = frame(&model, time, previous, state, SIDE, &device);
        let values = floats(previous.clone().into());
        let count = values.len() as f32;
        let mean = values.iter().sum::<f32>() / count;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count).sqrt();
        let saturated = values.iter().filter(|v| v.abs() > 0.999).count() as f32 / count;
        assert!(values.iter().all(|v| v.is_finite()), "frame {time}");
        assert!(
            mean.abs() < 0.4 && (0.1..0.8).contains(&deviation),
            "frame {time}: {mean} ± {deviation}"
        );
        assert!(saturated < 0.05, "frame {time}: {saturated} saturated");
        let memory: Tensor<3> = state.expect("memory");
        let largest = floats(memory.into())
            .into_iter()
            .fold(0.0, |a: f32, b| a.max(b.abs()));
        assert!(largest < 10.0, "frame {time}: memory up to {largest}");
    }
}

type Inputs = Vec<(String, AnyTensor)>;

#[test]
fn wrong_inputs_are_refused_by_name() {
    let device = Device::flex();
    let model = tiny(&device);
    let refuse = |change: &dyn Fn(&mut Inputs)| {
        let mut inputs = inputs(&model, SIDE, 1, &device);
        change(&mut inputs);
        model
            .forward_named(inputs)
            .expect_err("refused")
            .to_string()
    };
    let missing = refuse(&|inputs| {
        inputs.remove(3);
    });
    assert_eq!(missing, "input `timestep`: is missing");
    let unknown =
        refuse(&|inputs| inputs.push(("framed".to_owned(), noise(SIDE, 0, &device).into())));
    assert_eq!(
        unknown,
        "input `framed`: is not an input of this model; did you mean `frame`?"
    );
    let twice = refuse(&|inputs| inputs.push(inputs[1].clone()));
    assert_eq!(twice, "input `frame`: is given twice");
    let shape = refuse(&|inputs| inputs[1].1 = noise(SIDE / 2, 0, &device).into());
    assert!(
        shape.starts_with("input `frame`: is F32 of shape [1, 3, 16, 16]; expected F32 of shape"),
        "{shape}"
    );
    let kind = refuse(&|inputs| inputs[3].1 = Tensor::<1>::zeros([1], &device).into());
    assert!(kind.starts_with("input `timestep`: is F32"), "{kind}");
    let size = refuse(&|inputs| inputs[0].1 = noise(30, 0, &device).into());
    assert!(
        size.contains("30x30") && size.contains("multiples of 4") && size.contains("32x32"),
        "{size}"
    );
    let rank = refuse(&|inputs| inputs[0].1 = Tensor::<2>::zeros([3, 3], &device).into());
    assert_eq!(
        rank,
        "input `sample`: has the shape [3, 3]; expected [batch, 3, height, width]"
    );
}
