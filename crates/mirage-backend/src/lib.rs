//! mirage-backend
