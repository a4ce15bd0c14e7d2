//! Running graphs: inputs, parameters, states, regions, observers and errors.

use std::sync::Arc;

use mirage_ir::{
    Attrs, DType, Graph, GraphError, Order, Params, TensorData, TensorType, ValueId,
    interp::{Tensor, run, run_values},
    ops::{Binary, Conv, Gather, GroupNorm, Region, Reorder, Unary, WithScalar},
    regions,
};

fn f32s(shape: impl Into<Vec<usize>>) -> TensorType {
    TensorType::new(DType::F32, shape)
}

/// A tensor that counts up from 1 in quarters.
fn counting(ty: &TensorType) -> Tensor {
    let values: Vec<f64> = (1..=ty.numel()).map(|i| i as f64 / 4.0).collect();
    Tensor::float(ty.shape.clone(), values).expect("the shape fits")
}

/// state' = state·½ + x, output = −state'
fn decaying_sum() -> Result<Graph, GraphError> {
    let mut b = Graph::builder("decaying_sum");
    let x = b.input("x", f32s([2]));
    let state = b.state("sum", f32s([2]));
    let half = b.op(WithScalar::float(Binary::Mul, 0.5), &[state])?;
    let sum = b.op(Binary::Add, &[half, x])?;
    b.set_state(state, sum)?;
    let out = b.op(Unary::Neg, &[sum])?;
    b.output("out", out);
    b.finish()
}

#[test]
fn states_are_zeros_first_and_then_what_the_last_frame_left()
-> Result<(), Box<dyn std::error::Error>> {
    let (graph, params) = (decaying_sum()?, Params::new());
    let x = [Tensor::float([2], [4.0, -8.0])?];
    let first = run(&graph, &params, &x, &[])?;
    assert_eq!(first.states[0].floats()?, [4.0, -8.0]);
    assert_eq!(first.outputs[0].floats()?, [-4.0, 8.0]);
    let second = run(&graph, &params, &x, &first.states)?;
    assert_eq!(second.states[0].floats()?, [6.0, -12.0]);
    Ok(())
}

#[test]
fn a_state_may_pass_an_input_on_and_outputs_may_be_inputs_parameters_or_states()
-> Result<(), Box<dyn std::error::Error>> {
    let mut b = Graph::builder("delay");
    let x = b.input("x", f32s([1]));
    let p = b.param("p", f32s([1]));
    let state = b.state("last", f32s([1]));
    b.set_state(state, x)?;
    for (name, v) in [("x", x), ("p", p), ("last", state)] {
        b.output(name, v);
    }
    let graph = b.finish()?;
    let params = Params::from_iter([("p".into(), TensorData::from_f32([1], &[7.0])?)]);
    let x = [Tensor::float([1], [3.0])?];
    let result = run(&graph, &params, &x, &[Tensor::float([1], [5.0])?])?;
    let outputs: Vec<f64> = result
        .outputs
        .iter()
        .map(|t| t.floats().map(|v| v[0]))
        .collect::<Result<_, _>>()?;
    assert_eq!(outputs, [3.0, 7.0, 5.0]);
    assert_eq!(result.states[0].floats()?, [3.0]);
    Ok(())
}

#[test]
fn memory_order_has_no_influence_on_values() -> Result<(), Box<dyn std::error::Error>> {
    let conv = Conv {
        stride: vec![1, 1],
        padding: vec![1, 1],
        dilation: vec![1, 1],
        groups: 1,
    };
    let picture = f32s([1, 2, 3, 3]);
    let build = |channels_last: bool| -> Result<Graph, GraphError> {
        let mut b = Graph::builder("conv");
        let mut x = b.input("x", picture.clone());
        let w = b.param("w", f32s([3, 2, 3, 3]));
        if channels_last {
            x = b.op(
                Reorder {
                    order: Order::channels_last(4),
                },
                &[x],
            )?;
        }
        let mut y = b.op(conv.clone(), &[x, w])?;
        y = b.op(Unary::Silu, &[y])?;
        if channels_last {
            assert_eq!(b.ty(y).order, Order::channels_last(4));
            y = b.op(
                Reorder {
                    order: Order::row_major(4),
                },
                &[y],
            )?;
        }
        b.output("y", y);
        b.finish()
    };
    let weights: Vec<f32> = (0..54).map(|i| i as f32 - 26.0).collect();
    let params = Params::from_iter([("w".into(), TensorData::from_f32([3, 2, 3, 3], &weights)?)]);
    let x = [counting(&picture)];
    let plain = run(&build(false)?, &params, &x, &[])?;
    assert_eq!(run(&build(true)?, &params, &x, &[])?, plain);
    let sum: f64 = plain.outputs[0].floats()?.iter().map(|v| v.abs()).sum();
    assert!(sum > 1.0, "the outputs say something");
    Ok(())
}

