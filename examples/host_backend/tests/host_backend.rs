//! Runs the conformance tests of backends.

use mirage_example_host_backend::HostBackend;
use mirage_testkit::Expectations;

mirage_testkit::conformance!(
    &HostBackend,
    Expectations {
        graphs: 60,
        ..Expectations::default()
    }
);
