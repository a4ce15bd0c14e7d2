//! Where a set's time goes, layer by layer.

use std::{collections::BTreeMap, time::Duration};

use mirage_backend::NodeClock;
use mirage_bench::{
    ledger::{Layer, LayerTimes},
    stats::median,
};
use mirage_ir::{NodeId, cost::node_cost};
use mirage_stream::profile;
use mirage_video::Frame;

use super::{Bench, Built};

/// Parts of a module path that make a layer of a ledger.
const LAYER_DEPTH: usize = 2;
/// Frames before those that a profile's medians are of.
const PROFILE_WARM_UP: usize = 2;
/// The most frames behind a profile's medians; half of them are profiled.
const PROFILE_FRAMES: usize = 20;
/// The time that a profile shall take, ms; it takes 4 frames at least.
const PROFILE_MS: f64 = 3000.0;

impl Bench<'_> {
    /// Where a set's time goes, layer by layer; `frame_ms` is what a frame takes, as measured. `None`
    /// where the backend gives no times of nodes.
    pub(crate) fn layers(&self, built: &mut Built, row: &str, frame_ms: f64) -> Option<LayerTimes> {
        let Built::Ready(ready) = built else {
            return None;
        };
        let frames = (PROFILE_MS / frame_ms).clamp(4.0, PROFILE_FRAMES as f64) as usize;
        let scene: Vec<Frame> = ready
            .scene
            .iter()
            .cycle()
            .take(PROFILE_WARM_UP + frames)
            .cloned()
            .collect();
        // A profile is an extra: a ledger without one is whole.
        let found = profile(&mut ready.session, &scene, PROFILE_WARM_UP, |_| true);
        let found = found.ok()??;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let whole: Vec<f64> = found.profiled.iter().map(|e| ms(e.time)).collect();
        let plain: Vec<f64> = found.plain.iter().copied().map(ms).collect();
        let mut times: BTreeMap<NodeId, Vec<f64>> = BTreeMap::new();
        for node in found.profiled.iter().flat_map(|e| &e.nodes) {
            times.entry(node.node).or_default().push(ms(node.time));
        }
        let mut layers: Vec<Layer> = Vec::new();
        for (id, times) in times {
            let node = ready.graph.node(id);
            let parts: Vec<&str> = node.path.split('.').take(LAYER_DEPTH).collect();
            let name = match parts.join(".") {
                name if name.is_empty() => "(no layer)".to_owned(),
                name => name,
            };
            let cost = node_cost(&ready.graph, node);
            let place = layers.iter().position(|l| l.name == name);
            let place = place.unwrap_or_else(|| {
                layers.push(Layer {
                    name,
                    nodes: 0,
                    ms: 0.0,
                    flops: 0,
                    bytes: 0,
                });
                layers.len() - 1
            });
            let layer = &mut layers[place];
            layer.nodes += 1;
            layer.ms += median(&times)?;
            layer.flops += cost.flops;
            layer.bytes += cost.bytes();
        }
        layers.sort_by(|a, b| b.ms.total_cmp(&a.ms));
        let plain_ms = median(&plain)?;
        let profiled_ms = match found.clock {
            NodeClock::Host => median(&whole)?,
            // What the device does is part of a plain execution; a profiled one waits for it node by node.
            NodeClock::Device => plain_ms,
        };
        let covered: f64 = layers.iter().map(|l| l.ms).sum();
        Some(LayerTimes {
            row: row.to_owned(),
            frames: plain.len() + whole.len(),
            plain_ms,
            profiled_ms,
            uncovered_ms: (profiled_ms - covered).max(0.0),
            layers,
        })
    }
}
