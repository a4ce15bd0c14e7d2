//! Programs with calls: a pass runs once on each body.

use std::sync::Arc;

use mirage_ir::{
    DType, Graph, GraphBuilder, Node, TensorType, ValueId,
    ops::{Binary, Call, Linear, Unary},
    text, verify,
};
use mirage_pass::{
    Fault, GraphSummary, Manager, Numerics, Options, Outcome, Pass, PassInfo, Phase, PipelineError,
    PipelineReport, Plan, PlannedPass, Registry, StepFailure,
    instrument::{Bisect, Bisection, Dump, NumericsDiff},
};

use crate::common::{Copying, capabilities, info, made, mark, relu_for_silu};

fn plan_of(passes: &[&'static dyn Pass]) -> Plan {
    let step = |&pass: &&'static dyn Pass| PlannedPass::new(pass, Options::defaults(pass.info()));
    Plan {
        steps: passes.iter().map(step).collect(),
    }
}

fn ty() -> TensorType {
    TensorType::new(DType::F32, [2, 4])
}

/// `y = silu(x · w)`
fn step() -> Arc<Graph> {
    let mut b = Graph::builder("step");
    let x = b.input("x", ty());
    let w = b.param("w", TensorType::new(DType::F32, [4, 4]));
    b.set_path("head");
    let y = b.op(Linear {}, &[x, w]).expect("fits");
    let y = b.op(Unary::Silu, &[y]).expect("fits");
    b.output("y", y);
    Arc::new(b.finish().expect("is valid"))
}

/// `steps` calls of `step`, then one of `pair`, which calls it twice; SiLU before and after.
fn program(steps: usize) -> Graph {
    let step = step();
    let mut b = Graph::builder("pair");
    let x = b.input("x", ty());
    let y = b.op(Call::new(step.clone()), &[x]).expect("fits");
    let y = b.op(Call::new(step.clone()), &[y]).expect("fits");
    b.output("y", y);
    let pair = Arc::new(b.finish().expect("is valid"));

    let mut b = Graph::builder("frame");
    let x = b.input("x", ty());
    let mut y = b.op(Unary::Silu, &[x]).expect("fits");
    for _ in 0..steps {
        y = b.op(Call::new(step.clone()), &[y]).expect("fits");
    }
    y = b.op(Call::new(pair), &[y]).expect("fits");
    y = b.op(Unary::Silu, &[y]).expect("fits");
    b.output("y", y);
    b.finish().expect("is valid")
}

fn run(passes: &[&'static dyn Pass], graph: &Graph) -> (Graph, PipelineReport) {
    let result = Manager::new().run(&plan_of(passes), graph, &capabilities());
    result.expect("runs")
}

fn failure(pass: &'static dyn Pass) -> Box<StepFailure> {
    match Manager::new().run(&plan_of(&[pass]), &program(2), &capabilities()) {
        Err(PipelineError::Step(failure)) => failure,
        other => panic!("the pipeline must fail at a step, got {other:?}"),
    }
}

#[test]
fn a_pass_fires_once_in_a_body_however_often_it_is_called() {
    for steps in [1, 3, 50] {
        let before = program(steps);
        let (after, report) = run(&[relu_for_silu()], &before);
        let run = &report.passes[0];
        assert_eq!(run.rewrites, 2, "the outer graph's and the step's");
        assert!(!after.to_string().contains("silu"));
        assert_eq!(before, program(steps), "the program given is as it was");

        // All calls, those in `pair` too, are of one body.
        let callees: Vec<&str> = after.callees().iter().map(|b| b.name()).collect();
        assert_eq!(callees, ["step", "pair"]);
        let is_step = |b: &&Arc<Graph>| b.name() == "step";
        let graphs = [&after, &**after.callees()[1]];
        let bodies = graphs
            .iter()
            .flat_map(|g| g.nodes())
            .filter_map(|n| n.op.body());
        let steps_called: Vec<_> = bodies.filter(is_step).map(Arc::as_ptr).collect();
        assert_eq!(steps_called.len(), steps + 2);
        assert!(
            steps_called
                .iter()
                .all(|&p| p == Arc::as_ptr(after.callees()[0]))
        );

        let nodes = (2 + steps + 1) + 2 + 2;
        assert_eq!(GraphSummary::of(&before).nodes, nodes);
        assert_eq!(report.after.nodes, nodes);
        assert_eq!(report.after.weight_bytes, 64);
    }
}

#[test]
fn notes_and_reasons_name_the_body() {
    let notes = made(info("notes", Phase::Simplify), |graph, cx| {
        if graph.attrs().contains_key("seen") {
            return Ok(Outcome::unchanged("seen already"));
        }
        if graph.name() == "pair" {
            return Ok(Outcome::unchanged("not this one"));
        }
        graph.set_attr("seen", true);
        Ok(Outcome::Changed {
            rewrites: 2,
            notes: vec![format!("is a body: {}", cx.is_body)],
        })
    });
    let (after, report) = run(&[notes, notes], &program(2));
    let [first, second] = &report.passes[..] else {
        panic!("two rows")
    };
    assert_eq!(first.rewrites, 4);
    assert_eq!(
        first.notes,
        ["is a body: false", "in `step`: is a body: true"]
    );
    assert!(first.reasons.is_empty());
    assert_eq!(second.rewrites, 0);
    assert_eq!(
        second.reasons,
        [
            "seen already",
            "in `step`: seen already",
            "in `pair`: not this one"
        ]
    );
    let (again, _) = run(&[notes], &after);
    assert_eq!(again, after);
}

/// How the whole is to be run is said once, of the whole.
#[test]
fn a_runtime_pass_sees_the_graph_alone() {
    let (after, report) = run(&[mark()], &program(2));
    assert_eq!(report.passes[0].rewrites, 1);
    assert!(after.attrs().contains_key("mark"));
    assert!(after.callees().iter().all(|b| b.attrs().is_empty()));
}

#[test]
fn a_body_that_a_pass_breaks_stops_the_pipeline_with_a_reproducer() {
    let breaks = made(info("breaks", Phase::Simplify), |graph, _| {
        if graph.name() != "step" {
            return Ok(Outcome::unchanged("0 matches"));
        }
        let node = |b: &mut GraphBuilder, node: &Node, inputs: &[ValueId], g: &Graph| {
            let mut types = g.output_types(node);
            if node.op.is::<Linear>() {
                types[0].dtype = DType::F16;
            }
            b.push_typed(node.op.clone(), inputs, types)
        };
        *graph = Copying {
            node: &node,
            ..Copying::default()
        }
        .of(graph);
        Ok(Outcome::changed(1))
    });
    let failure = failure(breaks);
    assert!(matches!(failure.fault, Fault::Invalid(_)));
    let text = failure.to_string();
    for part in [
        "`breaks`",
        "graph `step`, node 0 (linear at `head`)",
        "f16[2,4]",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let graph = failure.reproducer.parse_graph().expect("reads back");
    assert_eq!(graph, program(2));
    let registry = Registry::new([breaks]).expect("one pass");
    let plan = failure.reproducer.plan(&registry).expect("plans");
    let again = Manager::new().run(&plan, &graph, &failure.reproducer.capabilities);
    assert_eq!(again.expect_err("fails again").to_string(), text);
}

#[test]
fn a_body_keeps_its_interface_whatever_the_pass_declares() {
    fn rename(
        graph: &mut Graph,
        cx: &mirage_pass::PassContext<'_>,
    ) -> Result<Outcome, mirage_pass::PassError> {
        if !cx.is_body {
            return Ok(Outcome::unchanged("only bodies"));
        }
        *graph = Copying {
            output: str::to_uppercase,
            ..Copying::default()
        }
        .of(graph);
        Ok(Outcome::changed(1))
    }
    let declares = PassInfo {
        changes_interface: true,
        ..info("renames", Phase::Simplify)
    };
    let failure = failure(made(declares, rename));
    assert!(matches!(failure.fault, Fault::BodyInterface { .. }));
    insta::assert_snapshot!(failure, @"pass `renames` changed the interface of the called body `step`: output 0 was `y` (f32[2,4]) and is now `Y`");
}

#[test]
fn faults_in_a_body_name_it() {
    let panics = made(info("panics", Phase::Simplify), |graph, _| {
        assert!(graph.name() != "pair", "no pairs");
        Ok(Outcome::unchanged("0 matches"))
    });
    let gives_up = made(info("gives_up", Phase::Simplify), |graph, _| {
        match graph.name() {
            "step" => Err(mirage_pass::PassError::new("too hard")),
            _ => Ok(Outcome::unchanged("0 matches")),
        }
    });
    insta::assert_snapshot!(failure(panics), @"pass `panics` panicked: in `pair`: no pairs");
    insta::assert_snapshot!(failure(gives_up), @"pass `gives_up` failed: in `step`: too hard");
}

#[test]
fn instruments_see_the_whole_program() {
    let zeroes = made(
        PassInfo {
            numerics: Numerics::BitIdentical,
            ..info("zeroes", Phase::Simplify)
        },
        |graph, cx| {
            if !cx.is_body || graph.name() != "step" {
                return Ok(Outcome::unchanged("0 matches"));
            }
            let node = |b: &mut GraphBuilder, node: &Node, inputs: &[ValueId], g: &Graph| {
                let outputs = b.push_typed(node.op.clone(), inputs, g.output_types(node));
                match node.op.is::<Linear>() {
                    true => b
                        .push(Binary::Sub, &[outputs[0], outputs[0]])
                        .expect("fits"),
                    false => outputs,
                }
            };
            *graph = Copying {
                node: &node,
                ..Copying::default()
            }
            .of(graph);
            Ok(Outcome::changed(1))
        },
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (mut numerics, mut bisect) = (NumericsDiff::new(5), Bisect::new());
    let plan = plan_of(&[relu_for_silu(), zeroes]);
    let before = program(3);
    let (after, _) = Manager::new()
        .with(&mut numerics)
        .with(&mut bisect)
        .with(Dump::new(folder.path()))
        .run(&plan, &before, &capabilities())
        .expect("runs");
    verify(&after).expect("is valid");

    let effects = numerics.effects();
    assert_eq!(effects.len(), 2, "the program was run");
    assert!(
        effects
            .iter()
            .all(|e| !e.kept && e.difference.max_rel > 0.1)
    );

    let dumped = std::fs::read_to_string(folder.path().join("02-zeroes.txt")).expect("is there");
    assert_eq!(text::parse(&dumped).expect("reads back"), after);

    let has_no_sub = |g: &Graph| !g.to_string().contains(" sub(");
    match bisect.search(has_no_sub) {
        Bisection::FirstBad { pass, step, .. } => assert_eq!((pass, step), ("zeroes", 1)),
        other => panic!("a pass is to blame, got {other:?}"),
    }
}
