//! What is measured, by name.

use std::{any::Any, cell::RefCell, collections::HashMap, rc::Rc};

use mirage_ir::{
    DType, Graph, GraphFlag, Order,
    cost::graph_cost,
    target::{Capabilities, Capability, Subject},
    text, verify, wire,
};
use mirage_pass::{Manager, Options, Pass, PassContext, Phase, PipelineSpec, Plan, Registry, plan};

use crate::network;

/// What cannot go wrong on a network of ours.
const SOUND: &str = "the network is valid and the passes hold on it";

/// A result, kept so that dropping it is not measured.
pub type Done = Box<dyn Any>;

/// Something that is measured at several numbers of nodes.
pub struct Case {
    /// `graph/…`, `planner/…`, `pass/…` or `pipeline/…`.
    pub name: String,
    prepare: Box<dyn Fn(usize) -> Box<dyn Fn() -> Work>>,
}

/// What is measured, with everything that it needs at hand.
type Work = Box<dyn FnOnce() -> Done>;

/// A case at a number of nodes.
pub struct Prepared {
    make: Box<dyn Fn() -> Work>,
}

impl Case {
    fn new(
        name: impl Into<String>,
        prepare: impl Fn(usize) -> Box<dyn Fn() -> Work> + 'static,
    ) -> Self {
        Case {
            name: name.into(),
            prepare: Box::new(prepare),
        }
    }

    /// A function of the network of so many nodes, after `before`.
    fn of_graph<R: 'static>(
        name: &str,
        networks: &Networks,
        before: Before,
        run: impl Fn(&mut Graph) -> R + Clone + 'static,
    ) -> Self {
        let networks = networks.clone();
        Case::new(name, move |nodes| {
            let graph = networks.get(before, nodes);
            let run = run.clone();
            Box::new(move || {
                let (mut graph, run) = (Graph::clone(&graph), run.clone());
                Box::new(move || {
                    let result = run(&mut graph);
                    Box::new((result, graph)) as Done
                })
            })
        })
    }

    /// Makes ready for this number of nodes.
    pub fn prepare(&self, nodes: usize) -> Prepared {
        Prepared {
            make: (self.prepare)(nodes),
        }
    }
}

impl Prepared {
    /// One run, its own copy of everything at hand.
    pub fn work(&self) -> impl FnOnce() -> Done + use<> {
        (self.make)()
    }
}

/// What has been done to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Before {
    /// Nothing: as captured.
    Nothing,
    /// What always runs.
    Canonical,
    /// The same, and attention raised.
    Attention,
}

/// Networks at hand.
type Made = HashMap<(Before, usize), Rc<Graph>>;

/// Networks by what was done to them and their number of nodes, each made once: making them takes
/// longer than most of what is measured on them.
#[derive(Clone)]
struct Networks {
    registry: Rc<Registry>,
    made: Rc<RefCell<Made>>,
}

impl Networks {
    fn get(&self, before: Before, nodes: usize) -> Rc<Graph> {
        let key = (before, nodes);
        let known = self.made.borrow().get(&key).cloned();
        known.unwrap_or_else(|| {
            let captured = || network(nodes).expect(SOUND);
            let after = |passes| {
                let plan = planned(&self.registry, passes);
                let run = Manager::new().run(&plan, &captured(), &capabilities());
                run.expect(SOUND).0
            };
            let graph = Rc::new(match before {
                Before::Nothing => captured(),
                Before::Canonical => after(""),
                Before::Attention => after("sdpa"),
            });
            self.made.borrow_mut().insert(key, graph.clone());
            graph
        })
    }
}

/// Every case. Passes are those that are linked in, so a new one is measured by being there.
pub fn cases() -> Vec<Case> {
    mirage_passes::link();
    let registry = Rc::new(Registry::linked().expect(SOUND));
    let networks = Networks {
        registry: registry.clone(),
        made: Rc::default(),
    };
    let mut cases = graph(&networks);
    cases.push(planner(&registry));
    cases.extend(registry.iter().map(|p| pass(&networks, p)));
    cases.push(pipeline(&networks));
    cases
}

