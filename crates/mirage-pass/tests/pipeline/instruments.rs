//! What watches a pipeline.

use std::{cell::Cell, time::Duration};

use mirage_ir::{
    DType, Graph, GraphBuilder, Node, Params, TensorData, TensorType, ValueId,
    ops::{Binary, Extern, Unary, WithScalar},
    text,
};
use mirage_pass::{
    Fault, Manager, Numerics, Options, Outcome, Pass, PassInfo, PassRun, Phase, PipelineError,
    Plan, PlannedPass,
    instrument::{Bisect, Bisection, Change, Dump, Instrument, NumericsDiff, StepView, Verdict},
};

use crate::common::{Copying, capabilities, graph, info, made, mark, relu_for_silu};

fn plan_of(passes: &[&'static dyn Pass]) -> Plan {
    let step = |&pass: &&'static dyn Pass| PlannedPass::new(pass, Options::defaults(pass.info()));
    Plan {
        steps: passes.iter().map(step).collect(),
    }
}

/// Multiplies every output of `add_scalar` by 0, and promises what its metadata promises.
fn zeroes(numerics: Numerics) -> &'static dyn Pass {
    made(
        PassInfo {
            numerics,
            ..info("zeroes", Phase::Precision)
        },
        |graph, _| {
            let node = |b: &mut GraphBuilder, node: &Node, inputs: &[ValueId], g: &Graph| {
                let outputs = b.push_typed(node.op.clone(), inputs, g.output_types(node));
                if node.op.name() != "add_scalar" {
                    return outputs;
                }
                b.push(WithScalar::float(Binary::Mul, 0.0), &outputs)
                    .expect("fits")
            };
            *graph = Copying {
                node: &node,
                ..Copying::default()
            }
            .of(graph);
            Ok(Outcome::changed(1))
        },
    )
}

/// Adds the operands of an addition in the other sequence.
fn swaps_addends() -> &'static dyn Pass {
    made(info("swaps_addends", Phase::Simplify), |graph, _| {
        let node = |b: &mut GraphBuilder, node: &Node, inputs: &[ValueId], g: &Graph| {
            let mut inputs = inputs.to_vec();
            if node.op.get() == Some(&Binary::Add) {
                inputs.reverse();
            }
            b.push_typed(node.op.clone(), &inputs, g.output_types(node))
        };
        *graph = Copying {
            node: &node,
            ..Copying::default()
        }
        .of(graph);
        Ok(Outcome::changed(1))
    })
}

struct VetoMark;

impl Instrument for VetoMark {
    fn name(&self) -> &'static str {
        "no_marks"
    }

    fn before(&mut self, step: StepView<'_>, _graph: &Graph) -> Verdict {
        match step.step.info().name {
            "mark" => Verdict::Veto("marks are not wanted".to_owned()),
            _ => Verdict::Run,
        }
    }
}

#[test]
fn a_veto_keeps_a_pass_from_running_and_is_reported() {
    let plan = plan_of(&[mark(), relu_for_silu()]);
    let mut manager = Manager::new().with(VetoMark);
    let (after, report) = manager.run(&plan, &graph(), &capabilities()).expect("runs");
    assert!(!after.attrs().contains_key("mark"));
    let [mark, relu] = &report.passes[..] else {
        panic!("two rows")
    };
    assert_eq!(
        mark.vetoed.as_deref(),
        Some("no_marks: marks are not wanted")
    );
    assert_eq!((mark.rewrites, mark.before), (0, mark.after));
    assert_eq!((relu.vetoed.as_ref(), relu.rewrites), (None, 1));
}

#[derive(Default)]
struct Log(Vec<String>);

impl Instrument for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn begin(&mut self, plan: &Plan, _: &Graph) -> Result<(), Fault> {
        self.0.push(format!("begin {}", plan.steps.len()));
        Ok(())
    }

    fn before(&mut self, step: StepView<'_>, _: &Graph) -> Verdict {
        self.0
            .push(format!("before {} {}", step.index, step.step.info().name));
        Verdict::Run
    }

    fn after(
        &mut self,
        step: StepView<'_>,
        change: Change<'_>,
        _: &mut PassRun,
    ) -> Result<(), Fault> {
        assert_eq!(
            mirage_ir::verify(change.after),
            Ok(()),
            "instruments see valid graphs only"
        );
        assert_eq!(change.before == change.after, !change.outcome.is_changed());
        self.0
            .push(format!("after {} {}", step.index, step.step.info().name));
        Ok(())
    }

    fn failed(&mut self, step: StepView<'_>, _: &Graph, fault: &Fault) {
        self.0.push(format!("failed {} {fault}", step.index));
    }
}

