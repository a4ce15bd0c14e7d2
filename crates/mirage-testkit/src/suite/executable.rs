//! Tests of executables: states, errors, memory, profiles.

use mirage_backend::{BackendError, Buffer, CompileOptions, NodeTime};
use mirage_ir::{DType, Params, TensorData, interp, interp::Tensor, text};

use super::Suite;
use crate::{between, compile, execute, noise, noisy, suite::regions::nested, ty};

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

/// Each execution updates the states; they can be moved to another executable, and reset.
pub fn states_move_on_and_can_be_carried_over(suite: &Suite<'_>) {
    let graph = text::parse(MEAN).unwrap();
    let mut executable = compile(suite.backend, &graph, &Params::new()).unwrap();
    let mut states = Vec::new();
    let mut carried = None;
    for step in 0..5 {
        let x = noise(&ty("f32[2,3]"), step + 1);
        if step == 3 {
            carried = Some(executable.export_state("mean").unwrap());
        }
        let got = execute(executable.as_mut(), std::slice::from_ref(&x), &[]).unwrap();
        let want = interp::run(&graph, &Params::new(), &[x], &states).unwrap();
        let d = between(&got, &want);
        assert!(d.max_rel < 1e-6, "step {step}: {d:?}");
        states = want.states;
    }
    let after = executable.export_state("mean").unwrap();
    assert_eq!(executable.memory().state_bytes, 2 * 24);

    // The state of step 3 in another executable, and the same inputs: the same result.
    let mut other = compile(suite.backend, &graph, &Params::new()).unwrap();
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

/// A state in another memory order than row-major.
pub fn a_state_keeps_its_order(suite: &Suite<'_>) {
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
    let mut executable = compile(suite.backend, &graph, &Params::new()).unwrap();
    let data = memory.to_data(DType::F32).unwrap();
    executable.import_state("memory", &data).unwrap();
    assert_eq!(executable.export_state("memory").unwrap(), data);
    let x = noise(&ty("f32[1,3,4,2]"), 10);
    let got = execute(executable.as_mut(), std::slice::from_ref(&x), &[]).unwrap();
    let want = interp::run(&graph, &Params::new(), &[x], &[memory]).unwrap();
    assert!(between(&got, &want).max_rel < 1e-6);
}

fn argument(error: BackendError) -> String {
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

/// Invalid inputs, states and devices are errors of one line that name what is wrong.
pub fn wrong_arguments_are_named(suite: &Suite<'_>) {
    let graph = text::parse(MEAN).unwrap();
    let mut executable = compile(suite.backend, &graph, &Params::new()).unwrap();
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
    let foreign = Buffer::new(ty("f32[2,3]"), ());
    let foreign = executable.execute(&[foreign]).unwrap_err();
    assert!(argument(foreign).starts_with("input `x` is on another backend"));
    let unknown = executable.export_state("man").unwrap_err();
    assert_eq!(
        argument(unknown),
        "there is no state `man`; the states are: mean, last"
    );
    let state = executable.import_state("mean", &data).unwrap_err();
    assert_eq!(argument(state), "state `mean` must be f32[2,3], got f32[2]");
    let device = suite.backend.devices().unwrap().len();
    let options = CompileOptions { device };
    let refused = suite.backend.compile(&graph, &Params::new(), &options);
    let message = argument(refused.err().unwrap());
    let name = suite.backend.info().name;
    assert!(
        message.starts_with(&format!("backend `{name}` has")),
        "{message}"
    );
}

/// Unknown operations and missing or invalid parameters are errors that name them.
pub fn what_cannot_be_compiled_is_named(suite: &Suite<'_>) {
    let unknown = text::parse(
        r#"graph "unknown" {
            input %0 "x": f32[2]
            %1: f32[2] = relu(%0)
            %2: f32[2] = fourier(%1) @ "mid.spectrum"
            output "y" = %2
        }"#,
    )
    .unwrap();
    let name = suite.backend.info().name;
    let error = argument(
        compile(suite.backend, &unknown, &Params::new())
            .err()
            .unwrap(),
    );
    assert!(
        error.starts_with(&format!(
            "backend `{name}` cannot run node 1 (fourier at `mid.spectrum`): "
        )),
        "{error}"
    );

    let weighted = text::parse(
        r#"graph "weighted" {
            param %0 "conv.weight": f32[2]
            output "y" = %0
        }"#,
    )
    .unwrap();
    let missing = argument(
        compile(suite.backend, &weighted, &Params::new())
            .err()
            .unwrap(),
    );
    assert!(missing.contains("`conv.weight`"), "{missing}");
    let mut params = Params::new();
    params.insert("conv.weight", TensorData::from_f32([3], &[0.0; 3]).unwrap());
    let shape = argument(compile(suite.backend, &weighted, &params).err().unwrap());
    assert!(
        shape.contains("`conv.weight`") && shape.contains("f32[2]"),
        "{shape}"
    );
}

