//! mirage-stream
