//! Running plans: what comes out, and what stops it.

use mirage_ir::{DType, Graph, GraphBuilder, Node, TensorType, ValueId, ops::Linear};
use mirage_pass::{
    Fault, Manager, Options, Outcome, Pass, PassError, PassInfo, Phase, PipelineError, Plan,
    PlannedPass, Registry, Reproducer, StepFailure, check_interface,
};

use crate::common::{Copying, capabilities, graph, info, made, mark, relu_for_silu};

fn plan_of(passes: &[&'static dyn Pass]) -> Plan {
    let step = |&pass: &&'static dyn Pass| PlannedPass::new(pass, Options::defaults(pass.info()));
    Plan {
        steps: passes.iter().map(step).collect(),
    }
}

fn failure(manager: &mut Manager<'_>, plan: &Plan, graph: &Graph) -> Box<StepFailure> {
    match manager.run(plan, graph, &capabilities()) {
        Err(PipelineError::Step(failure)) => failure,
        other => panic!("the pipeline must fail at a step, got {other:?}"),
    }
}

/// Runs a pass alone, which must fail; the message.
fn message(pass: &'static dyn Pass) -> String {
    failure(&mut Manager::new(), &plan_of(&[pass]), &graph()).to_string()
}

/// Gives the linear layer an output that its types don't have.
fn breaks_a_type() -> &'static dyn Pass {
    made(info("breaks_a_type", Phase::Simplify), |graph, _| {
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
    })
}

#[test]
fn a_pipeline_gives_the_graph_and_a_row_for_each_pass() {
    let before = graph();
    let (after, report) = Manager::new()
        .run(
            &plan_of(&[relu_for_silu(), mark(), mark()]),
            &before,
            &capabilities(),
        )
        .expect("runs");
    assert!(after.attrs().contains_key("mark"));
    assert!(!after.to_string().contains("silu"));
    assert_eq!(before, graph(), "the graph given is as it was");

    let [relu, first, second] = &report.passes[..] else {
        panic!("three rows")
    };
    assert_eq!((relu.name, relu.rewrites), ("relu_for_silu", 1));
    assert_eq!(
        (first.rewrites, &first.notes[..]),
        (1, &["marked".to_owned()][..])
    );
    assert_eq!(
        (second.rewrites, &second.reasons[..]),
        (0, &["the graph is marked already".to_owned()][..])
    );
    assert_eq!(report.before.nodes, 4);
    assert_eq!(report.before.weight_bytes, 64);
    assert!(report.before.flops > 2 * 2 * 4 * 4);
    assert_eq!(report.passes[0].after, report.passes[1].before);
    assert!(report.time >= report.passes.iter().map(|p| p.time).sum());
}

#[test]
fn running_the_result_again_changes_nothing() {
    let plan = plan_of(&[relu_for_silu(), mark()]);
    let mut manager = Manager::new();
    let (once, _) = manager.run(&plan, &graph(), &capabilities()).expect("runs");
    let (twice, report) = manager.run(&plan, &once, &capabilities()).expect("runs");
    assert_eq!(once, twice);
    assert!(
        report
            .passes
            .iter()
            .all(|p| p.rewrites == 0 && !p.reasons.is_empty())
    );
}

#[test]
fn reports_serialize() {
    let (_, mut report) = Manager::new()
        .run(&plan_of(&[mark()]), &graph(), &capabilities())
        .expect("runs");
    report.time = std::time::Duration::from_millis(1500);
    report.passes[0].time = std::time::Duration::from_millis(250);
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).expect("serializes"));
}

#[test]
fn a_broken_type_stops_the_pipeline_and_leaves_a_reproducer() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = graph();
    let mut manager = Manager::new().reproducers(folder.path().join("failures"));
    let failure = failure(
        &mut manager,
        &plan_of(&[mark(), breaks_a_type(), mark()]),
        &before,
    );

    assert_eq!((failure.pass, failure.step), ("breaks_a_type", 1));
    assert!(matches!(failure.fault, Fault::Invalid(_)));
    let text = failure.to_string();
    for part in [
        "`breaks_a_type`",
        "node 2 (linear at `head`)",
        "f16[2,4]",
        "f32[2,4]",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(
        failure.report.passes.len(),
        1,
        "what ran before is in the report"
    );
    assert_eq!(before, graph());

    let path = failure
        .written
        .as_ref()
        .expect("a folder was given")
        .as_ref()
        .expect("written");
    assert!(text.contains(&path.display().to_string()));
    let read = std::fs::read_to_string(path).expect("is there");
    let reproducer = Reproducer::from_toml(&read).expect("reads back");
    assert_eq!(reproducer, failure.reproducer);
    let folder = path.parent().expect("in a folder");
    assert_eq!(
        std::fs::read_dir(folder).expect("reads").count(),
        1,
        "no temporary file is left"
    );

    // What the file holds is enough to see it again.
    let again = reproducer.parse_graph().expect("parses");
    assert!(
        again.attrs().contains_key("mark"),
        "the graph that the failing pass was given"
    );
    let registry = Registry::new([breaks_a_type()]).expect("is right");
    let plan = reproducer.plan(&registry).expect("plans");
    let same = self::failure(&mut Manager::new(), &plan, &again);
    assert_eq!(same.fault, failure.fault);
}

