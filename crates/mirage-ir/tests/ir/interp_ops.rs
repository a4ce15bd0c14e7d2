//! Operations where PyTorch gives no reference: by hand, and where they fail.

use mirage_ir::{
    Attrs, DType, Graph, Op, Params, Scalar, TensorType,
    interp::{Elements, Tensor, run},
    ops::{self, Binary, Cast, Constant, Full, Unary, WithScalar},
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Runs one operation on tensors of these types.
fn apply(op: impl Into<Op>, inputs: &[(TensorType, Tensor)]) -> Result<Tensor> {
    let mut b = Graph::builder("one");
    let values: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(i, (ty, _))| b.input(format!("x{i}"), ty.clone()))
        .collect();
    let y = b.op(op, &values)?;
    b.output("y", y);
    let tensors: Vec<Tensor> = inputs.iter().map(|(_, t)| t.clone()).collect();
    Ok(run(&b.finish()?, &Params::new(), &tensors, &[])?
        .outputs
        .remove(0))
}

fn floats(shape: &[usize], values: &[f64]) -> Result<(TensorType, Tensor)> {
    Ok((
        TensorType::new(DType::F32, shape),
        Tensor::float(shape, values)?,
    ))
}

fn ints(dtype: DType, values: &[i64]) -> Result<(TensorType, Tensor)> {
    Ok((
        TensorType::new(dtype, [values.len()]),
        Tensor::int([values.len()], values)?,
    ))
}

#[test]
fn erf_is_exact_to_the_last_digits() -> Result<()> {
    // From mpmath, with 30 digits, rounded to f64.
    let table = [
        (1e-10, 1.1283791670955126e-10),
        (0.1, 0.1124629160182849),
        (0.5, 0.5204998778130465),
        (0.84375, 0.7672256612323416),
        (1.0, 0.8427007929497149),
        (1.25, 0.9229001282564583),
        (2.0, 0.9953222650189527),
        (2.857142857142857, 0.9999466876886117),
        (4.0, 0.9999999845827421),
        (5.5, 0.9999999999999927),
        (-0.3, -0.3286267594591274),
    ];
    let (x, want): (Vec<f64>, Vec<f64>) = table.into_iter().unzip();
    let got = apply(Unary::Erf, &[floats(&[x.len()], &x)?])?;
    for ((x, got), want) in x.iter().zip(got.floats()?).zip(want) {
        assert!(
            (got - want).abs() <= 1e-15 * want.abs(),
            "erf({x}) = {got}, must be {want}"
        );
    }
    Ok(())
}

#[test]
fn gelu_keeps_its_digits_far_below_zero() -> Result<()> {
    let (x, want) = (
        [-10.0, -20.0, -3.5],
        [
            -7.619853024160526e-23,
            -5.507248237212468e-88,
            -0.0008142017766243376,
        ],
    );
    let got = apply(Unary::Gelu, &[floats(&[3], &x)?])?;
    for (got, want) in got.floats()?.iter().zip::<[f64; 3]>(want) {
        assert!(
            (got - want).abs() <= 1e-13 * want.abs(),
            "{got}, must be {want}"
        );
    }
    Ok(())
}

#[test]
fn broadcasting_stretches_both_sides() -> Result<()> {
    let (a, b) = (
        floats(&[2, 1], &[1.0, 2.0])?,
        floats(&[1, 3], &[10.0, 20.0, 30.0])?,
    );
    let sum = apply(Binary::Add, &[a, b])?;
    assert_eq!(
        sum,
        Tensor::float([2, 3], [11.0, 21.0, 31.0, 12.0, 22.0, 32.0])?
    );
    Ok(())
}

#[test]
fn floats_are_rounded_by_casts_alone() -> Result<()> {
    let third = 1.0 / 3.0;
    let kept = apply(
        WithScalar::float(Binary::Mul, 1.0),
        &[floats(&[1], &[third])?],
    )?;
    assert_eq!(kept.floats()?, [third]);
    let cast = apply(Cast { dtype: DType::F32 }, &[floats(&[1], &[third])?])?;
    assert_eq!(cast.floats()?, [f64::from(1.0f32 / 3.0)]);
    Ok(())
}

