//! Edge cases of layers that random graphs rarely have.

use mirage_ir::{DType, Graph, Op, interp::Tensor, ops::*, text};

use super::Suite;
use crate::{noisy, one, ty};

fn conv(n: usize, stride: usize, padding: usize, dilation: usize, groups: usize) -> Conv {
    let all = |v| vec![v; n];
    Conv {
        stride: all(stride),
        padding: all(padding),
        dilation: all(dilation),
        groups,
    }
}

fn transposed(
    n: usize,
    stride: usize,
    padding: usize,
    extra: usize,
    groups: usize,
) -> ConvTranspose {
    let all = |v| vec![v; n];
    ConvTranspose {
        stride: all(stride),
        padding: all(padding),
        output_padding: all(extra),
        dilation: all(1),
        groups,
    }
}

/// Convolutions and transposed convolutions of one to three dimensions: strides, padding, dilation, groups, orders.
pub fn convolutions(suite: &Suite<'_>) {
    for (dtype, name) in suite.floats() {
        let b = suite.bound(dtype);
        let t = |s: &str| format!("{name}{s}");
        let run = |op: Op, inputs: &[&str]| {
            let inputs: Vec<String> = inputs.iter().map(|s| t(s)).collect();
            suite.check(
                op,
                &inputs.iter().map(String::as_str).collect::<Vec<_>>(),
                b,
            );
        };
        run(
            conv(2, 1, 1, 1, 1).into(),
            &["[1,4,7,6]", "[8,4,3,3]", "[8]"],
        );
        run(
            conv(2, 2, 1, 1, 2).into(),
            &["[2,4,7,6]@[0,2,3,1]", "[6,2,3,3]", "[6]"],
        );
        run(
            conv(2, 1, 2, 2, 1).into(),
            &["[1,3,9,8]", "[5,3,3,3]@[0,2,3,1]"],
        );
        run(
            conv(2, 1, 1, 1, 8).into(),
            &["[1,8,6,6]@[0,2,3,1]", "[8,1,3,3]", "[8]"],
        );
        run(
            conv(2, 1, 0, 1, 1).into(),
            &["[2,16,5,5]@[0,2,3,1]", "[8,16,1,1]", "[8]"],
        );
        run(
            conv(1, 2, 1, 1, 1).into(),
            &["[2,3,9]@[0,2,1]", "[4,3,3]", "[4]"],
        );
        run(
            conv(3, 1, 1, 1, 1).into(),
            &["[1,2,4,5,3]@[0,2,3,4,1]", "[3,2,3,3,3]", "[3]"],
        );
        run(
            transposed(2, 2, 1, 1, 1).into(),
            &["[1,4,5,4]", "[4,3,3,3]", "[3]"],
        );
        run(
            transposed(2, 2, 0, 0, 2).into(),
            &["[2,4,3,4]@[0,2,3,1]", "[4,3,2,2]", "[6]"],
        );
        run(transposed(1, 3, 1, 1, 1).into(), &["[1,2,5]", "[2,3,4]"]);
        run(
            transposed(3, 2, 0, 0, 1).into(),
            &["[1,2,2,3,2]", "[2,3,2,2,2]", "[3]"],
        );
    }
}

/// Matrix products and linear layers, with and without batches.
pub fn matrix_products(suite: &Suite<'_>) {
    for (dtype, name) in suite.floats() {
        let t = |s: &str| format!("{name}{s}");
        let b = suite.bound(dtype);
        suite.check(Matmul {}, &[&t("[5,7]"), &t("[7,3]")], b);
        suite.check(Matmul {}, &[&t("[2,1,5,7]"), &t("[1,3,7,4]")], b);
        suite.check(Linear {}, &[&t("[2,3,7]"), &t("[7,5]"), &t("[5]")], b);
        suite.check(Linear {}, &[&t("[7]"), &t("[7,5]"), &t("[5]")], b);
        suite.check(Linear {}, &[&t("[4,7]"), &t("[7,5]")], b);
    }
    suite.check(Matmul {}, &["i64[2,3,4]", "i64[1,4,5]"], 0.0);
}

