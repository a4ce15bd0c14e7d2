//! What every backend has to do, of one that is on the other side of the C ABI.

use mirage_testkit::Expectations;

mirage_testkit::conformance!(
    crate::backends::backend("host"),
    Expectations {
        graphs: 60,
        ..Expectations::default()
    }
);
