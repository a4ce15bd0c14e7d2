//! What the backend says of itself.

use mirage_ir::{DType, Params, text};

use crate::support::compile;

#[test]
fn half_precision_is_noted_and_single_precision_is_not() {
    let graph = |dtype: &str| {
        text::parse(&format!(
            r#"graph "g" {{
                input %0 "x": {dtype}[2]
                %1: {dtype}[2] = relu(%0)
                output "y" = %1
            }}"#
        ))
        .unwrap()
    };
    let notes = |dtype| {
        compile(&graph(dtype), &Params::new())
            .unwrap()
            .notes()
            .join("\n")
    };
    assert!(notes("f16").contains("f16 has no fast path"));
    assert!(notes("bf16").contains("bf16 has no fast path"));
    assert_eq!(notes("f32"), "");
}

#[test]
fn the_backend_is_registered_and_knows_its_machine() {
    let backend = mirage_backend::find("cpu").unwrap();
    let devices = backend.devices().unwrap();
    assert_eq!(devices.len(), 1);
    assert!(!devices[0].name.is_empty() && devices[0].details.contains("thread"));
    let capabilities = backend.capabilities(0);
    use mirage_ir::target::Support;
    assert_eq!(
        capabilities.support("conv", DType::F32),
        Some(Support::Fast)
    );
    assert_eq!(
        capabilities.support("conv", DType::F16),
        Some(Support::Slow)
    );
    assert!(capabilities.has_region("group_norm_silu", DType::F32));
    assert!(capabilities.has_region("group_norm_silu", DType::F16));
    assert_eq!(
        capabilities.support("group_norm", DType::F16),
        Some(Support::Slow)
    );
}
