//! mirage-capture
