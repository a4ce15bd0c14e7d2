//! Passes and graphs to test with. None of them is registered.

use mirage_ir::{
    DType, Graph, GraphBuilder, Node, TensorType, ValueId,
    ops::{Binary, Linear, Unary, WithScalar},
    target::Capabilities,
};
use mirage_pass::{
    CLEANUP, Numerics, OptionKind, OptionSpec, Outcome, Pass, PassContext, PassError, PassInfo,
    Phase, PipelineSpec, Plan, PlanError, Registry,
};

type Run = fn(&mut Graph, &PassContext<'_>) -> Result<Outcome, PassError>;

/// A pass out of metadata and a function.
struct Made {
    info: &'static PassInfo,
    run: Run,
}

impl Pass for Made {
    fn info(&self) -> &'static PassInfo {
        self.info
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        (self.run)(graph, cx)
    }
}

/// A pass that lives as long as the program.
pub(crate) fn made(info: PassInfo, run: Run) -> &'static dyn Pass {
    let info = Box::leak(Box::new(info));
    Box::leak(Box::new(Made { info, run }))
}

/// A pass that is only planned, not run.
pub(crate) fn idle(info: PassInfo) -> &'static dyn Pass {
    made(info, |_, _| Ok(Outcome::unchanged("made for planning")))
}

/// Metadata with nothing but a name and a phase.
pub(crate) fn info(name: &'static str, phase: Phase) -> PassInfo {
    PassInfo::new(name, 1, "made for a test", phase, Numerics::BitIdentical)
}

/// A registry like the real one in small: a legalizing pass, three cleanup passes, one or two
/// passes of every phase, with rules of every kind.
pub(crate) fn registry() -> Registry {
    let cleanup = |name: &'static str, after: &'static [&'static str]| PassInfo {
        tags: &[CLEANUP],
        always: true,
        after,
        ..info(name, Phase::Simplify)
    };
    let precision = |name: &'static str| PassInfo {
        tags: &["precision"],
        conflicts: &["precision"],
        options: &[
            OptionSpec {
                name: "keep",
                kind: OptionKind::Set(&["norm", "softmax"]),
                default: "norm",
                doc: "what stays f32",
            },
            OptionSpec {
                name: "inputs",
                kind: OptionKind::Bool,
                default: "false",
                doc: "inputs too",
            },
        ],
        ..info(name, Phase::Precision)
    };
    let limit = OptionSpec {
        name: "limit",
        kind: OptionKind::Int { min: 1, max: 64 },
        default: "16",
        doc: "the largest",
    };
    let fold = PassInfo {
        options: Box::leak(Box::new([limit])),
        ..cleanup("fold", &[])
    };
    Registry::new(
        [
            PassInfo {
                always: true,
                ..info("canonicalize", Phase::Legalize)
            },
            fold,
            cleanup("common", &["fold"]),
            cleanup("dead", &["common", "fold"]),
            PassInfo {
                requires: &["attention"],
                ..info("merge_qkv", Phase::Simplify)
            },
            PassInfo {
                tags: &["attention"],
                ..info("sdpa", Phase::Simplify)
            },
            PassInfo {
                tags: &["attention"],
                ..info("windowed", Phase::Simplify)
            },
            precision("fp16"),
            precision("bf16"),
            PassInfo {
                before: &["pad"],
                ..info("channels_last", Phase::Layout)
            },
            info("pad", Phase::Layout),
            PassInfo {
                after: &["precision"],
                ..info("fuse", Phase::Fuse)
            },
            info("graph_capture", Phase::Runtime),
        ]
        .map(idle),
    )
    .expect("the metadata is right")
}

/// The plan of a pipeline in text.
pub(crate) fn plan(registry: &Registry, text: &str) -> Result<Plan, PlanError> {
    mirage_pass::plan(registry, &pipeline(text))
}

/// A pipeline in text.
pub(crate) fn pipeline(text: &str) -> PipelineSpec {
    text.parse().expect("the grammar is right")
}

/// The names of a plan's steps.
pub(crate) fn names(plan: &Plan) -> Vec<&'static str> {
    plan.steps.iter().map(|s| s.info().name).collect()
}

