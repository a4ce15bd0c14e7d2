//! `lsd-tiny` as burn runs it, as the f64 interpreter defines it, and as the CPU backend executes
//! it, without passes, with each pass alone, and with all of them: they agree within what the passes
//! promise.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use burn::tensor::{Device, TensorData as BurnData};
use mirage_backend::{Backend, CompileOptions};
use mirage_backend_cpu as _;
use mirage_capture::Captured;
use mirage_ir::{
    DType, TensorData,
    interp::{self, Difference, Tensor},
};
use mirage_model::{AnyModel, AnyTensor, ModelConfig, Size, TensorSpec, build};
use mirage_pass::{Manager, Numerics, PassInfo, Plan, Registry, plan};
use mirage_stream::{
    Noise, NoisePolicy, SamplerConfig, Trajectory, capture_forward, capture_frame,
};

const SIZE: Size = Size {
    width: 16,
    height: 16,
};

/// Rounding of f32 through the whole network, relative to the output's largest value. The CPU
/// backend's fast exponentials and sums in other sequences are in it.
const F32: f64 = 1e-4;

fn model() -> AnyModel {
    let config = ModelConfig::load("lsd-tiny").unwrap();
    build(&config, &Device::flex(), 3).unwrap()
}

fn backend() -> &'static dyn Backend {
    mirage_backend::find("cpu").unwrap()
}

fn planned(registry: &Registry, passes: &str) -> Plan {
    plan(registry, &passes.parse().unwrap()).unwrap()
}

fn registry() -> Registry {
    mirage_passes::link();
    Registry::linked().unwrap()
}

/// The bound of a plan: rounding, or the loosest of its passes' promises.
fn tolerance(plan: &Plan) -> f64 {
    plan.steps
        .iter()
        .fold(F32, |bound, step| match step.info().numerics {
            Numerics::LowersPrecision { tolerance } => bound.max(tolerance),
            _ => bound,
        })
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

/// Inputs under which every parameter matters: three frames in the memory, content everywhere.
fn inputs(specs: &[TensorSpec]) -> Vec<(String, TensorData)> {
    let mut seed = 11;
    specs
        .iter()
        .map(|spec| {
            seed += 1;
            let count = spec.shape.iter().product();
            let data = match spec.name.as_str() {
                "timestep" => TensorData::from_i64(spec.shape.clone(), &[400]),
                "frames" => TensorData::from_i64(spec.shape.clone(), &[3]),
                _ => {
                    let noise = Noise::new(seed, NoisePolicy::Fixed, count).frame(0);
                    TensorData::from_f32(spec.shape.clone(), &noise)
                }
            };
            (spec.name.clone(), data.unwrap())
        })
        .collect()
}

/// The first output as the f64 interpreter defines it.
fn interpret(captured: &Captured, inputs: &[(String, TensorData)]) -> Tensor {
    let values: Vec<Tensor> = captured
        .graph
        .inputs()
        .iter()
        .map(|p| Tensor::from_data(find(inputs, &p.name)).unwrap())
        .collect();
    let run = interp::run(&captured.graph, &captured.params, &values, &[]).unwrap();
    run.outputs.into_iter().next().unwrap()
}

fn find<'a>(inputs: &'a [(String, TensorData)], name: &str) -> &'a TensorData {
    &inputs.iter().find(|(n, _)| n == name).unwrap().1
}

/// The first output as the CPU backend executes it after a plan.
fn execute(captured: &Captured, plan: &Plan, inputs: &[(String, TensorData)]) -> Tensor {
    let backend = backend();
    let prepared = mirage_stream::prepare(
        captured,
        plan,
        &mut Manager::new(),
        backend,
        &CompileOptions::default(),
    )
    .unwrap();
    let mut executable = prepared.executable;
    let buffers: Vec<_> = executable
        .inputs()
        .iter()
        .map(|p| executable.upload(find(inputs, &p.name), &p.ty).unwrap())
        .collect();
    let outputs = executable.execute(&buffers).unwrap();
    Tensor::from_data(&executable.download(&outputs[0]).unwrap()).unwrap()
}

#[test]
fn burn_interpreter_and_backend_agree_under_every_pass() {
    let model = model();
    let specs = model.input_specs(1, SIZE.height, SIZE.width).unwrap();
    let inputs = inputs(&specs);
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
        let d = Difference::between(&execute(&captured, &plan, &inputs), &reference).unwrap();
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

fn burn_itself(model: &AnyModel, inputs: &[(String, TensorData)]) -> Tensor {
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
    let backend = backend();
    let prepared = mirage_stream::prepare(
        &captured,
        &plan,
        &mut Manager::new(),
        backend,
        &CompileOptions::default(),
    )
    .unwrap();
    let mut executable = prepared.executable;

    let mut states: Vec<Tensor> = Vec::new();
    let names: Vec<String> = captured
        .graph
        .states()
        .iter()
        .map(|s| s.name.to_string())
        .collect();
    for frame in 0..3 {
        let values: Vec<(String, TensorData)> = captured
            .graph
            .inputs()
            .iter()
            .enumerate()
            .map(|(i, p)| {
                let shape = captured.graph.ty(p.value).shape.clone();
                let noise = Noise::new(i as u64, NoisePolicy::Fresh, shape.iter().product());
                (
                    p.name.to_string(),
                    TensorData::from_f32(shape, &noise.frame(frame)).unwrap(),
                )
            })
            .collect();
        let tensors: Vec<Tensor> = values
            .iter()
            .map(|(_, d)| Tensor::from_data(d).unwrap())
            .collect();
        let run = interp::run(&captured.graph, &captured.params, &tensors, &states).unwrap();

        let buffers: Vec<_> = executable
            .inputs()
            .iter()
            .map(|p| executable.upload(find(&values, &p.name), &p.ty).unwrap())
            .collect();
        let outputs = executable.execute(&buffers).unwrap();
        let output = Tensor::from_data(&executable.download(&outputs[0]).unwrap()).unwrap();
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
