//! Fragments of the tensor cores' products, addressed by hand: 16×8 results over a step of depth.
//!
//! Unit `4·g + t` of a plane holds rows g and g + 8 of the left operand, row g of the transposed right
//! one, and of the result rows g and g + 8, columns 2t and 2t + 1. Of every eight elements of depth it
//! holds 2t and 2t + 1. The fragments of f32 have t and t + 4 there; as both operands are taken in the
//! same sequence, the sum is the same, and a result is a left operand without moving.

use cubecl::{cmma::MmaDefinition, prelude::*, tf32};
use mirage_ir::DType;

/// How the tensor cores multiply. Sums are in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Arithmetic {
    /// f16 or bf16.
    Half,
    /// f32 rounded to tf32, whose fraction has 10 bits.
    Tf32,
    /// f32 as the sum of two tf32, of whose four products the three larger are summed: about as
    /// good as f32 (21 bits).
    Tf32x3,
}

impl Arithmetic {
    /// That of elements of this type; `rounded` if f32 may be tf32.
    pub(crate) fn of(dtype: DType, rounded: bool) -> Self {
        match (dtype, rounded) {
            (DType::F32, true) => Arithmetic::Tf32,
            (DType::F32, false) => Arithmetic::Tf32x3,
            _ => Arithmetic::Half,
        }
    }

    /// Elements of depth that a fragment takes at once.
    pub(crate) const fn step(self) -> usize {
        match self {
            Arithmetic::Half => 16,
            Arithmetic::Tf32 | Arithmetic::Tf32x3 => 8,
        }
    }
}

/// `sum += left · right` over a step of depth. `left` has a pair of row g and one of row g + 8 for every
/// eight elements of depth, `right` a pair.
#[cube]
pub(crate) fn accumulate<F: Float>(
    left: &Array<Vector<F, Const<2>>>,
    right: &Array<Vector<F, Const<2>>>,
    sum: &mut Array<Vector<f32, Const<2>>>,
    #[comptime] arithmetic: Arithmetic,
) {
    if comptime!(arithmetic == Arithmetic::Half) {
        let product = MmaDefinition::<F, F, f32>::new(16usize, 8usize, 16usize);
        product.execute_inplace(left, right, sum);
    } else {
        let product = MmaDefinition::<tf32, tf32, f32>::new(16usize, 8usize, 8usize);
        let mut left_high = Array::<Vector<tf32, Const<1>>>::new(4usize);
        let mut left_low = Array::<Vector<tf32, Const<1>>>::new(4usize);
        #[unroll]
        for i in 0..4usize {
            let x = f32::cast_from(left[comptime!(i % 2)].extract(comptime!(i / 2)));
            left_high[i] = rounded(x);
            left_low[i] = rest(x);
        }
        let mut right_high = Array::<Vector<tf32, Const<1>>>::new(2usize);
        let mut right_low = Array::<Vector<tf32, Const<1>>>::new(2usize);
        #[unroll]
        for i in 0..2usize {
            let x = f32::cast_from(right[0].extract(i));
            right_high[i] = rounded(x);
            right_low[i] = rest(x);
        }
        // The small ones first.
        if comptime!(arithmetic == Arithmetic::Tf32x3) {
            product.execute_inplace(&left_low, &right_high, sum);
            product.execute_inplace(&left_high, &right_low, sum);
        }
        product.execute_inplace(&left_high, &right_high, sum);
    }
}

/// The nearest tf32.
#[cube]
fn rounded(x: f32) -> Vector<tf32, Const<1>> {
    Vector::<tf32, Const<1>>::cast_from(Vector::<f32, Const<1>>::new(x))
}

/// What the nearest tf32 leaves, as a tf32.
#[cube]
fn rest(x: f32) -> Vector<tf32, Const<1>> {
    let whole = Vector::<f32, Const<1>>::new(x);
    let high = Vector::<f32, Const<1>>::cast_from(Vector::<tf32, Const<1>>::cast_from(whole));
    Vector::<tf32, Const<1>>::cast_from(whole - high)
}

/// Elements `column` and `column + 1` of a row in shared memory, of which `column` is even; `pitch` is
/// from row to row, in vectors.
#[cube]
pub(crate) fn pair<F: Float, N: Size>(
    rows: &Shared<[Vector<F, N>]>,
    row: usize,
    column: usize,
    #[comptime] pitch: usize,
) -> Vector<F, Const<2>> {
    let line = N::value();
    let pairs = rows.with_vector_size::<Const<2>>();
    pairs[(row * pitch * line + column) / 2]
}