/// `silu(x + 1) · w`, with a state that accumulates the result.
pub(crate) fn graph() -> Graph {
    let mut b = Graph::builder("small");
    let x = b.input("x", TensorType::new(DType::F32, [2, 4]));
    let w = b.param("head.weight", TensorType::new(DType::F32, [4, 4]));
    let sum = b.state("sum", TensorType::new(DType::F32, [2, 4]));
    b.set_path("head");
    let shifted = b
        .op(WithScalar::float(Binary::Add, 1.0), &[x])
        .expect("fits");
    let activated = b.op(Unary::Silu, &[shifted]).expect("fits");
    let y = b.op(Linear {}, &[activated, w]).expect("fits");
    let next = b.op(Binary::Add, &[sum, y]).expect("fits");
    b.set_state(sum, next).expect("is a state");
    b.output("y", y);
    b.finish().expect("is valid")
}

/// Capabilities of no backend in particular.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities::default()
}

/// Adds a copy of a node, whose operands are given in the new graph; gives the new outputs.
pub(crate) type CopyNode = dyn Fn(&mut GraphBuilder, &Node, &[ValueId], &Graph) -> Vec<ValueId>;

/// What to build a graph's copy from: names of outputs and parameters, and each node.
pub(crate) struct Copying<'a> {
    /// The name of an output from the name before.
    pub(crate) output: fn(&str) -> String,
    /// A parameter's type from the type before.
    pub(crate) param: fn(&TensorType) -> TensorType,
    /// Adds a node.
    pub(crate) node: &'a CopyNode,
}

impl Default for Copying<'_> {
    fn default() -> Self {
        Copying {
            output: str::to_owned,
            param: TensorType::clone,
            node: &|b, node, inputs, graph| {
                b.push_typed(node.op.clone(), inputs, graph.output_types(node))
            },
        }
    }
}

impl Copying<'_> {
    /// The copy, unverified.
    pub(crate) fn of(&self, graph: &Graph) -> Graph {
        let mut b = Graph::builder(graph.name());
        let mut map = vec![None; graph.values().len()];
        for p in graph.inputs() {
            map[p.value.index()] = Some(b.input(p.name.clone(), graph.ty(p.value).clone()));
        }
        for p in graph.params() {
            map[p.value.index()] = Some(b.param(p.name.clone(), (self.param)(graph.ty(p.value))));
        }
        for s in graph.states() {
            map[s.input.index()] = Some(b.state(s.name.clone(), graph.ty(s.input).clone()));
        }
        let at = |map: &[Option<ValueId>], v: ValueId| map[v.index()].expect("defined before");
        for node in graph.nodes() {
            let inputs: Vec<_> = node.inputs.iter().map(|&v| at(&map, v)).collect();
            b.set_path(node.path.clone());
            let outputs = (self.node)(&mut b, node, &inputs, graph);
            for (old, new) in node.outputs.iter().zip(outputs) {
                map[old.index()] = Some(new);
            }
        }
        for s in graph.states() {
            b.set_state(at(&map, s.input), at(&map, s.output))
                .expect("is a state");
        }
        for p in graph.outputs() {
            b.output((self.output)(&p.name), at(&map, p.value));
        }
        b.finish_unverified()
    }
}

/// Marks the graph; a second time it finds the mark.
pub(crate) fn mark() -> &'static dyn Pass {
    made(info("mark", Phase::Runtime), |graph, _| {
        if graph.attrs().contains_key("mark") {
            return Ok(Outcome::unchanged("the graph is marked already"));
        }
        graph.set_attr("mark", true);
        Ok(Outcome::Changed {
            rewrites: 1,
            notes: vec!["marked".to_owned()],
        })
    })
}

/// Takes ReLU for SiLU and calls that exact.
pub(crate) fn relu_for_silu() -> &'static dyn Pass {
    made(info("relu_for_silu", Phase::Simplify), |graph, _| {
        if !graph
            .nodes()
            .iter()
            .any(|n| n.op.get() == Some(&Unary::Silu))
        {
            return Ok(Outcome::unchanged("0 matches: the graph has no silu"));
        }
        let relu = |b: &mut GraphBuilder, node: &Node, inputs: &[ValueId], g: &Graph| {
            let silu = node.op.get() == Some(&Unary::Silu);
            let op = if silu {
                Unary::Relu.into()
            } else {
                node.op.clone()
            };
            b.push_typed(op, inputs, g.output_types(node))
        };
        *graph = Copying {
            node: &relu,
            ..Copying::default()
        }
        .of(graph);
        Ok(Outcome::changed(1))
    })
}
