//! mirage-model
