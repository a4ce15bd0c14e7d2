//! Every operation against what PyTorch gives: `data/pytorch.toml`, written by `data/pytorch.py`.

use std::collections::BTreeSet;

use mirage_ir::{
    Attrs, Graph, Params, Scalar, TensorType,
    interp::{Elements, Tensor, run},
    ops,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    op: String,
    attrs: Attrs,
    inputs: Vec<Value>,
    expected: Value,
}

#[derive(Deserialize)]
struct Value {
    #[serde(rename = "type")]
    ty: TensorType,
    values: Vec<Scalar>,
}

impl Value {
    fn tensor(&self) -> Tensor {
        Tensor::from_scalars(&self.ty, &self.values).expect("the file's shapes fit")
    }
}

fn cases() -> Vec<Case> {
    let cases: Cases = toml::from_str(include_str!("../data/pytorch.toml")).expect("valid TOML");
    cases.case
}

/// Builds a graph of the one operation, and runs it.
fn evaluate(case: &Case) -> Result<(TensorType, Tensor), Box<dyn std::error::Error>> {
    let mut b = Graph::builder("case");
    let inputs: Vec<_> = case
        .inputs
        .iter()
        .enumerate()
        .map(|(i, v)| b.input(format!("x{i}"), v.ty.clone()))
        .collect();
    let y = b.op(
        ops::decode(&case.op, case.attrs.clone(), None, &[])?,
        &inputs,
    )?;
    b.output("y", y);
    let graph = b.finish()?;
    let tensors: Vec<Tensor> = case.inputs.iter().map(Value::tensor).collect();
    let mut result = run(&graph, &Params::new(), &tensors, &[])?;
    Ok((graph.ty(y).clone(), result.outputs.remove(0)))
}

fn near(got: f64, want: f64) -> bool {
    got == want
        || (got.is_nan() && want.is_nan())
        || (got - want).abs() <= 1e-13 + 1e-12 * want.abs()
}

fn check(case: &Case) -> Result<(), String> {
    let (ty, got) = evaluate(case).map_err(|e| e.to_string())?;
    if ty != case.expected.ty {
        return Err(format!("is {ty}, must be {}", case.expected.ty));
    }
    let want = case.expected.tensor();
    let same = match (got.elements(), want.elements()) {
        (Elements::Float(a), Elements::Float(b)) => a.iter().zip(b).all(|(&a, &b)| near(a, b)),
        (a, b) => a == b,
    };
    if same {
        Ok(())
    } else {
        Err(format!(
            "gives {:?}\nmust give {:?}",
            got.elements(),
            want.elements()
        ))
    }
}

#[test]
fn every_case_gives_what_pytorch_gives() {
    let failures: Vec<String> = cases()
        .iter()
        .enumerate()
        .filter_map(|(i, c)| {
            Some(format!(
                "case {i}: {} {:?}: {}",
                c.op,
                c.attrs,
                check(c).err()?
            ))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} cases fail:\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

#[test]
fn every_operation_that_pytorch_has_is_there() {
    let seen: BTreeSet<String> = cases().into_iter().map(|c| c.op).collect();
    // Logic with a scalar has no case because it is logic with a tensor of one element; the rest
    // has no counterpart.
    let without = [
        "and_scalar",
        "call",
        "constant",
        "extern",
        "full",
        "or_scalar",
        "region",
        "reorder",
        "xor_scalar",
    ];
    let missing: Vec<&str> = ops::names().filter(|n| !seen.contains(*n)).collect();
    assert_eq!(missing, without);
}
