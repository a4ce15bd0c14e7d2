//! The generic kernel of every operation, a file for each family.

mod attention;
mod binary;
mod cast;
mod conv;
mod create;
mod external;
mod index;
mod linear;
mod norm;
mod pool;
mod reduce;
mod resize;
mod shape;
mod softmax;
mod unary;

use burn_backend::{Backend, tensor::FloatTensor};
use mirage_ir::{DType, Order, TensorType};

use crate::{Args, Kernel, NodeContext, Storage, Tensor, TypedArgs};

/// Returns a family's kernel: `None` if the operation is of another family, an error if it cannot run.
type Lowered<B> = Option<Result<Kernel<B>, String>>;

type Family<B> = fn(&NodeContext<'_, B>) -> Lowered<B>;

/// Returns the generic kernel of a node, or why there is none.
pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Result<Kernel<B>, String> {
    let families: [Family<B>; 15] = [
        attention::lower,
        binary::lower,
        cast::lower,
        conv::lower,
        create::lower,
        external::lower,
        index::lower,
        linear::lower,
        norm::lower,
        pool::lower,
        reduce::lower,
        resize::lower,
        shape::lower,
        softmax::lower,
        unary::lower,
    ];
    families
        .iter()
        .find_map(|family| family(cx))
        .unwrap_or_else(|| {
            Err(
                "it is unknown to this backend: a newer version or a plugin made this graph"
                    .to_owned(),
            )
        })
}

/// Returns a kernel with one result.
fn kernel<B: Backend>(
    f: impl Fn(&mut Args<'_, B>) -> Tensor<B> + Send + Sync + 'static,
) -> Kernel<B> {
    Box::new(move |args| {
        let result = f(args);
        args.set(0, result);
        Ok(())
    })
}

/// Returns a kernel with one float operand and one float result, both in their physical shapes.
fn float_map<B: Backend>(
    f: impl Fn(FloatTensor<B>) -> FloatTensor<B> + Send + Sync + 'static,
) -> Kernel<B> {
    kernel(move |args| Tensor::Float(f(args.float(0))))
}

/// Returns the dtype for sums: f32 for half precision, else the dtype itself.
fn accumulator(dtype: DType) -> DType {
    if matches!(dtype, DType::F16 | DType::BF16) {
        DType::F32
    } else {
        dtype
    }
}

/// Casts a float tensor, unless it has the dtype.
fn cast_float<B: Backend>(
    x: FloatTensor<B>,
    from: DType,
    to: DType,
    storage: &Storage,
) -> FloatTensor<B> {
    if from == to {
        x
    } else {
        B::float_cast(x, storage.float(to))
    }
}

/// Whether the type is channels last, with dimension 1 innermost.
fn is_channels_last(ty: &TensorType) -> bool {
    mirage_ir::same_layout(&ty.shape, &ty.order, &Order::channels_last(ty.rank()))
}

/// Converts a list to an array of the length that the engine's function expects.
fn fixed<const N: usize>(values: &[usize]) -> [usize; N] {
    std::array::from_fn(|i| values[i])
}
