//! Matrix products.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    OpError, Operation, TensorType,
    interp::{
        Elements, Tensor,
        index::{self, broadcast_strides, offset},
        number::wrap,
    },
    op_bail, op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Linear>(), kind::<Matmul>()];

/// `matmul(a [batch…,M,K], b [batch…,K,N])`; batch dimensions broadcast. Row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matmul {}

/// `linear(x […,in], weight [in,out], bias [out]?)`: x·weight + bias on the last dimension.
/// Row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {}

impl Operation for Matmul {
    const NAMES: &'static [&'static str] = &["matmul"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 2..=2)?;
        let dtype = rules::same_dtype(inputs)?;
        op_ensure!(dtype != crate::DType::Bool, "takes numbers, got bool");
        rules::all_row_major(inputs)?;
        let (a, b) = (inputs[0], inputs[1]);
        let rank = a.rank();
        op_ensure!(
            rank >= 2 && b.rank() == rank,
            "inputs must have one rank of at least 2, got {a} and {b}"
        );
        let (m, k, n) = (a.shape[rank - 2], a.shape[rank - 1], b.shape[rank - 1]);
        op_ensure!(
            b.shape[rank - 2] == k,
            "inner dimensions differ: {a} and {b}"
        );
        let batch = |t: &TensorType| TensorType::new(dtype, &t.shape[..rank - 2]);
        let (mut shape, _) = rules::broadcast(&[&batch(a), &batch(b)])?;
        shape.extend([m, n]);
        Ok(vec![TensorType::new(dtype, shape)])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (a, b, out) = (inputs[0], inputs[1], &outputs[0]);
        let products = Products::new(a.shape(), b.shape(), &out.shape);
        let elements = match (a.elements(), b.elements()) {
            (Elements::Float(a), Elements::Float(b)) => {
                Elements::Float(products.map(|pairs| Ok(pairs.map(|(i, j)| a[i] * b[j]).sum()))?)
            }
            (Elements::Int(a), Elements::Int(b)) => Elements::Int(products.map(|pairs| {
                // Wrapping at 128 bits first gives the same result as wrapping at fewer bits.
                let terms = pairs.map(|(i, j)| i128::from(a[i]) * i128::from(b[j]));
                wrap(terms.fold(0, i128::wrapping_add), out.dtype)
            })?),
            (a, b) => op_bail!(
                "takes numbers of one dtype, got {} and {}",
                a.class(),
                b.class()
            ),
        };
        Ok(vec![Tensor::new(out.shape.clone(), elements)?])
    }

    fn flops(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        let k = inputs[0].shape[inputs[0].rank() - 1];
        rules::operations(&[2, outputs[0].numel(), k])
    }
}

impl Operation for Linear {
    const NAMES: &'static [&'static str] = &["linear"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 2..=3)?;
        rules::same_float(inputs)?;
        rules::all_row_major(inputs)?;
        let (x, w) = (inputs[0], inputs[1]);
        rules::rank("weight", w, 2)?;
        op_ensure!(x.rank() >= 1, "x must have at least one dimension");
        let (k, out) = (w.shape[0], w.shape[1]);
        op_ensure!(
            x.shape[x.rank() - 1] == k,
            "x {x} does not fit the weight {w} [in,out]"
        );
        if let Some(bias) = inputs.get(2) {
            rules::shape("bias", bias, &[out])?;
        }
        let mut shape = x.shape.clone();
        shape[x.rank() - 1] = out;
        Ok(vec![TensorType::new(x.dtype, shape)])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (x, w) = (inputs[0].floats()?, inputs[1].floats()?);
        let bias = inputs.get(2).map(|b| b.floats()).transpose()?;
        let [ins, outs] = [inputs[1].shape()[0], inputs[1].shape()[1]];
        let values = (0..outputs[0].numel()).map(|i| {
            let (row, o) = (i / outs * ins, i % outs);
            let product: f64 = (0..ins).map(|k| x[row + k] * w[k * outs + o]).sum();
            product + bias.map_or(0.0, |b| b[o])
        });
        Ok(vec![Tensor::float(
            outputs[0].shape.as_slice(),
            values.collect::<Vec<_>>(),
        )?])
    }

    fn flops(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        rules::operations(&[2, outputs[0].numel(), inputs[1].shape[0]])
    }
}

/// The elements of a and b that a matrix product multiplies for each element of the output.
struct Products<'a> {
    out: &'a [usize],
    inner: usize,
    /// Strides of the batch dimensions under an index into the output's.
    batch: [Vec<usize>; 2],
}

impl<'a> Products<'a> {
    fn new(a: &[usize], b: &[usize], out: &'a [usize]) -> Self {
        let matrix = out.len() - 2;
        let batch = [a, b].map(|shape| {
            let size: usize = shape[matrix..].iter().product();
            let strides = broadcast_strides(&shape[..matrix], &out[..matrix]);
            strides.into_iter().map(|s| s * size).collect()
        });
        Products {
            out,
            inner: a[matrix + 1],
            batch,
        }
    }

    /// Calls `f` with the pairs of offsets into a and b for each element of the output.
    fn map<T>(
        &self,
        f: impl Fn(&mut dyn Iterator<Item = (usize, usize)>) -> Result<T, OpError>,
    ) -> Result<Vec<T>, OpError> {
        let (matrix, inner) = (self.out.len() - 2, self.inner);
        index::try_map(self.out, |i| {
            let (batch, row, column) = (&i[..matrix], i[matrix], i[matrix + 1]);
            let a = offset(batch, &self.batch[0]) + row * inner;
            let b = offset(batch, &self.batch[1]) + column;
            f(&mut (0..inner).map(|k| (a + k, b + k * self.out[matrix + 1])))
        })
    }
}
