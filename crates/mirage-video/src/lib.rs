//! mirage-video
