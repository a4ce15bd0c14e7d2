//! Pipelines from text to report, with passes made for the tests.

mod calls;
mod common;
mod grammar;
mod instruments;
mod manager;
mod metadata;
mod planner;
mod planner_properties;
mod rewriting;