#[test]
fn a_reproducer_keeps_options_and_reads_as_text() {
    use mirage_pass::{OptionKind, OptionSpec, PipelineSpec};
    let options: &[OptionSpec] = &[OptionSpec {
        name: "how",
        kind: OptionKind::Str,
        default: "",
        doc: "how",
    }];
    let gives_up = PassInfo {
        options,
        ..info("gives_up", Phase::Fuse)
    };
    let pass = made(gives_up, |graph, cx| {
        let (id, _) = graph.iter().nth(1).expect("two nodes");
        Err(PassError::at(
            graph,
            id,
            format!("cannot: {}", cx.options.value::<String>("how")?),
        ))
    });
    let registry = Registry::new([pass]).expect("is right");
    let pipeline: PipelineSpec = "gives_up{how=\"a, b\"}".parse().expect("parses");
    let plan = mirage_pass::plan(&registry, &pipeline).expect("plans");
    let failure = failure(&mut Manager::new(), &plan, &graph());
    insta::assert_snapshot!(failure.reproducer.to_toml());
    assert_eq!(failure.reproducer.plan(&registry).expect("plans"), plan);
    assert!(failure.written.is_none());
}

#[test]
fn a_reproducer_that_cannot_be_written_hides_nothing() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut manager = Manager::new().reproducers(file.path());
    let failure = failure(&mut manager, &plan_of(&[breaks_a_type()]), &graph());
    assert!(matches!(failure.fault, Fault::Invalid(_)));
    assert!(matches!(failure.written, Some(Err(_))));
    assert!(failure.to_string().contains("could not be written"));
}

#[test]
fn every_kind_of_failure_has_its_message() {
    let simplify = |name| info(name, Phase::Simplify);
    let messages = [
        message(breaks_a_type()),
        message(made(simplify("panics"), |_, _| {
            panic!("index out of\nbounds")
        })),
        message(made(simplify("gives_up"), |_, _| {
            Err(PassError::new("no room"))
        })),
        message(made(simplify("silent"), |_, _| {
            Ok(Outcome::Unchanged {
                reasons: Vec::new(),
            })
        })),
        message(made(simplify("nothing_done"), |_, _| {
            Ok(Outcome::changed(0))
        })),
        message(made(simplify("denies"), |graph, _| {
            graph.set_attr("changed", true);
            Ok(Outcome::unchanged("nothing to do"))
        })),
        message(made(simplify("renames"), |graph, _| {
            *graph = Copying {
                output: str::to_uppercase,
                ..Copying::default()
            }
            .of(graph);
            Ok(Outcome::changed(1))
        })),
    ];
    assert!(messages.iter().all(|m| !m.contains('\n')));
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn an_invalid_graph_is_refused_before_the_first_pass() {
    let types = |b: &mut GraphBuilder, node: &Node, inputs: &[ValueId], _: &Graph| {
        let wrong = vec![TensorType::new(DType::F32, [3, 3])];
        b.push_typed(node.op.clone(), inputs, wrong)
    };
    let invalid = Copying {
        node: &types,
        ..Copying::default()
    }
    .of(&graph());
    let error = Manager::new().run(&plan_of(&[mark()]), &invalid, &capabilities());
    let error = error.expect_err("is invalid");
    assert!(matches!(error, PipelineError::Begin(_)));
    insta::assert_snapshot!(error);
}

#[test]
fn a_pass_may_change_the_interface_that_says_so() {
    fn rename(graph: &mut Graph, _: &mirage_pass::PassContext<'_>) -> Result<Outcome, PassError> {
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
    let plan = plan_of(&[made(declares, rename)]);
    let (after, _) = Manager::new()
        .run(&plan, &graph(), &capabilities())
        .expect("may");
    assert_eq!(&*after.outputs()[0].name, "Y");
}

#[test]
fn the_interface_is_inputs_outputs_states_and_no_new_parameters() {
    let build = |edit: &dyn Fn(&mut GraphBuilder)| {
        let mut b = Graph::builder("g");
        let x = b.input("x", TensorType::new(DType::F32, [2]));
        edit(&mut b);
        b.output("x", x);
        b.finish().expect("is valid")
    };
    let f16 = || TensorType::new(DType::F16, [2]);
    let f32 = || TensorType::new(DType::F32, [2]);
    let plain = build(&|_| {});
    let param = build(&|b| {
        b.param("p", f32());
    });
    let state = build(&|b| {
        b.state("s", f32());
    });
    let input = build(&|b| {
        b.input("y", f32());
    });

    assert_eq!(check_interface(&plain, &plain), Ok(()));
    assert_eq!(
        check_interface(&param, &plain),
        Ok(()),
        "a parameter may be dropped"
    );
    let refuse =
        |before: &Graph, after: &Graph| check_interface(before, after).expect_err("differs");
    let messages = [
        refuse(&plain, &param),
        refuse(
            &param,
            &build(&|b| {
                b.param("p", f16());
            }),
        ),
        refuse(&plain, &state),
        refuse(&state, &plain),
        refuse(
            &state,
            &build(&|b| {
                b.state("s", f16());
            }),
        ),
        refuse(&plain, &input),
        refuse(
            &input,
            &build(&|b| {
                b.input("z", f32());
            }),
        ),
        refuse(
            &input,
            &build(&|b| {
                b.input("y", f16());
            }),
        ),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}
