//! The backend's own kernels against the definition in f64: odd sizes, both orders, borders,
//! broadcasts, regions with all that may follow a product.

use crate::support::{check, compile, difference, execute, noisy, planned, ty};
use mirage_ir::{
    Attrs, DType, Graph, GraphBuilder, Op, Params, TensorType, ValueId,
    interp::{self, Tensor},
    ops::*,
    regions::{self, ELEMENTWISE},
};

const BOUND: f64 = 1e-5;
const LAST: &str = "@[0,2,3,1]";

fn attrs(toml: &str) -> Attrs {
    toml::from_str(toml).unwrap()
}

/// A region of a known kind, on inputs of these types.
fn region(kind: &str, attributes: &str, inputs: &[&str]) -> Op {
    let attributes = attrs(attributes);
    let types: Vec<TensorType> = inputs.iter().map(|t| ty(t)).collect();
    let types: Vec<&TensorType> = types.iter().collect();
    let body = (regions::find(kind).unwrap().expand)(&attributes, &types).unwrap();
    Region::new(kind, attributes, body.into()).into()
}

/// The same with operands 1 and on as parameters, so that weights are packed.
fn with_params(op: impl Into<Op>, inputs: &[&str]) {
    let mut b = Graph::builder("with parameters");
    let mut values = vec![b.input("x", ty(inputs[0]))];
    for (i, t) in inputs[1..].iter().enumerate() {
        values.push(b.param(format!("p{i}"), ty(t)));
    }
    for (i, v) in b.push(op.into(), &values).unwrap().into_iter().enumerate() {
        b.output(format!("y{i}"), v);
    }
    let graph = b.finish().unwrap();
    let (params, values) = noisy(&graph);
    let d = difference(&graph, &params, &values, &[]);
    assert!(d.max_rel <= BOUND, "{d:?}\n{graph}");
}

#[test]
fn convolutions_of_every_shape_in_both_orders() {
    let mut count = 0;
    for order in ["", LAST] {
        for (c, o) in [(3, 8), (4, 3), (8, 17), (17, 64), (64, 70), (1, 1), (33, 1)] {
            for (kernel, stride, padding, dilation) in [
                ([3, 3], [1, 1], [1, 1], [1, 1]),
                ([3, 3], [2, 2], [1, 1], [1, 1]),
                ([1, 1], [1, 1], [0, 0], [1, 1]),
                ([1, 1], [2, 2], [0, 0], [1, 1]),
                ([3, 2], [1, 2], [2, 0], [1, 2]),
                ([3, 3], [1, 1], [2, 2], [2, 2]),
                ([3, 3], [1, 1], [0, 0], [1, 1]),
            ] {
                let op = Conv {
                    stride: stride.to_vec(),
                    padding: padding.to_vec(),
                    dilation: dilation.to_vec(),
                    groups: 1,
                };
                let batch = 1 + count % 2;
                let x = format!("f32[{batch},{c},9,7]{order}");
                let w = format!("f32[{o},{c},{},{}]", kernel[0], kernel[1]);
                let bias = format!("f32[{o}]");
                let inputs = [&*x, &*w, &*bias];
                let inputs = &inputs[..2 + count / 2 % 2];
                with_params(op.clone(), inputs);
                if count % 3 == 0 {
                    check(op, inputs, BOUND);
                }
                count += 1;
            }
        }
    }
}

#[test]
fn a_convolution_is_divided_among_threads_without_a_seam() {
    for order in ["", LAST] {
        for (n, c, o, h, w) in [(1, 9, 64, 40, 37), (2, 16, 130, 5, 6), (1, 64, 200, 3, 2)] {
            let x = format!("f32[{n},{c},{h},{w}]{order}");
            let inputs = [&*x, &format!("f32[{o},{c},3,3]"), &format!("f32[{o}]")];
            let op = Conv {
                stride: vec![1, 1],
                padding: vec![1, 1],
                dilation: vec![1, 1],
                groups: 1,
            };
            with_params(op, &inputs);
        }
    }
}

