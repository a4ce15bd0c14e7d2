//! Creates a profile from the times of nodes and the graph.

use mirage_backend::{MemoryReport, NodeClock};
use mirage_bench::{
    ledger::Machine,
    profile::{Alive, Clock, Frames, Memory, MemoryAt, Node, Profile, ProfiledFrame, Setting},
};
use mirage_ir::{
    Graph, NodeId, ValueId,
    analysis::Prologue,
    cost::{ActivationMemory, node_cost},
    ops::{Call, Region},
};
use mirage_machine::Roofline;
use mirage_stream::main_dtype;

use super::numbers::Numbers;
use crate::{
    Job, LabError, ModelFacts, Result,
    ids::{backend_id, machine_id, model_id, pass_ids},
};

/// The data of a profile.
pub(super) struct RawProfile<'a> {
    /// The graph that was compiled.
    pub(super) graph: &'a Graph,
    pub(super) times: &'a mirage_stream::Profile,
    pub(super) memory: MemoryReport,
    pub(super) notes: Vec<String>,
    /// Warnings about the load of the machine.
    pub(super) warnings: Vec<String>,
    pub(super) model: ModelFacts,
}

impl RawProfile<'_> {
    /// Returns the profile.
    pub(super) fn profile(self, job: &Job, roofline: Option<Roofline>) -> Result<Profile> {
        let ids = self.ids()?;
        let times = self.frames().times();
        let (frame, times) = times.map_err(|e| LabError::Failed(e.to_string()))?;
        let alive = ActivationMemory::of(self.graph);
        let numbers = Numbers::of(self.graph);
        let mut nodes: Vec<Node> = ids
            .iter()
            .zip(times)
            .map(|(&id, ms)| node(self.graph, (id, &numbers), ms, alive.bytes_at(id)))
            .collect();
        if let Some(roofline) = &roofline {
            nodes.iter_mut().for_each(|n| n.limit(roofline));
        }
        Ok(Profile {
            memory: self.memory((&alive, &numbers), &nodes),
            setting: self.setting(job, roofline),
            pipeline: job.asked.to_string(),
            passes: pass_ids(job),
            frame,
            nodes,
            notes: self.notes,
            warnings: self.warnings.into_iter().chain(calls(self.graph)).collect(),
        })
    }

    /// Returns the nodes that ran, which must be the same in every frame.
    fn ids(&self) -> Result<Vec<NodeId>> {
        let mut frames = self.times.profiled.iter();
        let ids_of =
            |f: &mirage_stream::ProfiledExecution| f.nodes.iter().map(|n| n.node).collect();
        let first: Vec<NodeId> = frames.next().map(ids_of).unwrap_or_default();
        match frames.all(|f| ids_of(f) == first) {
            true => Ok(first),
            false => Err(LabError::Failed(
                "cannot profile: the backend ran different nodes in different frames".to_owned(),
            )),
        }
    }

    fn frames(&self) -> Frames {
        let ms = |time: &std::time::Duration| time.as_secs_f64() * 1e3;
        let profiled = self.times.profiled.iter().map(|f| {
            let last = f.nodes.last().map_or(f.time, |n| n.start + n.time);
            ProfiledFrame {
                ms: ms(&f.time),
                before: f.nodes.first().map_or(0.0, |n| ms(&n.start)),
                after: ms(&f.time.saturating_sub(last)),
                nodes: f.nodes.iter().map(|n| ms(&n.time)).collect(),
            }
        });
        let clock = match self.times.clock {
            NodeClock::Host => Clock::Host,
            NodeClock::Device => Clock::Device,
        };
        Frames {
            clock,
            warmup: self.times.warmup,
            plain: self.times.plain.iter().map(ms).collect(),
            profiled: profiled.collect(),
        }
    }

    fn memory(&self, (alive, numbers): (&ActivationMemory, &Numbers), nodes: &[Node]) -> Memory {
        let graph = self.graph;
        let prologue = Prologue::of(graph);
        let runs = |(_, node): &(NodeId, &mirage_ir::Node)| !prologue.is_fixed(node.output());
        let mut timed = nodes.iter().peekable();
        let timeline = graph.iter().filter(runs).map(|(id, node)| MemoryAt {
            node: numbers.node(graph, id),
            op: name(node),
            path: node.path.to_string(),
            ms: timed
                .next_if(|n| n.node == numbers.node(graph, id))
                .map_or(0.0, |n| n.ms),
            bytes: alive.bytes_at(id),
        });
        let timeline: Vec<MemoryAt> = timeline.collect();
        let peak = alive.peak();
        let mut at_peak: Vec<Alive> = peak
            .map(|id| alive.alive_at(graph, id))
            .unwrap_or_default()
            .into_iter()
            .map(|value| self.alive((alive, numbers), value))
            .collect();
        at_peak.sort_by_key(|a| std::cmp::Reverse(a.bytes));
        Memory {
            weight_bytes: self.memory.weight_bytes,
            state_bytes: self.memory.state_bytes,
            planned_peak_bytes: self.memory.planned_peak_bytes,
            held_bytes: self.memory.held_bytes,
            entering_bytes: alive.entering_bytes(),
            peak_bytes: alive.peak_bytes(),
            peak_node: peak.map(|id| numbers.node(graph, id)),
            hidden_bytes: peak.map_or(0, |id| alive.hidden_at(id)),
            alive_at_peak: at_peak,
            timeline,
        }
    }

    fn alive(&self, (memory, numbers): (&ActivationMemory, &Numbers), value: ValueId) -> Alive {
        let graph = self.graph;
        let producer = graph.producer(value);
        let ports = graph.inputs().iter().map(|p| (p.value, &p.name));
        let states = graph.states().iter().map(|s| (s.input, &s.name));
        let entering = ports.chain(states).find(|(v, _)| *v == value);
        let from = match (producer, entering) {
            (Some((_, node)), _) => name(node),
            (None, Some((_, name))) => name.to_string(),
            (None, None) => String::new(),
        };
        Alive {
            value: numbers.value(value),
            node: producer.map(|(id, _)| numbers.node(graph, id)),
            from,
            path: producer.map_or_else(String::new, |(_, n)| n.path.to_string()),
            ty: graph.ty(value).to_string(),
            bytes: graph.ty(value).bytes() as u64,
            until: memory
                .last_use(graph, value)
                .map(|id| numbers.node(graph, id)),
        }
    }

    fn setting(&self, job: &Job, roofline: Option<Roofline>) -> Setting {
        Setting {
            mirage: env!("CARGO_PKG_VERSION").to_owned(),
            machine: Machine {
                roofline,
                ..machine_id(job.backend, job.device)
            },
            backend: backend_id(job.backend),
            model: model_id(job, self.model),
            shape: job.shape(),
            dtype: main_dtype(self.graph).name().to_owned(),
            seed: job.seed,
            steps: job.trajectory.steps.len(),
        }
    }
}

fn node(graph: &Graph, (id, numbers): (NodeId, &Numbers), ms: f64, memory_bytes: u64) -> Node {
    let node = graph.node(id);
    let cost = node_cost(graph, node);
    Node {
        node: numbers.node(graph, id),
        op: name(node),
        path: node.path.to_string(),
        result: graph.ty(node.output()).to_string(),
        ms,
        flops: cost.flops,
        bytes: cost.bytes(),
        least_ms: None,
        memory_bytes,
    }
}

/// Returns the name of the operation, with the kind for a region.
pub(super) fn name(node: &mirage_ir::Node) -> String {
    match node.op.get::<Region>() {
        Some(region) => format!("region:{}", region.kind),
        None => node.op.name().into_owned(),
    }
}

/// Returns the warning that nodes of called bodies are not profiled.
fn calls(graph: &Graph) -> Option<String> {
    let calls = graph.nodes().iter().filter(|n| n.op.is::<Call>()).count();
    let warning = format!(
        "{calls} step calls are profiled as single nodes; use --steps {} or fewer for detail",
        mirage_stream::MAX_INLINED_STEPS
    );
    (calls > 0).then_some(warning)
}
