//! What every backend has to do.

mirage_testkit::conformance!(&mirage_backend_cpu::CpuBackend);
