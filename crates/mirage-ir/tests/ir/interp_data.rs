//! Tensors: their making, their bytes in every dtype, and how far one is from another.

use half::{bf16, f16};
use mirage_ir::{
    DType, Scalar, TensorData, TensorType,
    interp::{Difference, Elements, Tensor, index, number},
};

fn floats(values: &[f64]) -> Tensor {
    Tensor::float([values.len()], values).expect("the shape fits")
}

fn ints(values: &[i64]) -> Tensor {
    Tensor::int([values.len()], values).expect("the shape fits")
}

#[test]
fn shape_and_elements_must_fit() {
    let error = Tensor::float([2, 3], [0.0; 5]).expect_err("five elements");
    assert_eq!(
        error.to_string(),
        "a tensor of shape [2, 3] cannot have 5 elements"
    );
    // The product of these lengths is 0 once it has wrapped.
    assert!(Tensor::new([usize::MAX / 2 + 1, 4], Elements::Int(vec![])).is_err());
    assert!(Tensor::bool([], [true]).is_ok());
}

#[test]
fn elements_of_another_class_are_an_error() {
    let error = floats(&[1.0]).ints().expect_err("floats");
    assert_eq!(error.to_string(), "expected integers, got floats");
    assert!(ints(&[1]).bools().is_err());
    assert!(floats(&[1.0]).to_data(DType::I32).is_err());
    assert!(ints(&[1]).to_data(DType::F32).is_err());
}

#[test]
fn every_dtype_survives_the_way_to_bytes_and_back() {
    for dtype in DType::ALL {
        let ty = TensorType::new(dtype, [2, 3]);
        let values = [0, 1, 2, 100, 3, 7].map(|i| match dtype {
            DType::Bool => Scalar::Bool(i % 2 == 1),
            d if d.is_float() => Scalar::Float(f64::from(i) / 4.0),
            _ => Scalar::Int(i64::from(i)),
        });
        let tensor = Tensor::from_scalars(&ty, &values).expect("values of the dtype");
        let data = tensor.to_data(dtype).expect("values of the dtype");
        assert_eq!((data.dtype, data.bytes().len()), (dtype, 6 * dtype.size()));
        assert_eq!(Tensor::from_data(&data), Ok(tensor), "{dtype}");
    }
    for dtype in [DType::I64, DType::I32, DType::I16, DType::I8] {
        let tensor = ints(&[-1, -128, 127]);
        let data = tensor.to_data(dtype).expect("values of the dtype");
        assert_eq!(Tensor::from_data(&data), Ok(tensor), "{dtype}");
    }
}

#[test]
fn bytes_are_little_endian_in_logical_sequence() {
    let data = ints(&[1, -2]).to_data(DType::I16).expect("values of i16");
    assert_eq!(data.bytes(), [1, 0, 0xfe, 0xff]);
    let data = floats(&[1.0, -2.5]).to_data(DType::F16).expect("floats");
    let want = [
        f16::from_f32(1.0).to_le_bytes(),
        f16::from_f32(-2.5).to_le_bytes(),
    ]
    .concat();
    assert_eq!(data.bytes(), want);
    let data = Tensor::bool([3], [true, false, true]).and_then(|t| t.to_data(DType::Bool));
    assert_eq!(data.expect("bools").bytes(), [1, 0, 1]);
}

#[test]
fn integers_beyond_their_dtype_are_an_error() {
    let error = ints(&[300]).to_data(DType::U8).expect_err("beyond u8");
    assert_eq!(error.to_string(), "300 is not a value of u8");
    assert!(ints(&[-1]).to_data(DType::U64).is_err());
    let large = TensorData::new(DType::U64, [1], u64::MAX.to_le_bytes()).expect("eight bytes");
    assert!(Tensor::from_data(&large).is_err());
}

