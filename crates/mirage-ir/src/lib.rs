//! mirage-ir