/// Group, layer and batch norms and softmax, in any memory order.
pub fn normalizations_in_any_order(suite: &Suite<'_>) {
    for (dtype, name) in suite.floats() {
        let b = suite.bound(dtype);
        for order in ["", "@[0,2,3,1]", "@[3,1,0,2]"] {
            let x = format!("{name}[2,6,3,5]{order}");
            let p = format!("{name}[6]");
            for groups in [1, 2, 6] {
                suite.check(GroupNorm { groups, eps: 1e-5 }, &[&x, &p, &p], b);
                suite.check(GroupNorm { groups, eps: 1e-3 }, &[&x], b);
            }
            for dim in 0..4 {
                suite.check(Softmax { dim }, &[&x], b);
            }
            batch_norm(suite, &x, &p, b);
        }
        let (x, p) = (format!("{name}[2,3,8]"), format!("{name}[8]"));
        suite.check(LayerNorm { eps: 1e-5 }, &[&x, &p, &p], b);
        suite.check(LayerNorm { eps: 1e-5 }, &[&x, &p], b);
    }
}

/// The variance must be positive.
fn batch_norm(suite: &Suite<'_>, x: &str, p: &str, bound: f64) {
    let mut b = Graph::builder("batch_norm");
    let x = b.input("x", ty(x));
    let [gamma, beta, mean, v] = ["gamma", "beta", "mean", "v"].map(|n| b.input(n, ty(p)));
    let v = b.op(Unary::Abs, &[v]).unwrap();
    let v = b.op(WithScalar::float(Binary::Add, 0.5), &[v]).unwrap();
    let y = b
        .op(BatchNorm { eps: 1e-5 }, &[x, gamma, beta, mean, v])
        .unwrap();
    b.output("y", y);
    let graph = b.finish().unwrap();
    suite.agrees(&graph, bound);
}

/// Maximum, average and adaptive average pooling.
pub fn pooling_of_one_to_three_dimensions(suite: &Suite<'_>) {
    for x in [
        "f32[2,3,9]",
        "f32[1,3,9,8]@[0,2,3,1]",
        "f32[1,2,5,6,7]",
        "f16[1,2,5,6,7]@[0,2,3,4,1]",
    ] {
        let n = ty(x).rank() - 2;
        for (k, s, p, d, ceil_mode) in [
            (2, 2, 0, 1, false),
            (3, 2, 1, 1, false),
            (2, 2, 0, 1, true),
            (3, 2, 1, 1, true),
            (2, 1, 1, 2, false),
        ] {
            let all = |v| vec![v; n];
            let max = MaxPool {
                kernel: all(k),
                stride: all(s),
                padding: all(p),
                dilation: all(d),
                ceil_mode,
            };
            suite.check(max, &[x], 0.0);
            for count_include_pad in [false, true] {
                let (kernel, stride, padding) = (all(k), all(s), all(p));
                suite.check(
                    AvgPool {
                        kernel,
                        stride,
                        padding,
                        count_include_pad,
                        ceil_mode,
                    },
                    &[x],
                    4e-3,
                );
            }
        }
        for size in [1, 3, 4] {
            suite.check(
                AdaptiveAvgPool {
                    size: vec![size; n],
                },
                &[x],
                4e-3,
            );
        }
    }
}

/// Resizing in every mode, up and down.
pub fn resampling(suite: &Suite<'_>) {
    use ResizeMode::*;
    for mode in [Nearest, NearestExact, Bilinear, Bicubic] {
        for align_corners in [false, true] {
            for size in [[3, 2], [10, 12], [5, 6], [7, 13], [1, 1]] {
                for x in ["f32[2,3,5,6]", "f32[1,2,5,6]@[0,2,3,1]"] {
                    suite.check(
                        Resize {
                            size,
                            mode,
                            align_corners,
                        },
                        &[x],
                        2e-5,
                    );
                }
            }
        }
    }
    suite.check(
        Resize {
            size: [8, 8],
            mode: Bilinear,
            align_corners: false,
        },
        &["f16[1,2,4,4]"],
        4e-3,
    );
    suite.check(
        Resize {
            size: [8, 8],
            mode: Nearest,
            align_corners: false,
        },
        &["bf16[1,2,4,4]"],
        0.0,
    );
}

/// `grid_sample` in every mode and with every padding.
pub fn sampling_at_places_of_a_grid(suite: &Suite<'_>) {
    use SamplePadding::*;
    for mode in [SampleMode::Bilinear, SampleMode::Nearest] {
        for padding in [Border, Reflection, Zeros] {
            for align_corners in [false, true] {
                let op = GridSample {
                    mode,
                    padding,
                    align_corners,
                };
                let grid = "f32[2,4,3,2]";
                suite.check(op, &["f32[2,3,5,6]", grid], 1e-6);
                // The sampled tensor and the grid in other orders.
                suite.check(op, &["f32[2,3,5,6]@[0,2,3,1]", grid], 1e-6);
                suite.check(op, &["f32[2,3,5,6]", "f32[2,4,3,2]@[3,0,1,2]"], 1e-6);
                suite.check(op, &["f16[1,2,4,4]", "f16[1,7,5,2]"], 1e-3);
                suite.check(op, &["bf16[1,1,1,3]", "bf16[1,2,2,2]"], 1e-2);
            }
        }
    }
}

