//! What every backend has to do, on the first card; without a card every test says that it was skipped.

use mirage_backend_cuda::CudaBackend;
use mirage_testkit::Expectations;

mirage_testkit::conformance!(
    &CudaBackend,
    Expectations {
        f32: 5e-5,
        f32_graphs: 1e-4,
        // A kernel reads the nearest element, as a graphics card cannot raise an error.
        checks_indices: false,
        ..Expectations::default()
    }
);
