//! Compares random graphs with their definition.

use std::ops::Range;

use mirage_ir::{
    DType,
    generate::{Options, generate},
    ops::Cast,
};

use super::Suite;

/// Runs graphs of many seeds. Each result must be within `bound` of the interpreter's, relative to its largest
/// element, or within twice that in absolute terms, because a norm of equal elements is exactly 0 in f64 and a
/// rounding error otherwise.
fn property(suite: &Suite<'_>, seeds: Range<u64>, options: &Options, bound: f64) {
    if !options.dtypes.iter().all(|&dtype| suite.takes(dtype)) {
        return;
    }
    let mut failures = Vec::new();
    for seed in seeds {
        let g = generate(seed, options).unwrap();
        let d = suite.difference(&g.graph, &g.params, &g.inputs, &g.states);
        if d.max_rel.is_nan() || d.max_abs.is_nan() || d.max_rel.min(d.max_abs / 2.0) > bound {
            let worst = suite.worst_result(&g.graph, &g.params, &g.inputs, &g.states);
            failures.push(format!("seed {seed}: {d:?}; {worst}\n{}", g.graph));
        }
    }
    assert!(
        failures.is_empty(),
        "{} graphs differ; the first:\n{}",
        failures.len(),
        failures[0]
    );
}

/// Graphs in f32.
pub fn f32_graphs_agree_with_their_definition(suite: &Suite<'_>) {
    let options = Options {
        continuous: true,
        ..Options::default()
    };
    let n = 3 * suite.expectations.graphs;
    property(suite, 0..n, &options, suite.expectations.f32_graphs);
}

/// Graphs in f64.
pub fn f64_graphs_agree_with_their_definition(suite: &Suite<'_>) {
    let options = Options {
        dtypes: vec![DType::F64],
        ..Options::default()
    };
    let n = suite.expectations.graphs;
    property(suite, 4000..4000 + n, &options, suite.expectations.f64);
}

/// Graphs in f16 and in bf16.
pub fn half_precision_graphs_agree_within_their_precision(suite: &Suite<'_>) {
    for dtype in [DType::F16, DType::BF16] {
        let options = Options {
            dtypes: vec![dtype],
            continuous: true,
            max_nodes: 8,
            ..Options::default()
        };
        let n = 2 * suite.expectations.graphs / 3;
        property(suite, 2000..2000 + n, &options, suite.bound(dtype));
    }
}

/// Graphs of f32, f16 and f64 at once.
pub fn graphs_of_mixed_dtypes_agree(suite: &Suite<'_>) {
    let dtypes = vec![DType::F32, DType::F16, DType::F64];
    let options = Options {
        dtypes,
        continuous: true,
        max_nodes: 12,
        ..Options::default()
    };
    let n = suite.expectations.graphs;
    property(suite, 3000..3000 + n, &options, suite.expectations.f16);
}

/// Graphs that call bodies.
pub fn graphs_that_call_bodies_agree(suite: &Suite<'_>) {
    let options = Options {
        continuous: true,
        calls: true,
        ..Options::default()
    };
    let n = suite.expectations.graphs;
    property(
        suite,
        5000..5000 + n,
        &options,
        suite.expectations.f32_graphs,
    );
}

/// Regions in which f32 values are cast to half precision and back.
///
/// One value in thousands rounds differently than in f64, which the largest difference cannot distinguish from
/// a missing rounding. The sum of squares can: a missing rounding changes it by 1e-4 or more.
pub fn regions_round_where_a_cast_is(suite: &Suite<'_>) {
    let dtypes = vec![DType::F32, DType::F32, DType::F16, DType::BF16];
    if !dtypes.iter().all(|&dtype| suite.takes(dtype)) {
        return;
    }
    let options = Options {
        dtypes,
        ops: Some(["region", "mul_scalar", "tanh"].map(str::to_owned).to_vec()),
        continuous: true,
        max_nodes: 4,
        ..Options::default()
    };
    let (mut rounding, mut off) = (0, Vec::new());
    let seeds: Vec<u64> = (6000..6000 + suite.expectations.graphs).collect();
    for &seed in &seeds {
        let g = generate(seed, &options).unwrap();
        let bodies = g.graph.nodes().iter().filter_map(|n| n.op.body());
        let casts = bodies
            .flat_map(|body| body.nodes())
            .filter(|n| n.op.is::<Cast>());
        // Values in half precision outside of a region are stored so, which rounds them too.
        let is_f32 = |v: &mirage_ir::Value| v.ty.dtype == DType::F32;
        if casts.count() == 0 || !g.graph.values().iter().all(is_f32) {
            continue;
        }
        rounding += 1;
        let d = suite.difference(&g.graph, &g.params, &g.inputs, &g.states);
        if d.rel_l2.is_nan() || d.rel_l2 > 1e-4 {
            off.push(format!("seed {seed}: {d:?}\n{}", g.graph));
        }
    }
    assert!(
        off.len() * 20 <= rounding,
        "{} of {rounding} graphs do not round; the first:\n{}",
        off.len(),
        off[0]
    );
    assert!(rounding * 10 > seeds.len(), "{rounding}");
}
