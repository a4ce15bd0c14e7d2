//! Times the layers of a set.

use std::{collections::BTreeMap, time::Duration};

use mirage_backend::NodeClock;
use mirage_bench::{
    ledger::{Layer, LayerTimes},
    stats::median,
};
use mirage_ir::{NodeId, cost::node_cost};
use mirage_stream::profile;
use mirage_video::Frame;

use super::{Bench, BuiltSet};

/// The number of parts of a module path that name a layer in a ledger.
const LAYER_DEPTH: usize = 2;
/// Warm-up frames of a profile.
const PROFILE_WARM_UP: usize = 2;
/// The maximum number of frames of a profile; half of them are profiled.
const PROFILE_FRAMES: usize = 20;
/// The time budget of a profile, ms; at least 4 frames are run.
const PROFILE_MS: f64 = 3000.0;

impl Bench<'_> {
    /// Returns the time of each layer of a set; `frame_ms` is the measured time of a frame. `None` if the
    /// backend does not report times of nodes.
    pub(crate) fn layers(
        &self,
        built: &mut BuiltSet,
        row: &str,
        frame_ms: f64,
    ) -> Option<LayerTimes> {
        let BuiltSet::Runnable(ready) = built else {
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
        // The profile is optional in a ledger.
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
            // A profiled execution waits for the device after every node, so the plain time is used.
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
