//! Random networks of layers, richer in what a pass looks for than graphs of random operations, and
//! what every pass is held to on them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses a part, and ends where something is not as it should be"
)]

use mirage_ir::{
    DType, Graph, GraphBuilder, Node, Op, Params, TensorData, TensorType, ValueId,
    analysis::Prologue,
    interp::{self, Difference, Tensor},
    ops::{Permute, Unary},
    target::{Capabilities, Capability, Subject},
    verify,
};
use mirage_pass::{Manager, Options, Outcome, PassContext, PipelineSpec, Plan, Registry};

pub(crate) struct Network {
    pub(crate) b: GraphBuilder,
    params: Params,
    inputs: Vec<Tensor>,
    state: u64,
}

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        Network {
            b: Graph::builder(format!("network-{seed}")),
            params: Params::new(),
            inputs: Vec::new(),
            state: seed,
        }
    }

    /// A number of 0..n (splitmix64).
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Values of ±(low..high), so that every one matters.
    fn values(&mut self, count: usize, low: f32, high: f32, signs: bool) -> Vec<f32> {
        let mut value = || {
            let v = low + (high - low) * self.below(4096) as f32 / 4096.0;
            if signs && self.one_in(2) { -v } else { v }
        };
        (0..count).map(|_| value()).collect()
    }

    pub(crate) fn input(&mut self, shape: &[usize]) -> ValueId {
        let values = self.values(shape.iter().product(), 0.2, 1.0, true);
        let data = TensorData::from_f32(shape, &values).unwrap();
        self.inputs.push(Tensor::from_data(&data).unwrap());
        let name = format!("x{}", self.inputs.len());
        self.b.input(name, TensorType::new(DType::F32, shape))
    }

    /// A parameter of ±(0.2..0.8).
    pub(crate) fn param(&mut self, shape: &[usize]) -> ValueId {
        self.param_of(shape, 0.2, 0.8, true)
    }

    /// A weight, of a size that keeps results of sums of `terms` products near 1.
    pub(crate) fn weight(&mut self, shape: &[usize], terms: usize) -> ValueId {
        let scale = 1.0 / (terms.max(1) as f32).sqrt();
        self.param_of(shape, 0.4 * scale, 1.2 * scale, true)
    }

    /// A parameter of 0.5..1.5, such as a variance or a divisor.
    pub(crate) fn positive(&mut self, shape: &[usize]) -> ValueId {
        self.param_of(shape, 0.5, 1.5, false)
    }

    fn param_of(&mut self, shape: &[usize], low: f32, high: f32, signs: bool) -> ValueId {
        let values = self.values(shape.iter().product(), low, high, signs);
        let name = format!("p{}", self.params.len());
        let data = TensorData::from_f32(shape, &values).unwrap();
        self.params.insert(name.clone(), data);
        self.b.param(name, TensorType::new(DType::F32, shape))
    }

    /// A weight matrix, now and then held transposed, so that a node on it comes before its layer.
    pub(crate) fn matrix(&mut self, rows: usize, columns: usize) -> ValueId {
        if self.one_in(2) {
            return self.weight(&[rows, columns], rows);
        }
        let held = self.weight(&[columns, rows], rows);
        self.op(Permute::of([1, 0]), &[held])
    }

    pub(crate) fn op(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> ValueId {
        let at = self.b.graph().nodes().len();
        self.b.set_path(format!("layer{at}"));
        self.b.op(op, inputs).unwrap()
    }

    pub(crate) fn shape(&self, value: ValueId) -> Vec<usize> {
        self.b.ty(value).shape.clone()
    }

    pub(crate) fn finish(mut self, outputs: &[ValueId]) -> Case {
        for (i, &v) in outputs.iter().enumerate() {
            // So that the result has a size of its own, whatever was computed.
            let v = self.op(Unary::Tanh, &[v]);
            self.b.output(format!("y{i}"), v);
        }
        Case {
            graph: self.b.finish().unwrap(),
            params: self.params,
            inputs: self.inputs,
        }
    }
}

/// A graph and what it runs on.
pub(crate) struct Case {
    pub(crate) graph: Graph,
    params: Params,
    inputs: Vec<Tensor>,
}

impl Case {
    /// Runs one pass alone. The result is valid, computes the same, and a second run changes nothing.
    pub(crate) fn alone(&self, spec: &str, capabilities: &Capabilities) -> (Graph, Outcome) {
        let registry = registry();
        let spec: PipelineSpec = spec.parse().unwrap();
        let step = spec.passes.first().unwrap();
        let pass = registry.get(step.name()).unwrap();
        let options = Options::from_pairs(pass.info(), step.options()).unwrap();
        let cx = PassContext::new(capabilities, &options);
        let mut graph = self.graph.clone();
        let outcome = pass.run(&mut graph, &cx).unwrap();
        verify(&graph).unwrap();
        assert!(!outcome.lines().is_empty() || outcome.is_changed());
        let off = self.difference(&graph);
        assert!(
            off < 1e-9,
            "{spec}: off by {off:.3e}\n{}\n{graph}",
            self.graph
        );
        let mut again = graph.clone();
        let second = pass.run(&mut again, &cx).unwrap();
        assert!(
            !second.is_changed() && !second.lines().is_empty() && again == graph,
            "{spec} fires again: {second:?}\n{graph}"
        );
        (graph, outcome)
    }

