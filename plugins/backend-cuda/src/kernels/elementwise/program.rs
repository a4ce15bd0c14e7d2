//! A tree of functions of elements as a list of steps.

use mirage_ir::{
    DType, Graph, Node, ValueId,
    ops::{Binary, Cast, Region, Select, Unary, WithScalar},
    regions::ELEMENTWISE,
};

/// A number of the program, by its bits, so that programs can be compared and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Number(u32);

impl Number {
    pub(crate) fn of(value: f32) -> Self {
        Number(value.to_bits())
    }

    pub(crate) fn get(self) -> f32 {
        f32::from_bits(self.0)
    }
}

/// One function of registers. Registers are numbered by value: operands first, then one a step, so
/// that a step only reads lower ones. All are f32; truth is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    WithScalar(Binary, usize, Number),
    /// Condition, then, else.
    Select(usize, usize, usize),
    /// Whether it is not 0.
    Truth(usize),
    /// Rounded as f16 holds it.
    ToF16(usize),
    /// Rounded as bf16 holds it.
    ToBf16(usize),
    Copy(usize),
}

/// A tree with one result. Half precision is computed in f32 from operand to result; a cast to it rounds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    pub(crate) operands: usize,
    pub(crate) steps: Vec<Step>,
}

const FLOATS: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

impl Program {
    /// The program of an elementwise region on floats.
    pub(crate) fn of(node: &Node) -> Option<Self> {
        let region = node.op.get::<Region>()?;
        let body = node.op.body().filter(|_| region.kind == ELEMENTWISE)?;
        let [result] = body.outputs() else {
            return None;
        };
        // Truth may come up within, but memory holds it in the engine's own way.
        let within = |d: DType| FLOATS.contains(&d) || d == DType::Bool;
        let ports = body.inputs().iter().chain(body.outputs());
        let floats = ports.map(|p| body.ty(p.value).dtype);
        let fits = floats.into_iter().all(|d| FLOATS.contains(&d));
        let known = body.values().iter().all(|v| within(v.ty.dtype));
        (fits && known)
            .then(|| Program::of_body(body, result.value))
            .flatten()
    }

    fn of_body(body: &Graph, result: ValueId) -> Option<Self> {
        let mut register = vec![None; body.values().len()];
        for (i, port) in body.inputs().iter().enumerate() {
            register[port.value.index()] = Some(i);
        }
        let mut program = Program {
            operands: body.inputs().len(),
            steps: Vec::new(),
        };
        for node in body.nodes() {
            let operands: Option<Vec<usize>> =
                node.inputs.iter().map(|v| register[v.index()]).collect();
            let next = program.operands + program.steps.len();
            program.steps.push(step(node, &operands?)?);
            register[node.output().index()] = Some(next);
        }
        let last = program.operands + program.steps.len() - 1;
        let register = register[result.index()]?;
        if program.steps.is_empty() || register != last {
            program.steps.push(Step::Copy(register));
        }
        Some(program)
    }
}

/// Functions that the kernel has no exact form of.
fn is_known(f: Unary) -> bool {
    !matches!(f, Unary::IsInf | Unary::IsNan | Unary::Sign)
}

fn step(node: &Node, r: &[usize]) -> Option<Step> {
    if let Some(&f) = node.op.get::<Unary>() {
        is_known(f).then_some(Step::Unary(f, r[0]))
    } else if let Some(&f) = node.op.get::<Binary>() {
        (f != Binary::Rem).then_some(Step::Binary(f, r[0], r[1]))
    } else if let Some(op) = node.op.get::<WithScalar>() {
        let number = Number::of(op.value.as_f64() as f32);
        (op.f != Binary::Rem).then_some(Step::WithScalar(op.f, r[0], number))
    } else if node.op.is::<Select>() {
        Some(Step::Select(r[0], r[1], r[2]))
    } else {
        let cast = node.op.get::<Cast>()?;
        Some(match cast.dtype {
            DType::Bool => Step::Truth(r[0]),
            DType::F16 => Step::ToF16(r[0]),
            DType::BF16 => Step::ToBf16(r[0]),
            _ => Step::Copy(r[0]),
        })
    }
}
