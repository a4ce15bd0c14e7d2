//! mirage-passes
