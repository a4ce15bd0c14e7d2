//! What every backend has to do.

use mirage_backend_tch::TchBackend;
use mirage_testkit::Expectations;

mirage_testkit::conformance!(
    &TchBackend,
    Expectations {
        // libtorch's group norm sums squares in f32 without subtracting the mean, which costs digits where
        // the mean is large.
        f32_graphs: 1e-4,
        graphs: 1000,
        ..Expectations::default()
    }
);

/// Every kind of region has a kernel here.
#[test]
fn every_kind_of_region_has_a_kernel() {
    use mirage_backend::Backend as _;
    let capabilities = TchBackend.capabilities(0);
    for kind in mirage_ir::regions::KINDS {
        let has = capabilities.has_region(kind.name, mirage_ir::DType::F32);
        assert!(has, "{}", kind.name);
    }
}
