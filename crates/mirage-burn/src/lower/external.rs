//! Extern operations, on row-major tensors.

use burn_backend::Backend;
use mirage_ir::ops::Extern;

use super::{Lowered, NodeContext};
use crate::{Align, Kernel, external::ExternOp};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    cx.node.op.get::<Extern>().map(|op| external(op, cx))
}

fn external<B: Backend>(op: &Extern, cx: &NodeContext<'_, B>) -> Result<Kernel<B>, String> {
    let runner = cx.engine.kernels().externs().ok_or_else(|| {
        format!(
            "{} is an operation of {}, which this backend cannot run",
            op.name, op.engine
        )
    })?;
    let device = cx.engine.device().clone();
    let decoded = ExternOp::decode(op, runner.bool_store(&device))?;
    let aligns: Vec<Align> = cx.inputs.iter().map(Align::to_logical).collect();
    let back: Vec<Align> = cx.outputs.iter().map(Align::from_logical).collect();
    Ok(Box::new(move |args| {
        let operands = (0..args.count())
            .map(|i| aligns[i].view(args.take(i)))
            .collect();
        let results = runner.run(&decoded, operands, &device)?;
        for (i, result) in results.into_iter().enumerate() {
            args.set(i, back[i].view(result));
        }
        Ok(())
    }))
}