#[test]
fn convolutions_with_what_follows_them() {
    for order in ["", LAST] {
        for activation in [
            "none",
            "gelu",
            "gelu_tanh",
            "relu",
            "sigmoid",
            "silu",
            "tanh",
        ] {
            for (bias, residual) in [(false, true), (true, false), (true, true)] {
                let attributes = format!(
                    "bias = {bias}\nresidual = {residual}\nactivation = \"{activation}\"\n\
                     op = {{ stride = [1, 1], padding = [1, 1], dilation = [1, 1], groups = 1 }}"
                );
                let x = format!("f32[2,5,6,7]{order}");
                let r = format!("f32[2,19,6,7]{order}");
                let mut inputs = vec![&*x, "f32[19,5,3,3]"];
                inputs.extend(bias.then_some("f32[19]"));
                inputs.extend(residual.then_some(&*r));
                let op = region("conv_act", &attributes, &inputs);
                check(op.clone(), &inputs, BOUND);
                with_params(op, &inputs);
            }
        }
    }
}

#[test]
fn linear_layers_and_what_follows_them() {
    for (rows, k, n) in [
        (1, 1, 1),
        (7, 5, 3),
        (64, 64, 64),
        (13, 300, 129),
        (1, 640, 2048),
    ] {
        let (x, w) = (format!("f32[{rows},{k}]"), format!("f32[{k},{n}]"));
        let (b, r) = (format!("f32[{n}]"), format!("f32[{rows},{n}]"));
        with_params(Linear {}, &[&x, &w]);
        check(Linear {}, &[&x, &w, &b], BOUND);
        for activation in ["none", "gelu", "silu"] {
            let attributes =
                format!("op = {{}}\nbias = true\nresidual = true\nactivation = \"{activation}\"");
            let inputs = [&*x, &*w, &*b, &*r];
            with_params(region("linear_act", &attributes, &inputs), &inputs);
        }
    }
    check(Linear {}, &["f32[5]", "f32[5,3]", "f32[3]"], BOUND);
    check(Linear {}, &["f32[2,3,5]", "f32[5,3]"], BOUND);
}

#[test]
fn group_norms_alone_and_with_silu() {
    for order in ["", LAST] {
        for (c, groups, h, w) in [(8, 2, 5, 7), (17, 17, 3, 3), (64, 16, 33, 29), (6, 1, 1, 1)] {
            let x = format!("f32[2,{c},{h},{w}]{order}");
            let p = format!("f32[{c}]");
            let inputs = [&*x, &*p, &*p];
            if h > 1 {
                check(GroupNorm { groups, eps: 1e-5 }, &inputs, BOUND);
                check(GroupNorm { groups, eps: 1e-5 }, &inputs[..1], BOUND);
            }
            let attributes = format!("groups = {groups}\neps = 1e-5");
            check(
                region("group_norm_silu", &attributes, &inputs),
                &inputs,
                BOUND,
            );
        }
    }
}

#[test]
fn batch_norms_divided_among_threads() {
    for order in ["", LAST] {
        for (n, c, h, w) in [(2, 17, 41, 33), (1, 64, 70, 9), (3, 1, 1, 1)] {
            let mut b = Graph::builder("batch_norm");
            let x = b.input("x", ty(&format!("f32[{n},{c},{h},{w}]{order}")));
            let names = ["gamma", "beta", "mean", "variance"];
            let [gamma, beta, mean, variance] =
                names.map(|name| b.param(name, ty(&format!("f32[{c}]"))));
            // Noise is above −1, so that the sum is positive.
            let op = BatchNorm { eps: 1.5 };
            let y = b.op(op, &[x, gamma, beta, mean, variance]).unwrap();
            b.output("y", y);
            let graph = b.finish().unwrap();
            let (params, values) = noisy(&graph);
            let d = difference(&graph, &params, &values, &[]);
            assert!(d.max_rel <= BOUND, "{d:?}\n{graph}");
        }
    }
}

#[test]
fn group_norm_far_from_zero() {
    for order in ["", LAST] {
        let mut b = Graph::builder("far");
        let x = b.input("x", ty(&format!("f32[1,8,30,31]{order}")));
        let far = b.op(WithScalar::float(Binary::Add, 100.0), &[x]).unwrap();
        let y = b
            .op(
                GroupNorm {
                    groups: 2,
                    eps: 1e-5,
                },
                &[far],
            )
            .unwrap();
        b.output("y", y);
        let graph = b.finish().unwrap();
        let (params, values) = noisy(&graph);
        // Adding 100 leaves 17 bits of x; squares summed up without their mean would leave 10.
        assert!(difference(&graph, &params, &values, &[]).max_abs < 5e-5);
    }
}

