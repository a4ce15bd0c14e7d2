//! Functions of one, two and three elements.

use super::generator::{Generator, Operand, Recipe};
use crate::{
    DType, GraphError, TensorType,
    ops::{Binary, Cast, Select, Unary, WithScalar},
};

pub(super) const RECIPES: &[Recipe] = &[
    unary_float,
    unary_float,
    unary_other,
    binary_float,
    binary_float,
    binary_other,
    select,
    cast,
];

/// The domain of a function, to which its operand is mapped.
#[derive(Clone, Copy, PartialEq)]
enum Domain {
    /// Everywhere.
    All,
    /// Up to a magnitude of 4.
    Small,
    /// Inside −0.9 … 0.9.
    Unit,
    /// From 0.5 on.
    Positive,
}

/// The largest result on operands up to a magnitude.
type Bound = fn(f64) -> f64;

/// Functions of a float with their domains and bounds.
const UNARY: &[(Unary, Domain, Bound)] = &[
    (Unary::Abs, Domain::All, |b| b),
    (Unary::Acos, Domain::Unit, |_| 3.2),
    (Unary::Asin, Domain::Unit, |_| 1.6),
    (Unary::Atan, Domain::All, |_| 1.6),
    (Unary::Ceil, Domain::All, |b| b + 1.0),
    (Unary::Cos, Domain::All, |_| 1.0),
    (Unary::Cosh, Domain::Small, f64::cosh),
    (Unary::Erf, Domain::All, |_| 1.0),
    (Unary::Exp, Domain::Small, f64::exp),
    (Unary::Floor, Domain::All, |b| b + 1.0),
    (Unary::Gelu, Domain::All, |b| b),
    (Unary::GeluTanh, Domain::All, |b| b),
    (Unary::IsInf, Domain::All, |_| 1.0),
    (Unary::IsNan, Domain::All, |_| 1.0),
    (Unary::Log, Domain::Positive, |b| (b + 1.0).ln().max(1.0)),
    (Unary::Log1p, Domain::Positive, f64::ln_1p),
    (Unary::Neg, Domain::All, |b| b),
    (Unary::Recip, Domain::Positive, |_| 2.0),
    (Unary::Relu, Domain::All, |b| b),
    (Unary::Round, Domain::All, |b| b + 1.0),
    (Unary::Rsqrt, Domain::Positive, |_| 2.0),
    (Unary::Sigmoid, Domain::All, |_| 1.0),
    (Unary::Sign, Domain::All, |_| 1.0),
    (Unary::Silu, Domain::All, |b| b),
    (Unary::Sin, Domain::All, |_| 1.0),
    (Unary::Sinh, Domain::Small, f64::sinh),
    (Unary::Sqrt, Domain::Positive, f64::sqrt),
    (Unary::Square, Domain::All, |b| b * b),
    (Unary::Tan, Domain::Unit, |_| 1.3),
    (Unary::Tanh, Domain::All, |_| 1.0),
    (Unary::Trunc, Domain::All, |b| b),
];

fn jumps(f: Unary) -> bool {
    matches!(
        f,
        Unary::Ceil | Unary::Floor | Unary::Round | Unary::Sign | Unary::Trunc
    )
}

fn name(op: impl Into<crate::Op>) -> String {
    op.into().name().into_owned()
}

impl Generator<'_> {
    /// The operand, brought into a domain; `None` if the options do not allow what that takes.
    fn inside(&mut self, x: Operand, domain: Domain) -> Result<Option<Operand>, GraphError> {
        let needs: &[&str] = match domain {
            Domain::All => return Ok(Some(x)),
            Domain::Small if x.bound <= 4.0 => return Ok(Some(x)),
            Domain::Small => &["tanh"],
            Domain::Unit => &["tanh", "mul_scalar"],
            Domain::Positive => &["square", "add_scalar"],
        };
        if !self.allows(needs) {
            return Ok(None);
        }
        if domain == Domain::Positive {
            // Not through `node`, which might scale the square so far down that nothing is left.
            let square = self.builder.op(Unary::Square, &[x.value])?;
            let shift = WithScalar::float(Binary::Add, 0.5);
            let value = self.builder.op(shift, &[square])?;
            return Ok(Some(Operand {
                value,
                bound: x.bound * x.bound + 0.5,
            }));
        }
        let bounded = self.node(Unary::Tanh, &[x.value], 1.0)?;
        if domain == Domain::Small {
            return Ok(Some(bounded));
        }
        Ok(Some(self.node(
            WithScalar::float(Binary::Mul, 0.9),
            &[bounded.value],
            0.9,
        )?))
    }

    /// A value that broadcasts to the operand's type: one that there is, or a new one.
    fn partner(&mut self, x: Operand) -> Result<Operand, GraphError> {
        let ty = self.ty(x);
        if self.rng.chance(0.5)
            && let Some(other) = self.pick(|t| t.same_memory(&ty))
        {
            return Ok(other);
        }
        let mut small = ty.clone();
        for d in 0..ty.rank() {
            if self.rng.chance(0.4) {
                small.shape[d] = 1;
            }
        }
        let (value, bound) = match ty.dtype {
            DType::Bool => (self.bools(small)?, 1.0),
            d if d.is_float() => (self.floats(small, -1.0, 1.0)?, self.options.range),
            _ => {
                if !ty.is_row_major() {
                    // Integers are made row-major; one number broadcasts to any order.
                    small.shape.fill(1);
                }
                let value = self.ints(&small.shape, -9, 9)?;
                let same = self.builder.ty(value).dtype == ty.dtype;
                (
                    if same {
                        value
                    } else {
                        self.builder.op(Cast { dtype: ty.dtype }, &[value])?
                    },
                    9.0,
                )
            }
        };
        Ok(Operand { value, bound })
    }
}

