//! Every family of operations, in the corners that random graphs seldom reach, against the
//! definition in f64.

mod common;

use common::{difference, noisy, ty};
use mirage_ir::{DType, Graph, GraphBuilder, GraphError, Op, Order, Scalar, ValueId, ops::*, text};

/// One node on inputs of these types must agree with its definition within `bound` of the largest
/// element, and must not be all zeros.
fn check(op: impl Into<Op>, inputs: &[&str], bound: f64) {
    let op = op.into();
    let graph = one(op.clone(), inputs).unwrap_or_else(|e| panic!("{op:?}: {e}"));
    let (params, values) = noisy(&graph);
    let d = difference(&graph, &params, &values, &[]);
    assert!(d.max_rel <= bound, "{d:?}\n{graph}");
}

fn one(op: Op, inputs: &[&str]) -> Result<Graph, GraphError> {
    let mut b = Graph::builder("one");
    let values: Vec<ValueId> = inputs
        .iter()
        .enumerate()
        .map(|(i, t)| b.input(format!("x{i}"), ty(t)))
        .collect();
    for (i, value) in b.push(op, &values)?.into_iter().enumerate() {
        b.output(format!("y{i}"), value);
    }
    b.finish()
}

/// The bound for operations in this dtype.
fn bound(dtype: &str) -> f64 {
    match dtype {
        "f64" => 1e-12,
        "f32" => 2e-5,
        "f16" => 4e-3,
        _ => 3e-2,
    }
}

#[test]
fn functions_of_one_element() {
    for &f in Unary::ALL {
        for dtype in ["f32", "f16", "bf16", "f64"] {
            // Away from the poles and kinks of a function: rounding may jump over them.
            let mut b = Graph::builder("unary");
            let x = b.input("x", ty(&format!("{dtype}[2,3,4,5]@[0,2,3,1]")));
            let y = prepare(&mut b, f, x).unwrap();
            b.output("y", y);
            let graph = b.finish().unwrap();
            let (params, inputs) = noisy(&graph);
            let d = difference(&graph, &params, &inputs, &[]);
            assert!(d.max_rel <= bound(dtype) * 4.0, "{f:?} {dtype}: {d:?}");
        }
    }
    for f in [Unary::Abs, Unary::Neg, Unary::Sign, Unary::Square] {
        for dtype in ["i64", "i32"] {
            check(f, &[&format!("{dtype}[3,4]")], 0.0);
        }
    }
}

fn prepare(b: &mut GraphBuilder, f: Unary, x: ValueId) -> Result<ValueId, GraphError> {
    let positive = matches!(f, Unary::Log | Unary::Recip | Unary::Rsqrt | Unary::Sqrt);
    let x = match f {
        Unary::Not => b_lower(b, x)?,
        _ if positive => {
            let x = b.op(Unary::Abs, &[x])?;
            b.op(WithScalar::float(Binary::Add, 0.5), &[x])?
        }
        Unary::Ceil | Unary::Floor | Unary::Round | Unary::Trunc => {
            b.op(WithScalar::float(Binary::Mul, 8.0), &[x])?
        }
        _ => x,
    };
    b.op(f, &[x])
}

fn b_lower(b: &mut GraphBuilder, x: ValueId) -> Result<ValueId, GraphError> {
    b.op(WithScalar::float(Binary::Lt, 0.0), &[x])
}

#[test]
fn functions_of_two_elements_stretch_in_any_order() {
    for &f in Binary::ALL {
        let logic = matches!(f, Binary::And | Binary::Or | Binary::Xor);
        let dtypes: &[&str] = if logic {
            &["bool"]
        } else {
            &["f32", "f16", "i64", "i32"]
        };
        for &dtype in dtypes {
            if matches!(f, Binary::Pow) && dtype != "f32" {
                continue;
            }
            // Division wants a divisor that is not 0.
            let divides = matches!(f, Binary::Div | Binary::Rem | Binary::Pow);
            for (a, b) in [
                ("[2,3,4,5]@[0,2,3,1]", "[2,3,4,5]@[0,2,3,1]"),
                ("[2,3,4,5]@[0,2,3,1]", "[1,3,1,1]"),
                ("[1,3,1,5]", "[2,3,4,5]@[3,1,0,2]"),
                ("[2,1,4]", "[1,3,1]"),
            ] {
                if divides {
                    divided(f, dtype, a, b);
                } else {
                    check(
                        f,
                        &[&format!("{dtype}{a}"), &format!("{dtype}{b}")],
                        bound(dtype),
                    );
                }
            }
        }
    }
}

