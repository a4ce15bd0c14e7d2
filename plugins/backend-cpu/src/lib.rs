//! mirage-backend-cpu
