//! Registries and options.

use mirage_ir::Graph;
use mirage_pass::{
    Need, Numerics, OptionKind, OptionSpec, Options, Outcome, Pass, PassContext, PassError,
    PassInfo, Phase, Registry, extend, register,
};

use crate::common::{idle, info, registry};

struct Linked;

static LINKED: PassInfo = PassInfo::new(
    "linked",
    3,
    "is registered",
    Phase::Runtime,
    Numerics::BitIdentical,
);

impl Pass for Linked {
    fn info(&self) -> &'static PassInfo {
        &LINKED
    }

    fn run(&self, _: &mut Graph, _: &PassContext<'_>) -> Result<Outcome, PassError> {
        Ok(Outcome::unchanged("it is only registered"))
    }
}

register!(Linked);

#[test]
fn linked_and_added_passes_are_found() {
    let registry = Registry::linked().expect("is right");
    assert_eq!(registry.names().collect::<Vec<_>>(), ["linked"]);
    assert_eq!(registry.get("linked").map(|p| p.info().version), Some(3));
    assert!(registry.get("unlinked").is_none());

    // All or none are added.
    let names = || -> Vec<&str> { Registry::linked().expect("is right").names().collect() };
    let later = || idle(info("later", Phase::Simplify));
    let error = extend([later(), idle(info("linked", Phase::Simplify))]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("two passes have the name `linked`")
    );
    assert_eq!(names(), ["linked"]);
    extend([later()]).expect("its name is free");
    assert_eq!(names(), ["later", "linked"]);
}

#[test]
fn passes_come_by_name() {
    let registry = registry();
    let names: Vec<_> = registry.infos().map(|i| i.name).collect();
    assert!(names.is_sorted());
    assert_eq!(names.len(), registry.iter().len());
}

