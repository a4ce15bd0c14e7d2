//! Graphs on the backend, and the definition beside it.

use mirage_backend::{Backend, CompileOptions, Executable};
use mirage_backend_tch::TchBackend;
use mirage_ir::{
    Attrs, Graph, GraphFlag, Op, Params, TensorType, ValueId,
    interp::{self, Difference, Tensor},
    ops::Region,
    regions,
};

pub(crate) fn compile(graph: &Graph, params: &Params) -> Box<dyn Executable> {
    let compiled = TchBackend.compile(graph, params, &CompileOptions::default());
    compiled.unwrap_or_else(|e| panic!("{e}\n{graph}"))
}

/// One node on operands of these types; those after a bar are parameters.
pub(crate) fn one(op: impl Into<Op>, operands: &str) -> Graph {
    let mut b = Graph::builder("one");
    let operand = |(i, text): (usize, &str)| match text.strip_prefix('|') {
        Some(ty) => b.param(format!("p{i}"), ty.parse().unwrap()),
        None => b.input(format!("x{i}"), text.parse().unwrap()),
    };
    let values: Vec<ValueId> = operands.split(' ').enumerate().map(operand).collect();
    let results = b.push(op.into(), &values).unwrap();
    for (i, value) in results.into_iter().enumerate() {
        b.output(format!("y{i}"), value);
    }
    b.finish().unwrap()
}

/// A region of a known kind, with attributes in TOML.
pub(crate) fn region(kind: &str, attributes: &str, operands: &str) -> Graph {
    let attributes: Attrs = toml::from_str(attributes).unwrap();
    let types: Vec<TensorType> = operands
        .split(' ')
        .map(|t| t.trim_start_matches('|').parse().unwrap())
        .collect();
    let types: Vec<&TensorType> = types.iter().collect();
    let body = (regions::find(kind).unwrap().expand)(&attributes, &types).unwrap();
    one(Region::new(kind, attributes, body.into()), operands)
}

/// Sets the states, if any are given, executes once, and downloads outputs and new states.
pub(crate) fn execute(
    executable: &mut dyn Executable,
    inputs: &[Tensor],
    states: &[Tensor],
) -> interp::Run {
    let ports = executable.states().to_vec();
    for (port, state) in ports.iter().zip(states) {
        let data = state.to_data(port.ty.dtype).unwrap();
        executable.import_state(&port.name, &data).unwrap();
    }
    let upload = |(port, input): (&mirage_backend::PortInfo, &Tensor)| {
        let data = input.to_data(port.ty.dtype).unwrap();
        executable.upload(&data, &port.ty).unwrap()
    };
    let buffers: Vec<_> = executable.inputs().iter().zip(inputs).map(upload).collect();
    let outputs = executable.execute(&buffers).unwrap();
    let read = |data| Tensor::from_data(&data).unwrap();
    interp::Run {
        outputs: outputs
            .iter()
            .map(|b| read(executable.download(b).unwrap()))
            .collect(),
        states: ports
            .iter()
            .map(|p| read(executable.export_state(&p.name).unwrap()))
            .collect(),
    }
}

/// The same graph, with a static plan.
pub(crate) fn planned(graph: &Graph) -> Graph {
    let mut planned = graph.clone();
    planned.set_flag(GraphFlag::StaticPlan);
    planned
}

/// The largest difference of any result of two runs; of results near 0 in units of 1e-3.
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

/// The backend, with and without a static plan, gives what the definition does.
pub(crate) fn assert_agrees(
    graph: &Graph,
    params: &Params,
    inputs: &[Tensor],
    states: &[Tensor],
    bound: f64,
) {
    let want = interp::run(graph, params, inputs, states).unwrap();
    for graph in [graph.clone(), planned(graph)] {
        let got = execute(compile(&graph, params).as_mut(), inputs, states);
        let d = between(&got, &want);
        let near = d.max_rel.min(d.max_abs / 2.0) <= bound;
        assert!(near && !d.max_rel.is_nan(), "{d:?}\n{graph}");
    }
}

/// Numbers that look random, of magnitude up to 1, each rounded to the dtype.
fn noise(ty: &TensorType, seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    let shape = ty.shape.clone();
    let count = ty.numel();
    match ty.dtype.is_float() {
        true => {
            let values: Vec<f64> = (0..count).map(|_| next()).collect();
            let exact = Tensor::float(shape, values).unwrap();
            exact.rounded(ty.dtype).unwrap()
        }
        false => {
            let values: Vec<bool> = (0..count).map(|_| next() > 0.0).collect();
            Tensor::bool(shape, values).unwrap()
        }
    }
}

/// Noise for every parameter and every input.
pub(crate) fn noisy(graph: &Graph) -> (Params, Vec<Tensor>) {
    let of = |i: usize, value| noise(graph.ty(value), i as u64 + 1);
    let inputs = graph.inputs().iter().enumerate();
    let inputs = inputs.map(|(i, p)| of(i, p.value)).collect();
    let mut params = Params::new();
    for (i, port) in graph.params().iter().enumerate() {
        let data = of(100 + i, port.value).to_data(graph.ty(port.value).dtype);
        params.insert(&*port.name, data.unwrap());
    }
    (params, inputs)
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