fn graph(networks: &Networks) -> Vec<Case> {
    let raw = Before::Nothing;
    vec![
        Case::new("graph/build", |nodes| {
            Box::new(move || Box::new(move || Box::new(network(nodes).expect(SOUND)) as Done))
        }),
        Case::of_graph("graph/verify", networks, raw, |graph| {
            verify(graph).expect(SOUND)
        }),
        Case::of_graph("graph/cost", networks, raw, |graph| graph_cost(graph)),
        Case::of_graph("graph/print", networks, raw, |graph| text::print(graph)),
        Case::new("graph/parse", |nodes| {
            let printed = text::print(&network(nodes).expect(SOUND));
            Box::new(move || {
                let printed = printed.clone();
                Box::new(move || Box::new(text::parse(&printed).expect(SOUND)) as Done)
            })
        }),
        Case::of_graph("graph/encode", networks, raw, |graph| wire::encode(graph)),
        Case::new("graph/decode", |nodes| {
            let bytes = wire::encode(&network(nodes).expect(SOUND));
            Box::new(move || {
                let bytes = bytes.clone();
                Box::new(move || Box::new(wire::decode(&bytes).expect(SOUND)) as Done)
            })
        }),
    ]
}

/// The pipeline of the cases `planner` and `pipeline`.
const PIPELINE: &str =
    "sdpa,merge_qkv,fold_batch_norm,fold_scales,fp16,channels_last,fuse,graph_capture";

fn planned(registry: &Registry, passes: &str) -> Plan {
    let spec: PipelineSpec = passes.parse().expect("the pipeline is well formed");
    plan(registry, &spec).expect("the pipeline is legal")
}

/// The same work for every number of nodes.
fn planner(registry: &Rc<Registry>) -> Case {
    let registry = registry.clone();
    Case::new("planner/plan", move |_| {
        let registry = registry.clone();
        Box::new(move || {
            let registry = registry.clone();
            Box::new(move || Box::new(planned(&registry, PIPELINE)) as Done)
        })
    })
}

/// All of a pipeline: passes, cleanup, verification after each.
fn pipeline(networks: &Networks) -> Case {
    let plan = planned(&networks.registry, PIPELINE);
    Case::of_graph("pipeline/all", networks, Before::Nothing, move |graph| {
        let run = Manager::new().run(&plan, graph, &capabilities());
        run.expect(SOUND)
    })
}

/// One pass by itself, on the network as it reaches the pass: as captured for those that always run,
/// canonical for those of the first phases, and with attention raised for those after them.
fn pass(networks: &Networks, pass: &'static dyn Pass) -> Case {
    let info = pass.info();
    let before = match (info.always, info.phase) {
        (true, _) => Before::Nothing,
        (_, Phase::Legalize | Phase::Simplify) => Before::Canonical,
        _ => Before::Attention,
    };
    let options = options(pass);
    let name = format!("pass/{}", info.name);
    Case::of_graph(&name, networks, before, move |graph| {
        let outcome = pass.run(graph, &PassContext::new(&capabilities(), &options));
        outcome.expect(SOUND)
    })
}

/// Options under which a pass has work on the network.
fn options(pass: &dyn Pass) -> Options {
    let pairs: &[(&str, &str)] = match pass.info().name {
        "fuse" | "merge_qkv" => &[("force", "true")],
        "pad_channels" => &[("max_overhead", "10")],
        _ => &[],
    };
    Options::from_pairs(pass.info(), pairs.iter().copied()).expect("the pass takes these options")
}

/// A backend that can do everything, and wants convolutions channels last in multiples of 16.
fn capabilities() -> Capabilities {
    let line = |subject| Capability::new(subject, [DType::F32, DType::F16, DType::BF16]);
    Capabilities {
        lines: vec![
            line(Subject::AllOperations),
            line(Subject::operation("conv"))
                .in_orders([Order::channels_last(4)])
                .in_multiples_of(16),
            line(Subject::flag(GraphFlag::StaticPlan)),
            line(Subject::flag(GraphFlag::Tf32Products)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use mirage_pass::Outcome;

    use super::*;

    /// A pass that does nothing on the network would be measured at doing nothing. A new pass may look for
    /// what the network does not have; those in the baseline may not.
    #[test]
    fn every_pass_of_the_baseline_has_work_on_the_network() {
        const BASELINE: &str = include_str!("../baseline.toml");
        let is_known = |c: &&Case| BASELINE.contains(&format!("\"{}/", c.name));
        let cases = cases();
        let passes = cases.iter().filter(|c| c.name.starts_with("pass/"));
        let known: Vec<_> = passes.filter(is_known).collect();
        assert!(known.len() > 10);
        for case in known {
            let done = case.prepare(100).work()();
            let (outcome, graph) = *done.downcast::<(Outcome, Graph)>().unwrap();
            assert!(outcome.is_changed(), "{}: {:?}", case.name, outcome.lines());
            verify(&graph).unwrap();
        }
    }

    #[test]
    fn every_case_runs_and_names_are_distinct() {
        let mut names: Vec<String> = Vec::new();
        for case in cases() {
            case.prepare(50).work()();
            assert!(!names.contains(&case.name), "{}", case.name);
            names.push(case.name);
        }
        assert!(names.len() > 20);
    }
}
