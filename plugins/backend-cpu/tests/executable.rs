//! What an executable promises: states, errors, memory, profile, regions.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::{compile, execute, noise, noisy, ty};
use mirage_backend::{Backend, BackendError, CompileOptions, NodeTime};
use mirage_backend_cpu::CpuBackend;
use mirage_ir::{
    Attrs, DType, Graph, Params, TensorData, TensorType, interp,
    interp::Tensor,
    ops::{GroupNorm, Region, Unary},
    regions, text,
};

/// A running mean of the input, in a state; and a copy of the state before.
const MEAN: &str = r#"graph "mean" {
    input %0 "x": f32[2,3]
    state %1 "mean": f32[2,3] -> %4
    state %5 "last": f32[2,3] -> %0
    %2: f32[2,3] = mul_scalar(%1) {value = 0.75}
    %3: f32[2,3] = mul_scalar(%0) {value = 0.25}
    %4: f32[2,3] = add(%2, %3)
    output "mean" = %4
    output "before" = %1
    output "last" = %5
}"#;

#[test]
fn states_move_on_and_can_be_carried_over() {
    let graph = text::parse(MEAN).unwrap();
    let mut executable = compile(&graph, &Params::new()).unwrap();
    let mut states = Vec::new();
    let mut carried = None;
    for step in 0..5 {
        let x = noise(&ty("f32[2,3]"), step + 1);
        if step == 3 {
            carried = Some(executable.export_state("mean").unwrap());
        }
        let got = execute(executable.as_mut(), std::slice::from_ref(&x), &[]).unwrap();
        let want = interp::run(&graph, &Params::new(), &[x], &states).unwrap();
        let d = common::between(&got, &want);
        assert!(d.max_rel < 1e-6, "step {step}: {d:?}");
        states = want.states;
    }
    let after = executable.export_state("mean").unwrap();
    assert_eq!(executable.memory().state_bytes, 2 * 24);

    // The state of step 3 in another executable, and the same inputs: the same result.
    let mut other = compile(&graph, &Params::new()).unwrap();
    other.import_state("mean", &carried.unwrap()).unwrap();
    for step in 3..5 {
        execute(other.as_mut(), &[noise(&ty("f32[2,3]"), step + 1)], &[]).unwrap();
    }
    assert_eq!(other.export_state("mean").unwrap(), after);

    other.reset_states().unwrap();
    let zeros = TensorData::from_f32([2, 3], &[0.0; 6]).unwrap();
    assert_eq!(other.export_state("mean").unwrap(), zeros);
    assert_eq!(other.export_state("last").unwrap(), zeros);
}

#[test]
fn a_state_keeps_its_order() {
    let graph = text::parse(
        r#"graph "ordered" {
            input %0 "x": f32[1,3,4,2]@[0,2,3,1]
            state %1 "memory": f32[1,3,4,2]@[0,2,3,1] -> %2
            %2: f32[1,3,4,2]@[0,2,3,1] = add(%0, %1)
            output "y" = %2
        }"#,
    )
    .unwrap();
    let memory = noise(&ty("f32[1,3,4,2]"), 9);
    let mut executable = compile(&graph, &Params::new()).unwrap();
    let data = memory.to_data(DType::F32).unwrap();
    executable.import_state("memory", &data).unwrap();
    assert_eq!(executable.export_state("memory").unwrap(), data);
    let x = noise(&ty("f32[1,3,4,2]"), 10);
    let got = execute(executable.as_mut(), std::slice::from_ref(&x), &[]).unwrap();
    let want = interp::run(&graph, &Params::new(), &[x], &[memory]).unwrap();
    assert!(common::between(&got, &want).max_rel < 1e-6);
}

