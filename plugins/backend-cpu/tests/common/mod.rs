//! Graphs on the backend, and the reference interpreter beside it.

#![allow(dead_code, reason = "each test program uses a part")]

use mirage_backend::{Backend, BackendError, CompileOptions, Executable};
use mirage_backend_cpu::CpuBackend;
use mirage_ir::{
    Graph, GraphError, GraphFlag, Op, Params, TensorType, ValueId,
    interp::{self, Difference, Tensor},
    text,
};

/// The graph compiled on the backend.
pub(crate) fn compile(graph: &Graph, params: &Params) -> Result<Box<dyn Executable>, BackendError> {
    CpuBackend.compile(graph, params, &CompileOptions::default())
}

/// Sets the states, if any are given, executes once, and downloads outputs and new states.
pub(crate) fn execute(
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

/// A network with every kernel that a static plan has: convolutions, norms, attention over views and
/// written out, pooling, resampling, concatenation, a state.
const NETWORK: &str = r#"graph "network" {static_plan = true} {
  input %0 "x": f32[1,8,32,32]
  state %1 "last": f32[1,8,32,32] -> %35
  param %2 "w": f32[8,8,3,3]
  param %3 "g": f32[8]
  param %4 "v": f32[8,8]
  param %5 "mix": f32[8,16,1,1]
  param %6 "mean": f32[8]
  param %7 "variance": f32[8]
  %8: f32[1,8,32,32] = conv(%0, %2, %3) {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}
  %9: f32[1,8,32,32] = batch_norm(%8, %3, %3, %6, %7) {eps = 2.0}
  %10: f32[1,8,32,32] = group_norm(%9, %3, %3) {eps = 1e-5, groups = 2}
  %11: f32[1,8,32,32] = silu(%10)
  %12: f32[1,8,16,16] = max_pool(%11) {ceil_mode = false, dilation = [1, 1], kernel = [2, 2], padding = [0, 0], stride = [2, 2]}
  %13: f32[1,8,256] = reshape(%12) {shape = [1, 8, 256]}
  %14: f32[1,256,8] = permute(%13) {axes = [0, 2, 1]}
  %15: f32[1,256,8] = layer_norm(%14, %3) {eps = 1e-5}
  %16: f32[1,256,8] = linear(%15, %4, %3)
  %17: f32[1,256,2,4] = reshape(%16) {shape = [1, 256, 2, 4]}
  %18: f32[1,2,256,4] = permute(%17) {axes = [0, 2, 1, 3]}
  %19: f32[1,2,256,4] = attention(%18, %18, %18)
  %20: f32[1,2,4,256] = permute(%17) {axes = [0, 2, 3, 1]}
  %21: f32[1,2,256,256] = matmul(%18, %20)
  %22: f32[1,2,256,256] = mul_scalar(%21) {value = 0.5}
  %23: f32[1,2,256,256] = softmax(%22) {dim = 3}
  %24: f32[1,2,256,4] = matmul(%23, %18)
  %25: f32[1,2,256,4] = add(%19, %24)
  %26: f32[1,256,2,4] = permute(%25) {axes = [0, 2, 1, 3]}
  %27: f32[1,256,8] = reshape(%26) {shape = [1, 256, 8]}
  %28: f32[1,256,8] = add(%27, %14)
  %29: f32[1,8,256] = permute(%28) {axes = [0, 2, 1]}
  %30: f32[1,8,16,16] = reshape(%29) {shape = [1, 8, 16, 16]}
  %31: f32[1,8,32,32] = resize(%30) {align_corners = false, mode = "bilinear", size = [32, 32]}
  %32: f32[1,16,32,32] = concat(%31, %11) {dim = 1}
  %33: f32[1,8,32,32] = conv(%32, %5) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
  %34: f32[1,8,32,32] = add(%33, %1)
  %35: f32[1,8,32,32] = tanh(%34)
  %36: f32[1,8,1,1] = reduce_mean(%35) {dims = [2, 3]}
  %37: f32[1,8,32,32] = mul(%35, %36)
  output "y" = %37
}"#;

pub(crate) fn network() -> Graph {
    text::parse(NETWORK).unwrap()
}

/// The same graph, with a static plan.
pub(crate) fn planned(graph: &Graph) -> Graph {
    let mut planned = graph.clone();
    planned.set_flag(GraphFlag::StaticPlan);
    planned
}

/// The largest difference of any result between the backend, without and with a static plan, and
/// the interpreter.
pub(crate) fn difference(
    graph: &Graph,
    params: &Params,
    inputs: &[Tensor],
    states: &[Tensor],
) -> Difference {
    let want = interp::run(graph, params, inputs, states).unwrap();
    let of = |graph: &Graph| {
        let got = compile(graph, params)
            .and_then(|mut executable| execute(executable.as_mut(), inputs, states))
            .unwrap_or_else(|e| panic!("{e}\n{graph}"));
        between(&got, &want)
    };
    of(graph).max(of(&planned(graph)))
}

/// The largest difference of any result of two runs. A result whose elements are all below 1e-3 is
/// measured as if its largest were that: what is left when larger operands cancel is their rounding.
pub(crate) fn between(got: &interp::Run, want: &interp::Run) -> Difference {
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

/// Numbers that look random, of magnitude up to 1, each rounded to `dtype`.
pub(crate) fn noise(ty: &TensorType, seed: u64) -> Tensor {
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

/// Noise for every input of the graph, and for every parameter.
pub(crate) fn noisy(graph: &Graph) -> (Params, Vec<Tensor>) {
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

pub(crate) fn ty(text: &str) -> TensorType {
    text.parse().unwrap()
}

/// One node on inputs of these types must agree with its definition within `bound` of the largest
/// element, and must not be all zeros.
pub(crate) fn check(op: impl Into<Op>, inputs: &[&str], bound: f64) {
    let op = op.into();
    let graph = one(op.clone(), inputs).unwrap_or_else(|e| panic!("{op:?}: {e}"));
    let (params, values) = noisy(&graph);
    let d = difference(&graph, &params, &values, &[]);
    assert!(d.max_rel <= bound, "{d:?}\n{graph}");
}

fn one(op: Op, inputs: &[&str]) -> Result<Graph, GraphError> {
    let mut b = Graph::builder("one");
    let values: Vec<ValueId> = inputs
        .iter()
        .enumerate()
        .map(|(i, t)| b.input(format!("x{i}"), ty(t)))
        .collect();
    for (i, value) in b.push(op, &values)?.into_iter().enumerate() {
        b.output(format!("y{i}"), value);
    }
    b.finish()
}

/// The bound for operations in this dtype.
pub(crate) fn bound(dtype: &str) -> f64 {
    match dtype {
        "f64" => 1e-12,
        "f32" => 2e-5,
        "f16" => 4e-3,
        _ => 3e-2,
    }
}
