//! Operations on integers only and on bools only.

use burn_ir::{BoolOperationIr, IntOperationIr};
use mirage_ir::ops::{Binary, Unary};

use super::{Refusal, Rule, Sketch, base, float};

pub(super) fn int(op: &IntOperationIr, s: &mut Sketch) -> Rule {
    match op {
        IntOperationIr::IntoFloat(op) => base::cast(op, s),
        IntOperationIr::Matmul(op) => float::matmul(op, s),
        // Bitwise operations.
        _ => Err(Refusal::NoRule),
    }
}

pub(super) fn bool(op: &BoolOperationIr, s: &mut Sketch) -> Rule {
    match op {
        BoolOperationIr::IntoFloat(op) | BoolOperationIr::IntoInt(op) => base::cast(op, s),
        BoolOperationIr::Not(op) => s.unary(Unary::Not, op),
        BoolOperationIr::And(op) => s.binary(Binary::And, op),
        BoolOperationIr::Or(op) => s.binary(Binary::Or, op),
        BoolOperationIr::Xor(op) => s.binary(Binary::Xor, op),
    }
}