#[test]
fn instruments_see_every_event_in_order() {
    let invalid = made(info("invalid", Phase::Fuse), |graph, _| {
        let node = |b: &mut GraphBuilder, node: &Node, inputs: &[ValueId], _: &Graph| {
            b.push_typed(
                node.op.clone(),
                inputs,
                vec![TensorType::new(DType::F32, [1])],
            )
        };
        *graph = Copying {
            node: &node,
            ..Copying::default()
        }
        .of(graph);
        Ok(Outcome::changed(1))
    });
    let mut log = Log::default();
    let plan = plan_of(&[mark(), mark(), invalid, mark()]);
    let run = Manager::new()
        .with(&mut log)
        .run(&plan, &graph(), &capabilities());
    assert!(matches!(run, Err(PipelineError::Step(_))));
    insta::assert_snapshot!(log.0.join("\n"));
}

struct Slow;

impl Instrument for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn before(&mut self, _: StepView<'_>, _: &Graph) -> Verdict {
        std::thread::sleep(Duration::from_millis(150));
        Verdict::Run
    }

    fn after(&mut self, _: StepView<'_>, _: Change<'_>, _: &mut PassRun) -> Result<(), Fault> {
        std::thread::sleep(Duration::from_millis(150));
        Ok(())
    }
}

#[test]
fn a_pass_is_not_charged_for_its_instruments() {
    let sleeps = made(info("sleeps", Phase::Fuse), |_, _| {
        std::thread::sleep(Duration::from_millis(20));
        Ok(Outcome::unchanged("it slept"))
    });
    let mut manager = Manager::new().with(Slow);
    let (_, report) = manager
        .run(&plan_of(&[sleeps]), &graph(), &capabilities())
        .expect("runs");
    let time = report.passes[0].time;
    assert!((20..150).contains(&time.as_millis()), "{time:?}");
    assert!(report.time.as_millis() >= 320);
}

#[test]
fn dumps_are_graphs_that_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let dumps = folder.path().join("dumps");
    let plan = plan_of(&[relu_for_silu(), relu_for_silu(), mark()]);
    let mut manager = Manager::new().with(Dump::new(&dumps));
    let (after, report) = manager.run(&plan, &graph(), &capabilities()).expect("runs");

    let mut files: Vec<_> = std::fs::read_dir(&dumps)
        .expect("reads")
        .map(|f| f.expect("reads").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(
        files,
        ["00-input.txt", "01-relu_for_silu.txt", "03-mark.txt"]
    );
    let read = |name: &str| {
        text::parse(&std::fs::read_to_string(dumps.join(name)).expect("reads")).expect("parses")
    };
    assert_eq!(read("00-input.txt").to_string(), graph().to_string());
    assert_eq!(read("03-mark.txt").to_string(), after.to_string());
    assert!(
        report.passes[0].remarks[0]
            .text
            .ends_with("01-relu_for_silu.txt")
    );
}

#[test]
fn a_dump_that_cannot_be_written_stops_the_pipeline() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut manager = Manager::new().with(Dump::new(file.path()));
    let error = manager
        .run(&plan_of(&[mark()]), &graph(), &capabilities())
        .expect_err("no folder");
    assert!(
        error.to_string().contains("00-input.txt cannot be written"),
        "{error}"
    );
}

#[test]
fn numeric_effects_are_measured_and_held_to_the_promise() {
    let plan = plan_of(&[
        mark(),
        swaps_addends(),
        relu_for_silu(),
        zeroes(Numerics::LowersPrecision { tolerance: 0.01 }),
    ]);
    let mut numerics = NumericsDiff::new(7);
    let mut manager = Manager::new().with(&mut numerics);
    let (_, report) = manager.run(&plan, &graph(), &capabilities()).expect("runs");
    drop(manager);

    let [mark, swap, relu, zero] = numerics.effects() else {
        panic!("four effects")
    };
    assert_eq!((mark.difference.max_abs, mark.kept), (0.0, true));
    assert_eq!((swap.difference.max_abs, swap.kept), (0.0, true));
    assert!(relu.difference.max_rel > 0.01 && !relu.kept, "{relu:?}");
    // The output becomes zeros; the state keeps its content.
    assert!(zero.difference.max_rel >= 0.999 && !zero.kept, "{zero:?}");
    let remark = &report.passes[2].remarks[0];
    assert_eq!(remark.by, "numerics");
    assert!(
        remark.text.contains("BEYOND `bit-identical`"),
        "{}",
        remark.text
    );
}