fn divided(f: Binary, dtype: &str, a: &str, b: &str) {
    let mut g = Graph::builder("divided");
    let one = if dtype.starts_with('i') {
        Scalar::Int(1)
    } else {
        Scalar::Float(0.5)
    };
    let mut away = |name: &str, t: &str| {
        let x = g.input(name, ty(&format!("{dtype}{t}")));
        let x = g.op(Unary::Abs, &[x]).unwrap();
        g.op(
            WithScalar {
                f: Binary::Add,
                value: one,
            },
            &[x],
        )
        .unwrap()
    };
    let (x, y) = (away("x", a), away("y", b));
    // A remainder jumps where the quotient is whole: leave its float form to scalars.
    if f == Binary::Rem && !dtype.starts_with('i') {
        return;
    }
    let z = g.op(f, &[x, y]).unwrap();
    g.output("z", z);
    let graph = g.finish().unwrap();
    let (params, inputs) = noisy(&graph);
    let d = difference(&graph, &params, &inputs, &[]);
    assert!(
        d.max_rel <= bound(dtype),
        "{f:?} {dtype}{a} {dtype}{b}: {d:?}"
    );
}

#[test]
fn an_element_and_a_scalar() {
    for &f in Binary::ALL {
        let logic = matches!(f, Binary::And | Binary::Or | Binary::Xor);
        if logic || matches!(f, Binary::Eq | Binary::Ne) {
            for value in [true, false] {
                check(
                    WithScalar {
                        f,
                        value: Scalar::Bool(value),
                    },
                    &["bool[3,5]"],
                    0.0,
                );
            }
        }
        if !logic {
            let value = if f == Binary::Pow { 2.0 } else { 0.37 };
            check(
                WithScalar {
                    f,
                    value: Scalar::Float(value),
                },
                &["f32[3,5]"],
                2e-5,
            );
            if f != Binary::Pow {
                check(
                    WithScalar {
                        f,
                        value: Scalar::Int(3),
                    },
                    &["i32[3,5]"],
                    0.0,
                );
                check(
                    WithScalar {
                        f,
                        value: Scalar::Int(-3),
                    },
                    &["i64[3,5]"],
                    0.0,
                );
            }
        }
    }
}

#[test]
fn choices_stretch_all_three() {
    check(
        Select {},
        &["bool[2,3,4,5]@[0,2,3,1]", "f32[1,3,1,1]", "f32[2,1,4,5]"],
        0.0,
    );
    check(Select {}, &["bool[1,1,4]", "i32[2,3,4]", "i32[2,1,1]"], 0.0);
    check(Select {}, &["bool[2,3]", "bool[2,3]", "bool[1,3]"], 0.0);
}

#[test]
fn casts_between_all_dtypes() {
    for from in DType::ALL {
        for to in DType::ALL {
            let mut b = Graph::builder("cast");
            let x = b.input("x", ty(&format!("{from}[2,3,4]@[1,2,0]")));
            // Numbers with a fraction, on both sides of 0 where the dtype has them.
            let x = match from.is_float() {
                true => b.op(WithScalar::float(Binary::Mul, 5.0), &[x]).unwrap(),
                false => x,
            };
            let signed = !matches!(to, DType::U8 | DType::U16 | DType::U32 | DType::U64);
            let x = if from.is_float() && !signed {
                b.op(Unary::Abs, &[x]).unwrap()
            } else {
                x
            };
            let y = b.op(Cast { dtype: to }, &[x]).unwrap();
            b.output("y", y);
            let graph = b.finish().unwrap();
            let (params, inputs) = noisy(&graph);
            let d = difference(&graph, &params, &inputs, &[]);
            let bound = [from, to].map(|d| if d.is_float() { bound(d.name()) } else { 0.0 });
            // In the input's own rounding a product may cross a whole number.
            let jumps = from.is_float() && !to.is_float() && from != DType::F64;
            assert!(
                d.max_rel <= bound[0].max(bound[1]) || jumps && d.max_abs <= 1.0,
                "{from} to {to}: {d:?}"
            );
        }
    }
}

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

