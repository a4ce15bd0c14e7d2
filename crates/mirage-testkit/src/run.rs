//! Runs graphs on a backend and on the reference interpreter.

use mirage_backend::{Backend, BackendError, CompileOptions, Executable};
use mirage_ir::{
    Graph, GraphFlag, Params, TensorType,
    interp::{self, Difference, Tensor},
};

/// Compiles the graph for the backend's first device.
///
/// # Errors
/// If the backend fails.
pub fn compile(
    backend: &dyn Backend,
    graph: &Graph,
    params: &Params,
) -> Result<Box<dyn Executable>, BackendError> {
    backend.compile(graph, params, &CompileOptions::default())
}

/// Sets the states, if given, executes once, and downloads outputs and new states.
///
/// # Errors
/// If the backend fails.
pub fn execute(
    executable: &mut dyn Executable,
    inputs: &[Tensor],
    states: &[Tensor],
) -> Result<interp::Run, BackendError> {
    let ports = executable.states().to_vec();
    for (port, state) in ports.iter().zip(states) {
        executable.import_state(&port.name, &state.to_data(port.ty.dtype).unwrap())?;
    }
    let buffers =
        executable.inputs().iter().zip(inputs).map(|(port, input)| {
            executable.upload(&input.to_data(port.ty.dtype).unwrap(), &port.ty)
        });
    let buffers = buffers.collect::<Result<Vec<_>, _>>()?;
    let outputs = executable.execute(&buffers)?;
    let read = |data| Tensor::from_data(&data).unwrap();
    Ok(interp::Run {
        outputs: outputs
            .iter()
            .map(|b| Ok(read(executable.download(b)?)))
            .collect::<Result<_, BackendError>>()?,
        states: ports
            .iter()
            .map(|p| Ok(read(executable.export_state(&p.name)?)))
            .collect::<Result<_, BackendError>>()?,
    })
}

/// Returns the graph with a static plan.
pub fn planned(graph: &Graph) -> Graph {
    let mut planned = graph.clone();
    planned.set_flag(GraphFlag::StaticPlan);
    planned
}

/// Returns the largest difference of any result of two runs. If all elements of a result are below 1e-3, the
/// difference is relative to 1e-3, because small results may be rounding errors of larger operands.
pub fn between(got: &interp::Run, want: &interp::Run) -> Difference {
    let outputs = got.outputs.iter().zip(&want.outputs);
    let states = got.states.iter().zip(&want.states);
    let of = |(got, want)| {
        let d = Difference::between(got, want).unwrap();
        Difference {
            max_rel: d.max_rel.min(d.max_abs / 1e-3),
            ..d
        }
    };
    outputs
        .chain(states)
        .map(of)
        .fold(Difference::default(), Difference::max)
}

/// Returns pseudo-random numbers of magnitude up to 1, rounded to `dtype`.
pub fn noise(ty: &TensorType, seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    let n = ty.numel();
    let shape = ty.shape.clone();
    if ty.dtype.is_float() {
        let values: Vec<f64> = (0..n).map(|_| next()).collect();
        Tensor::float(shape, values)
            .unwrap()
            .rounded(ty.dtype)
            .unwrap()
    } else if ty.dtype.is_int() {
        let values: Vec<i64> = (0..n).map(|_| ((next() + 1.0) * 4.0) as i64).collect();
        Tensor::int(shape, values).unwrap()
    } else {
        let values: Vec<bool> = (0..n).map(|_| next() > 0.0).collect();
        Tensor::bool(shape, values).unwrap()
    }
}

/// Returns noise for every input of the graph, and for every parameter.
pub fn noisy(graph: &Graph) -> (Params, Vec<Tensor>) {
    let inputs = graph.inputs().iter().enumerate();
    let inputs = inputs
        .map(|(i, p)| noise(graph.ty(p.value), i as u64 + 1))
        .collect();
    let mut params = Params::new();
    for (i, port) in graph.params().iter().enumerate() {
        let ty = graph.ty(port.value);
        params.insert(
            &*port.name,
            noise(ty, 100 + i as u64).to_data(ty.dtype).unwrap(),
        );
    }
    (params, inputs)
}