#[test]
fn layer_norms_alone_and_of_a_sum() {
    for (rows, width) in [(1, 3), (37, 64), (300, 65), (2, 5000)] {
        let (x, p) = (format!("f32[{rows},{width}]"), format!("f32[{width}]"));
        check(LayerNorm { eps: 1e-5 }, &[&x, &p], BOUND);
        check(LayerNorm { eps: 1e-5 }, &[&x, &p, &p], BOUND);
        for inputs in [&[&*x, &*x, &*p][..], &[&*x, &*x, &*p, &*p]] {
            check(
                region("add_layer_norm", "eps = 1e-5", inputs),
                inputs,
                BOUND,
            );
        }
    }
}

#[test]
fn attention_over_blocks_of_keys_and_any_depth() {
    for (b, h, m, n, d, e) in [
        (1, 1, 1, 1, 1, 1),
        (2, 3, 7, 5, 8, 8),
        (1, 2, 13, 1100, 4, 4),
        (1, 1, 9, 530, 4, 3),
        (2, 1, 6, 513, 16, 5),
        (1, 2, 3, 15, 2, 1),
        (1, 2, 100, 700, 32, 32),
        (1, 1, 13, 1100, 17, 40),
        (1, 2, 20, 64, 64, 130),
    ] {
        let inputs = [
            &*format!("f32[{b},{h},{m},{d}]"),
            &*format!("f32[{b},{h},{n},{d}]"),
            &*format!("f32[{b},{h},{n},{e}]"),
        ];
        // The last one's scores need the maximum taken off before the exponential, which multiplies
        // their own rounding.
        for (scale, bound) in [
            (None, BOUND),
            (Some(3.0), BOUND),
            (Some(-2.0), BOUND),
            (Some(12.0), 4.0 * BOUND),
        ] {
            let op = Attention {
                scale,
                ..Attention::default()
            };
            check(op, &inputs, bound);
        }
    }
}

#[test]
fn attention_of_permuted_views() {
    let mut b = Graph::builder("views");
    let mut head = |name: &str, tokens: usize| {
        let x = b.input(name, ty(&format!("f32[2,{tokens},3,8]")));
        b.op(Permute::of([0, 2, 1, 3]), &[x]).unwrap()
    };
    let [q, k, v] = [head("q", 11), head("k", 70), head("v", 70)];
    // There and back again: permutations of views are views.
    let k = b.op(Permute::of([0, 1, 3, 2]), &[k]).unwrap();
    let k = b.op(Permute::of([0, 1, 3, 2]), &[k]).unwrap();
    let qkv = [q, k, v];
    let y = b.op(Attention::default(), &qkv).unwrap();
    b.output("y", y);
    let graph = b.finish().unwrap();
    let (params, values) = noisy(&graph);
    let d = difference(&graph, &params, &values, &[]);
    assert!(d.max_rel <= BOUND, "{d:?}");
}

#[test]
fn softmax_of_rows_of_any_length() {
    for (x, dim) in [
        ("f32[3,1]", 1),
        ("f32[2,3,17]", 2),
        ("f32[7,5000]", 1),
        ("f32[2,9,4,5]@[0,2,3,1]", 1),
        ("f32[2,9,4,5]", 1),
    ] {
        check(Softmax { dim }, &[x], BOUND);
    }
    // Rows with keys left out, and differences that no exponential could hold.
    let mut b = Graph::builder("masked");
    let x = b.input("x", ty("f32[40,33]"));
    let far = b.op(WithScalar::float(Binary::Mul, 500.0), &[x]).unwrap();
    let out = b.op(WithScalar::float(Binary::Lt, 0.5), &[x]).unwrap();
    let none = b.op(WithScalar::float(Binary::Mul, 0.0), &[x]).unwrap();
    let none = b
        .op(WithScalar::float(Binary::Add, f64::NEG_INFINITY), &[none])
        .unwrap();
    let scores = b.op(Select {}, &[out, far, none]).unwrap();
    let y = b.op(Softmax { dim: 1 }, &[scores]).unwrap();
    b.output("y", y);
    let graph = b.finish().unwrap();
    let (params, values) = noisy(&graph);
    // The scores' own rounding, times 500.
    let d = difference(&graph, &params, &values, &[]);
    assert!(d.max_rel <= 1e-4, "{d:?}");
}

