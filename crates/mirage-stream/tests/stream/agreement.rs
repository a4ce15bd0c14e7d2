//! `lsd-tiny` as burn runs it, as the f64 interpreter defines it, and as the CPU backend executes
//! it, without passes, with each pass alone, and with all of them: they agree within what the passes
//! promise.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use burn::tensor::{Device, TensorData as BurnData};
use mirage_capture::Captured;
use mirage_ir::{
    DType,
    interp::{self, Difference, Tensor},
};
use mirage_model::{AnyModel, AnyTensor, ModelConfig, Size, build};
use mirage_pass::{Manager, PassInfo, Registry};
use mirage_stream::{
    Noise, NoisePolicy, SamplerConfig, Trajectory, capture_forward, capture_frame,
};

use crate::common::{
    F32, Named, backend, execute, inputs, interpret, of_noise, planned, prepared, registry,
    tolerance,
};

const SIZE: Size = Size {
    width: 16,
    height: 16,
};

fn model() -> AnyModel {
    let config = ModelConfig::load("lsd-tiny").unwrap();
    build(&config, &Device::flex(), 3).unwrap()
}

/// No pass, every pass alone, and all that go together with each that lowers precision and without.
fn sets(registry: &Registry) -> Vec<String> {
    let asked: Vec<&'static PassInfo> = registry.infos().filter(|i| !i.always).collect();
    let (lowering, others): (Vec<&PassInfo>, Vec<&PassInfo>) =
        asked.iter().partition(|i| i.answers_to("precision"));
    let others: Vec<&str> = others.iter().map(|i| i.name).collect();
    let mut sets: Vec<String> = vec![String::new(), others.join(",")];
    sets.extend(asked.iter().map(|i| i.name.to_owned()));
    sets.extend(
        lowering
            .iter()
            .map(|i| format!("{},{}", i.name, others.join(","))),
    );
    sets
}

#[test]
fn burn_interpreter_and_backend_agree_under_every_pass() {
    let model = model();
    let specs = model.input_specs(1, SIZE.height, SIZE.width).unwrap();
    let inputs = inputs(&specs, 400);
    let captured = capture_forward(&model, 1, SIZE).unwrap();
    let reference = interpret(&captured, &inputs);

    let burns = burn_itself(&model, &inputs);
    let d = Difference::between(&burns, &reference).unwrap();
    assert!(
        d.max_rel < F32,
        "burn itself against the interpreter: {d:?}"
    );

    let registry = registry();
    for set in sets(&registry) {
        let plan = planned(&registry, &set);
        let mut executable = prepared(&captured, &plan).executable;
        let output = execute(executable.as_mut(), &inputs);
        let d = Difference::between(&output, &reference).unwrap();
        assert!(
            d.max_rel < tolerance(&plan),
            "passes `{set}` on the CPU: {d:?}"
        );

        let (graph, _) = Manager::new()
            .run(&plan, &captured.graph, &backend().capabilities(0))
            .unwrap();
        let rewritten = Captured {
            graph,
            params: captured.params.clone(),
        };
        let d = Difference::between(&interpret(&rewritten, &inputs), &reference).unwrap();
        assert!(
            d.max_rel < tolerance(&plan),
            "passes `{set}` interpreted: {d:?}"
        );
    }
}

fn burn_itself(model: &AnyModel, inputs: &[Named]) -> Tensor {
    let device = Device::flex();
    let tensors = inputs
        .iter()
        .map(|(name, data)| {
            let bytes = data.bytes().to_vec();
            let dtype = match data.dtype {
                DType::I64 => burn::tensor::DType::I64,
                _ => burn::tensor::DType::F32,
            };
            let data = BurnData::from_bytes_vec(bytes, data.shape.clone(), dtype);
            (
                name.clone(),
                AnyTensor::from_data(name, data, &device).unwrap(),
            )
        })
        .collect();
    let mut outputs = model.forward_named(tensors).unwrap();
    let (name, output) = outputs.swap_remove(0);
    assert_eq!(name, "output");
    let shape = output.shape();
    let values: Vec<f64> = output.into_data().iter::<f64>().collect();
    Tensor::float(shape, values).unwrap()
}

/// Frames in a closed loop: the state that an execution leaves is the state that the next one reads,
/// under passes as without.
#[test]
fn a_stream_of_frames_agrees_with_the_interpreter() {
    let model = model();
    let config = SamplerConfig {
        steps: 2,
        eta: 0.5,
        strength: 0.7,
    };
    let trajectory = Trajectory::plan(&model.config().schedule, &config).unwrap();
    let captured = capture_frame(&model, SIZE, &trajectory).unwrap();
    let registry = registry();
    let plan = planned(&registry, "channels_last,sdpa");
    let mut executable = prepared(&captured, &plan).executable;

    let mut states: Vec<Tensor> = Vec::new();
    let names: Vec<String> = captured
        .graph
        .states()
        .iter()
        .map(|s| s.name.to_string())
        .collect();
    for frame in 0..3 {
        let values: Vec<Named> = captured
            .graph
            .inputs()
            .iter()
            .enumerate()
            .map(|(i, p)| {
                let shape = captured.graph.ty(p.value).shape.clone();
                let noise = Noise::new(i as u64, NoisePolicy::Fresh);
                let noise = noise.frame(frame, shape.iter().product());
                (
                    p.name.to_string(),
                    of_noise(captured.graph.ty(p.value).dtype, shape, &noise),
                )
            })
            .collect();
        let tensors: Vec<Tensor> = values
            .iter()
            .map(|(_, d)| Tensor::from_data(d).unwrap())
            .collect();
        let run = interp::run(&captured.graph, &captured.params, &tensors, &states).unwrap();

        let output = execute(executable.as_mut(), &values);
        let d = Difference::between(&output, &run.outputs[0]).unwrap();
        assert!(d.max_rel < F32 && d.rel_l2 < F32, "frame {frame}: {d:?}");

        for (name, state) in names.iter().zip(&run.states) {
            let exported = Tensor::from_data(&executable.export_state(name).unwrap()).unwrap();
            let d = Difference::between(&exported, state).unwrap();
            assert!(d.max_rel < F32, "frame {frame}, state `{name}`: {d:?}");
        }
        states = run.states;
    }
}
