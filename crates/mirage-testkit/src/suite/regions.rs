//! Regions with a kernel, and regions whose bodies run.

use std::sync::Arc;

use mirage_ir::{
    Attrs, DType, Graph, TensorType,
    ops::{GroupNorm, Region, Unary},
    regions,
};

use super::Suite;
use crate::{between, compile, execute, noisy, region, ty};

/// A region of a known kind inside of a region of an unknown kind, and the same without regions.
pub(super) fn nested(order: &str) -> (Graph, Graph) {
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

/// A region that contains regions computes what its body does.
pub fn regions_run_their_bodies(suite: &Suite<'_>) {
    for order in ["", "@[0,2,3,1]"] {
        let (fused, plain) = nested(order);
        let (params, inputs) = noisy(&plain);
        let run = |g: &Graph| {
            let mut executable = compile(suite.backend, g, &params).unwrap();
            execute(executable.as_mut(), &inputs, &[]).unwrap()
        };
        let bound = suite.bound(DType::F32);
        assert!(between(&run(&fused), &run(&plain)).max_rel < bound);
        suite.agrees(&fused, bound);
    }
}

/// Every kind of region with attributes and operands, where `T` is the dtype and `@O` the order; operands
/// after a bar are parameters.
const REGIONS: [(&str, &str, &str); 9] = [
    (
        "conv_act",
        r#"op = {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}
           bias = true
           residual = true
           activation = "silu""#,
        "T[2,8,6,6]@O |T[16,8,3,3] |T[16] T[2,16,6,6]@O",
    ),
    (
        "conv_norm_act",
        r#"op = {dilation = [1, 1], groups = 2, padding = [0, 0], stride = [2, 2]}
           norm = {eps = 1e-5, groups = 4}
           activation = "relu""#,
        "T[2,8,6,6]@O |T[16,4,1,1] |T[16] |T[16]",
    ),
    (
        "group_norm_silu",
        "eps = 1e-5\ngroups = 2",
        "T[2,8,6,6]@O |T[8] |T[8]",
    ),
    (
        "act_group_norm",
        "activation = 'gelu'\nnorm = {eps = 1e-5, groups = 4}",
        "T[2,8,6,6]@O |T[8] |T[8]",
    ),
    (
        "act_layer_norm",
        "activation = 'tanh'\nnorm = {eps = 1e-5}",
        "T[3,10] |T[10]",
    ),
    (
        "add_layer_norm",
        "eps = 1e-5",
        "T[3,10] T[3,10] |T[10] |T[10]",
    ),
    (
        "layer_norm_linear",
        r#"norm = {eps = 1e-5}
           beta = true
           bias = true
           activation = "gelu_tanh""#,
        "T[2,3,10] |T[10] |T[10] |T[10,7] |T[7]",
    ),
    (
        "linear_act",
        r#"op = {}
           bias = true
           residual = true
           activation = "sigmoid""#,
        "T[2,3,10] |T[10,7] |T[7] T[2,3,7]",
    ),
    ("linear_act", "op = {}", "T[10] |T[10,7]"),
];

/// Every kind of region in every dtype, with feature maps in both memory orders.
pub fn every_kind_agrees_in_every_dtype_and_order(suite: &Suite<'_>) {
    for kind in regions::KINDS {
        let tested = REGIONS.iter().any(|(name, ..)| *name == kind.name);
        assert!(tested, "no region of kind {} is tested", kind.name);
    }
    for (kind, attributes, operands) in REGIONS {
        for (dtype, name) in suite.floats() {
            for order in ["", "@[0,2,3,1]"] {
                let operands = operands.replace('T', name).replace("@O", order);
                let operands: Vec<&str> = operands.split(' ').collect();
                suite.agrees(&region(kind, attributes, &operands), suite.bound(dtype));
            }
        }
    }
}