/// Attention with scale, cap, causality and bias.
pub fn attention_with_everything(suite: &Suite<'_>) {
    for (dtype, name) in suite.floats() {
        let bound = suite.bound(dtype);
        let t = |s: &str| format!("{name}{s}");
        let (q, k, v) = (t("[2,2,6,8]"), t("[2,2,9,8]"), t("[2,2,9,5]"));
        suite.check(Attention::default(), &[&q, &k, &v], bound);
        let scaled = Attention {
            scale: Some(0.5),
            softcap: Some(3.0),
            causal: true,
            ..Attention::default()
        };
        suite.check(scaled, &[&q, &k, &v], bound);
        let bias = Attention {
            bias: true,
            ..Attention::default()
        };
        suite.check(bias, &[&q, &k, &v, &t("[1,2,1,9]")], bound);
    }
}

/// A mask of the first keys must change the result as defined.
pub fn true_in_a_mask_leaves_the_key_out(suite: &Suite<'_>) {
    let graph = text::parse(
        r#"graph "masked" {
            input %0 "q": f32[1,2,4,8]
            input %1 "k": f32[1,2,6,8]
            input %2 "keys": f32[1,1,1,6]
            %3: bool[1,1,1,6] = lt_scalar(%2) {value = 0.0}
            %4: f32[1,2,4,8] = attention(%0, %1, %1, %3) {mask = true}
            %5: f32[1,2,4,8] = attention(%0, %1, %1)
            %6: f32[1,2,4,8] = sub(%4, %5)
            output "masked" = %4
            output "change" = %6
        }"#,
    )
    .unwrap();
    let (params, mut inputs) = noisy(&graph);
    inputs[2] = Tensor::float([1, 1, 1, 6], [-1.0, 1.0, -1.0, 1.0, 1.0, 1.0]).unwrap();
    let run = mirage_ir::interp::run(&graph, &params, &inputs, &[]).unwrap();
    assert!(
        run.outputs[1]
            .floats()
            .unwrap()
            .iter()
            .any(|x| x.abs() > 0.01)
    );
    let d = suite.difference(&graph, &params, &inputs, &[]);
    assert!(d.max_rel < 1e-5, "{d:?}");
}

/// Attention with scale, cap, causality, mask and bias, alone and together; the mask leaves the first query
/// without a key, whose result is 0.
pub fn a_query_without_keys_gives_zeros(suite: &Suite<'_>) {
    let plain = Attention::default();
    let masked = Attention {
        mask: true,
        ..plain.clone()
    };
    let all = Attention {
        scale: Some(2.0),
        softcap: Some(1.5),
        causal: true,
        mask: true,
        bias: true,
    };
    let left_out: Vec<bool> = (0..35).map(|i| i < 7 || i % 3 == 0).collect();
    for (dtype, name) in suite.floats() {
        for op in [&plain, &masked, &all] {
            let t = |s: &str| format!("{name}{s}");
            let mut operands = vec![t("[2,3,5,8]"), t("[2,3,7,8]"), t("[2,3,7,6]")];
            operands.extend(op.mask.then(|| "bool[1,1,5,7]".to_owned()));
            operands.extend(op.bias.then(|| t("[2,3,5,7]")));
            let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
            let graph = one(op.clone(), &operands);
            let (params, mut inputs) = noisy(&graph);
            if op.mask {
                inputs[3] = Tensor::bool([1, 1, 5, 7], left_out.clone()).unwrap();
            }
            let d = suite.difference(&graph, &params, &inputs, &[]);
            assert!(d.max_rel <= suite.bound(dtype), "{d:?}\n{graph}");
        }
    }
}

/// An engine that computes in place must not overwrite what another value still reads.
pub fn what_is_held_elsewhere_is_not_written_over(suite: &Suite<'_>) {
    // Every value is used twice, once through a view, to detect an activation in place.
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
    suite.agrees(&graph, suite.bound(DType::F32));
}
