//! The grammar of pipelines and its TOML form: reading any text, printing and reading back in both,
//! and the planner on whatever could be read.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mirage_pass::{PipelineSpec, Registry, plan, plan_in_order};

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    mirage_passes::link();
    Registry::linked().expect("the built-in passes can be in one registry")
});

fuzz_target!(|text: &str| {
    match text.parse::<PipelineSpec>() {
        Ok(pipeline) => check(&pipeline),
        Err(e) => {
            assert!(e.column <= text.chars().count() + 1);
            assert!(!e.to_string().contains('\n'));
        }
    }
    match PipelineSpec::from_toml(text) {
        Ok(pipeline) => check(&pipeline),
        Err(e) => {
            assert!(e.line <= text.matches('\n').count() + 1);
            assert!(!e.to_string().contains('\n'));
        }
    }
});

fn check(pipeline: &PipelineSpec) {
    let printed = pipeline.to_string();
    let parsed = printed.parse().expect("what was printed can be read");
    assert_eq!(*pipeline, parsed);
    let toml = pipeline.to_toml();
    let read = PipelineSpec::from_toml(&toml).expect("what was written can be read");
    assert_eq!(*pipeline, read, "{toml}");

    if let Ok(planned) = plan(&REGISTRY, pipeline) {
        let kept = plan_in_order(&REGISTRY, &planned.spec()).expect("a plan's own order is legal");
        assert_eq!(kept.spec(), planned.spec());
    }
    if let Err(e) = plan_in_order(&REGISTRY, pipeline) {
        assert!(!e.to_string().contains('\n'), "{e}");
    }
}
