//! The text form and the TOML form.

use mirage_pass::{PassSpec, PipelineSpec, Place};
use proptest::{collection::vec, prelude::*};

fn error(text: &str) -> String {
    text.parse::<PipelineSpec>().expect_err(text).to_string()
}

#[test]
fn prints_back_canonically() {
    for (written, canonical) in [
        ("", ""),
        ("  ", ""),
        ("sdpa", "sdpa"),
        (
            " fp16 { keep = norm+softmax , inputs } ,\n sdpa ",
            "fp16{inputs=true,keep=norm+softmax},sdpa",
        ),
        ("fp16{}", "fp16"),
        (r#"a{x="norm"}"#, "a{x=norm}"),
        (r#"a{x=}"#, r#"a{x=""}"#),
        (r#"a{x="b, \"c\" \\ \n"}"#, r#"a{x="b, \"c\" \\ \n"}"#),
    ] {
        let pipeline: PipelineSpec = written.parse().expect(written);
        assert_eq!(pipeline.to_string(), canonical);
        assert_eq!(
            canonical.parse::<PipelineSpec>().expect(canonical),
            pipeline
        );
    }
}

#[test]
fn errors_say_where_and_what_was_expected() {
    let wrong = [
        "fp16,,sdpa",
        "fp16,",
        ",fp16",
        "fp16 sdpa",
        "fp16{keep=norm",
        "fp16{keep=norm sdpa}",
        "fp16{=norm}",
        "fp16{keep=norm,keep=softmax}",
        "fp16{name=sdpa}",
        r#"a{x="b"#,
        r#"a{x="\t"}"#,
        "a}",
        "é=1",
    ];
    let lines: Vec<String> = wrong
        .iter()
        .map(|w| format!("{w}\n    {}", error(w)))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn columns_count_characters() {
    let pipeline: PipelineSpec = r#"é{x="ü"}, fp16{ keep=norm}"#.parse().expect("parses");
    let fp16 = &pipeline.passes[1];
    assert_eq!(fp16.place(), Place::Column(11));
    assert_eq!(fp16.option_place("keep"), Place::Column(17));
    assert_eq!(fp16.option_place("else"), Place::Column(11));
}

#[test]
fn toml_forms_read_alike() {
    let expected: PipelineSpec = "sdpa,fp16{inputs=true,keep=norm+softmax,limit=4,scale=0.5}"
        .parse()
        .expect("parses");
    for text in [
        r#"passes = "sdpa, fp16{inputs,keep=norm+softmax,limit=4,scale=0.5}""#,
        r#"passes = ["sdpa", "fp16{inputs,keep=norm+softmax,limit=4,scale=0.5}"]"#,
        r#"passes = ["sdpa", { name = "fp16", keep = ["norm", "softmax"], inputs = true, limit = 4, scale = 0.5 }]"#,
        "[[passes]]\nname = \"sdpa\"\n[[passes]]\nname = \"fp16\"\nkeep = \"norm+softmax\"\ninputs = true\nlimit = 4\nscale = 0.5",
    ] {
        assert_eq!(PipelineSpec::from_toml(text).expect(text), expected);
    }
    assert_eq!(
        PipelineSpec::from_toml("passes = []").expect("empty"),
        PipelineSpec::empty()
    );
    insta::assert_snapshot!(expected.to_toml());
}

#[test]
fn toml_errors_say_where() {
    let wrong = [
        "passes = [",
        "pases = []",
        "passes = []\nkeep_order = true",
        "passes = 3",
        "passes = [\n  \"sdpa\",\n  3,\n]",
        r#"passes = ["a,b"]"#,
        r#"passes = ["a{"]"#,
        r#"passes = [{ keep = "norm" }]"#,
        r#"passes = [{ name = 3 }]"#,
        r#"passes = [{ name = "a,b" }]"#,
        r#"passes = [{ name = "" }]"#,
        r#"passes = [{ name = "a", "b\nc" = 1 }]"#,
        r#"passes = [{ name = "a", keep = ["b+c"] }]"#,
        r#"passes = [{ name = "a", keep = { b = 1 } }]"#,
    ];
    let error = |text: &&str| {
        let e = PipelineSpec::from_toml(text).expect_err(text).to_string();
        assert!(!e.contains('\n'), "{e}");
        format!("{text}\n    {e}")
    };
    insta::assert_snapshot!(wrong.iter().map(error).collect::<Vec<_>>().join("\n"));
}

fn pipelines() -> impl Strategy<Value = PipelineSpec> {
    let name = || "[a-z][a-z0-9_]{0,6}";
    let value = prop_oneof![
        "[a-z]{1,4}(\\+[a-z]{1,4}){0,2}",
        "-?[0-9]{1,4}(\\.[0-9]{1,3})?(e\\+?[0-9])?",
        Just("true".to_owned()),
        Just("inf".to_owned()),
        any::<String>(),
    ];
    let options = vec((name(), value), 0..4);
    vec((name(), options), 0..5).prop_map(|passes| {
        let pass = |(name, options): (String, Vec<(String, String)>)| {
            let options = options.into_iter().filter(|(name, _)| name != "name");
            options.fold(PassSpec::new(name), |pass, (name, value)| {
                pass.with(name, value)
            })
        };
        passes.into_iter().map(pass).collect()
    })
}

proptest! {
    #[test]
    fn parsing_inverts_printing(pipeline in pipelines()) {
        prop_assert_eq!(pipeline.to_string().parse::<PipelineSpec>(), Ok(pipeline));
    }

    #[test]
    fn reading_toml_inverts_writing(pipeline in pipelines()) {
        let text = pipeline.to_toml();
        prop_assert_eq!(PipelineSpec::from_toml(&text), Ok(pipeline), "{}", text);
    }

    #[test]
    fn serde_agrees_with_toml(pipeline in pipelines()) {
        let json = serde_json::to_string(&pipeline).expect("serializes");
        prop_assert_eq!(serde_json::from_str::<PipelineSpec>(&json).expect("reads"), pipeline);
    }

    #[test]
    fn nonsense_gives_one_line(text in any::<String>()) {
        if let Err(e) = text.parse::<PipelineSpec>() {
            prop_assert!(!e.to_string().contains('\n'), "{}", e);
            prop_assert!(e.column <= text.chars().count() + 1);
        }
    }
}