    /// Runs the pass right before and right after each other pass, whatever the planner would say: a
    /// pass may be run at any time. The result computes the same within the passes' bounds.
    pub(crate) fn beside_every_other_pass(&self, spec: &str, capabilities: &Capabilities) {
        let registry = registry();
        let pass = spec.split('{').next().unwrap();
        for other in registry.names().filter(|&name| name != pass) {
            let forced = ["fuse", "merge_qkv"].contains(&other);
            let other = if forced {
                format!("{other}{{force}}")
            } else {
                other.to_owned()
            };
            for pair in [[spec, &other], [&other, spec]] {
                self.one_after_the_other(&pair, capabilities);
            }
        }
    }

    /// Runs the passes in this sequence. The result is valid, computes the same within their bounds, and
    /// has nothing left to do for the last of them. Gives the rewrites of each.
    pub(crate) fn one_after_the_other(
        &self,
        specs: &[impl AsRef<str>],
        capabilities: &Capabilities,
    ) -> Vec<usize> {
        let registry = registry();
        let names = specs
            .iter()
            .map(AsRef::as_ref)
            .collect::<Vec<_>>()
            .join(", ");
        let steps = specs.iter().map(|spec| single(&registry, spec.as_ref()));
        let plan = Plan {
            steps: steps.flat_map(|p| p.steps).collect(),
        };
        let (graph, report) = Manager::new()
            .run(&plan, &self.graph, capabilities)
            .unwrap_or_else(|e| panic!("{names}: {e}\n{}", self.graph));
        let off = self.difference(&graph);
        assert!(
            off <= bound(&plan),
            "{names}: off by {off:.3e}\n{}",
            self.graph
        );
        let last = plan.steps.last().unwrap();
        let mut again = graph.clone();
        let outcome = last
            .pass
            .run(&mut again, &PassContext::new(capabilities, &last.options))
            .unwrap();
        assert!(
            !outcome.is_changed(),
            "{names}: the last fires again: {outcome:?}\n{graph}"
        );
        report.passes.iter().map(|p| p.rewrites).collect()
    }

    /// What each node of another graph gives on this one's parameters and inputs.
    pub(crate) fn values(&self, graph: &Graph) -> Vec<Tensor> {
        let mut values = Vec::new();
        let observe = |_, outputs: &[&Tensor]| values.push(outputs[0].clone());
        interp::run_values(graph, &self.params, &self.inputs, &[], observe).unwrap();
        values
    }

    /// How far the graph's outputs are from this one's, which are no zeros.
    fn difference(&self, graph: &Graph) -> f64 {
        let run = |g: &Graph| {
            interp::run(g, &self.params, &self.inputs, &[])
                .unwrap()
                .outputs
        };
        let (is, was) = (run(graph), run(&self.graph));
        let pairs = is.iter().zip(&was);
        pairs.fold(0.0, |worst: f64, (is, was)| {
            let seen = was.floats().unwrap().iter().any(|x| x.abs() > 1e-6);
            assert!(seen, "the network gives zeros: {}", self.graph);
            worst.max(Difference::between(is, was).unwrap().max_abs)
        })
    }
}

fn registry() -> Registry {
    mirage_passes::link();
    Registry::linked().unwrap()
}

fn single(registry: &Registry, spec: &str) -> Plan {
    let spec: PipelineSpec = spec.parse().unwrap();
    let step = spec.passes.first().unwrap();
    let pass = registry.get(step.name()).unwrap();
    Plan::single(
        pass,
        Options::from_pairs(pass.info(), step.options()).unwrap(),
    )
}

fn bound(plan: &Plan) -> f64 {
    plan.interpreter_bound()
}

/// A backend that wants this multiple of channels everywhere.
pub(crate) fn wanting(channel_multiple: usize) -> Capabilities {
    Capabilities {
        lines: vec![
            Capability::new(
                Subject::AllOperations,
                [DType::F32, DType::F16, DType::BF16],
            )
            .in_multiples_of(channel_multiple),
        ],
    }
}

/// The nodes that every execution computes.
pub(crate) fn work(graph: &Graph) -> Vec<&Node> {
    let prologue = Prologue::of(graph);
    let nodes = graph.nodes().iter();
    nodes.filter(|n| !prologue.is_fixed(n.output())).collect()
}