fn unary_float(g: &mut Generator) -> Result<bool, GraphError> {
    let options = g.options;
    let allowed: Vec<_> = UNARY
        .iter()
        .filter(|(f, ..)| !(options.continuous && jumps(*f)) && g.allows(&[&name(*f)]))
        .collect();
    let Some(&&(f, domain, bound)) = g.rng.choose(&allowed) else {
        return Ok(false);
    };
    let Some(x) = g.pick(|t| t.dtype.is_float()) else {
        return Ok(false);
    };
    let Some(x) = g.inside(x, domain)? else {
        return Ok(false);
    };
    g.node(f, &[x.value], bound(x.bound))?;
    Ok(true)
}

fn unary_other(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(|t| !t.dtype.is_float()) else {
        return Ok(false);
    };
    let functions: &[Unary] = match g.ty(x).dtype {
        DType::Bool => &[Unary::Not],
        _ => &[Unary::Abs, Unary::Neg, Unary::Sign, Unary::Square],
    };
    let Some(&f) = g.rng.choose(functions) else {
        return Ok(false);
    };
    if !g.allows(&[&name(f)]) {
        return Ok(false);
    }
    let bound = if f == Unary::Square {
        x.bound * x.bound
    } else {
        x.bound.max(1.0)
    };
    g.node(f, &[x.value], bound)?;
    Ok(true)
}

fn binary_float(g: &mut Generator) -> Result<bool, GraphError> {
    use Binary::*;
    let all = [
        Add, Sub, Mul, Max, Min, Div, Pow, Rem, Eq, Ge, Gt, Le, Lt, Ne,
    ];
    let functions = if g.options.continuous {
        &all[..7]
    } else {
        &all
    };
    let Some(&f) = g.rng.choose(functions) else {
        return Ok(false);
    };
    let Some(a) = g
        .pick(|t| t.dtype.is_float())
        .filter(|_| g.allows(&[&name(f)]))
    else {
        return Ok(false);
    };
    let b = g.partner(a)?;
    let domains = match f {
        Div | Rem => [Domain::All, Domain::Positive],
        Pow => [Domain::Positive, Domain::Unit],
        _ => [Domain::All, Domain::All],
    };
    let (Some(a), Some(b)) = (g.inside(a, domains[0])?, g.inside(b, domains[1])?) else {
        return Ok(false);
    };
    let bound = match f {
        Add | Sub => a.bound + b.bound,
        Mul => a.bound * b.bound,
        Div => a.bound * 2.0,
        // The exponent lies inside −0.9 … 0.9.
        Pow => a.bound.max(2.0),
        Rem => b.bound,
        f if f.is_comparison() => 1.0,
        _ => a.bound.max(b.bound),
    };
    g.node(f, &[a.value, b.value], bound)?;
    Ok(true)
}

fn binary_other(g: &mut Generator) -> Result<bool, GraphError> {
    use Binary::*;
    let Some(a) = g.pick(|t| !t.dtype.is_float()) else {
        return Ok(false);
    };
    let functions: &[Binary] = match g.ty(a).dtype {
        DType::Bool => &[And, Or, Xor, Eq, Ne],
        _ => &[Add, Sub, Mul, Max, Min, Eq, Ge, Gt, Le, Lt, Ne],
    };
    let Some(&f) = g.rng.choose(functions) else {
        return Ok(false);
    };
    // A partner of the same integer dtype may take a cast.
    if !g.allows(&[&name(f), "cast"]) {
        return Ok(false);
    }
    let b = g.partner(a)?;
    let bound = match f {
        Add | Sub => a.bound + b.bound,
        Mul => a.bound * b.bound,
        f if f.is_comparison() => 1.0,
        _ => a.bound.max(b.bound),
    };
    g.node(f, &[a.value, b.value], bound)?;
    Ok(true)
}

fn select(g: &mut Generator) -> Result<bool, GraphError> {
    if !g.allows(&["select", "cast"]) {
        return Ok(false);
    }
    let Some(a) = g.pick(|_| true) else {
        return Ok(false);
    };
    let b = g.partner(a)?;
    let ty = g.ty(a).with_dtype(DType::Bool);
    let condition = match g.pick(|t| t.same_memory(&ty)) {
        Some(condition) => condition.value,
        None => {
            let mut small = ty;
            let d = g.rng.between(0, small.rank() - 1);
            small.shape[d] = 1;
            g.bools(small)?
        }
    };
    g.node(
        Select {},
        &[condition, a.value, b.value],
        a.bound.max(b.bound),
    )?;
    Ok(true)
}

fn cast(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(|_| true).filter(|_| g.allows(&["cast"])) else {
        return Ok(false);
    };
    let from: TensorType = g.ty(x);
    let mut to = vec![g.dtype()];
    if !(from.dtype.is_float() && g.options.continuous) {
        to.extend([DType::I64, DType::I32, DType::Bool]);
    }
    // An integer beyond 1000 is not exact in every float dtype.
    to.retain(|d| from.dtype.is_float() || !d.is_float() || x.bound <= 1000.0);
    let Some(&dtype) = g.rng.choose(&to) else {
        return Ok(false);
    };
    g.node(
        Cast { dtype },
        &[x.value],
        if dtype == DType::Bool { 1.0 } else { x.bound },
    )?;
    Ok(true)
}
