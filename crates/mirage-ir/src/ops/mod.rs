//! The operations, a file for each family, and the table of them all.
//!
//! To add one, implement [`Operation`] in the file of its family and add it to the family's `KINDS`: see
//! `docs/expert/adding-an-operation.md`.

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

pub use attention::*;
pub use binary::*;
pub use call::*;
pub use cast::*;
pub use conv::*;
pub use create::*;
pub use external::*;
pub use index::*;
pub use linear::*;
pub use norm::*;
pub use pad::*;
pub use pool::*;
pub use reduce::*;
pub use region::*;
pub use resize::*;
pub use scalar::*;
pub use shape::*;
pub use softmax::*;
pub use unary::*;
pub use unknown::*;

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

/// The kinds of each family.
static KINDS: &[&[Kind]] = &[
    attention::KINDS,
    binary::KINDS,
    call::KINDS,
    cast::KINDS,
    conv::KINDS,
    create::KINDS,
    external::KINDS,
    index::KINDS,
    linear::KINDS,
    norm::KINDS,
    pad::KINDS,
    pool::KINDS,
    reduce::KINDS,
    region::KINDS,
    resize::KINDS,
    shape::KINDS,
    softmax::KINDS,
    unary::KINDS,
];

static BY_NAME: LazyLock<BTreeMap<&'static str, Decode>> = LazyLock::new(|| {
    KINDS
        .iter()
        .copied()
        .flatten()
        .flat_map(|k| k.names.iter().map(|&n| (n, k.decode)))
        .collect()
});

/// Returns the names of all known operations in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}

/// Returns an operation from its name, attributes and body. An unknown name gives an [`Unknown`], which
/// keeps all of them, so that a graph survives a round trip. `outputs` are the stated output types, which
/// an unknown operation trusts.
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
