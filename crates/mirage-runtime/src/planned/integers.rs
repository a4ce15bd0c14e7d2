//! Kernels on integers and bools, element by element as the operations are defined. Such tensors are small:
//! counters, indices, masks.

use mirage_ir::{
    DType, TensorType,
    ops::{Binary, Scalar, Select, Unary, WithScalar},
    same_layout,
};

use crate::{NodeContext, movement::Movement};

type Run = Box<dyn Fn(&[&[u8]], &mut [u8]) -> Result<(), String> + Send + Sync>;

/// A kernel on the bytes of contiguous operands that writes its one result and allocates nothing.
pub(super) struct IntegerKernel(Run);

impl IntegerKernel {
    fn new(
        run: impl Fn(&[&[u8]], &mut [u8]) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        IntegerKernel(Box::new(run))
    }

    /// # Errors
    /// An integer is divided by 0.
    pub(super) fn run(&self, operands: &[&[u8]], result: &mut [u8]) -> Result<(), String> {
        (self.0)(operands, result)
    }
}

/// The kernel of a node on integers and bools alone, if there is one.
pub(super) fn lower(cx: &NodeContext<'_>) -> Option<IntegerKernel> {
    let [out] = &cx.outputs[..] else {
        return None;
    };
    let mut types = cx.inputs.iter().chain([out]);
    if cx.inputs.is_empty() || !types.all(|ty| is_taken(ty.dtype)) {
        return None;
    }
    if let Some(movement) = Movement::of(cx) {
        return Some(moved(movement, out.dtype.size()));
    }
    let aligned =
        |ty: &TensorType| ty.shape == out.shape && same_layout(&out.shape, &ty.order, &out.order);
    if !cx.inputs.iter().all(aligned) {
        return None;
    }
    let op = &cx.node.op;
    let dtype = cx.inputs[0].dtype;
    if let Some(&f) = op.get::<Binary>() {
        return pairs(f, dtype, out.dtype, None);
    }
    if let Some(op) = op.get::<WithScalar>() {
        let value = match op.value {
            Scalar::Int(value) => value,
            Scalar::Bool(value) => i64::from(value),
            _ => return None,
        };
        return pairs(op.f, dtype, out.dtype, Some(value));
    }
    if op.get::<Unary>() == Some(&Unary::Not) {
        return Some(IntegerKernel::new(|x, out| {
            out.iter_mut()
                .zip(x[0])
                .for_each(|(out, x)| *out = u8::from(*x == 0));
            Ok(())
        }));
    }
    op.is::<Select>().then(|| chosen(out.dtype.size()))
}

/// The dtypes whose every value is an i64.
fn is_taken(dtype: DType) -> bool {
    dtype == DType::Bool || dtype.is_int() && dtype != DType::U64
}

fn moved(movement: Movement, size: usize) -> IntegerKernel {
    IntegerKernel::new(move |x, out| {
        let mut out = out.chunks_exact_mut(size);
        movement.indices(|at| {
            if let Some(to) = out.next() {
                to.copy_from_slice(&x[0][at * size..][..size]);
            }
        });
        Ok(())
    })
}

/// Condition, then, else.
fn chosen(size: usize) -> IntegerKernel {
    IntegerKernel::new(move |x, out| {
        let pairs = x[1].chunks_exact(size).zip(x[2].chunks_exact(size));
        for ((to, condition), (then, other)) in out.chunks_exact_mut(size).zip(x[0]).zip(pairs) {
            to.copy_from_slice(if *condition == 0 { other } else { then });
        }
        Ok(())
    })
}

/// A function of two operands, or of one and a number.
fn pairs(f: Binary, dtype: DType, to: DType, second: Option<i64>) -> Option<IntegerKernel> {
    // What the dtype has no definition for is left to the engine, which says so.
    let known = match dtype {
        DType::Bool => f.of_truths(true, true).is_ok(),
        _ => f.of_integers(1, 1, dtype).is_ok(),
    };
    if !known {
        return None;
    }
    let (size, to_size) = (dtype.size(), to.size());
    Some(IntegerKernel::new(move |x, out| {
        for (i, to) in out.chunks_exact_mut(to_size).enumerate() {
            let at = |operand: &[u8]| read(dtype, &operand[i * size..][..size]);
            let (a, b) = (at(x[0]), second.unwrap_or_else(|| at(x[1])));
            let value = match dtype {
                DType::Bool => f.of_truths(a != 0, b != 0).map(i64::from),
                _ => f.of_integers(a, b, dtype),
            };
            let value = value.map_err(|e| e.to_string())?;
            to.copy_from_slice(&value.to_le_bytes()[..to_size]);
        }
        Ok(())
    }))
}

