//! burn's operations as operations of the graph, a file for each of burn's families.
//!
//! A rule says in terms of a [`Sketch`] what an operation computes. Nothing reaches the graph
//! before the sketch's results have the dtypes and shapes that burn recorded, so a rule that is
//! wrong about burn, or an operation that is stricter than burn, costs an
//! [`Extern`](mirage_ir::ops::Extern) and no more.

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

/// What a rule gives: the value is in the sketch, or the reason why there is none.
pub(crate) type Rule<T = ()> = Result<T, Refusal>;

/// Sketches an operation.
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
