//! Translates burn's operations to operations of the graph, a file for each of burn's families.
//!
//! A rule translates an operation into a [`Sketch`]. The sketch is added to the graph only if its results
//! have the dtypes and shapes that burn recorded. Otherwise, if a rule is wrong or the graph's operation is
//! more restrictive than burn's, the operation becomes an [`Extern`](mirage_ir::ops::Extern).

mod activation;
mod assign;
mod base;
mod float;
mod int_bool;
mod module;
mod numeric;
mod sketch;

use burn_ir::OperationIr;

pub(crate) use sketch::{Refusal, Sketch};

/// The result of a rule: the value is in the sketch, or the reason why there is none.
pub(crate) type Rule<T = ()> = Result<T, Refusal>;

/// Translates an operation into a sketch.
pub(crate) fn translate(operation: &OperationIr, s: &mut Sketch) -> Rule {
    match operation {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            base::translate(op, s)
        }
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => {
            numeric::translate(op, s)
        }
        OperationIr::Float(_, op) => float::translate(op, s),
        OperationIr::Int(op) => int_bool::int(op, s),
        OperationIr::Bool(op) => int_bool::bool(op, s),
        OperationIr::Module(op) => module::translate(op, s),
        OperationIr::Activation(op) => activation::translate(op, s),
        OperationIr::Init(_)
        | OperationIr::Custom(_)
        | OperationIr::Drop(_)
        | OperationIr::Distributed(_) => Err(Refusal::NoRule),
    }
}
