//! The planner's rules, one by one.

use mirage_pass::{
    Fingerprint, PassInfo, PassSpec, Phase, PipelineSpec, PlanError, Registry, plan_in_order,
};

use crate::common::{capabilities, idle, info, names, pipeline, plan, registry};

#[test]
fn phases_then_rules_then_typed_order() {
    let plan = plan(
        &registry(),
        "graph_capture,fuse,pad,channels_last,fp16{keep=softmax},merge_qkv,sdpa",
    )
    .expect("is legal");
    insta::assert_snapshot!(plan);
}

#[test]
fn typed_order_stays_where_no_rule_says_otherwise() {
    let registry = registry();
    let asked = |text| {
        let all = names(&plan(&registry, text).expect(text));
        all.into_iter()
            .filter(|n| ["sdpa", "windowed"].contains(n))
            .collect::<Vec<_>>()
    };
    assert_eq!(asked("sdpa,windowed"), ["sdpa", "windowed"]);
    assert_eq!(asked("windowed,sdpa"), ["windowed", "sdpa"]);
}

#[test]
fn nothing_asked_for_still_legalizes_and_cleans_up() {
    let plan = plan(&registry(), "").expect("is legal");
    assert_eq!(names(&plan), ["canonicalize", "fold", "common", "dead"]);
    assert!(plan.steps.iter().all(|s| s.automatic));
    let empty = Registry::new([]).expect("is right");
    assert!(
        mirage_pass::plan(&empty, &PipelineSpec::empty())
            .expect("is legal")
            .steps
            .is_empty()
    );
}

#[test]
fn naming_an_automatic_pass_sets_its_options_and_adds_no_step() {
    let registry = registry();
    let unnamed = plan(&registry, "sdpa").expect("is legal");
    let named = plan(&registry, "fold{limit=4},sdpa").expect("is legal");
    assert_eq!(names(&named), names(&unnamed));
    let folds: Vec<_> = named
        .steps
        .iter()
        .filter(|s| s.info().name == "fold")
        .collect();
    assert_eq!(folds.len(), 2);
    assert!(
        folds
            .iter()
            .all(|s| !s.automatic && s.options.value("limit") == Ok(4_i64))
    );
    assert!(!plan(&registry, "canonicalize").expect("is legal").steps[0].automatic);
}

#[test]
fn a_cleanup_pass_alone_runs_once() {
    let dead = PassInfo {
        tags: &["cleanup"],
        always: true,
        ..info("dead", Phase::Simplify)
    };
    let registry = Registry::new([idle(dead)]).expect("is right");
    assert!(plan(&registry, "").expect("is legal").steps.is_empty());
    assert_eq!(names(&plan(&registry, "dead").expect("is legal")), ["dead"]);
}

#[test]
fn a_tag_does_not_bind_its_own_pass() {
    // fp16 conflicts with `precision`, which it is itself.
    assert!(plan(&registry(), "fp16").is_ok());
}

#[test]
fn a_requirement_by_tag_is_met_by_any_of_them() {
    let registry = registry();
    for one in ["sdpa", "windowed", "windowed,sdpa"] {
        let plan = plan(&registry, &format!("merge_qkv,{one}")).expect("is legal");
        let names = names(&plan);
        let at = |name: &str| names.iter().position(|n| *n == name);
        assert!(
            one.split(',').all(|one| at(one) < at("merge_qkv")),
            "{names:?}"
        );
    }
}

#[test]
fn wrong_pipelines_are_refused_with_the_rule() {
    let registry = registry();
    let wrong = [
        "spda",
        "sdpa,quantise_everything",
        "fp16,bf16",
        "merge_qkv",
        "sdpa,fp16,sdpa",
        "fp16{kep=norm}",
        "fp16{keep=nrm}",
        "fp16{keep=quantiser}",
        "sdpa{fast}",
        "fold{limit=65}",
        "fold{limit=many}",
        "fp16{inputs=maybe}",
    ];
    let error = |text: &&str| format!("{text}\n    {}", plan(&registry, text).expect_err(text));
    insta::assert_snapshot!(wrong.iter().map(error).collect::<Vec<_>>().join("\n"));
}

