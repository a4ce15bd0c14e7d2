//! The Rust examples of the book. `cargo test --doc -p mirage-book` compiles and runs each; nothing else uses this crate,
//! so that no crate that is published includes files from outside of itself.
//!
//! A page that has a block `rust` without `ignore` stands here; the tests of `passes` say where one is missing.

/// A page's examples.
macro_rules! page {
    ($name:ident, $path:literal) => {
        #[cfg(doctest)]
        #[doc = include_str!(concat!("../../../docs/", $path))]
        pub mod $name {}
    };
}

page!(author_graph, "author/graph.md");
page!(author_numerics, "author/numerics.md");
page!(author_patterns, "author/patterns.md");
page!(expert_regions_and_kernels, "expert/regions-and-kernels.md");
