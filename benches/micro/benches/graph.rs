//! Time of the graph, the planner and the passes against the number of nodes.
//!
//!     cargo bench --manifest-path benches/micro/Cargo.toml --bench graph -- pass/fuse
//!
//! After criterion's own report come the exponents of growth.

// A benchmark prints its results.
#![allow(clippy::print_stdout, missing_docs)]

use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mirage_bench::stats::{exponent, median};
use mirage_instructions::cases;

const SIZES: [usize; 3] = [100, 1000, 10_000];

fn graph(c: &mut Criterion) {
    let mut growth = Vec::new();
    for case in cases() {
        let mut group = c.benchmark_group(&case.name);
        let mut points = Vec::new();
        for nodes in SIZES {
            let prepared = case.prepare(nodes);
            let mut times: Vec<f64> = Vec::new();
            group.throughput(Throughput::Elements(nodes as u64));
            group.bench_function(BenchmarkId::from_parameter(nodes), |b| {
                b.iter_batched(
                    || prepared.work(),
                    |work| {
                        let start = Instant::now();
                        let done = work();
                        times.push(start.elapsed().as_secs_f64());
                        done
                    },
                    BatchSize::PerIteration,
                );
            });
            // Empty where the command line leaves the case out.
            points.extend(median(&times).map(|time| (nodes as f64, time)));
        }
        group.finish();
        if points.len() == SIZES.len() {
            growth.push((case.name, points));
        }
    }
    if !growth.is_empty() {
        println!("{:28} {:>12} {:>12} {:>12} {:>9}", "time grows as nodes to the", "100", "1000", "10000", "power of");
    }
    for (name, points) in growth {
        let ms = |i: usize| format!("{:.3} ms", 1e3 * f64::from(points[i].1));
        // Between the larger two: what does not grow hides the power at 100.
        let power = exponent(&points[1..]);
        println!("{name:28} {:>12} {:>12} {:>12} {power:>9.2}", ms(0), ms(1), ms(2));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    targets = graph
}
criterion_main!(benches);
