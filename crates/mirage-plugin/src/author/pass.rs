//! Passes, as C calls them.

use mirage_ir::wire;
use mirage_pass::{Options, PassContext};

use super::{
    argument,
    catch::{Out, answer},
    session,
};
use crate::{
    abi::{Bytes, Writer},
    message::{self, ContextForm, OutcomeForm},
};

/// Runs a pass on a graph in wire form; writes the new graph if it changed.
///
/// # Safety
/// The bytes and the writers are the host's, lent for this call.
pub(super) unsafe extern "C" fn run(
    pass: u32,
    graph: Bytes,
    context: Bytes,
    graph_out: *const Writer,
    out: *const Writer,
) -> i32 {
    answer(out, |out| {
        let known = session()?.plugin.passes;
        let pass = known.get(pass as usize).ok_or_else(|| {
            argument(format!(
                "no pass has the index {pass}: the plugin has {}",
                known.len()
            ))
        })?;
        // SAFETY: the host lends both for this call.
        let (graph, context) = unsafe { (graph.get(), context.get()) };
        let mut graph = wire::decode(graph).map_err(|e| argument(e.to_string()))?;
        let context: ContextForm = message::decode(context).map_err(argument)?;
        let pairs = context
            .options
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()));
        let options =
            Options::from_pairs(pass.info(), pairs).map_err(|e| argument(e.to_string()))?;
        let cx = PassContext::new(&context.capabilities, &options);
        let cx = if context.is_body { cx.of_body() } else { cx };
        let outcome = pass
            .run(&mut graph, &cx)
            .map_err(|e| argument(e.to_string()))?;
        if outcome.is_changed() {
            // SAFETY: the host lends it for this call.
            unsafe { Out::new(graph_out) }.write(&wire::encode(&graph))?;
        }
        out.message(&OutcomeForm::from(outcome))
    })
}
