//! Passes of plugins.

use mirage_ir::Graph;
use mirage_pass::{Outcome, Pass, PassContext, PassError, PassInfo};

use super::{Plugin, call::Trouble};
use crate::{
    abi::{Bytes, PassRunFn},
    message::{ContextForm, OutcomeForm},
};

/// A pass of a plugin.
pub(super) struct PluginPass {
    pub(super) plugin: &'static Plugin,
    /// Its index in the plugin's description.
    pub(super) number: u32,
    pub(super) info: &'static PassInfo,
    pub(super) run: PassRunFn,
}

impl PluginPass {
    fn call(
        &self,
        graph: &Graph,
        cx: &PassContext<'_>,
    ) -> Result<(Outcome, Option<Graph>), Trouble> {
        let plugin = self.plugin;
        let options = cx
            .options
            .iter()
            .map(|(name, v)| (name.to_owned(), v.to_string()));
        let context = plugin.message(&ContextForm {
            capabilities: cx.capabilities.clone(),
            options: options.collect(),
            is_body: cx.is_body,
        })?;
        let graph = plugin.graph(graph)?;
        let mut sink = Plugin::graph_sink();
        let graph_out = sink.writer();
        let outcome: OutcomeForm = plugin.ask("an outcome", |out| {
            let (graph, context) = (Bytes::of(&graph), Bytes::of(&context));
            // SAFETY: the function that the header documents under its name; all that it gets lives
            // until it returns.
            unsafe { (self.run)(self.number, graph, context, &graph_out, out) }
        })?;
        let after = match outcome {
            OutcomeForm::Changed { .. } => {
                let bytes = sink.finish().map_err(Trouble::Breach)?;
                Some(plugin.read_graph(&bytes)?)
            }
            OutcomeForm::Unchanged { .. } => None,
        };
        Ok((outcome.into(), after))
    }
}

impl Pass for PluginPass {
    fn info(&self) -> &'static PassInfo {
        self.info
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let done = self.call(graph, cx);
        let (outcome, after) = done.map_err(|trouble| trouble.into_pass_error(self.plugin))?;
        if let Some(after) = after {
            *graph = after;
        }
        Ok(outcome)
    }
}