#[test]
fn convolutions() {
    for dtype in ["f32", "f64", "f16", "bf16"] {
        let b = bound(dtype);
        let t = |s: &str| format!("{dtype}{s}");
        let run = |op: Op, inputs: &[&str]| {
            let inputs: Vec<String> = inputs.iter().map(|s| t(s)).collect();
            check(
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

#[test]
fn matrix_products() {
    for dtype in ["f32", "f64", "f16", "bf16"] {
        let t = |s: &str| format!("{dtype}{s}");
        let b = bound(dtype);
        check(Matmul {}, &[&t("[5,7]"), &t("[7,3]")], b);
        check(Matmul {}, &[&t("[2,1,5,7]"), &t("[1,3,7,4]")], b);
        check(Linear {}, &[&t("[2,3,7]"), &t("[7,5]"), &t("[5]")], b);
        check(Linear {}, &[&t("[7]"), &t("[7,5]"), &t("[5]")], b);
        check(Linear {}, &[&t("[4,7]"), &t("[7,5]")], b);
    }
    check(Matmul {}, &["i64[2,3,4]", "i64[1,4,5]"], 0.0);
}

#[test]
fn normalizations_in_any_order() {
    for dtype in ["f32", "f16", "bf16"] {
        let b = bound(dtype);
        for order in ["", "@[0,2,3,1]", "@[3,1,0,2]"] {
            let x = format!("{dtype}[2,6,3,5]{order}");
            let p = format!("{dtype}[6]");
            for groups in [1, 2, 6] {
                check(GroupNorm { groups, eps: 1e-5 }, &[&x, &p, &p], b);
                check(GroupNorm { groups, eps: 1e-3 }, &[&x], b);
            }
            for dim in 0..4 {
                check(Softmax { dim }, &[&x], b);
            }
            batch_norm(&x, &p, b);
        }
        let (x, p) = (format!("{dtype}[2,3,8]"), format!("{dtype}[8]"));
        check(LayerNorm { eps: 1e-5 }, &[&x, &p, &p], b);
        check(LayerNorm { eps: 1e-5 }, &[&x, &p], b);
    }
}

/// The variance must be positive.
fn batch_norm(x: &str, p: &str, bound: f64) {
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
    let (params, inputs) = noisy(&graph);
    let d = difference(&graph, &params, &inputs, &[]);
    assert!(d.max_rel <= bound, "{d:?}\n{graph}");
}

#[test]
fn pooling_of_one_to_three_dimensions() {
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
            check(max, &[x], 0.0);
            for count_include_pad in [false, true] {
                let (kernel, stride, padding) = (all(k), all(s), all(p));
                check(
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
            check(
                AdaptiveAvgPool {
                    size: vec![size; n],
                },
                &[x],
                4e-3,
            );
        }
    }
}

#[test]
fn resampling() {
    use ResizeMode::*;
    for mode in [Nearest, NearestExact, Bilinear, Bicubic] {
        for align_corners in [false, true] {
            for size in [[3, 2], [10, 12], [5, 6], [7, 13], [1, 1]] {
                for x in ["f32[2,3,5,6]", "f32[1,2,5,6]@[0,2,3,1]"] {
                    check(
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
    check(
        Resize {
            size: [8, 8],
            mode: Bilinear,
            align_corners: false,
        },
        &["f16[1,2,4,4]"],
        4e-3,
    );
    check(
        Resize {
            size: [8, 8],
            mode: Nearest,
            align_corners: false,
        },
        &["bf16[1,2,4,4]"],
        0.0,
    );
}

#[test]
fn reductions_over_any_dimensions() {
    use ReduceFn::*;
    for dims in [
        vec![],
        vec![1],
        vec![0, 2],
        vec![2, 3],
        vec![1, 2, 3],
        vec![0, 1, 2, 3],
    ] {
        for order in ["", "@[0,2,3,1]", "@[2,0,3,1]"] {
            for f in [Max, Mean, Min, Prod, Sum] {
                for (dtype, bound) in [("f32", 1e-5), ("f16", 4e-3)] {
                    // The product of many fractions is below the least f16.
                    if f == Prod && dtype == "f16" && dims.len() > 1 {
                        continue;
                    }
                    let x = format!("{dtype}[2,3,4,2]{order}");
                    check(
                        Reduce {
                            f,
                            dims: dims.clone(),
                        },
                        &[&x],
                        bound,
                    );
                }
                if f != Mean {
                    check(
                        Reduce {
                            f,
                            dims: dims.clone(),
                        },
                        &[&format!("i64[2,3,4,2]{order}")],
                        0.0,
                    );
                }
            }
            for f in [All, Any] {
                check(
                    Reduce {
                        f,
                        dims: dims.clone(),
                    },
                    &[&format!("bool[2,3,4,2]{order}")],
                    0.0,
                );
            }
        }
    }
    for max in [false, true] {
        for dim in 0..3 {
            for x in ["f32[3,4,5]@[2,0,1]", "i64[3,4,5]", "i8[3,4,5]"] {
                check(
                    ArgReduce {
                        max,
                        dim,
                        dtype: DType::I32,
                    },
                    &[x],
                    0.0,
                );
            }
        }
    }
}

#[test]
fn rearrangements_in_any_order() {
    let last = || Some(Order::channels_last(4));
    for dtype in ["f32", "i32", "bool"] {
        for order in ["", "@[0,2,3,1]", "@[3,0,2,1]"] {
            let x = format!("{dtype}[2,3,4,5]{order}");
            let run = |op: Op| check(op, &[&x], 0.0);
            run(Reorder {
                order: Order::channels_last(4),
            }
            .into());
            run(Reorder {
                order: Order::new([1, 3, 0, 2]).unwrap(),
            }
            .into());
            run(Reshape::to([2, 3, 20]).into());
            run(Reshape {
                shape: vec![2, 12, 5, 1],
                order: last(),
            }
            .into());
            run(Reshape {
                shape: vec![2, 3, 20],
                order: Order::new([0, 2, 1]).ok(),
            }
            .into());
            run(Permute::of([0, 2, 3, 1]).into());
            run(Permute {
                axes: vec![3, 1, 0, 2],
                order: last(),
            }
            .into());
            let (start, end, step) = (vec![0, 1, 0, 1], vec![2, 3, 4, 5], vec![1, 1, 3, 2]);
            run(Slice { start, end, step }.into());
            run(Flip { dims: vec![1, 3] }.into());
            check(Concat { dim: 1 }, &[&x, &x, &x], 0.0);
            for (mode, value) in [
                (
                    PadMode::Constant,
                    Some(if dtype == "bool" {
                        Scalar::Bool(true)
                    } else {
                        Scalar::Int(7)
                    }),
                ),
                (PadMode::Reflect, None),
                (PadMode::Edge, None),
            ] {
                let (before, after) = (vec![0, 1, 2, 0], vec![1, 0, 3, 1]);
                run(Pad {
                    before,
                    after,
                    mode,
                    value,
                }
                .into());
            }
        }
        check(
            Expand {
                shape: vec![2, 3, 4, 5],
            },
            &[&format!("{dtype}[2,1,4,1]@[0,2,3,1]")],
            0.0,
        );
    }
}

#[test]
fn look_ups() {
    for dtype in ["f32", "f16", "i64", "bool"] {
        for index in ["i64", "i32", "u8"] {
            let at = |shape: &str| format!("{index}{shape}");
            let x = |shape: &str| format!("{dtype}{shape}");
            check(Embedding {}, &[&x("[9,4]"), &at("[2,3]")], 0.0);
            check(IndexSelect { dim: 1 }, &[&x("[2,9,3]"), &at("[5]")], 0.0);
            check(Gather { dim: 1 }, &[&x("[2,9,3]"), &at("[2,4,3]")], 0.0);
            check(Gather { dim: 2 }, &[&x("[4,3,9]"), &at("[2,3,12]")], 0.0);
        }
    }
}

#[test]
fn attention_with_everything() {
    for (dtype, bound) in [("f32", 1e-5), ("f16", 4e-3), ("bf16", 3e-2)] {
        let t = |s: &str| format!("{dtype}{s}");
        let (q, k, v) = (t("[2,2,6,8]"), t("[2,2,9,8]"), t("[2,2,9,5]"));
        check(Attention::default(), &[&q, &k, &v], bound);
        let scaled = Attention {
            scale: Some(0.5),
            softcap: Some(3.0),
            causal: true,
            ..Attention::default()
        };
        check(scaled, &[&q, &k, &v], bound);
        let bias = Attention {
            bias: true,
            ..Attention::default()
        };
        check(bias, &[&q, &k, &v, &t("[1,2,1,9]")], bound);
    }
}

/// A mask that leaves the first keys out must change the result, and change it as defined.
#[test]
fn true_in_a_mask_leaves_the_key_out() {
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
    inputs[2] =
        mirage_ir::interp::Tensor::float([1, 1, 1, 6], [-1.0, 1.0, -1.0, 1.0, 1.0, 1.0]).unwrap();
    let run = mirage_ir::interp::run(&graph, &params, &inputs, &[]).unwrap();
    assert!(
        run.outputs[1]
            .floats()
            .unwrap()
            .iter()
            .any(|x| x.abs() > 0.01)
    );
    let d = difference(&graph, &params, &inputs, &[]);
    assert!(d.max_rel < 1e-5, "{d:?}");
}

#[test]
fn values_out_of_nothing() {
    let graph = text::parse(
        r#"graph "created" {
            %0: f16[2,3]@[1,0] = full() {ty = "f16[2,3]@[1,0]", value = 1.5}
            %1: i8[3] = constant() {ty = "i8[3]", values = [-128, 0, 127]}
            %2: bool[2] = constant() {ty = "bool[2]", values = [true, false]}
            %3: bf16[2] = constant() {ty = "bf16[2]", values = [0.1, -3.0]}
            %4: f64[2] = constant() {ty = "f64[2]", values = [0.1, 1e300]}
            %5: bool[2] = full() {ty = "bool[2]", value = true}
            output "a" = %0
            output "b" = %1
            output "c" = %2
            output "d" = %3
            output "e" = %4
            output "f" = %5
        }"#,
    )
    .unwrap();
    let d = difference(&graph, &mirage_ir::Params::new(), &[], &[]);
    assert!(d.max_rel < 4e-3, "{d:?}");
}
