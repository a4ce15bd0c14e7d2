//! Random graphs: the backend against the definition in f64.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use mirage_ir::{
    DType,
    generate::{Options, generate},
};

/// Runs graphs of many seeds; each result must lie within `bound` of the interpreter's, relative to
/// its largest element, or within twice that in absolute terms: a norm of equal elements is exactly 0
/// in f64 and rounding without a scale of its own otherwise.
fn property(seeds: std::ops::Range<u64>, options: &Options, bound: f64) {
    let mut failures = Vec::new();
    for seed in seeds {
        let g = generate(seed, options).unwrap();
        let d = common::difference(&g.graph, &g.params, &g.inputs, &g.states);
        if d.max_rel.is_nan() || d.max_abs.is_nan() || d.max_rel.min(d.max_abs / 2.0) > bound {
            failures.push(format!("seed {seed}: {d:?}\n{}", g.graph));
        }
    }
    assert!(
        failures.is_empty(),
        "{} graphs differ; the first:\n{}",
        failures.len(),
        failures[0]
    );
}

#[test]
fn f32_graphs_agree_with_their_definition() {
    let options = Options {
        continuous: true,
        ..Options::default()
    };
    property(0..1000, &options, 1e-5);
}

#[test]
fn f64_graphs_agree_with_their_definition() {
    let options = Options {
        dtypes: vec![DType::F64],
        ..Options::default()
    };
    property(4000..4500, &options, 1e-12);
}

#[test]
fn half_precision_graphs_agree_within_their_precision() {
    for (dtype, bound) in [(DType::F16, 5e-3), (DType::BF16, 4e-2)] {
        let options = Options {
            dtypes: vec![dtype],
            continuous: true,
            max_nodes: 8,
            ..Options::default()
        };
        property(2000..2200, &options, bound);
    }
}

#[test]
fn graphs_of_mixed_dtypes_agree() {
    let dtypes = vec![DType::F32, DType::F16, DType::F64];
    let options = Options {
        dtypes,
        continuous: true,
        max_nodes: 12,
        ..Options::default()
    };
    property(3000..3300, &options, 4e-3);
}

#[test]
fn graphs_that_call_bodies_agree() {
    let options = Options {
        continuous: true,
        calls: true,
        ..Options::default()
    };
    property(5000..5300, &options, 1e-5);
}