#[test]
fn a_region_gives_what_its_body_gives() -> Result<(), Box<dyn std::error::Error>> {
    let picture = f32s([1, 4, 2, 2]);
    let build = |fused: bool| -> Result<Graph, Box<dyn std::error::Error>> {
        let mut b = Graph::builder("norm");
        let x = b.input("x", picture.clone());
        let affine = [b.input("gamma", f32s([4])), b.input("beta", f32s([4]))];
        let operands: [ValueId; 3] = [x, affine[0], affine[1]];
        let norm = GroupNorm {
            groups: 2,
            eps: 1e-5,
        };
        let y = if fused {
            let types = operands.map(|v| b.ty(v).clone());
            let attributes = mirage_ir::Operation::attrs(&norm);
            let kind = regions::find("group_norm_silu").ok_or("the kind is known")?;
            let body = (kind.expand)(&attributes, &types.each_ref())?;
            b.op(
                Region::new(kind.name, attributes, Arc::new(body)),
                &operands,
            )?
        } else {
            let y = b.op(norm, &operands)?;
            b.op(Unary::Silu, &[y])?
        };
        b.output("y", y);
        Ok(b.finish()?)
    };
    let inputs = [
        counting(&picture),
        counting(&f32s([4])),
        counting(&f32s([4])),
    ];
    let [fused, apart] =
        [true, false].map(|fused| run(&build(fused).expect("valid"), &Params::new(), &inputs, &[]));
    assert_eq!(fused?, apart?);
    Ok(())
}

#[test]
fn an_observer_sees_every_node_once_in_order() -> Result<(), Box<dyn std::error::Error>> {
    let graph = decaying_sum()?;
    let x = [Tensor::float([2], [1.0, 2.0])?];
    let mut seen = Vec::new();
    let result = run_values(&graph, &Params::new(), &x, &[], |id, outputs| {
        seen.push((id.index(), outputs[0].clone()));
    })?;
    let ids: Vec<usize> = seen.iter().map(|(i, _)| *i).collect();
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(seen[1].1.floats()?, [1.0, 2.0]);
    assert_eq!(seen[2].1, result.outputs[0]);
    Ok(())
}

#[test]
fn what_does_not_fit_the_graph_is_named() -> Result<(), Box<dyn std::error::Error>> {
    let (graph, none) = (decaying_sum()?, Params::new());
    let message = |inputs: &[Tensor], states: &[Tensor]| match run(&graph, &none, inputs, states) {
        Ok(_) => "no error".to_owned(),
        Err(e) => e.to_string(),
    };
    let x = Tensor::float([2], [1.0, 2.0])?;
    assert_eq!(
        message(&[], &[]),
        "graph `decaying_sum`: takes 1 inputs, got 0"
    );
    assert_eq!(
        message(&[Tensor::int([2], [1, 2])?], &[]),
        "graph `decaying_sum`: input `x` is f32[2], got integers of shape [2]"
    );
    assert_eq!(
        message(&[Tensor::float([1, 2], [1.0, 2.0])?], &[]),
        "graph `decaying_sum`: input `x` is f32[2], got floats of shape [1, 2]"
    );
    let states = [x.clone(), x.clone()];
    assert_eq!(
        message(std::slice::from_ref(&x), &states),
        "graph `decaying_sum`: has 1 states, got 2"
    );
    assert_eq!(
        message(&[x], &[Tensor::float([1], [1.0])?]),
        "graph `decaying_sum`: state `sum` is f32[2], got floats of shape [1]"
    );
    Ok(())
}

#[test]
fn a_missing_parameter_is_named() -> Result<(), Box<dyn std::error::Error>> {
    let mut b = Graph::builder("g");
    let p = b.param("down.weight", f32s([1]));
    b.output("p", p);
    let error = run(&b.finish()?, &Params::new(), &[], &[]).expect_err("no parameter");
    assert_eq!(
        error.to_string(),
        "graph `g`: parameter `down.weight` has no value"
    );
    Ok(())
}

#[test]
fn a_failing_node_is_named_with_its_path() -> Result<(), Box<dyn std::error::Error>> {
    let mut b = Graph::builder("g");
    let x = b.input("x", f32s([1, 3]));
    let i = b.input("i", TensorType::new(DType::I64, [1, 1]));
    b.set_path("text.embed");
    let y = b.op(Gather { dim: 1 }, &[x, i])?;
    b.output("y", y);
    let graph = b.finish()?;
    let x = Tensor::float([1, 3], [1.0, 2.0, 3.0])?;
    let at = |i: i64| -> Result<_, Box<dyn std::error::Error>> {
        Ok(run(
            &graph,
            &Params::new(),
            &[x.clone(), Tensor::int([1, 1], [i])?],
            &[],
        ))
    };
    assert_eq!(at(2)??.outputs[0].floats()?, [3.0]);
    let error = at(3)?.expect_err("out of range").to_string();
    let what = "index 3 is out of range: the dimension has 3 elements";
    assert_eq!(
        error,
        format!("graph `g`, node 0 (gather at `text.embed`): {what}")
    );
    assert!(at(-1)?.is_err());
    Ok(())
}

#[test]
fn an_error_in_a_body_is_an_error_of_the_region() -> Result<(), Box<dyn std::error::Error>> {
    let ty = TensorType::new(DType::I32, [1]);
    let mut body = Graph::builder("quotient");
    let (a, b) = (body.input("a", ty.clone()), body.input("b", ty.clone()));
    let q = body.op(Binary::Div, &[a, b])?;
    body.output("q", q);
    let mut g = Graph::builder("g");
    let (a, b) = (g.input("a", ty.clone()), g.input("b", ty));
    let q = g.op(
        Region::new("quotient", Attrs::new(), Arc::new(body.finish()?)),
        &[a, b],
    )?;
    g.output("q", q);
    let inputs = [Tensor::int([1], [1])?, Tensor::int([1], [0])?];
    let error = run(&g.finish()?, &Params::new(), &inputs, &[])
        .expect_err("division by 0")
        .to_string();
    assert!(
        error.starts_with("graph `g`, node 0 (region): in the body: graph `quotient`"),
        "{error}"
    );
    assert!(error.ends_with("divides an integer by 0"), "{error}");
    Ok(())
}
