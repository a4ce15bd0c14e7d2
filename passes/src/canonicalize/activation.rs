//! Activations that burn records as chains of primitive operations.
//!
//! ```mirage before
//! graph "silu" {
//!   input %0 "x": f32[4]
//!   %1: f32[4] = sigmoid(%0)
//!   %2: f32[4] = mul(%0, %1)
//!   output "y" = %2
//! }
//! ```
//! ```mirage after
//! graph "silu" {
//!   input %0 "x": f32[4]
//!   %1: f32[4] = silu(%0)
//!   output "y" = %1
//! }
//! ```
//! ```mirage before
//! graph "gelu" {
//!   input %0 "x": f32[4]
//!   %1: f32[4] = div_scalar(%0) {value = 1.4142135623730951}
//!   %2: f32[4] = erf(%1)
//!   %3: f32[4] = add_scalar(%2) {value = 1.0}
//!   %4: f32[4] = mul(%0, %3)
//!   %5: f32[4] = mul_scalar(%4) {value = 0.5}
//!   output "y" = %5
//! }
//! ```
//! ```mirage after
//! graph "gelu" {
//!   input %0 "x": f32[4]
//!   %1: f32[4] = gelu(%0)
//!   output "y" = %1
//! }
//! ```
//! ```mirage before
//! graph "gelu_tanh" {
//!   input %0 "x": f32[4]
//!   %1: f32[4] = pow_scalar(%0) {value = 3.0}
//!   %2: f32[4] = mul_scalar(%1) {value = 0.044715}
//!   %3: f32[4] = add(%0, %2)
//!   %4: f32[4] = mul_scalar(%3) {value = 0.7978845608028654}
//!   %5: f32[4] = tanh(%4)
//!   %6: f32[4] = add_scalar(%5) {value = 1.0}
//!   %7: f32[4] = mul(%0, %6)
//!   %8: f32[4] = mul_scalar(%7) {value = 0.5}
//!   output "y" = %8
//! }
//! ```
//! ```mirage after
//! graph "gelu_tanh" {
//!   input %0 "x": f32[4]
//!   %1: f32[4] = gelu_tanh(%0)
//!   output "y" = %1
//! }
//! ```

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

use mirage_ir::{
    GraphError, Node, NodeId, ValueId,
    ops::{Binary, Unary},
};
use mirage_pass::rewrite::{Patch, View};

/// Whether a captured scalar is this constant, up to rounding to f32.
fn is(scalar: f64, constant: f64) -> bool {
    (scalar - constant).abs() <= 1e-6 * constant.abs()
}

fn raise(
    id: NodeId,
    node: &Node,
    f: Unary,
    x: ValueId,
    patch: &mut Patch,
) -> Result<(), GraphError> {
    let mut at = patch.at(id);
    let raised = at.op(f, &[x])?;
    at.replace(node.output(), raised)
}

/// Matches x·sigmoid(x).
pub(super) fn raise_silu(
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<(), GraphError> {
    let x = view.either(node.output(), Binary::Mul, |x, gate| {
        (view.unary(gate, Unary::Sigmoid) == Some(x)).then_some(x)
    });
    x.map_or(Ok(()), |x| raise(id, node, Unary::Silu, x, patch))
}

/// Matches x·(1 + erf(x/√2))·½, with the ½ anywhere in the product.
pub(super) fn raise_gelu(
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<(), GraphError> {
    let x = halved_gate(view, node.output(), |x, gate| {
        let (erf, one) = view.scalar(gate, Binary::Add)?;
        let inner = view.unary(erf, Unary::Erf)?;
        let scaled = match view.scalar(inner, Binary::Div) {
            Some((y, c)) => y == x && is(c, SQRT_2),
            None => view
                .scalar(inner, Binary::Mul)
                .is_some_and(|(y, c)| y == x && is(c, FRAC_1_SQRT_2)),
        };
        (one == 1.0 && scaled).then_some(x)
    });
    x.map_or(Ok(()), |x| raise(id, node, Unary::Gelu, x, patch))
}

/// Matches x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))·½, with the ½ anywhere in the product.
pub(super) fn raise_gelu_tanh(
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<(), GraphError> {
    let x = halved_gate(view, node.output(), |x, gate| {
        let (tanh, one) = view.scalar(gate, Binary::Add)?;
        let inner = view.unary(tanh, Unary::Tanh)?;
        let (sum, c) = view.scalar(inner, Binary::Mul)?;
        let cubic = view.either(sum, Binary::Add, |a, b| {
            let (cube, k) = view.scalar(b, Binary::Mul)?;
            let (base, exponent) = view.scalar(cube, Binary::Pow)?;
            (a == x && base == x && exponent == 3.0 && is(k, 0.044715)).then_some(())
        });
        let factor = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
        (one == 1.0 && is(c, factor) && cubic.is_some()).then_some(x)
    });
    x.map_or(Ok(()), |x| raise(id, node, Unary::GeluTanh, x, patch))
}

/// Returns x of x·gate·½ if `pick(x, gate)` is true; matches ½·(x·gate), (½·x)·gate and x·(½·gate).
fn halved_gate(
    view: &View,
    value: ValueId,
    pick: impl Fn(ValueId, ValueId) -> Option<ValueId>,
) -> Option<ValueId> {
    let half = |v: ValueId| {
        let by_product = view.scalar(v, Binary::Mul).filter(|(_, c)| *c == 0.5);
        by_product
            .or_else(|| view.scalar(v, Binary::Div).filter(|(_, c)| *c == 2.0))
            .map(|(x, _)| x)
    };
    if let Some(product) = half(value) {
        return view.either(product, Binary::Mul, &pick);
    }
    view.either(value, Binary::Mul, |a, b| match (half(a), half(b)) {
        (Some(x), _) => pick(x, b),
        (_, Some(gate)) => pick(a, gate),
        _ => None,
    })
}