#[test]
fn half_floats_are_rounded_once() {
    // Just above the middle of 1 and the next half float: by way of f32 it would be the middle,
    // which goes to 1.
    let above = 1.0 + 2f64.powi(-11) + 2f64.powi(-40);
    assert_eq!(number::round_to(above, DType::F16), 1.0 + 2f64.powi(-10));
    assert_eq!(number::round_to(1.0 + 2f64.powi(-11), DType::F16), 1.0);
    let above = 1.0 + 2f64.powi(-8) + 2f64.powi(-40);
    assert_eq!(number::round_to(above, DType::BF16), 1.0 + 2f64.powi(-7));
    assert_eq!(number::round_to(-above, DType::BF16), -1.0 - 2f64.powi(-7));
    assert_eq!(number::round_to(1e300, DType::F16), f64::INFINITY);
    assert_eq!(number::round_to(1e-300, DType::BF16), 0.0);
    assert!(number::round_to(f64::NAN, DType::F16).is_nan());
    // Every half float is its own rounding, and the middle of two goes to the even one.
    for bits in 0..0x7bff_u16 {
        let [x, next] = [bits, bits + 1].map(|b| f16::from_bits(b).to_f64());
        assert_eq!(number::round_to(x, DType::F16), x);
        let even = if bits % 2 == 0 { x } else { next };
        assert_eq!(number::round_to((x + next) / 2.0, DType::F16), even);
        let [x, next] = [bits, bits + 1].map(|b| bf16::from_bits(b).to_f64());
        let even = if bits % 2 == 0 { x } else { next };
        assert_eq!(number::round_to((x + next) / 2.0, DType::BF16), even);
    }
}

#[test]
fn indices_come_in_row_major_sequence() {
    let seen = index::map(&[2, 3], |i| (i[0], i[1]));
    assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    assert_eq!(index::map(&[], |i| i.len()), [0]);
    assert!(index::map(&[2, 0, 3], |_| ()).is_empty());
    assert_eq!(index::strides(&[2, 3, 4]), [12, 4, 1]);
    assert_eq!(index::broadcast_strides(&[2, 1, 4], &[2, 3, 4]), [4, 0, 1]);
    let lanes: Vec<Vec<usize>> = index::lanes(&[2, 2, 2], 1)
        .map(|l| l.offsets().collect())
        .collect();
    assert_eq!(lanes, [[0, 2], [1, 3], [4, 6], [5, 7]]);
}

#[test]
fn equal_tensors_differ_by_nothing() {
    for t in [
        floats(&[1.0, f64::NAN, f64::INFINITY]),
        floats(&[0.0]),
        floats(&[]),
        ints(&[i64::MIN]),
    ] {
        assert_eq!(Difference::between(&t, &t), Ok(Difference::default()));
    }
}

#[test]
fn differences_are_in_units_of_the_reference() {
    let d = Difference::between(&floats(&[3.0, 4.5, 0.0]), &floats(&[3.0, 4.0, 0.0]))
        .expect("one shape");
    assert_eq!(
        d,
        Difference {
            max_abs: 0.5,
            max_rel: 0.125,
            rel_l2: 0.1
        }
    );
    let d = Difference::between(&ints(&[i64::MAX]), &ints(&[i64::MIN])).expect("one shape");
    assert_eq!(d.max_abs, 2f64.powi(64));
}

#[test]
fn a_zeroed_candidate_shows() {
    let d =
        Difference::between(&floats(&[0.0; 3]), &floats(&[1e-9, -2e-9, 2e-9])).expect("one shape");
    assert_eq!((d.max_abs, d.max_rel, d.rel_l2), (2e-9, 1.0, 1.0));
    let d = Difference::between(&floats(&[1e-30]), &floats(&[0.0])).expect("one shape");
    assert_eq!((d.max_rel, d.rel_l2), (f64::INFINITY, f64::INFINITY));
}

#[test]
fn what_is_not_finite_in_one_alone_is_infinitely_far() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    for (a, b) in [
        (nan, 1.0),
        (1.0, nan),
        (inf, 1.0),
        (1.0, inf),
        (inf, -inf),
        (nan, inf),
    ] {
        let d = Difference::between(&floats(&[a, 2.0]), &floats(&[b, 2.0])).expect("one shape");
        assert_eq!((d.max_abs, d.max_rel), (inf, inf), "{a} {b}");
        assert!(d.rel_l2 == inf, "{a} {b}: {d:?}");
    }
}

#[test]
fn only_tensors_of_one_shape_and_class_compare() {
    assert!(Difference::between(&floats(&[1.0]), &floats(&[1.0, 2.0])).is_err());
    assert!(Difference::between(&floats(&[1.0]), &ints(&[1])).is_err());
}
