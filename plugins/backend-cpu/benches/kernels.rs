//! Times of single operations on this machine, burn-flex's generic kernels beside this backend's own:
//! `cargo bench -p mirage-backend-cpu --bench kernels`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it prints what it measures"
)]

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use burn_flex::{Flex, FlexDevice};
use mirage_backend::{Buffer, Executable};
use mirage_backend_cpu::CpuBackend;
use mirage_burn::{Engine, Executor, Generic};
use mirage_ir::{Graph, ops::Region, text};
use mirage_testkit::{compile, noisy};

/// A compiled graph with its inputs in place.
struct Bench {
    executable: Box<dyn Executable>,
    inputs: Vec<Buffer>,
    times: Vec<f64>,
}

impl Bench {
    fn new(graph: &Graph, own_kernels: bool) -> Self {
        let (params, inputs) = noisy(graph);
        let executable: Box<dyn Executable> = if own_kernels {
            compile(&CpuBackend, graph, &params).unwrap()
        } else {
            let engine = Engine::<Flex>::new("generic", FlexDevice, Arc::new(Generic));
            Box::new(Executor::compile(&engine, graph, &params).unwrap())
        };
        let inputs = executable
            .inputs()
            .iter()
            .zip(&inputs)
            .map(|(port, x)| {
                let data = x.to_data(port.ty.dtype).unwrap();
                executable.upload(&data, &port.ty).unwrap()
            })
            .collect();
        Bench {
            executable,
            inputs,
            times: Vec::new(),
        }
    }

    fn run(&mut self) {
        let start = Instant::now();
        drop(self.executable.execute(&self.inputs).unwrap());
        self.times.push(start.elapsed().as_secs_f64() * 1e3);
    }

    /// The median and the least, without the first three.
    fn result(&mut self) -> (f64, f64) {
        let times = &mut self.times[3..];
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[0])
    }
}

/// Prints milliseconds of burn-flex's generic instructions and of our kernels, in turn.
fn time(name: &str, text: &str) {
    let graph = text::parse(text).unwrap();
    let [mut generic, mut own] = [false, true].map(|own| Bench::new(&graph, own));
    for _ in 0..23 {
        generic.run();
        own.run();
    }
    let ((a, a_least), (b, b_least)) = (generic.result(), own.result());
    println!(
        "{name:44} generic {a:8.3} (least {a_least:8.3})   own {b:8.3} (least {b_least:8.3})   {:5.2}x",
        a / b
    );
}

fn conv(c: usize, o: usize, side: usize, kernel: usize, order: &str) {
    let t = |n: usize| format!("f32[1,{n},{side},{side}]{order}");
    let (x, y, p) = (t(c), t(o), kernel / 2);
    time(
        &format!("conv {kernel}x{kernel} {c} to {o}, {side}x{side} {order}"),
        &format!(
            r#"graph "conv" {{
                input %0 "x": {x}
                param %1 "w": f32[{o},{c},{kernel},{kernel}]
                param %2 "b": f32[{o}]
                %3: {y} = conv(%0, %1, %2) {{dilation = [1, 1], groups = 1, padding = [{p}, {p}], stride = [1, 1]}}
                output "y" = %3
            }}"#
        ),
    );
}

fn linear(rows: usize, k: usize, n: usize) {
    time(
        &format!("linear {rows}x{k} to {n}"),
        &format!(
            r#"graph "linear" {{
                input %0 "x": f32[1,{rows},{k}]
                param %1 "w": f32[{k},{n}]
                param %2 "b": f32[{n}]
                %3: f32[1,{rows},{n}] = linear(%0, %1, %2)
                output "y" = %3
            }}"#
        ),
    );
}

fn attention(heads: usize, tokens: usize, depth: usize) {
    let t = format!("f32[1,{heads},{tokens},{depth}]");
    time(
        &format!("attention {heads}x{tokens}x{depth}"),
        &format!(
            r#"graph "attention" {{
                input %0 "q": {t}
                input %1 "k": {t}
                input %2 "v": {t}
                %3: {t} = attention(%0, %1, %2)
                output "y" = %3
            }}"#
        ),
    );
}