fn argument(error: BackendError) -> String {
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn wrong_arguments_are_named() {
    let graph = text::parse(MEAN).unwrap();
    let mut executable = compile(&graph, &Params::new()).unwrap();
    let upload = |text: &str| {
        let ty = ty(text);
        executable
            .upload(&noise(&ty, 1).to_data(ty.dtype).unwrap(), &ty)
            .unwrap()
    };
    let (wrong_shape, wrong_dtype) = (upload("f32[3,2]"), upload("f64[2,3]"));
    let (data, wide) = (TensorData::from_f32([2], &[0.0; 2]).unwrap(), ty("f32[3]"));
    let uploaded = executable.upload(&data, &wide).unwrap_err();
    assert_eq!(argument(uploaded), "the tensor must be f32[3], got f32[2]");
    let none = executable.execute(&[]).unwrap_err();
    assert_eq!(argument(none), "0 inputs given, the graph takes 1 (x)");
    let shape = executable.execute(&[wrong_shape]).unwrap_err();
    assert_eq!(argument(shape), "input `x` must be f32[2,3], got f32[3,2]");
    let dtype = executable.execute(&[wrong_dtype]).unwrap_err();
    assert_eq!(argument(dtype), "input `x` must be f32[2,3], got f64[2,3]");
    let foreign = mirage_backend::Buffer::new(ty("f32[2,3]"), ());
    let foreign = executable.execute(&[foreign]).unwrap_err();
    assert!(argument(foreign).starts_with("input `x` lies on another backend"));
    let unknown = executable.export_state("man").unwrap_err();
    assert_eq!(
        argument(unknown),
        "there is no state `man`; the states are: mean, last"
    );
    let state = executable.import_state("mean", &data).unwrap_err();
    assert_eq!(argument(state), "state `mean` must be f32[2,3], got f32[2]");
    let device = CpuBackend.compile(&graph, &Params::new(), &CompileOptions { device: 1 });
    assert_eq!(
        argument(device.err().unwrap()),
        "backend `cpu` has one device, number 0, not 1"
    );
}

#[test]
fn what_cannot_be_compiled_is_named() {
    let unknown = text::parse(
        r#"graph "unknown" {
            input %0 "x": f32[2]
            %1: f32[2] = relu(%0)
            %2: f32[2] = fourier(%1) @ "mid.spectrum"
            output "y" = %2
        }"#,
    )
    .unwrap();
    let error = argument(compile(&unknown, &Params::new()).err().unwrap());
    assert!(
        error.starts_with("backend `cpu` cannot run node 1 (fourier at `mid.spectrum`): "),
        "{error}"
    );

    let weighted = text::parse(
        r#"graph "weighted" {
            param %0 "conv.weight": f32[2]
            output "y" = %0
        }"#,
    )
    .unwrap();
    let missing = argument(compile(&weighted, &Params::new()).err().unwrap());
    assert!(missing.contains("`conv.weight`"), "{missing}");
    let mut params = Params::new();
    params.insert("conv.weight", TensorData::from_f32([3], &[0.0; 3]).unwrap());
    let shape = argument(compile(&weighted, &params).err().unwrap());
    assert!(
        shape.contains("`conv.weight`") && shape.contains("f32[2]"),
        "{shape}"
    );
}

/// An index out of range is found by the engine, which panics.
#[test]
fn a_failing_execution_names_its_node_and_leaves_the_states() {
    let graph = text::parse(
        r#"graph "table" {
            input %0 "i": i64[2]
            param %1 "table": f32[4,2]
            state %2 "sum": f32[2,2] -> %4
            %3: f32[2,2] = index_select(%1, %0) {dim = 0} @ "embed"
            %4: f32[2,2] = add(%2, %3)
            output "y" = %4
        }"#,
    )
    .unwrap();
    let (params, _) = noisy(&graph);
    let mut executable = compile(&graph, &params).unwrap();
    let indices = |a, b| Tensor::int([2], [a, b]).unwrap();
    execute(executable.as_mut(), &[indices(0, 3)], &[]).unwrap();
    let before = executable.export_state("sum").unwrap();
    let error = argument(execute(executable.as_mut(), &[indices(0, 4)], &[]).unwrap_err());
    assert!(
        error.starts_with("backend `cpu`: node 0 (index_select at `embed`) failed: "),
        "{error}"
    );
    assert_eq!(executable.export_state("sum").unwrap(), before);
    let got = execute(executable.as_mut(), &[indices(2, 2)], &[]).unwrap();
    assert_ne!(got.states[0].to_data(DType::F32).unwrap(), before);
}

/// A region of a known kind and one of its own, one inside the other.
fn regional(order: &str) -> (Graph, Graph) {
    let x = ty(&format!("f32[2,4,3,3]{order}"));
    let channels = TensorType::new(DType::F32, [4]);
    let norm = GroupNorm {
        groups: 2,
        eps: 1e-6,
    };
    let mut attributes = Attrs::new();
    attributes.insert("groups".into(), 2.into());
    attributes.insert("eps".into(), 1e-6.into());
    let kind = regions::find("group_norm_silu").unwrap();
    let body = (kind.expand)(&attributes, &[&x, &channels, &channels]).unwrap();
    let inner = Region::new("group_norm_silu", attributes, Arc::new(body));
    let build = |fused: bool| {
        let mut b = Graph::builder("regional");
        let input = b.input("x", x.clone());
        let [gamma, beta] = ["gamma", "beta"].map(|n| b.param(n, channels.clone()));
        let y = b.op(Unary::Tanh, &[input]).unwrap();
        let y = if fused {
            let mut outer = Graph::builder("twice");
            let v = outer.input("x", x.clone());
            let p = ["gamma", "beta"].map(|n| outer.input(n, channels.clone()));
            let once = outer.op(inner.clone(), &[v, p[0], p[1]]).unwrap();
            let twice = outer.op(inner.clone(), &[once, p[0], p[1]]).unwrap();
            outer.output("y", twice);
            let outer = Region::new("twice", Attrs::new(), Arc::new(outer.finish().unwrap()));
            b.op(outer, &[y, gamma, beta]).unwrap()
        } else {
            let mut y = y;
            for _ in 0..2 {
                y = b.op(norm, &[y, gamma, beta]).unwrap();
                y = b.op(Unary::Silu, &[y]).unwrap();
            }
            y
        };
        let y = b.op(Unary::Neg, &[y]).unwrap();
        b.output("y", y);
        b.finish().unwrap()
    };
    (build(true), build(false))
}

