//! `mirage graph show`.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use mirage_ir::{Graph, ValueId, cost::graph_cost};
use mirage_lab::graph_file::GraphFile;
use serde::Serialize;

use crate::{
    error::Result,
    output::Stream,
    table::{Align, Rows, bold, text},
    units,
};

const EXAMPLES: &str = "\
Examples:
  mirage graph dump --forward --output step.txt && mirage graph show step.txt
  mirage graph show repro/01-fuse.toml";

/// Show inputs, outputs, operations and cost of a graph from a file
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct ShowArgs {
    /// A graph in text or wire form, or a reproducer
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    name: String,
    inputs: Vec<Port>,
    states: Vec<Port>,
    outputs: Vec<Port>,
    parameters: usize,
    nodes: usize,
    /// The number of nodes by operation; called bodies count once.
    operations: BTreeMap<String, usize>,
    flops: u64,
    weight_bytes: u64,
    peak_activation_bytes: u64,
}

#[derive(Serialize)]
struct Port {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

impl ShowArgs {
    pub(super) fn run(&self) -> Result<()> {
        let shown = Shown::of(&GraphFile::read(&self.file)?.graph);
        match self.json {
            true => Stream::Stdout.emit_json(&shown),
            false => Stream::Stdout.emit(&shown.text()),
        }
    }
}

impl Shown {
    fn of(graph: &Graph) -> Self {
        let port = |name: &str, value: ValueId| Port {
            name: name.to_owned(),
            ty: graph.ty(value).to_string(),
        };
        let mut operations = BTreeMap::new();
        count(graph, &mut operations);
        let cost = graph_cost(graph);
        Shown {
            name: graph.name().to_owned(),
            inputs: graph
                .inputs()
                .iter()
                .map(|p| port(&p.name, p.value))
                .collect(),
            states: graph
                .states()
                .iter()
                .map(|s| port(&s.name, s.input))
                .collect(),
            outputs: graph
                .outputs()
                .iter()
                .map(|p| port(&p.name, p.value))
                .collect(),
            parameters: graph.all_params().len(),
            nodes: operations.values().sum(),
            operations,
            flops: cost.flops,
            weight_bytes: cost.weight_bytes,
            peak_activation_bytes: cost.peak_activation_bytes,
        }
    }

    fn text(&self) -> String {
        let columns = [
            ("", Align::Left),
            ("name", Align::Left),
            ("type", Align::Left),
        ];
        let mut ports = Rows::new(Stream::Stdout, &columns);
        for (kind, all) in [
            ("input", &self.inputs),
            ("state", &self.states),
            ("output", &self.outputs),
        ] {
            for port in all {
                ports.row([text(kind), bold(&port.name), text(&port.ty)]);
            }
        }
        let columns = [("operation", Align::Left), ("nodes", Align::Right)];
        let mut operations = Rows::new(Stream::Stdout, &columns);
        let mut most: Vec<_> = self.operations.iter().collect();
        most.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), *name));
        for (name, n) in most {
            operations.row([bold(name), text(n)]);
        }
        format!(
            "{ports}\n{operations}\n{}: {} nodes, {} parameters; {} per execution, {} of weights, {} of \
             activations at the peak\n",
            self.name,
            self.nodes,
            self.parameters,
            units::flops(self.flops),
            units::bytes(self.weight_bytes),
            units::bytes(self.peak_activation_bytes),
        )
    }
}

/// Counts the operations of a graph and its bodies; a body counts once, however often it is called.
fn count(graph: &Graph, operations: &mut BTreeMap<String, usize>) {
    let mut seen = std::collections::HashSet::new();
    count_unseen(graph, operations, &mut seen);
}

fn count_unseen(
    graph: &Graph,
    operations: &mut BTreeMap<String, usize>,
    seen: &mut std::collections::HashSet<*const Graph>,
) {
    for node in graph.nodes() {
        *operations.entry(node.op.name().into_owned()).or_default() += 1;
        if let Some(body) = node.op.body()
            && seen.insert(std::sync::Arc::as_ptr(body))
        {
            count_unseen(body, operations, seen);
        }
    }
}
