//! Time of the CPU backend's kernels at the shapes of lsd-light.
//!
//!     cargo bench --manifest-path benches/micro/Cargo.toml --bench kernels -- conv
//!
//! Of each operation of the frame, before and after `sdpa` and `fuse`, the shape with the most
//! operations, or bytes where it computes little.

#![allow(missing_docs)]

use std::time::Duration;

use burn::tensor::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mirage_backend::{CompileOptions, find};
use mirage_backend_cpu as _;
use mirage_bench::measure::Subject;
use mirage_model::{ModelConfig, outline};
use mirage_pass::{Manager, Registry, plan};
use mirage_stream::{SamplerConfig, Trajectory, capture_frame};
use mirage_lab::sweep::{Program, Rotation, Work, distinct};

const MODEL: &str = "lsd-light";

/// The largest work of each operation of the model after these passes.
fn works(passes: &str) -> Vec<Work> {
    mirage_passes::link();
    let config = ModelConfig::load(MODEL).expect("the model is built in");
    let model = outline(&config, &Device::flex()).expect("it can be built");
    let trajectory = Trajectory::plan(&config.schedule, &SamplerConfig::default());
    let trajectory = trajectory.expect("the default sampler is valid");
    let captured = capture_frame(&model, config.size, &trajectory).expect("it can be captured");
    let registry = Registry::linked().expect("the passes are valid");
    let spec = passes.parse().expect("the pipeline is well formed");
    let plan = plan(&registry, &spec).expect("the pipeline is legal");
    let capabilities = find("cpu").expect("it is linked in").capabilities(0);
    let optimized = Manager::new().run(&plan, &captured.graph, &capabilities);
    let (graph, _) = optimized.expect("the passes hold");
    let mut largest: Vec<Work> = Vec::new();
    let size = |w: &Work| (w.cost.flops, w.cost.bytes());
    for work in distinct(&graph) {
        match largest.iter_mut().find(|known| known.name() == work.name()) {
            Some(known) if size(known) < size(&work) => *known = work,
            Some(_) => {}
            None => largest.push(work),
        }
    }
    largest
}

fn kernels(c: &mut Criterion) {
    let backend = find("cpu").expect("it is linked in");
    for passes in ["", "sdpa,fuse"] {
        let mut group = c.benchmark_group(match passes {
            "" => "plain",
            _ => "fused",
        });
        for work in works(passes) {
            let graph = work.graph(&Default::default()).expect("it stands alone");
            let params = Program::params(&graph, 0).expect("its parameters can be made");
            let inputs = Rotation::of(&graph, 0);
            let program =
                Program::new(&graph, &params, inputs, 0, backend, &CompileOptions::default());
            let mut program = program.expect("the backend runs every operation");
            group.throughput(match work.cost.flops {
                0 => Throughput::Bytes(work.cost.bytes()),
                flops => Throughput::Elements(flops),
            });
            group.bench_function(format!("{} {}", work.name(), work.shapes()), |b| {
                b.iter_custom(|times| {
                    let run = |_| program.run().expect("it has run before");
                    (0..times).map(run).sum::<Duration>()
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = kernels
}
criterion_main!(benches);