/// An index out of range is an error that names the node and leaves the states unchanged.
pub fn a_failing_execution_names_its_node_and_leaves_the_states(suite: &Suite<'_>) {
    if !suite.expectations.checks_indices {
        return;
    }
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
    let name = suite.backend.info().name;
    let (params, _) = noisy(&graph);
    let mut executable = compile(suite.backend, &graph, &params).unwrap();
    let indices = |a, b| Tensor::int([2], [a, b]).unwrap();
    execute(executable.as_mut(), &[indices(0, 3)], &[]).unwrap();
    let before = executable.export_state("sum").unwrap();
    let error = argument(execute(executable.as_mut(), &[indices(0, 4)], &[]).unwrap_err());
    assert!(
        error.starts_with(&format!(
            "backend `{name}`: node 0 (index_select at `embed`) failed: "
        )),
        "{error}"
    );
    assert_eq!(executable.export_state("sum").unwrap(), before);
    let got = execute(executable.as_mut(), &[indices(2, 2)], &[]).unwrap();
    assert_ne!(got.states[0].to_data(DType::F32).unwrap(), before);
}

/// A profile has each node once, in the sequence of execution.
pub fn a_profile_names_the_nodes_of_the_graph_once_each(suite: &Suite<'_>) {
    let (fused, _) = nested("");
    let (params, inputs) = noisy(&fused);
    let mut executable = compile(suite.backend, &fused, &params).unwrap();
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

/// What depends on parameters alone is computed at compile, and only its result is stored.
pub fn the_prologue_runs_once(suite: &Suite<'_>) {
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
    let mut executable = compile(suite.backend, &graph, &params).unwrap();
    // What the backend holds for a layer, packed as it likes, is all that is left of the parameters.
    let layer = text::parse(
        r#"graph "layer" {
            input %0 "x": f32[3,8]
            param %1 "a": f32[8,64]
            %2: f32[3,64] = linear(%0, %1)
            output "y" = %2
        }"#,
    )
    .unwrap();
    let (weights, _) = noisy(&layer);
    let alone = compile(suite.backend, &layer, &weights).unwrap().memory();
    assert_eq!(executable.memory().weight_bytes, alone.weight_bytes);
    assert!(alone.weight_bytes >= 8 * 64 * 4, "{alone:?}");
    let port = executable.inputs()[0].clone();
    let buffer = executable
        .upload(&inputs[0].to_data(DType::F32).unwrap(), &port.ty)
        .unwrap();
    let (_, times) = executable.profile(&[buffer]).unwrap();
    assert_eq!(
        times.iter().map(|t| t.node.index()).collect::<Vec<_>>(),
        [3]
    );
    assert!(suite.difference(&graph, &params, &inputs, &[]).max_rel < 1e-3);
}

/// Weights, states and inputs can be outputs of the graph without a node.
pub fn everything_may_be_a_result(suite: &Suite<'_>) {
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
    assert_eq!(suite.difference(&graph, &params, &inputs, &[]).max_abs, 0.0);
}

/// Outputs can be written to buffers of an earlier execution.
pub fn results_are_written_into_given_buffers(suite: &Suite<'_>) {
    let graph = text::parse(MEAN).unwrap();
    let mut executable = compile(suite.backend, &graph, &Params::new()).unwrap();
    let port = executable.inputs()[0].clone();
    let upload = |seed| {
        let data = noise(&port.ty, seed).to_data(DType::F32).unwrap();
        executable.upload(&data, &port.ty).unwrap()
    };
    let (first, second) = (upload(1), upload(2));
    let mut outputs = executable.execute(&[first]).unwrap();
    let before = executable.download(&outputs[0]).unwrap();
    executable.execute_into(&[second], &mut outputs).unwrap();
    let after = executable.download(&outputs[0]).unwrap();
    assert_ne!(before, after);
    let mut states = Vec::new();
    for seed in [1, 2] {
        let x = noise(&port.ty, seed);
        states = interp::run(&graph, &Params::new(), &[x], &states)
            .unwrap()
            .states;
    }
    let want = states[0].floats().unwrap();
    let got = Tensor::from_data(&after).unwrap();
    for (got, want) in got.floats().unwrap().iter().zip(want) {
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }
    let error = executable.execute_into(&[], &mut outputs).unwrap_err();
    assert_eq!(argument(error), "0 inputs given, the graph takes 1 (x)");
}

/// Devices have names, and the first one has capabilities.
pub fn devices_are_named(suite: &Suite<'_>) {
    let devices = suite.backend.devices().unwrap();
    for (i, device) in devices.iter().enumerate() {
        assert_eq!(device.index, i);
        assert!(!device.name.is_empty() && !device.details.is_empty());
    }
    assert!(suite.takes(DType::F32));
}
