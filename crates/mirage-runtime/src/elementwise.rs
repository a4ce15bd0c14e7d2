//! A tree of functions of elements as a list of steps on registers, for kernels that compute one element
//! or vector after the other.

use mirage_ir::{
    DType, Graph, Node, ValueId,
    ops::{Binary, Cast, Region, Select, Unary, WithScalar},
    regions::ELEMENTWISE,
};

/// A number, compared and hashed by its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number(u32);

impl Number {
    /// This number.
    pub fn of(value: f32) -> Self {
        Number(value.to_bits())
    }

    /// The number.
    pub fn get(self) -> f32 {
        f32::from_bits(self.0)
    }
}

/// One function of registers. Registers are numbered by value: operands first, then one for each step, so
/// that a step reads lower registers only. All hold f32; a bool is 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the fields are registers")]
pub enum Step {
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    WithScalar(Binary, usize, Number),
    /// Condition, then, else.
    Select(usize, usize, usize),
    /// Whether it is not 0.
    ToBool(usize),
    /// Rounded to f16.
    ToF16(usize),
    /// Rounded to bf16.
    ToBf16(usize),
    /// As an integer from 0 to 255: truncated and saturated, NaN to 0.
    ToByte(usize),
    Copy(usize),
}

/// A tree with one result, which the last step computes. f16 and bf16 are computed in f32; a cast to one
/// rounds as its dtype does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program {
    /// The number of operands.
    pub operands: usize,
    /// At least one.
    pub steps: Vec<Step>,
}

impl Program {
    /// The program of an elementwise region, or of a node with a function of elements. `None` if the node is
    /// neither, or a value in it has another dtype than f32, f16, bf16, bool and, in casts, u8.
    pub fn of(graph: &Graph, node: &Node) -> Option<Self> {
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

    /// The number of registers.
    pub fn registers(&self) -> usize {
        self.operands + self.steps.len()
    }

    /// The result is rounded to this dtype when it is stored, so the last step need not do it.
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
            let next = program.registers();
            program.steps.push(step(node, &operands?)?);
            register[node.output().index()] = Some(next);
        }
        let register = register[result.index()]?;
        if program.steps.is_empty() || register + 1 != program.registers() {
            program.steps.push(Step::Copy(register));
        }
        Some(program)
    }
}

fn step(node: &Node, r: &[usize]) -> Option<Step> {
    if let Some(&f) = node.op.get::<Unary>() {
        Some(Step::Unary(f, r[0]))
    } else if let Some(&f) = node.op.get::<Binary>() {
        Some(Step::Binary(f, r[0], r[1]))
    } else if let Some(op) = node.op.get::<WithScalar>() {
        let number = Number::of(op.value.as_f64() as f32);
        Some(Step::WithScalar(op.f, r[0], number))
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

#[cfg(test)]
mod tests {
    use mirage_ir::text;

    use super::*;

    fn program(text: &str) -> Option<Program> {
        let graph = text::parse(text).expect("the graph parses");
        Program::of(&graph, &graph.nodes()[0])
    }

    #[test]
    fn a_region_is_its_body_step_by_step() {
        let program = program(
            r#"graph "g" {
              input %0 "x": f32[4]
              input %1 "y": f32[4]
              %2: f32[4] = region(%0, %1) {kind = "elementwise"} graph "elementwise" {
                input %0 "x": f32[4]
                input %1 "y": f32[4]
                %2: f32[4] = mul_scalar(%0) {value = 0.5}
                %3: f16[4] = cast(%2) {dtype = "f16"}
                %4: f32[4] = cast(%3) {dtype = "f32"}
                %5: f32[4] = add(%4, %1)
                output "z" = %5
              }
              output "z" = %2
            }"#,
        );
        let steps = vec![
            Step::WithScalar(Binary::Mul, 0, Number::of(0.5)),
            Step::ToF16(2),
            Step::Copy(3),
            Step::Binary(Binary::Add, 4, 1),
        ];
        assert_eq!(program, Some(Program { operands: 2, steps }));
    }

    #[test]
    fn other_dtypes_and_operations_have_none() {
        let of = |op: &str, dtype: &str| {
            program(&format!(
                r#"graph "g" {{
                  input %0 "x": {dtype}[4]
                  %1: {dtype}[4] = {op}
                  output "y" = %1
                }}"#
            ))
        };
        assert!(of("neg(%0)", "f32").is_some());
        assert!(of("neg(%0)", "f64").is_none());
        assert!(of("softmax(%0) {dim = 0}", "f32").is_none());
    }
}
