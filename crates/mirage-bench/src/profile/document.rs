//! A profile as JSON. docs/reference/profile.md describes the fields.

use serde::Serialize;

use super::{FORMAT, FrameTimes, Layer, Memory, Profile, Row, SCHEMA, Setting, Sort};
use crate::ledger::PassId;

/// Everything of a profile, with its sums.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    format: &'static str,
    schema: u32,
    #[serde(flatten)]
    setting: &'a Setting,
    pipeline: &'a str,
    passes: &'a [PassId],
    frame: &'a FrameTimes,
    roofline_percent: Option<f64>,
    operations: Vec<Row>,
    layers: Vec<LayerRow>,
    nodes: Vec<NodeRow<'a>>,
    memory: &'a Memory,
    notes: &'a [String],
    warnings: &'a [String],
}

/// A layer without those within, which follow it.
#[derive(Debug, Serialize)]
struct LayerRow {
    path: String,
    depth: usize,
    #[serde(flatten)]
    row: Row,
}

#[derive(Debug, Serialize)]
struct NodeRow<'a> {
    node: usize,
    op: &'a str,
    path: &'a str,
    result: &'a str,
    ms: f64,
    share: f64,
    flops: u64,
    bytes: u64,
    intensity: Option<f64>,
    gflops: Option<f64>,
    gbytes: Option<f64>,
    least_ms: Option<f64>,
    roofline_percent: Option<f64>,
    memory_bytes: u64,
}

impl<'a> Document<'a> {
    /// Of a profile; operations and sibling layers are the slowest first, nodes as they ran.
    pub fn of(profile: &'a Profile) -> Self {
        let node = |n: &'a super::Node| {
            let row = Row::of(String::new(), [n], &profile.frame);
            NodeRow {
                node: n.node,
                op: &n.op,
                path: &n.path,
                result: &n.result,
                ms: n.ms,
                share: row.share,
                flops: n.flops,
                bytes: n.bytes,
                intensity: row.intensity,
                gflops: row.gflops,
                gbytes: row.gbytes,
                least_ms: n.least_ms,
                roofline_percent: row.roofline_percent,
                memory_bytes: n.memory_bytes,
            }
        };
        let layer = |layer: &Layer| LayerRow {
            path: layer.path.clone(),
            depth: layer.depth,
            row: layer.row.clone(),
        };
        let tree = profile.layers(Sort::Time);
        Document {
            format: FORMAT,
            schema: SCHEMA,
            setting: &profile.setting,
            pipeline: &profile.pipeline,
            passes: &profile.passes,
            frame: &profile.frame,
            roofline_percent: profile.roofline_percent(),
            operations: profile.operations(),
            layers: tree.flat(usize::MAX).into_iter().map(layer).collect(),
            nodes: profile.nodes.iter().map(node).collect(),
            memory: &profile.memory,
            notes: &profile.notes,
            warnings: &profile.warnings,
        }
    }
}