#[test]
fn regions_run_their_bodies() {
    for order in ["", "@[0,2,3,1]"] {
        let (fused, plain) = regional(order);
        let (params, inputs) = noisy(&plain);
        let run = |g: &Graph| execute(compile(g, &params).unwrap().as_mut(), &inputs, &[]).unwrap();
        assert!(common::between(&run(&fused), &run(&plain)).max_rel < 1e-5);
        let d = common::difference(&fused, &params, &inputs, &[]);
        assert!(d.max_rel < 1e-5, "{d:?}");
    }
}

#[test]
fn a_profile_names_the_nodes_of_the_graph_once_each() {
    let (fused, _) = regional("");
    let (params, inputs) = noisy(&fused);
    let mut executable = compile(&fused, &params).unwrap();
    let port = executable.inputs()[0].clone();
    let buffer = executable
        .upload(&inputs[0].to_data(DType::F32).unwrap(), &port.ty)
        .unwrap();
    let (outputs, times) = executable.profile(&[buffer]).unwrap();
    assert_eq!(outputs.len(), 1);
    let nodes: Vec<usize> = times.iter().map(|t| t.node.index()).collect();
    assert_eq!(nodes, [0, 1, 2]);
    assert!(times.iter().all(|t| !t.time.is_zero()));
    let follow = |w: &[NodeTime]| w[0].start + w[0].time <= w[1].start;
    assert!(times.windows(2).all(follow), "{times:?}");
}

/// What depends on parameters alone is computed at compile, and only its result is held.
#[test]
fn the_prologue_runs_once() {
    let graph = text::parse(
        r#"graph "folded" {
            input %0 "x": f32[3,8]
            param %1 "a": f32[8,64]
            param %2 "b": f32[8,64]
            param %3 "unused": f32[1000]
            %4: f32[8,64] = add(%1, %2)
            %5: f16[8,64] = cast(%4) {dtype = "f16"}
            %6: f32[8,64] = cast(%5) {dtype = "f32"}
            %7: f32[3,64] = linear(%0, %6)
            output "y" = %7
        }"#,
    )
    .unwrap();
    let (params, inputs) = noisy(&graph);
    let mut executable = compile(&graph, &params).unwrap();
    assert_eq!(executable.memory().weight_bytes, 8 * 64 * 4);
    let port = executable.inputs()[0].clone();
    let buffer = executable
        .upload(&inputs[0].to_data(DType::F32).unwrap(), &port.ty)
        .unwrap();
    let (_, times) = executable.profile(&[buffer]).unwrap();
    assert_eq!(
        times.iter().map(|t| t.node.index()).collect::<Vec<_>>(),
        [3]
    );
    assert!(common::difference(&graph, &params, &inputs, &[]).max_rel < 1e-3);
}

/// Weights, states and inputs that leave the graph as they are.
#[test]
fn everything_may_leave_the_graph() {
    let graph = text::parse(
        r#"graph "leaving" {
            input %0 "x": f32[1,4]
            param %1 "w": f32[2,4]
            state %2 "s": f32[2,4] -> %1
            %3: f32[2,4] = expand(%0) {shape = [2, 4]}
            %4: f32[1,2] = slice(%1) {start = [1, 0], end = [2, 4], step = [1, 2]}
            output "x" = %0
            output "w" = %1
            output "s" = %2
            output "wide" = %3
            output "part" = %4
            output "again" = %3
        }"#,
    )
    .unwrap();
    let (params, inputs) = noisy(&graph);
    assert_eq!(
        common::difference(&graph, &params, &inputs, &[]).max_abs,
        0.0
    );
}

#[test]
fn half_precision_is_noted_and_single_precision_is_not() {
    let graph = |dtype: &str| {
        text::parse(&format!(
            r#"graph "g" {{
                input %0 "x": {dtype}[2]
                %1: {dtype}[2] = relu(%0)
                output "y" = %1
            }}"#
        ))
        .unwrap()
    };
    let notes = |dtype| {
        compile(&graph(dtype), &Params::new())
            .unwrap()
            .notes()
            .join("\n")
    };
    assert!(notes("f16").contains("f16 has no fast path"));
    assert!(notes("bf16").contains("bf16 has no fast path"));
    assert_eq!(notes("f32"), "");
}

#[test]
fn the_backend_is_registered_and_knows_its_machine() {
    let backend = mirage_backend::find("cpu").unwrap();
    let devices = backend.devices().unwrap();
    assert_eq!(devices.len(), 1);
    assert!(!devices[0].name.is_empty() && devices[0].details.contains("thread"));
    let capabilities = backend.capabilities(0);
    use mirage_ir::target::Support;
    assert_eq!(
        capabilities.support("conv", DType::F32),
        Some(Support::Fast)
    );
    assert_eq!(
        capabilities.support("conv", DType::F16),
        Some(Support::Slow)
    );
    assert!(capabilities.has_region("group_norm_silu", DType::F32));
    assert!(capabilities.has_region("group_norm_silu", DType::F16));
    assert_eq!(
        capabilities.support("group_norm", DType::F16),
        Some(Support::Slow)
    );
}
