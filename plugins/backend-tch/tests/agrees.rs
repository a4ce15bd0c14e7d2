//! The backend against the definition of every operation, in f64: random graphs, regions, attention,
//! memory orders, states over many frames.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{assert_agrees, bound, compile, execute, noisy, planned};
use mirage_backend::Backend;
use mirage_backend_tch::TchBackend;
use mirage_ir::{
    DType,
    generate::{Options, generate},
    interp,
    ops::Attention,
    text,
};

/// Graphs of many seeds, each within `bound`: relative to a result's largest element, or absolute, since
/// a norm of equal elements is exactly 0 in f64 and rounding otherwise.
fn property(seeds: std::ops::Range<u64>, options: &Options, bound: f64) {
    for seed in seeds {
        let g = generate(seed, options).unwrap();
        assert_agrees(&g.graph, &g.params, &g.inputs, &g.states, bound);
    }
}

/// libtorch's group norm sums squares in f32 without taking the mean off, which costs digits where the
/// mean is large.
const F32: f64 = 1e-4;

#[test]
fn random_graphs_agree() {
    let continuous = Options {
        continuous: true,
        ..Options::default()
    };
    property(0..3000, &continuous, F32);
    let calls = Options {
        calls: true,
        ..continuous.clone()
    };
    property(1000..2000, &calls, F32);
    let wide = Options {
        dtypes: vec![DType::F64],
        ..Options::default()
    };
    property(2000..2200, &wide, 1e-12);
}

#[test]
fn random_graphs_in_half_precision_agree_within_it() {
    for (dtype, bound) in [(DType::F16, 5e-3), (DType::BF16, 4e-2)] {
        let options = Options {
            dtypes: vec![dtype],
            continuous: true,
            max_nodes: 8,
            ..Options::default()
        };
        property(3000..3200, &options, bound);
    }
}

/// Every kind of region: its attributes, and its operands as dtype `T` and order `@O` make them; what
/// stands after a bar is a parameter.
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

#[test]
fn regions_agree_in_every_dtype_and_order() {
    for (kind, attributes, operands) in REGIONS {
        for dtype in ["f32", "f16", "bf16", "f64"] {
            for order in ["", "@[0,2,3,1]"] {
                let operands = operands.replace('T', dtype).replace("@O", order);
                let graph = common::region(kind, attributes, &operands);
                let (params, inputs) = noisy(&graph);
                assert_agrees(&graph, &params, &inputs, &[], bound(dtype));
            }
        }
        let has = TchBackend.capabilities(0).has_region(kind, DType::F32);
        assert!(has, "{kind}");
    }
}

#[test]
fn attention_with_masks_biases_caps_and_causality_agrees() {
    let plain = Attention::default();
    let ops = [
        plain.clone(),
        Attention {
            scale: Some(2.0),
            ..plain.clone()
        },
        Attention {
            causal: true,
            ..plain.clone()
        },
        Attention {
            softcap: Some(0.5),
            ..plain.clone()
        },
        Attention {
            mask: true,
            ..plain.clone()
        },
        Attention {
            scale: None,
            softcap: Some(1.5),
            causal: true,
            mask: true,
            bias: true,
        },
    ];
    for dtype in ["f32", "bf16"] {
        for op in &ops {
            let mut operands = "T[2,3,5,8] T[2,3,7,8] T[2,3,7,6]".to_owned();
            operands.push_str(if op.mask { " bool[1,1,5,7]" } else { "" });
            operands.push_str(if op.bias { " T[2,3,5,7]" } else { "" });
            let graph = common::one(op.clone(), &operands.replace('T', dtype));
            let (params, mut inputs) = noisy(&graph);
            if op.mask {
                // The first query has no key left, and gives 0.
                let left_out: Vec<bool> = (0..35).map(|i| i < 7 || i % 3 == 0).collect();
                inputs[3] = interp::Tensor::bool([1, 1, 5, 7], left_out).unwrap();
            }
            assert_agrees(&graph, &params, &inputs, &[], bound(dtype));
        }
    }
}

#[test]
fn a_state_is_carried_through_many_frames_with_and_without_a_plan() {
    let graph = text::parse(
        r#"graph "loop" {
            input %0 "x": f32[1,4,5,5]
            state %1 "last": f32[1,4,5,5] -> %6
            param %2 "w": f32[4,4,3,3]
            %3: f32[1,4,5,5] = add(%0, %1)
            %4: f32[1,4,5,5] = conv(%3, %2) {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}
            %5: f32[1,4,5,5] = silu(%4)
            %6: f32[1,4,5,5] = tanh(%5)
            %7: f32[1,4,5,5] = add(%5, %1)
            output "y" = %7
        }"#,
    )
    .unwrap();
    let (params, inputs) = noisy(&graph);
    let zeros = vec![interp::Tensor::float([1, 4, 5, 5], vec![0.0; 100]).unwrap()];
    for graph in [graph.clone(), planned(&graph)] {
        let mut executable = compile(&graph, &params);
        // The run at compile has left nothing behind: the states begin at 0.
        let mut want = interp::Run {
            outputs: Vec::new(),
            states: zeros.clone(),
        };
        for frame in 0..30 {
            want = interp::run(&graph, &params, &inputs, &want.states).unwrap();
            let got = execute(executable.as_mut(), &inputs, &[]);
            let d = common::between(&got, &want);
            assert!(d.max_rel < 1e-4, "frame {frame}: {d:?}");
        }
    }
}

#[test]
fn what_is_held_elsewhere_is_not_written_in_place() {
    // Every value is used twice, once through a view, so that an activation in place would show.
    let graph = text::parse(
        r#"graph "aliases" {
            input %0 "x": f32[4,6]
            %1: f32[24] = reshape(%0) {shape = [24]}
            %2: f32[24] = relu(%1)
            %3: f32[6,4] = permute(%0) {axes = [1, 0]}
            %4: f32[6,4] = silu(%3)
            %5: f32[4,6] = add_scalar(%0) {value = 0.0}
            %6: f32[4,6] = gelu(%5)
            %7: f32[24] = reshape(%5) {shape = [24]}
            output "relu" = %2
            output "silu" = %4
            output "x" = %7
            output "gelu" = %6
        }"#,
    )
    .unwrap();
    let (params, inputs) = noisy(&graph);
    assert_agrees(&graph, &params, &inputs, &[], 1e-5);
}