#[test]
fn contradictions_name_the_rules() {
    let refuse = |infos: Vec<PassInfo>| {
        let text = infos.iter().map(|i| i.name).collect::<Vec<_>>().join(",");
        let registry = Registry::new(infos.into_iter().map(idle)).expect("is right");
        plan(&registry, &text).expect_err(&text).to_string()
    };
    let simplify = |name| info(name, Phase::Simplify);
    let messages = [
        refuse(vec![
            simplify("aside"),
            PassInfo {
                after: &["b"],
                ..simplify("a")
            },
            PassInfo {
                after: &["c"],
                ..simplify("b")
            },
            PassInfo {
                before: &["d"],
                tags: &["group"],
                ..simplify("c")
            },
            PassInfo {
                before: &["group"],
                requires: &["a"],
                ..simplify("d")
            },
            PassInfo {
                after: &["a"],
                ..simplify("late")
            },
        ]),
        refuse(vec![
            PassInfo {
                before: &["early"],
                ..info("late", Phase::Fuse)
            },
            simplify("early"),
        ]),
        refuse(vec![
            PassInfo {
                after: &["clean"],
                always: true,
                ..info("legal", Phase::Legalize)
            },
            PassInfo {
                tags: &["cleanup"],
                always: true,
                ..simplify("clean")
            },
        ]),
        refuse(vec![PassInfo {
            requires: &["nobody"],
            ..simplify("lonely")
        }]),
        refuse(vec![
            PassInfo {
                conflicts: &["b"],
                ..simplify("a")
            },
            simplify("b"),
        ]),
        refuse(vec![
            simplify("a"),
            PassInfo {
                conflicts: &["a"],
                ..simplify("b")
            },
        ]),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn kept_order_runs_exactly_what_was_typed() {
    let registry = registry();
    for text in [
        "",
        "sdpa,fp16,dead",
        "fold,dead,sdpa,dead",
        "windowed,merge_qkv,fuse",
    ] {
        let kept = plan_in_order(&registry, &pipeline(text)).expect(text);
        assert_eq!(kept.spec().to_string(), text);
        assert!(kept.steps.iter().all(|s| !s.automatic));
    }
}

#[test]
fn kept_order_is_checked() {
    let registry = registry();
    let wrong = [
        "fp16,sdpa",
        "merge_qkv,sdpa",
        "windowed,merge_qkv,sdpa",
        "pad,channels_last",
        "dead,fold",
        "sdpa,sdpa",
        "fp16,bf16",
        "merge_qkv",
        "nothing",
    ];
    let error = |text: &&str| {
        let e = plan_in_order(&registry, &pipeline(text)).expect_err(text);
        format!("{text}\n    {e}")
    };
    insta::assert_snapshot!(wrong.iter().map(error).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_plan_replays_with_its_order_kept() {
    let registry = registry();
    let planned = plan(
        &registry,
        "fuse,fp16{keep=softmax},merge_qkv,sdpa,fold{limit=3}",
    )
    .expect("is legal");
    let replayed = plan_in_order(&registry, &planned.spec()).expect("is legal");
    assert_eq!(names(&replayed), names(&planned));
    let of = |plan| Fingerprint::of(plan, &capabilities());
    assert_eq!(of(&replayed), of(&planned));
}

#[test]
fn places_in_messages_follow_the_form() {
    let registry = registry();
    let toml = PipelineSpec::from_toml(r#"passes = ["sdpa", { name = "fp16", kep = "norm" }]"#);
    let e = mirage_pass::plan(&registry, &toml.expect("parses")).expect_err("no such option");
    assert!(e.to_string().contains("(passes[1])"), "{e}");
    let made = PipelineSpec::from_iter([PassSpec::new("not a name")]);
    let e = mirage_pass::plan(&registry, &made).expect_err("no such pass");
    assert!(matches!(e, PlanError::UnknownPass { .. }));
}

#[test]
fn fingerprints_tell_apart_what_matters() {
    let registry = registry();
    let of = |text: &str| Fingerprint::of(&plan(&registry, text).expect(text), &capabilities());
    assert_eq!(of("fp16"), of(" fp16{keep=norm} "));
    assert_eq!(of("sdpa,fp16"), of("fp16,sdpa"), "the same plan");
    let mut all = vec![
        of(""),
        of("fp16"),
        of("bf16"),
        of("fp16{keep=softmax}"),
        of("sdpa,windowed"),
        of("windowed,sdpa"),
    ];

    let version = |version| {
        let info = PassInfo {
            version,
            ..info("one", Phase::Simplify)
        };
        let registry = Registry::new([idle(info)]).expect("is right");
        Fingerprint::of(&plan(&registry, "one").expect("is legal"), &capabilities())
    };
    all.extend([version(1), version(2)]);

    let mut able = capabilities();
    able.lines.push(mirage_ir::target::Capability::new(
        mirage_ir::target::Subject::AllOperations,
        [mirage_ir::DType::F32],
    ));
    let empty = plan(&registry, "").expect("is legal");
    all.push(Fingerprint::of(&empty, &able));
    able.lines[0].support = mirage_ir::target::Support::Slow;
    all.push(Fingerprint::of(&empty, &able));

    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
    // Stable across builds: plan files outlive them.
    insta::assert_snapshot!(of("fp16"));
}