#[test]
fn wrong_metadata_is_refused() {
    const X: OptionSpec = OptionSpec {
        name: "x",
        kind: OptionKind::Bool,
        default: "true",
        doc: "",
    };
    let base = || info("a", Phase::Simplify);
    let refuse = |infos: Vec<PassInfo>| match Registry::new(infos.into_iter().map(idle)) {
        Ok(_) => "accepted".to_owned(),
        Err(e) => e.to_string(),
    };
    let messages = [
        refuse(vec![base(), base()]),
        refuse(vec![info("Fp16", Phase::Precision)]),
        refuse(vec![info("a-b", Phase::Precision)]),
        refuse(vec![PassInfo {
            always: true,
            ..base()
        }]),
        refuse(vec![
            PassInfo {
                tags: &["b"],
                ..base()
            },
            info("b", Phase::Fuse),
        ]),
        refuse(vec![PassInfo {
            options: &[X, X],
            ..base()
        }]),
        refuse(vec![PassInfo {
            options: &[OptionSpec { name: "name", ..X }],
            ..base()
        }]),
        refuse(vec![PassInfo {
            options: &[OptionSpec {
                default: "yes",
                ..X
            }],
            ..base()
        }]),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn what_is_worth_trying_must_be_an_option_with_a_right_value() {
    let refuse = |worth_trying| {
        let pass = PassInfo {
            options: &[OptionSpec {
                name: "x",
                kind: OptionKind::Bool,
                default: "true",
                doc: "",
            }],
            worth_trying,
            ..info("a", Phase::Simplify)
        };
        match Registry::new([idle(pass)]) {
            Ok(_) => "accepted".to_owned(),
            Err(e) => e.to_string(),
        }
    };
    assert!(
        refuse(&[("y", "true")]).contains("a value worth measuring is invalid: unknown option `y`")
    );
    assert!(refuse(&[("x", "maybe")]).contains("must be true or false"));
}

fn all_kinds() -> PassInfo {
    const fn option(name: &'static str, kind: OptionKind, default: &'static str) -> OptionSpec {
        OptionSpec {
            name,
            kind,
            default,
            doc: "",
        }
    }
    const OPTIONS: &[OptionSpec] = &[
        option("bool", OptionKind::Bool, "true"),
        option("int", OptionKind::Int { min: -2, max: 9 }, "7"),
        option("float", OptionKind::Float { min: 0.0, max: 1.0 }, "0.5"),
        option("str", OptionKind::Str, "some text"),
        option("choice", OptionKind::Choice(&["near", "far"]), "near"),
        option("set", OptionKind::Set(&["x", "y", "z"]), "y"),
    ];
    PassInfo {
        options: OPTIONS,
        ..info("all", Phase::Simplify)
    }
}

#[test]
fn options_are_typed_and_filled_in() {
    let defaults = Options::defaults(&all_kinds());
    let text = |options: &Options, name: &str| options.get(name).expect("is there").to_string();
    assert_eq!(defaults.value("bool"), Ok(true));
    assert_eq!(defaults.value("int"), Ok(7_i64));
    assert_eq!(defaults.value("float"), Ok(0.5));
    assert_eq!(defaults.value("str"), Ok("some text".to_owned()));
    assert_eq!(text(&defaults, "choice"), "near");
    assert_eq!(text(&defaults, "set"), "y");
    assert_eq!(defaults.changed().count(), 0);

    let given = [
        ("set", "z+x+z"),
        ("int", "-2"),
        ("float", "1"),
        ("bool", "true"),
        ("choice", "far"),
    ];
    let options = Options::from_pairs(&all_kinds(), given).expect("are right");
    assert_eq!(text(&options, "set"), "x+z");
    assert_eq!(options.value("int"), Ok(-2_i64));
    assert_eq!(options.value("float"), Ok(1.0));
    assert_eq!(text(&options, "choice"), "far");
    let changed: Vec<_> = options.changed().map(|(name, _)| name).collect();
    assert_eq!(
        changed,
        ["choice", "float", "int", "set"],
        "bool is at its default"
    );
    let none = Options::from_pairs(&all_kinds(), [("set", "")]).expect("an empty set");
    assert_eq!(text(&none, "set"), "");
}

#[test]
fn wrong_values_say_what_is_expected() {
    let refuse = |name: &str, text: &str| {
        Options::from_pairs(&all_kinds(), [(name, text)])
            .expect_err(text)
            .to_string()
    };
    let messages = [
        refuse("bool", "yes"),
        refuse("int", "10"),
        refuse("int", "1.5"),
        refuse("float", "NaN"),
        refuse("float", "inf"),
        refuse("float", "-0.1"),
        refuse("choice", "fra"),
        refuse("set", "x+w"),
        refuse("set", "x+"),
        refuse("sett", "x"),
        refuse("int", "1\n2"),
        refuse("set", "x+\n"),
        refuse("two\nlines", ""),
        Options::from_pairs(&all_kinds(), [("int", "1"), ("int", "2")])
            .expect_err("")
            .to_string(),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn an_option_that_a_pass_does_not_declare_so_is_an_error_not_a_default() {
    let options = Options::defaults(&all_kinds());
    let messages = [
        options.value::<bool>("boool").expect_err("no such option"),
        options.value::<bool>("int").expect_err("another type"),
        options.value::<usize>("float").expect_err("another type"),
        Options::from_pairs(&all_kinds(), [("int", "-2")])
            .and_then(|given| given.value::<usize>("int"))
            .expect_err("negative"),
    ]
    .map(|e| e.to_string());
    assert_eq!(
        messages.join("\n"),
        "the pass reads the option `boool`, which its metadata does not declare\n\
         the pass reads the option `int` as true or false, but it is `7`\n\
         the pass reads the option `float` as an integer from 0 to 9223372036854775807, but it is `0.5`\n\
         the pass reads the option `int` as an integer from 0 to 9223372036854775807, but it is `-2`"
    );
    // In a pass it ends the pipeline with the pass's name.
    let error = PassError::from(options.value::<f64>("int").expect_err("another type"));
    assert!(error.to_string().contains("option `int`"), "{error}");
}

#[test]
fn needs_are_met_by_capabilities() {
    use mirage_ir::{
        DType,
        target::{Capabilities, Capability, Subject, Support},
    };
    let line = |subject| Capability::new(subject, [DType::F16]);
    let able = Capabilities {
        lines: vec![
            line(Subject::AllOperations).with_support(Support::Slow),
            line(Subject::region("norm_silu")),
        ],
    };
    let support = |subject, dtype| Need::new(subject, dtype).support(&able);
    let (conv, region) = (Subject::operation("conv"), Subject::region("norm_silu"));
    assert_eq!(support(conv.clone(), DType::F16), Some(Support::Slow));
    assert_eq!(support(region, DType::F16), Some(Support::Fast));
    assert_eq!(support(conv, DType::BF16), None);
    assert_eq!(support(Subject::region("other"), DType::F16), None);
}

#[test]
fn metadata_is_data() {
    static NEEDS: [Need; 1] = [Need::new(
        mirage_ir::target::Subject::operation("conv"),
        mirage_ir::DType::F16,
    )];
    let info = PassInfo {
        needs: &NEEDS,
        numerics: Numerics::LowersPrecision { tolerance: 0.02 },
        ..all_kinds()
    };
    insta::assert_snapshot!(serde_json::to_string_pretty(&info).expect("serializes"));
}
