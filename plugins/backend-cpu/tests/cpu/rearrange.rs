//! Reductions, rearrangements, look-ups and constants, against the definition in f64.

use crate::support::{check, difference};
use mirage_ir::{DType, Op, Order, Scalar, ops::*, text};

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

/// burn-flex's look-ups of bools claim to be u8; what follows must not notice.
#[test]
fn bools_that_were_looked_up_are_bools() {
    let graph = text::parse(
        r#"graph "bools" {
            input %0 "x": bool[2,3]
            input %1 "i": i64[2,3]
            input %2 "line": i32[4]
            %3: bool[2,3] = gather(%0, %1) {dim = 1}
            %4: bool[2,6] = concat(%0, %3) {dim = 1}
            %5: bool[2,4] = index_select(%0, %2) {dim = 1}
            %6: bool[2,4] = not(%5)
            output "gathered" = %4
            output "selected" = %6
        }"#,
    )
    .unwrap();
    let (params, mut inputs) = crate::support::noisy(&graph);
    inputs[1] = mirage_ir::interp::Tensor::int([2, 3], [2, 0, 1, 1, 1, 0]).unwrap();
    inputs[2] = mirage_ir::interp::Tensor::int([4], [2, 2, 0, 1]).unwrap();
    assert_eq!(difference(&graph, &params, &inputs, &[]).max_abs, 0.0);
}
