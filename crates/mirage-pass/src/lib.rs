//! mirage-pass
