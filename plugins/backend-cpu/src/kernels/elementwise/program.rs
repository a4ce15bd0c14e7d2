//! A tree of functions of elements as a list of steps.

use mirage_ir::{
    DType, Graph, Node, ValueId,
    ops::{Binary, Cast, Region, Select, Unary, WithScalar},
    regions::ELEMENTWISE,
};

/// One function of whole registers. Registers are numbered by value: operands first, then a
/// register a step, so that a step only reads lower ones. Bools are 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    WithScalar(Binary, usize, f32),
    /// Condition, then, else.
    Select(usize, usize, usize),
    /// Whether it is not 0.
    ToBool(usize),
    /// Rounded as f16 holds it.
    ToF16(usize),
    /// Rounded as bf16 holds it.
    ToBf16(usize),
    /// As an integer from 0 to 255: truncated and saturated, NaN to 0.
    ToByte(usize),
    Copy(usize),
}

/// A tree with one f32 result.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Program {
    pub(super) operands: usize,
    pub(super) steps: Vec<Step>,
}

impl Program {
    /// The program of a node: a function of elements on f32, or an elementwise region of such.
    pub(super) fn of(graph: &Graph, node: &Node) -> Option<Self> {
        // Halves are computed in f32 from operand to result; a cast to one rounds as its dtype does. Bytes
        // are only cast.
        let fits = |dtype| {
            use DType::{BF16, Bool, F16, F32, U8};
            matches!(dtype, F32 | F16 | BF16 | Bool | U8)
        };
        let takes = |graph: &Graph, node: &Node| {
            let mut types = node.inputs.iter().chain(&node.outputs);
            node.op.is::<Cast>() || types.all(|&v| graph.ty(v).dtype != DType::U8)
        };
        if let Some(region) = node.op.get::<Region>() {
            let body = node.op.body().filter(|_| region.kind == ELEMENTWISE)?;
            let [result] = body.outputs() else {
                return None;
            };
            let known = body.values().iter().all(|v| fits(v.ty.dtype))
                && body.nodes().iter().all(|n| takes(body, n));
            let program = known.then(|| Program::of_body(body, result.value));
            return Some(program??.stored_in(body.ty(result.value).dtype));
        }
        let mut types = node.inputs.iter().chain(&node.outputs);
        if !types.all(|&v| fits(graph.ty(v).dtype)) || !takes(graph, node) {
            return None;
        }
        let registers: Vec<usize> = (0..node.inputs.len()).collect();
        let program = Program {
            operands: node.inputs.len(),
            steps: vec![step(node, &registers)?],
        };
        Some(program.stored_in(graph.ty(node.output()).dtype))
    }

    /// The program of a result that is rounded to this dtype when it is stored: its last step need not.
    fn stored_in(mut self, dtype: DType) -> Self {
        if let Some(last) = self.steps.last_mut()
            && let (Step::ToF16(r), DType::F16)
            | (Step::ToBf16(r), DType::BF16)
            | (Step::ToByte(r), DType::U8) = (*last, dtype)
        {
            *last = Step::Copy(r);
        }
        self
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
        // The last step writes the result.
        let last = program.operands + program.steps.len() - 1;
        let register = register[result.index()]?;
        if program.steps.is_empty() || register != last {
            program.steps.push(Step::Copy(register));
        }
        Some(program)
    }

    /// The number of registers.
    pub(super) fn registers(&self) -> usize {
        self.operands + self.steps.len()
    }
}

fn step(node: &Node, r: &[usize]) -> Option<Step> {
    if let Some(&f) = node.op.get::<Unary>() {
        Some(Step::Unary(f, r[0]))
    } else if let Some(&f) = node.op.get::<Binary>() {
        Some(Step::Binary(f, r[0], r[1]))
    } else if let Some(op) = node.op.get::<WithScalar>() {
        Some(Step::WithScalar(op.f, r[0], op.value.as_f64() as f32))
    } else if node.op.is::<Select>() {
        Some(Step::Select(r[0], r[1], r[2]))
    } else {
        let cast = node.op.get::<Cast>()?;
        Some(match cast.dtype {
            DType::Bool => Step::ToBool(r[0]),
            DType::F16 => Step::ToF16(r[0]),
            DType::BF16 => Step::ToBf16(r[0]),
            DType::U8 => Step::ToByte(r[0]),
            _ => Step::Copy(r[0]),
        })
    }
}
