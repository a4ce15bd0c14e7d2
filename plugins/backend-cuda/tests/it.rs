//! What every backend has to do, on the first card; without a card every test says that it was skipped.
//!
//! Run it with `--test-threads=1`: while one thread records a CUDA graph, the driver refuses allocations and waits
//! of the others.

use mirage_backend_cuda::CudaBackend;
use mirage_testkit::Expectations;

mirage_testkit::conformance!(
    &CudaBackend,
    Expectations {
        // Shapes that no kernel of this backend takes are computed by burn's own kernels, as tf32.
        f32: 2e-3,
        f32_graphs: 5e-3,
        // A card takes about a second to compile the kernels of one.
        graphs: 60,
        // A kernel reads the nearest element, as a graphics card cannot raise an error.
        checks_indices: false,
        ..Expectations::default()
    }
);
