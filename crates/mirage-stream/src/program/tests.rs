//! A frame whose steps are calls is the frame whose steps are all in the graph.

use burn::tensor::Device;
use mirage_ir::{
    DType, Graph, Params, TensorData,
    cost::graph_cost,
    interp::{self, Difference, Run, Tensor},
    ops::Call,
    target::Capabilities,
    text, wire,
};
use mirage_model::{ModelConfig, build};
use mirage_pass::{Manager, PipelineReport, Registry, plan};

use mirage_model::AnyModel;

use super::*;
use crate::{Noise, NoisePolicy, SamplerConfig};

const SIZE: Size = Size {
    width: 16,
    height: 16,
};

fn model(name: &str) -> AnyModel {
    let config = ModelConfig::load(name).unwrap();
    build(&config, &Device::flex(), 5).unwrap()
}

fn trajectory(model: &AnyModel, steps: usize) -> Trajectory {
    let config = SamplerConfig {
        steps,
        eta: 0.4,
        strength: 0.8,
    };
    Trajectory::plan(&model.config().schedule, &config).unwrap()
}

/// Content for inputs and states under which every parameter matters: two frames in the memory.
fn content(graph: &Graph) -> (Vec<Tensor>, Vec<Tensor>) {
    let mut seed = 40;
    let mut tensor = |v| {
        let ty = graph.ty(v);
        seed += 1;
        match ty.dtype {
            DType::F32 => {
                let noise = Noise::new(seed, NoisePolicy::Fixed).frame(0, ty.numel());
                let data = TensorData::from_f32(ty.shape.clone(), &noise).unwrap();
                Tensor::from_data(&data).unwrap()
            }
            _ => Tensor::int(ty.shape.clone(), vec![2; ty.numel()]).unwrap(),
        }
    };
    let inputs = graph.inputs().iter().map(|p| tensor(p.value)).collect();
    (
        inputs,
        graph.states().iter().map(|s| tensor(s.input)).collect(),
    )
}

fn run(graph: &Graph, params: &Params) -> Run {
    let (inputs, states) = content(graph);
    interp::run(graph, params, &inputs, &states).unwrap()
}

/// The largest difference of all results.
fn difference(is: &Run, was: &Run) -> f64 {
    assert_eq!(
        (is.outputs.len(), is.states.len()),
        (was.outputs.len(), was.states.len())
    );
    let pairs = is
        .outputs
        .iter()
        .chain(&is.states)
        .zip(was.outputs.iter().chain(&was.states));
    pairs.fold(0.0, |worst, (is, was)| {
        Difference::between(is, was).unwrap().max_rel.max(worst)
    })
}

fn optimized(captured: &Captured, passes: &str) -> (Graph, PipelineReport) {
    mirage_passes::link();
    let registry = Registry::linked().unwrap();
    let plan = plan(&registry, &passes.parse().unwrap()).unwrap();
    let capabilities = Capabilities::default();
    Manager::new()
        .run(&plan, &captured.graph, &capabilities)
        .unwrap()
}

fn calls(graph: &Graph) -> usize {
    graph.nodes().iter().filter(|n| n.op.is::<Call>()).count()
}

