//! Functions of elements in every dtype and order, against the definition in f64.

use crate::support::{bound, check, difference, noisy, ty};
use mirage_ir::{DType, Graph, GraphBuilder, GraphError, Scalar, ValueId, ops::*};

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