#[test]
fn numeric_effects_are_the_same_for_the_same_seed() {
    let effects = |seed| {
        let mut numerics = NumericsDiff::new(seed);
        let plan = plan_of(&[relu_for_silu()]);
        Manager::new()
            .with(&mut numerics)
            .run(&plan, &graph(), &capabilities())
            .expect("runs");
        numerics.effects().to_vec()
    };
    assert_eq!(effects(1), effects(1));
    assert_ne!(effects(1), effects(2));
}

#[test]
fn numeric_effects_take_the_given_parameters() {
    let mut params = Params::new();
    let zeros = TensorData::from_f32([4, 4], &[0.0; 16]).expect("fits");
    params.insert("head.weight", zeros);
    let mut numerics = NumericsDiff::new(1).params(params);
    let plan = plan_of(&[relu_for_silu()]);
    Manager::new()
        .with(&mut numerics)
        .run(&plan, &graph(), &capabilities())
        .expect("runs");
    assert_eq!(
        numerics.effects()[0].difference.max_abs,
        0.0,
        "with weights of 0, all is 0"
    );
}

#[test]
fn what_cannot_be_compared_says_so() {
    let mut b = Graph::builder("foreign");
    let ty = TensorType::new(DType::F32, [2]);
    let x = b.input("x", ty.clone());
    let foreign = Extern {
        engine: "engine".into(),
        version: "1".into(),
        name: "Sort".into(),
        payload: "{}".into(),
        inputs: vec![ty.clone()],
        outputs: vec![ty],
    };
    let y = b.op(foreign, &[x]).expect("fits");
    let z = b.op(Unary::Silu, &[y]).expect("fits");
    b.output("z", z);
    let foreign = b.finish().expect("is valid");

    let remark = |graph: &Graph, numerics: NumericsDiff| {
        let mut numerics = numerics;
        let plan = plan_of(&[mark()]);
        let mut manager = Manager::new().with(&mut numerics);
        let (_, report) = manager.run(&plan, graph, &capabilities()).expect("runs");
        drop(manager);
        assert!(numerics.effects().is_empty());
        report.passes[0].remarks[0].text.clone()
    };
    let text = remark(&foreign, NumericsDiff::new(1));
    assert!(
        text.starts_with("not compared: ") && text.contains("Sort"),
        "{text}"
    );
    let text = remark(&graph(), NumericsDiff::new(1).max_flops(10));
    assert!(text.contains("more than the limit of 10"), "{text}");
}

#[test]
fn bisection_finds_the_pass_with_few_questions() {
    fn count(
        graph: &mut Graph,
        _: &mirage_pass::PassContext<'_>,
    ) -> Result<Outcome, mirage_pass::PassError> {
        let count = graph
            .attrs()
            .get("count")
            .and_then(|c| c.as_integer())
            .unwrap_or(0);
        graph.set_attr("count", count + 1);
        Ok(Outcome::changed(1))
    }
    const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let passes: Vec<_> = NAMES
        .iter()
        .map(|name| made(info(name, Phase::Simplify), count))
        .collect();
    let counted = |g: &Graph| {
        g.attrs()
            .get("count")
            .and_then(|c| c.as_integer())
            .unwrap_or(0)
    };
    let mut bisect = Bisect::new();
    let plan = plan_of(&passes);
    Manager::new()
        .with(&mut bisect)
        .run(&plan, &graph(), &capabilities())
        .expect("runs");

    for bad in 1..=9 {
        let questions = Cell::new(0);
        let good = |g: &Graph| {
            questions.set(questions.get() + 1);
            counted(g) < bad
        };
        let Bisection::FirstBad {
            step,
            pass,
            before,
            after,
        } = bisect.search(good)
        else {
            panic!("{bad} is there")
        };
        assert_eq!((step as i64 + 1, pass), (bad, NAMES[step]));
        assert_eq!((counted(before), counted(after)), (bad - 1, bad));
        assert!(questions.get() <= 6, "{} questions", questions.get());
    }
    assert_eq!(bisect.search(|g| counted(g) < 10), Bisection::Good);
    assert_eq!(bisect.search(|_| false), Bisection::BadInput);
    assert_eq!(Bisect::new().search(|_| false), Bisection::Good);
}