#[test]
fn casts_to_integers_saturate() -> Result<()> {
    let x = floats(&[5], &[1e30, -1e30, f64::NAN, f64::INFINITY, 2.9])?;
    for (dtype, want) in [
        (DType::I8, [127, -128, 0, 127, 2]),
        (DType::U8, [255, 0, 0, 255, 2]),
        (
            DType::I32,
            [
                i64::from(i32::MAX),
                i64::from(i32::MIN),
                0,
                i64::from(i32::MAX),
                2,
            ],
        ),
        (DType::I64, [i64::MAX, i64::MIN, 0, i64::MAX, 2]),
    ] {
        assert_eq!(
            apply(Cast { dtype }, std::slice::from_ref(&x))?.ints()?,
            want,
            "{dtype}"
        );
    }
    Ok(())
}

#[test]
fn integers_wrap_at_their_width() -> Result<()> {
    for (dtype, max, min) in [
        (DType::I64, i64::MAX, i64::MIN),
        (DType::I32, i64::from(i32::MAX), i64::from(i32::MIN)),
        (DType::U16, 65535, 0),
    ] {
        let x = ints(dtype, &[max])?;
        let sum = apply(
            WithScalar {
                f: Binary::Add,
                value: Scalar::Int(1),
            },
            std::slice::from_ref(&x),
        )?;
        assert_eq!(sum.ints()?, [min], "{dtype}");
        let square = apply(Unary::Square, &[x])?;
        assert_eq!(square.ints()?, [1], "{dtype}");
    }
    let quotient = apply(
        Binary::Div,
        &[ints(DType::I64, &[i64::MIN])?, ints(DType::I64, &[-1])?],
    )?;
    assert_eq!(quotient.ints()?, [i64::MIN]);
    Ok(())
}

#[test]
fn a_u64_beyond_the_interpreters_integers_is_an_error_not_another_number() -> Result<()> {
    let x = ints(DType::U64, &[0])?;
    let error = apply(
        WithScalar {
            f: Binary::Sub,
            value: Scalar::Int(1),
        },
        &[x],
    )
    .expect_err("2^64-1");
    assert!(
        error.to_string().contains("interpreter's largest integer"),
        "{error}"
    );
    Ok(())
}

#[test]
fn dividing_an_integer_by_zero_is_an_error() -> Result<()> {
    for f in [Binary::Div, Binary::Rem] {
        let x = ints(DType::I32, &[1, 2])?;
        assert!(apply(f, &[x.clone(), ints(DType::I32, &[1, 0])?]).is_err());
        assert!(
            apply(
                WithScalar {
                    f,
                    value: Scalar::Int(0)
                },
                &[x]
            )
            .is_err()
        );
    }
    Ok(())
}

#[test]
fn a_scalar_must_be_a_value_of_the_dtype() -> Result<()> {
    let add = |value| WithScalar {
        f: Binary::Add,
        value,
    };
    assert!(apply(add(Scalar::Int(200)), &[ints(DType::I8, &[1])?]).is_err());
    assert!(apply(add(Scalar::Float(0.5)), &[ints(DType::I32, &[1])?]).is_err());
    assert_eq!(
        apply(add(Scalar::Int(2)), &[floats(&[1], &[0.5])?])?.floats()?,
        [2.5]
    );
    Ok(())
}

#[test]
fn logic_with_a_scalar() -> Result<()> {
    let x = (
        TensorType::new(DType::Bool, [2]),
        Tensor::bool([2], [true, false])?,
    );
    let with = |f, b| {
        apply(
            WithScalar {
                f,
                value: Scalar::Bool(b),
            },
            std::slice::from_ref(&x),
        )
    };
    assert_eq!(with(Binary::And, true)?.bools()?, [true, false]);
    assert_eq!(with(Binary::Or, true)?.bools()?, [true, true]);
    assert_eq!(with(Binary::Xor, true)?.bools()?, [false, true]);
    Ok(())
}

#[test]
fn values_out_of_nothing() -> Result<()> {
    let ty = TensorType::new(DType::I32, [2, 2]);
    let full = apply(
        Full {
            ty: ty.clone(),
            value: Scalar::Int(7),
        },
        &[],
    )?;
    assert_eq!(full, Tensor::int([2, 2], [7; 4])?);
    let values = vec![
        Scalar::Int(1),
        Scalar::Int(2),
        Scalar::Int(3),
        Scalar::Int(4),
    ];
    assert_eq!(
        apply(Constant { ty, values }, &[])?,
        Tensor::int([2, 2], [1, 2, 3, 4])?
    );
    Ok(())
}

