//! The operations, a file for each family, and the table of them all.
//!
//! To add one: a type that implements [`Operation`] in a file here, and its line in the table.

mod attention;
mod binary;
mod call;
mod cast;
mod conv;
mod create;
mod external;
mod index;
mod linear;
mod norm;
mod pad;
mod pool;
mod reduce;
mod region;
mod resize;
mod rules;
mod scalar;
mod shape;
mod softmax;
mod unary;
mod unknown;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

pub use attention::Attention;
pub use binary::{Binary, Select, WithScalar};
pub use call::Call;
pub use cast::{Cast, Reorder};
pub use conv::{Conv, ConvTranspose};
pub use create::{Constant, Full};
pub use external::Extern;
pub use index::{Embedding, Gather, IndexSelect};
pub use linear::{Linear, Matmul};
pub use norm::{BatchNorm, GroupNorm, LayerNorm};
pub use pad::{Pad, PadMode};
pub use pool::{AdaptiveAvgPool, AvgPool, MaxPool};
pub use reduce::{ArgReduce, Reduce, ReduceFn};
pub use region::Region;
pub use resize::{Resize, ResizeMode};
pub use scalar::Scalar;
pub use shape::{Concat, Expand, Flip, Permute, Reshape, Slice};
pub use softmax::Softmax;
pub use unary::Unary;
pub use unknown::Unknown;

use crate::{Attrs, Graph, Op, OpError, Operation, TensorType};

/// A kind of operation in the table.
struct Kind {
    names: &'static [&'static str],
    decode: Decode,
}

type Decode = fn(&str, Attrs, Option<Arc<Graph>>) -> Result<Op, OpError>;

const fn kind<T: Operation>() -> Kind {
    Kind {
        names: T::NAMES,
        decode: |name, attrs, body| T::decode(name, attrs, body).map(Op::new),
    }
}

static KINDS: &[Kind] = &[
    kind::<AdaptiveAvgPool>(),
    kind::<ArgReduce>(),
    kind::<Attention>(),
    kind::<AvgPool>(),
    kind::<BatchNorm>(),
    kind::<Binary>(),
    kind::<Call>(),
    kind::<Cast>(),
    kind::<Concat>(),
    kind::<Constant>(),
    kind::<Conv>(),
    kind::<ConvTranspose>(),
    kind::<Embedding>(),
    kind::<Expand>(),
    kind::<Extern>(),
    kind::<Flip>(),
    kind::<Full>(),
    kind::<Gather>(),
    kind::<GroupNorm>(),
    kind::<IndexSelect>(),
    kind::<LayerNorm>(),
    kind::<Linear>(),
    kind::<Matmul>(),
    kind::<MaxPool>(),
    kind::<Pad>(),
    kind::<Permute>(),
    kind::<Reduce>(),
    kind::<Region>(),
    kind::<Reorder>(),
    kind::<Reshape>(),
    kind::<Resize>(),
    kind::<Select>(),
    kind::<Slice>(),
    kind::<Softmax>(),
    kind::<Unary>(),
    kind::<WithScalar>(),
];

static BY_NAME: LazyLock<BTreeMap<&'static str, Decode>> = LazyLock::new(|| {
    KINDS
        .iter()
        .flat_map(|k| k.names.iter().map(|&n| (n, k.decode)))
        .collect()
});

/// The names of every known operation, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}

/// An operation from its name, attributes and body. A name that this build does not know gives an
/// [`Unknown`], which keeps everything, so that a graph survives a round trip; `outputs` are the
/// output types that the form states, which an unknown operation trusts.
pub fn decode(
    name: &str,
    attrs: Attrs,
    body: Option<Arc<Graph>>,
    outputs: &[TensorType],
) -> Result<Op, OpError> {
    match BY_NAME.get(name) {
        Some(decode) => decode(name, attrs, body),
        None => Ok(Op::new(Unknown::new(name, attrs, body, outputs))),
    }
}
