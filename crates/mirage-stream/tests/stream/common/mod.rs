//! What tests of whole networks share: plans and their bounds, and one output as the f64 interpreter defines it and as the
//! CPU backend executes it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses a part, and ends where something is not as it should be"
)]

use mirage_backend::{Backend, CompileOptions, Executable};
use mirage_backend_cpu as _;
use mirage_capture::Captured;
use mirage_ir::{
    DType, TensorData,
    interp::{self, Tensor},
};
use mirage_model::TensorSpec;
use mirage_pass::{Manager, Plan, Registry, plan};
use mirage_stream::{Noise, NoisePolicy, Prepared};

/// Rounding of f32 through a whole network, relative to the output's largest value. The CPU backend's fast exponentials and
/// sums in other sequences are in it.
pub(crate) const F32: f64 = 1e-4;

pub(crate) type Named = (String, TensorData);

pub(crate) fn backend() -> &'static dyn Backend {
    mirage_backend::find("cpu").unwrap()
}

pub(crate) fn registry() -> Registry {
    mirage_passes::link();
    Registry::linked().unwrap()
}

pub(crate) fn planned(registry: &Registry, passes: &str) -> Plan {
    plan(registry, &passes.parse().unwrap()).unwrap()
}

/// The bound of a plan: rounding, or the loosest of its passes' promises.
pub(crate) fn tolerance(plan: &Plan) -> f64 {
    plan.backend_bound(F32)
}

/// A pass as a pipeline names it, with options under which it acts on networks whose channels suit the backend already.
pub(crate) fn acting(pass: &str) -> String {
    match pass {
        "merge_qkv" => "merge_qkv{force=true}".to_owned(),
        // A picture's channels are padded whatever that costs.
        "pad_channels" => "pad_channels{multiple=8,max_overhead=1000}".to_owned(),
        other => other.to_owned(),
    }
}

/// Noise as an input of this dtype: floats as they are, bytes around grey.
pub(crate) fn of_noise(dtype: DType, shape: Vec<usize>, noise: &[f32]) -> TensorData {
    match dtype {
        DType::U8 => {
            let bytes: Vec<u8> = noise.iter().map(|x| (x * 60.0 + 128.0) as u8).collect();
            TensorData::new(DType::U8, shape, bytes).unwrap()
        }
        _ => TensorData::from_f32(shape, noise).unwrap(),
    }
}

pub(crate) fn find<'a>(tensors: &'a [Named], name: &str) -> &'a TensorData {
    &tensors.iter().find(|(n, _)| n == name).unwrap().1
}

/// Inputs under which every parameter matters: three frames in the memory, a late timestep, content everywhere.
pub(crate) fn inputs(specs: &[TensorSpec], timestep: i64) -> Vec<Named> {
    let mut seed = 11;
    specs
        .iter()
        .map(|spec| {
            seed += 1;
            let count = spec.shape.iter().product();
            let data = match spec.name.as_str() {
                "timestep" => TensorData::from_i64(spec.shape.clone(), &[timestep]),
                "frames" => TensorData::from_i64(spec.shape.clone(), &[3]),
                _ => {
                    let noise = Noise::new(seed, NoisePolicy::Fixed).frame(0, count);
                    TensorData::from_f32(spec.shape.clone(), &noise)
                }
            };
            (spec.name.clone(), data.unwrap())
        })
        .collect()
}

/// The first output as the f64 interpreter defines it.
pub(crate) fn interpret(captured: &Captured, inputs: &[Named]) -> Tensor {
    let ports = captured.graph.inputs().iter();
    let values: Vec<Tensor> = ports
        .map(|p| Tensor::from_data(find(inputs, &p.name)).unwrap())
        .collect();
    let run = interp::run(&captured.graph, &captured.params, &values, &[]).unwrap();
    run.outputs.into_iter().next().unwrap()
}

/// The program after a plan, compiled for the CPU.
pub(crate) fn prepared(captured: &Captured, plan: &Plan) -> Prepared {
    let options = CompileOptions::default();
    mirage_stream::prepare(captured, plan, &mut Manager::new(), backend(), &options).unwrap()
}

/// The first output of one execution.
pub(crate) fn execute(executable: &mut dyn Executable, inputs: &[Named]) -> Tensor {
    let ports = executable.inputs().iter();
    let buffers: Vec<_> = ports
        .map(|p| executable.upload(find(inputs, &p.name), &p.ty).unwrap())
        .collect();
    let outputs = executable.execute(&buffers).unwrap();
    Tensor::from_data(&executable.download(&outputs[0]).unwrap()).unwrap()
}