/// An element from its bytes, little endian.
fn read(dtype: DType, bytes: &[u8]) -> i64 {
    let is_signed = matches!(dtype, DType::I64 | DType::I32 | DType::I16 | DType::I8);
    let is_negative = is_signed && bytes.last().is_some_and(|b| b & 0x80 != 0);
    let mut wide = [if is_negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(wide)
}

#[cfg(test)]
mod tests {
    use mirage_ir::{
        Graph, Params, TensorData,
        interp::{self, Tensor},
        text,
    };

    use super::*;

    fn context(graph: &Graph) -> NodeContext<'_> {
        let node = &graph.nodes()[0];
        let types = |values: &[mirage_ir::ValueId]| -> Vec<TensorType> {
            values.iter().map(|&v| graph.ty(v).clone()).collect()
        };
        NodeContext {
            graph,
            node,
            inputs: types(&node.inputs),
            packed: vec![false; node.inputs.len()],
            outputs: types(&node.outputs),
            feeds_views: false,
            leaves: true,
        }
    }

    /// Elements with the ends of the dtype among them.
    fn operand(ty: &TensorType, seed: i64) -> TensorData {
        let ends = match ty.dtype {
            DType::I64 => [i64::MIN, i64::MAX],
            DType::I32 => [i64::from(i32::MIN), i64::from(i32::MAX)],
            DType::U8 => [255, 1],
            _ => [0, 1],
        };
        let value = |i: usize| match i {
            0 | 1 => ends[i],
            _ => (seed + 5 * i as i64) % 7 + 1,
        };
        let values: Vec<i64> = (0..ty.numel()).map(value).collect();
        let tensor = match ty.dtype {
            DType::Bool => {
                let bools: Vec<bool> = values.iter().map(|v| v % 2 == 0).collect();
                Tensor::bool(&ty.shape[..], bools)
            }
            _ => Tensor::int(&ty.shape[..], values),
        };
        tensor.unwrap().to_data(ty.dtype).unwrap()
    }

    /// Compares the kernel of a node with its definition. Whether there is a kernel.
    fn agrees(inputs: &[&str], out: &str, op: &str) -> bool {
        let ports: String = inputs
            .iter()
            .enumerate()
            .map(|(i, ty)| format!("input %{i} \"x{i}\": {ty}\n"))
            .collect();
        let n = inputs.len();
        let text = format!("graph \"g\" {{\n{ports}%{n}: {out} = {op}\noutput \"y\" = %{n}\n}}");
        let Ok(graph) = text::parse(&text) else {
            return false;
        };
        let Some(kernel) = lower(&context(&graph)) else {
            return false;
        };
        let types = graph.inputs().iter().map(|p| graph.ty(p.value));
        let data: Vec<TensorData> = types.zip(3..).map(|(ty, i)| operand(ty, i)).collect();
        let tensors: Vec<Tensor> = data.iter().map(|d| Tensor::from_data(d).unwrap()).collect();
        let defined = interp::run(&graph, &Params::default(), &tensors, &[]).unwrap();
        let ty = graph.ty(graph.outputs()[0].value);
        let defined = defined.outputs[0].to_data(ty.dtype).unwrap();
        let operands: Vec<&[u8]> = data.iter().map(TensorData::bytes).collect();
        let mut result = vec![0xaa; ty.bytes()];
        kernel.run(&operands, &mut result).unwrap();
        assert_eq!(result, defined.bytes(), "{text}");
        true
    }

    #[test]
    fn functions_are_as_defined() {
        let mut kernels = 0;
        for dtype in ["i64", "i32", "u8", "bool"] {
            let ty = format!("{dtype}[2,3]");
            for &f in Binary::ALL {
                for out in [&ty, "bool[2,3]"] {
                    let f = mirage_ir::Op::from(f).name().into_owned();
                    let op = format!("{f}(%0, %1)");
                    kernels += usize::from(agrees(&[&ty, &ty], out, &op));
                    let op = format!("{f}_scalar(%0) {{value = 3}}");
                    kernels += usize::from(agrees(&[&ty], out, &op));
                }
            }
            let select = "select(%0, %1, %2)";
            assert!(agrees(&["bool[2,3]", &ty, &ty], &ty, select), "{ty}");
        }
        assert!(agrees(&["bool[2,3]"], "bool[2,3]", "not(%0)"));
        // 7 of arithmetic and 6 comparisons, twice each, of three dtypes; and those of bools.
        assert!(kernels >= 3 * 2 * 13 + 5, "{kernels}");
    }

    #[test]
    fn elements_are_moved_as_defined() {
        for dtype in ["i64", "bool"] {
            let of = |shape: &str| format!("{dtype}[{shape}]");
            let moved = |x: &str, out: &str, op: &str| {
                assert!(agrees(&[&of(x)], &of(out), op), "{dtype} {op}");
            };
            moved("1,2,1", "4,2,3", "expand(%0) {shape = [4, 2, 3]}");
            moved("2,3", "3,2", "permute(%0) {axes = [1, 0]}");
            moved("2,3", "6", "reshape(%0) {shape = [6]}");
            let slice = "slice(%0) {start = [1, 0], end = [4, 5], step = [2, 3]}";
            moved("4,5", "2,2", slice);
        }
    }

    #[test]
    fn a_division_by_0_is_an_error() {
        let graph = text::parse(
            r#"graph "g" {
              input %0 "x": i64[1]
              input %1 "y": i64[1]
              %2: i64[1] = rem(%0, %1)
              output "z" = %2
            }"#,
        )
        .unwrap();
        let kernel = lower(&context(&graph)).unwrap();
        let error = kernel.run(&[&[1; 8], &[0; 8]], &mut [0; 8]).unwrap_err();
        assert_eq!(error, "divides an integer by 0");
    }

    #[test]
    fn floats_have_none() {
        assert!(!agrees(&["f32[2]", "f32[2]"], "f32[2]", "add(%0, %1)"));
        assert!(!agrees(&["u64[2]", "u64[2]"], "u64[2]", "add(%0, %1)"));
    }
}