#[test]
fn a_frame_of_calls_is_the_frame_of_all_steps() {
    let model = model("lsd-tiny");
    let trajectory = trajectory(&model, 9);
    let program = FrameProgram::new(&model, SIZE, &trajectory).unwrap();
    let (inlined, called) = (program.inlined().unwrap(), program.called().unwrap());
    assert_eq!((calls(&inlined.graph), calls(&called.graph)), (0, 9));
    assert_eq!(called.graph.callees().len(), 1);
    assert_eq!(called.graph.callees()[0].outputs().len(), 2);
    mirage_pass::check_interface(&inlined.graph, &called.graph).unwrap();

    // The weights are those of the model, once.
    assert_eq!(called.graph.all_params().len(), called.params.len());
    let bytes = |p: &Params| p.iter().map(|(_, d)| d.bytes().len()).sum::<usize>();
    assert_eq!(bytes(&called.params), bytes(&inlined.params));

    let reference = run(&inlined.graph, &inlined.params);
    let off = difference(&run(&called.graph, &called.params), &reference);
    assert!(off < 1e-12, "without passes: {off:e}");
    for (passes, bound) in [
        ("", 1e-6),
        ("fold_batch_norm,merge_qkv,sdpa,channels_last,fuse", 1e-5),
    ] {
        let (graph, _) = optimized(&called, passes);
        assert_eq!((calls(&graph), graph.callees().len()), (9, 1));
        let off = difference(&run(&graph, &called.params), &reference);
        assert!(off < bound, "passes `{passes}`: {off:e}");
    }

    // A step that is another is seen.
    let mut other = trajectory.clone();
    other.steps[4].timestep += 100;
    let other = FrameProgram::new(&model, SIZE, &other)
        .unwrap()
        .called()
        .unwrap();
    assert!(difference(&run(&other.graph, &other.params), &reference) > 1e-6);
}

/// Nodes, rewrites and weights are those of one step and of the sampler around.
#[test]
fn fifty_steps_are_as_much_work_for_passes_as_one() {
    let model = model("lsd-tiny");
    let capture = |steps| capture_frame(&model, SIZE, &trajectory(&model, steps)).unwrap();
    let (one, fifty) = (capture(1), capture(50));
    assert_eq!((calls(&one.graph), calls(&fifty.graph)), (0, 50));
    let passes = "sdpa,channels_last,fuse";
    let ((_, single), (graph, report)) = (optimized(&one, passes), optimized(&fifty, passes));
    for (after, before) in [(report.before, single.before), (report.after, single.after)] {
        // The sampler's own: at most a call, a timestep, a draw and five operations a step.
        assert!(after.nodes <= before.nodes + 50 * 8, "{after:?} {before:?}");
        assert!(after.flops > 45 * before.flops);
    }
    let bytes = |p: &Params| p.iter().map(|(_, d)| d.bytes().len()).sum::<usize>();
    assert_eq!(bytes(&fifty.params), bytes(&one.params));
    let step = |r: &PipelineReport, name: &str| {
        let run = r.passes.iter().find(|p| p.name == name);
        run.unwrap().rewrites
    };
    for name in ["sdpa", "channels_last"] {
        assert!(step(&report, name) > 0);
        assert_eq!(step(&report, name), step(&single, name), "{name}");
    }
    let printed = graph.to_string();
    assert_eq!(
        printed.lines().filter(|l| l.starts_with("body ")).count(),
        1
    );
    assert_eq!(text::parse(&printed).unwrap().to_string(), printed);
    assert_eq!(wire::decode(&wire::encode(&graph)).unwrap(), graph);
}

#[test]
fn up_to_eight_steps_are_in_the_graph_itself() {
    let model = model("lsd-tiny");
    for (steps, expected) in [(1, 0), (8, 0), (9, 9)] {
        let captured = capture_frame(&model, SIZE, &trajectory(&model, steps)).unwrap();
        assert_eq!(calls(&captured.graph), expected, "{steps} steps");
    }
}

/// A model whose state's update reads no features: a step gives the picture alone.
#[test]
fn what_no_frame_reads_is_no_output_of_a_step() {
    let mut config = ModelConfig::load("stress-light").unwrap();
    config.size = SIZE;
    let model = mirage_model::outline(&config, &Device::flex()).unwrap();
    let captured = capture_frame(&model, SIZE, &trajectory(&model, 12)).unwrap();
    let [step] = captured.graph.callees()[..] else {
        panic!("one body")
    };
    assert_eq!(step.outputs().len(), 1);
    let one = capture_forward(&model, 1, SIZE).unwrap();
    let (cost, step_cost) = (graph_cost(&captured.graph), graph_cost(&one.graph));
    let timesteps = 12 * 8;
    assert_eq!(cost.weight_bytes, step_cost.weight_bytes + timesteps);
    assert!(cost.flops >= 12 * step_cost.flops);
}
