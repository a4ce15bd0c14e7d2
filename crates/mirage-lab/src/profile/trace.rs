//! Writes a live run in the Trace Event Format of ui.perfetto.dev and chrome://tracing: a thread for each
//! stage, one for the backend with nodes nested in layers, and memory as counters.

use std::time::{Duration, Instant};

use mirage_ir::{Graph, NodeId, cost::ActivationMemory};
use mirage_stream::{FrameTrace, Trace};
use mirage_video::Stage;
use serde_json::{Value, json};

use super::{collect::name, numbers::Numbers};

const PROCESS: u32 = 1;
/// The threads, in the order in which they are shown.
const THREADS: [(u32, &str); 4] = [
    (1, "decode"),
    (2, "run"),
    (3, "encode"),
    // The engine does not report how its workers share the work of a node.
    (4, "backend (nodes)"),
];
const BACKEND: u32 = 4;

/// Returns the run as JSON. `graph` is the compiled graph.
pub fn chrome_trace(graph: &Graph, trace: &Trace) -> Value {
    let mut events = Events {
        start: trace.start,
        numbers: Numbers::of(graph),
        events: Vec::new(),
    };
    events.name("process_name", PROCESS, "mirage");
    for (order, (thread, name)) in THREADS.into_iter().enumerate() {
        events.name("thread_name", thread, name);
        events.events.push(json!({
            "ph": "M", "name": "thread_sort_index", "pid": PROCESS, "tid": thread,
            "args": {"sort_index": order},
        }));
    }
    for span in &trace.stages {
        let (thread, name) = match span.stage {
            Stage::Decode => (1, "decode"),
            Stage::Run => (2, "frame"),
            Stage::Encode => (3, "encode"),
        };
        let args = json!({"frame": span.frame});
        events.span(
            thread,
            name,
            "stage",
            span.start,
            span.start + span.time,
            args,
        );
    }
    let memory = ActivationMemory::of(graph);
    for frame in &trace.frames {
        for lap in [frame.upload, frame.execute, frame.download] {
            let args = json!({"frame": frame.frame});
            events.span(2, lap.what, "frame", lap.start, lap.start + lap.time, args);
        }
        nodes(&mut events, graph, &memory, frame);
    }
    json!({"displayTimeUnit": "ms", "traceEvents": events.events})
}

/// The nodes of a frame within their layers, and what is alive at each.
fn nodes(events: &mut Events, graph: &Graph, memory: &ActivationMemory, frame: &FrameTrace) {
    let mut layers = Layers::default();
    let mut end = frame.execute.start;
    for time in &frame.nodes {
        let start = frame.execute.start + time.start;
        let node = graph.node(time.node);
        layers.enter(&node.path, start, end, events);
        end = start + time.time;
        events.node(graph, time.node, start, end);
        events.alive(start, memory.bytes_at(time.node));
    }
    layers.enter("", end, end, events);
    events.alive(end, memory.entering_bytes());
}

/// The layers that are open: nodes that follow one another and share the start of their paths.
#[derive(Default)]
struct Layers<'g> {
    open: Vec<(&'g str, Instant)>,
}

impl<'g> Layers<'g> {
    /// Closes the layers that a node's path is not within, at the end of the node before, and opens
    /// those that it is within.
    fn enter(&mut self, path: &'g str, start: Instant, end: Instant, events: &mut Events) {
        let parts = path.split('.').filter(|p| !p.is_empty());
        let shared = parts
            .clone()
            .zip(&self.open)
            .take_while(|(part, (open, _))| part == open)
            .count();
        while self.open.len() > shared {
            let path: Vec<&str> = self.open.iter().map(|(part, _)| *part).collect();
            let Some((part, from)) = self.open.pop() else {
                break;
            };
            let args = json!({"path": path.join(".")});
            events.span(BACKEND, part, "layer", from, end, args);
        }
        self.open
            .extend(parts.skip(shared).map(|part| (part, start)));
    }
}

struct Events {
    /// The time that is 0.
    start: Instant,
    numbers: Numbers,
    events: Vec<Value>,
}

impl Events {
    /// Microseconds; a nanosecond is the last digit.
    fn at(&self, time: Instant) -> f64 {
        micros(time.duration_since(self.start))
    }

    fn name(&mut self, what: &str, thread: u32, name: &str) {
        self.events.push(json!({
            "ph": "M", "name": what, "pid": PROCESS, "tid": thread, "args": {"name": name},
        }));
    }

    fn span(
        &mut self,
        thread: u32,
        name: &str,
        category: &str,
        start: Instant,
        end: Instant,
        args: Value,
    ) {
        self.events.push(json!({
            "ph": "X", "name": name, "cat": category, "pid": PROCESS, "tid": thread,
            "ts": self.at(start), "dur": micros(end - start), "args": args,
        }));
    }

    fn node(&mut self, graph: &Graph, id: NodeId, start: Instant, end: Instant) {
        let node = graph.node(id);
        let result = graph.ty(node.output()).to_string();
        let args =
            json!({"node": self.numbers.node(graph, id), "path": &*node.path, "result": result});
        self.span(BACKEND, &name(node), "node", start, end, args);
    }

    fn alive(&mut self, time: Instant, bytes: u64) {
        self.events.push(json!({
            "ph": "C", "name": "activations alive", "pid": PROCESS, "tid": BACKEND,
            "ts": self.at(time), "args": {"bytes": bytes},
        }));
    }
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}