/// Grows a random tree of functions of elements over operands that broadcast.
fn random_tree(b: &mut GraphBuilder, seed: u64) -> ValueId {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut pick = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % n
    };
    let order = ["", LAST][pick(2)];
    let shapes = [
        format!("f32[2,6,9,8]{order}"),
        "f32[1,6,1,1]".to_owned(),
        "f32[2,1,1,1]".to_owned(),
        format!("f32[1,1,9,8]{order}"),
        format!("f32[2,6,9,1]{order}"),
    ];
    let mut values: Vec<ValueId> = (0..3 + pick(3))
        .map(|i| {
            b.input(
                format!("x{i}"),
                ty(&shapes[if i == 0 { 0 } else { pick(5) }]),
            )
        })
        .collect();
    let mut last = values[0];
    for _ in 0..1 + pick(9) {
        let other = values[pick(values.len())];
        let unary = [
            Unary::Silu,
            Unary::Gelu,
            Unary::Tanh,
            Unary::Neg,
            Unary::Abs,
            Unary::Sigmoid,
        ];
        let binary = [
            Binary::Add,
            Binary::Mul,
            Binary::Sub,
            Binary::Max,
            Binary::Min,
        ];
        last = match pick(4) {
            0 => b.op(unary[pick(unary.len())], &[last]),
            1 => b.op(binary[pick(binary.len())], &[last, other]),
            2 => b.op(WithScalar::float(binary[pick(5)], 0.75), &[last]),
            _ => {
                let above = b.op(WithScalar::float(Binary::Gt, 0.1), &[other]).unwrap();
                b.op(Select {}, &[above, last, other])
            }
        }
        .unwrap();
        values.push(last);
    }
    last
}

#[test]
fn elementwise_regions_of_random_bodies() {
    for seed in 0..150 {
        let mut body = Graph::builder(ELEMENTWISE);
        let last = random_tree(&mut body, seed);
        body.output("out", last);
        let body = body.finish().unwrap();
        let inputs: Vec<String> = body
            .inputs()
            .iter()
            .map(|p| body.ty(p.value).to_string())
            .collect();
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        check(
            Region::new(ELEMENTWISE, Attrs::new(), body.into()),
            &inputs,
            BOUND,
        );
    }
}

#[test]
fn long_elementwise_work_is_divided_without_a_seam() {
    for inputs in [
        ["f32[1,40,33,31]", "f32[1,40,1,1]"],
        ["f32[1,40,33,31]@[0,2,3,1]", "f32[1,40,1,1]"],
        ["f32[1,40,33,31]@[0,2,3,1]", "f32[1,1,33,1]"],
    ] {
        check(Binary::Add, &inputs, 1e-6);
        check(Binary::Mul, &inputs, 1e-6);
    }
    check(Unary::Silu, &["f32[50001]"], 1e-6);
    check(Unary::Gelu, &["f32[50001]"], 1e-6);
}

/// A cast inside of a region is a rounding: the values differ from those of a region without it, and what a
/// half cannot hold is infinite.
#[test]
fn a_cast_in_an_elementwise_region_rounds() {
    for (half, numbers) in [
        ("bf16", [0.1, 1.0 / 3.0, -2.7, 1e30]),
        ("f16", [0.1, 16_777_217.0, -70_000.0, 3e-8]),
    ] {
        let source = format!(
            r#"graph "g" {{
              input %0 "x": f32[4]
              %1: f32[4] = region(%0) {{kind = "elementwise"}} graph "elementwise" {{
                input %0 "x0": f32[4]
                %1: f32[4] = mul_scalar(%0) {{value = 3.0}}
                %2: {half}[4] = cast(%1) {{dtype = "{half}"}}
                %3: f32[4] = cast(%2) {{dtype = "f32"}}
                %4: f32[4] = mul_scalar(%3) {{value = 2.0}}
                output "out" = %4
              }}
              output "y" = %1
            }}"#
        );
        let graph = mirage_ir::text::parse(&source).unwrap();
        let x = Tensor::float([4], numbers.to_vec()).unwrap();
        let x = [x.rounded(DType::F32).unwrap()];
        let want = interp::run(&graph, &Params::new(), &x, &[]).unwrap();
        for graph in [graph.clone(), planned(&graph)] {
            let mut executable = compile(&graph, &Params::new()).unwrap();
            let got = execute(executable.as_mut(), &x, &[]).unwrap();
            assert!(
                got.outputs[0].same_bits(&want.outputs[0]),
                "{half}: {got:?} instead of {want:?}"
            );
        }
        let infinite = want.outputs[0].floats().unwrap().iter();
        let infinite = infinite.filter(|x| x.is_infinite()).count();
        assert_eq!(infinite, if half == "f16" { 2 } else { 0 });
    }
}