#[test]
fn a_query_without_keys_is_zero_and_the_others_are_not() -> Result<()> {
    let q = floats(&[1, 1, 2, 1], &[1.0, 2.0])?;
    let k = floats(&[1, 1, 2, 1], &[1.0, 2.0])?;
    let mask = [true, true, true, false];
    let mask = (
        TensorType::new(DType::Bool, [1, 1, 2, 2]),
        Tensor::bool([1, 1, 2, 2], mask)?,
    );
    let op = ops::Attention {
        mask: true,
        ..ops::Attention::default()
    };
    let out = apply(op, &[q, k.clone(), k, mask])?;
    assert_eq!(out.floats()?[0], 0.0);
    assert_eq!(out.floats()?[1], 2.0);
    Ok(())
}

#[test]
fn an_operation_unknown_here_says_so() -> Result<()> {
    let ty = TensorType::new(DType::F32, [1]);
    let op = ops::decode("from_the_future", Attrs::new(), None, &[ty])?;
    let error = apply(op, &[floats(&[1], &[1.0])?])
        .expect_err("unknown")
        .to_string();
    assert!(
        error.contains("from_the_future") && error.contains("unknown to this build"),
        "{error}"
    );
    Ok(())
}

#[test]
fn types_that_memory_cannot_hold_are_refused() -> Result<()> {
    let x = floats(&[1, 1, 1], &[1.0])?;
    let huge = usize::MAX / 2;
    let pad = |mode| ops::Pad {
        before: vec![0, huge, huge],
        after: vec![0, huge, huge],
        mode,
        value: (mode == ops::PadMode::Constant).then_some(Scalar::Float(0.0)),
    };
    assert!(apply(pad(ops::PadMode::Constant), std::slice::from_ref(&x)).is_err());
    assert!(apply(pad(ops::PadMode::Edge), std::slice::from_ref(&x)).is_err());
    assert!(
        apply(
            ops::Expand {
                shape: vec![huge, 2, 3]
            },
            std::slice::from_ref(&x)
        )
        .is_err()
    );
    assert!(apply(ops::Reshape::to([huge, 4, 1]), std::slice::from_ref(&x)).is_err());
    let conv = |n: usize| ops::Conv {
        stride: vec![1],
        padding: vec![n],
        dilation: vec![n],
        groups: 1,
    };
    assert!(
        apply(
            conv(usize::MAX),
            &[x.clone(), floats(&[1, 1, 2], &[1.0; 2])?]
        )
        .is_err()
    );
    // A weight, or x, of another rank is an error too.
    assert!(apply(conv(1), &[x, floats(&[1], &[1.0])?]).is_err());
    assert!(apply(conv(1), &[floats(&[1], &[1.0])?, floats(&[1], &[1.0])?]).is_err());
    Ok(())
}

#[test]
fn sums_and_products_of_nothing() -> Result<()> {
    let none = floats(&[1, 0], &[])?;
    let reduce = |f| {
        apply(
            ops::Reduce { f, dims: vec![1] },
            std::slice::from_ref(&none),
        )
    };
    assert_eq!(reduce(ops::ReduceFn::Sum)?.floats()?, [0.0]);
    assert_eq!(reduce(ops::ReduceFn::Prod)?.floats()?, [1.0]);
    assert!(reduce(ops::ReduceFn::Max).is_err());
    Ok(())
}

#[test]
fn nan_is_not_lost() -> Result<()> {
    let x = floats(&[1, 1, 3], &[1.0, f64::NAN, 2.0])?;
    let pool = ops::MaxPool {
        kernel: vec![2],
        stride: vec![1],
        padding: vec![0],
        dilation: vec![1],
        ceil_mode: false,
    };
    for op in [
        Op::new(pool),
        Op::new(ops::Reduce {
            f: ops::ReduceFn::Max,
            dims: vec![2],
        }),
        Op::new(ops::Reduce {
            f: ops::ReduceFn::Min,
            dims: vec![2],
        }),
        Op::new(WithScalar::float(Binary::Max, 0.0)),
        Op::new(Unary::Relu),
    ] {
        let Elements::Float(v) = apply(op.clone(), std::slice::from_ref(&x))?
            .elements()
            .clone()
        else {
            panic!("{op:?} gives floats")
        };
        assert!(v.iter().any(|x| x.is_nan()), "{op:?}: {v:?}");
    }
    Ok(())
}