fn pointwise(order: &str) {
    let t = format!("f32[1,64,64,64]{order}");
    let graph = |params: &str, steps: &str| {
        format!("graph \"g\" {{\n input %0 \"x\": {t}\n{params}{steps}\n}}").replace("T", &t)
    };
    let channel = " param %1 \"g\": f32[64]\n param %2 \"b\": f32[64]\n";
    time(
        &format!("group norm, silu 64, 64x64 {order}"),
        &graph(
            channel,
            " %3: T = group_norm(%0, %1, %2) {eps = 1e-5, groups = 16}\n %4: T = silu(%3)\n output \"y\" = %4",
        ),
    );
    time(
        &format!("silu 64, 64x64 {order}"),
        &graph("", " %1: T = silu(%0)\n output \"y\" = %1"),
    );
    time(
        &format!("gelu 64, 64x64 {order}"),
        &graph("", " %1: T = gelu(%0)\n output \"y\" = %1"),
    );
    time(
        &format!("add 64, 64x64 {order}"),
        &graph(
            " input %1 \"z\": T\n",
            " %2: T = add(%0, %1)\n output \"y\" = %2",
        ),
    );
    time(
        &format!("add of a channel's bias 64, 64x64 {order}"),
        &graph(
            " param %1 \"b\": f32[1,64,1,1]\n",
            " %2: T = add(%0, %1)\n output \"y\" = %2",
        ),
    );
}

fn single_operations() {
    for order in ["", "@[0,2,3,1]"] {
        conv(64, 64, 64, 3, order);
        conv(128, 128, 32, 3, order);
        conv(256, 256, 16, 3, order);
        conv(9, 64, 64, 3, order);
        conv(64, 64, 64, 1, order);
        pointwise(order);
    }
    linear(4096, 64, 256);
    linear(1024, 128, 512);
    linear(1, 64, 256);
    attention(16, 4096, 4);
    attention(16, 4096, 8);
    attention(2, 4096, 32);
    attention(4, 1024, 32);
    attention(8, 256, 32);
    attention(8, 1024, 40);
    time(
        "layer norm 4096x64",
        r#"graph "norm" {
            input %0 "x": f32[1,4096,64]
            param %1 "g": f32[64]
            param %2 "b": f32[64]
            %3: f32[1,4096,64] = layer_norm(%0, %1, %2) {eps = 1e-5}
            output "y" = %3
        }"#,
    );
}

/// Where the time of a graph goes, by operation: `MIRAGE_GRAPH` is a file that `mirage graph dump`
/// wrote.
fn profile_of_a_graph() {
    let Ok(path) = std::env::var("MIRAGE_GRAPH") else {
        return println!("set MIRAGE_GRAPH to a file with a graph in text form");
    };
    let graph = text::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut bench = Bench::new(&graph, std::env::var_os("MIRAGE_GENERIC").is_none());
    (0..6).for_each(|_| bench.run());
    let (_, times) = bench.executable.profile(&bench.inputs).unwrap();
    let mut by_op: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    for time in &times {
        let node = graph.node(time.node);
        let name = match node.op.get::<Region>() {
            Some(region) => format!("region:{}", region.kind),
            None => node.op.name().into_owned(),
        };
        let ty = graph.ty(node.output());
        for key in [name.clone(), format!("{name} {ty}")] {
            let entry = by_op.entry(key).or_default();
            *entry = (entry.0 + 1, entry.1 + time.time.as_secs_f64() * 1e3);
        }
    }
    let mut lines: Vec<_> = by_op.into_iter().collect();
    lines.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
    let (_, least) = bench.result();
    println!("generic or own, least of a few frames: {least:.1} ms");
    for (key, (count, ms)) in lines.iter().take(50) {
        println!("{ms:9.2} ms {count:4} {key}");
    }
}

fn main() {
    single_operations();
    profile_of_a_graph();
}
