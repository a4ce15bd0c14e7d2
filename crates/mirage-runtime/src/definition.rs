//! Kernels by an operation's definition, as the last fallback.

use mirage_ir::{
    interp,
    ops::{Extern, Unknown},
};

use crate::{Align, Engine, Kernel, NodeContext};

/// Returns a kernel that evaluates an operation's definition: on the host, in f64, with operands and results
/// copied, and each result rounded to its dtype. Slow, but available on every engine.
///
/// # Errors
/// If the operation has no definition: it is unknown, or belongs to another library.
pub fn by_definition<E: Engine>(
    engine: &E,
    cx: &NodeContext<'_>,
) -> Result<Kernel<E::Tensor>, String> {
    let (op, engine) = (cx.node.op.clone(), engine.clone());
    if let Some(external) = op.get::<Extern>() {
        return Err(format!(
            "{} is an operation of {}, which this backend cannot run",
            external.name, external.engine
        ));
    }
    if op.is::<Unknown>() {
        return Err(
            "it is unknown to this backend: a newer version or a plugin made this graph".to_owned(),
        );
    }
    let (operands, results) = (cx.inputs.clone(), cx.outputs.clone());
    // Definitions have logical row-major tensors.
    let from: Vec<Align> = operands.iter().map(Align::to_logical).collect();
    let to: Vec<Align> = results.iter().map(Align::from_logical).collect();
    let failed = |e: mirage_ir::OpError| e.to_string();
    Ok(Box::new(move |args| {
        let mut tensors = Vec::with_capacity(operands.len());
        for (i, ty) in operands.iter().enumerate() {
            let data = engine.download(from[i].lay_out(args.take(i)), ty.dtype)?;
            tensors.push(interp::Tensor::from_data(&data).map_err(failed)?);
        }
        let tensors: Vec<&interp::Tensor> = tensors.iter().collect();
        let computed = op.eval(&tensors, &results).map_err(failed)?;
        for (i, (tensor, ty)) in computed.iter().zip(&results).enumerate() {
            let data = tensor.to_data(ty.dtype).map_err(failed)?;
            args.set(i, to[i].lay_out(engine.upload(&data)?));
        }
        Ok(())
    }))
}
