//! `stress` with weights and a result from outside: PyTorch's weights for 16 base channels, and the output of one forward
//! pass at 64×64 that was computed in f64. The interpreter, and the CPU backend without passes and with any of them, are
//! held to it.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use mirage_capture::Captured;
use mirage_ir::{
    Graph, TensorData,
    interp::{self, Difference, Tensor},
};
use mirage_model::{AnyModel, ModelConfig, Size, WeightLayout, build};
use mirage_pass::{Manager, PassInfo, PassRun, Registry};
use mirage_stream::{
    Noise, NoisePolicy, SamplerConfig, Trajectory, capture_forward, capture_frame,
};
use safetensors::{Dtype, SafeTensors};

use crate::common::{
    F32, Named, acting, backend, execute, find, interpret, of_noise, planned, prepared, registry,
    tolerance,
};

/// The side of the fixture's pictures, and of a quarter that is faster to compute.
const SIDE: usize = 64;
const QUARTER: usize = 32;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn model() -> AnyModel {
    let config = ModelConfig::load("stress").unwrap();
    let config = config
        .with_overrides(&["network.base_channels=16"])
        .unwrap();
    let mut model = build(&config, &Device::flex(), 0).unwrap();
    let weights = fixture("stress_b16.safetensors");
    model.load_weights(&weights, WeightLayout::PyTorch).unwrap();
    model
}

fn captured(side: usize) -> Captured {
    capture_forward(
        &model(),
        1,
        Size {
            width: side,
            height: side,
        },
    )
    .unwrap()
}

/// The fixture's tensors by name: `input`, `previous`, `timestep`, `output`.
fn tensors() -> Vec<Named> {
    let bytes = std::fs::read(fixture("stress_b16_io.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, view)| {
            let dtype = match view.dtype() {
                Dtype::I64 => mirage_ir::DType::I64,
                Dtype::F32 => mirage_ir::DType::F32,
                other => panic!("{other:?}"),
            };
            let data = TensorData::new(dtype, view.shape(), view.data().to_vec()).unwrap();
            (name.to_owned(), data)
        })
        .collect()
}

/// The fixture with its pictures cut to their upper left quarter.
fn quarter() -> Vec<Named> {
    let cut = |data: &TensorData| {
        let rows = data.bytes().chunks_exact(4 * SIDE).enumerate();
        let rows = rows.filter(|(row, _)| row % SIDE < QUARTER);
        let bytes: Vec<u8> = rows
            .flat_map(|(_, row)| row[..4 * QUARTER].to_vec())
            .collect();
        TensorData::new(data.dtype, [1, 3, QUARTER, QUARTER], bytes).unwrap()
    };
    let all = tensors().into_iter();
    all.map(|(name, data)| {
        let data = if data.shape.len() == 4 {
            cut(&data)
        } else {
            data
        };
        (name, data)
    })
    .collect()
}

fn count(graph: &Graph, op: &str) -> usize {
    graph
        .nodes()
        .iter()
        .filter(|node| node.op.name() == op)
        .count()
}

#[test]
fn capture_keeps_the_layers() {
    let captured = captured(QUARTER);
    let names = |ports: &[mirage_ir::Port]| -> Vec<String> {
        ports.iter().map(|p| p.name.to_string()).collect()
    };
    assert_eq!(
        names(captured.graph.inputs()),
        ["input", "previous", "timestep"]
    );
    assert_eq!(names(captured.graph.outputs()), ["output"]);
    let registry = registry();
    let run = |passes: &str| {
        let plan = planned(&registry, passes);
        let capabilities = backend().capabilities(0);
        Manager::new()
            .run(&plan, &captured.graph, &capabilities)
            .unwrap()
            .0
    };
    // 22 heavy blocks, two 1×1 convolutions, nine attentions.
    let plain = run("");
    let layers = [
        ("batch_norm", 88),
        ("silu", 88),
        ("conv", 90),
        ("max_pool", 8),
        ("resize", 8),
        ("layer_norm", 18),
        ("linear", 54),
        ("gelu", 9),
        ("softmax", 9),
        ("extern", 0),
    ];
    for (op, wanted) in layers {
        assert_eq!(count(&plain, op), wanted, "{op}");
    }
    let raised = run("sdpa");
    assert_eq!(
        (count(&raised, "attention"), count(&raised, "softmax")),
        (9, 0)
    );
}

#[test]
fn the_interpreter_computes_the_fixture() {
    let tensors = tensors();
    let wanted = Tensor::from_data(find(&tensors, "output")).unwrap();
    let d = Difference::between(&interpret(&captured(SIDE), &tensors), &wanted).unwrap();
    // The fixture was stored in f32.
    assert!(d.max_rel < 1e-6 && d.rel_l2 < 1e-6, "{d:?}");
}

/// No pass, each alone, all that keep f32, and those with each low dtype; with options under which they act.
fn sets(registry: &Registry) -> Vec<String> {
    let keeps = |info: &&PassInfo| info.numerics.backend_bound(F32) == F32;
    let optional = || registry.infos().filter(|info| !info.always);
    let exact: Vec<String> = optional()
        .filter(keeps)
        .map(|info| acting(info.name))
        .collect();
    let exact = exact.join(",");
    let mut sets = vec![String::new()];
    sets.extend(optional().map(|info| acting(info.name)));
    let lowering = optional().filter(|info| info.answers_to("precision"));
    sets.extend(lowering.map(|info| format!("{exact},{}", info.name)));
    sets.push(exact);
    sets
}

/// Passes that find something in the network, so that a set of them is tested at all.
const ACTING: [&str; 9] = [
    "bf16",
    "channels_last",
    "fold_batch_norm",
    "fp16",
    "fuse",
    "graph_capture",
    "merge_qkv",
    "pad_channels",
    "sdpa",
];

/// Whether a pass did what it is for, or said why that was done already: `auto_precision` on a processor without a fast path
/// for a low dtype, `fold_scales` where `sdpa` took the scores' scales, `tf32` on a processor. Of another pass a reason will do.
fn acts(run: &PassRun) -> bool {
    let excuse = match run.name {
        "auto_precision" => "kept f32",
        "fold_scales" => "0 matches: none of 1 multiplications",
        "tf32" => "the backend does not support tf32",
        name if ACTING.contains(&name) => return run.rewrites > 0,
        _ => "",
    };
    run.rewrites > 0 || run.reasons.iter().any(|reason| reason.starts_with(excuse))
}

/// That the excuses above are only for that.
#[test]
fn scales_of_scores_go_into_weights_where_they_are_written_out() {
    let plan = planned(&registry(), "fold_scales");
    let capabilities = backend().capabilities(0);
    let captured = captured(QUARTER);
    let (graph, report) = Manager::new()
        .run(&plan, &captured.graph, &capabilities)
        .unwrap();
    let folded = report.passes.iter().find(|run| run.name == "fold_scales");
    // Of nine attentions two have heads of one channel, whose scores are not scaled.
    assert_eq!(folded.unwrap().rewrites, 7);
    // The timestep is divided by 50, as it was; seven weights and biases are scaled at compile.
    assert_eq!(
        count(&graph, "mul_scalar") + count(&graph, "div_scalar"),
        1 + 14
    );
}

#[test]
fn the_cpu_backend_computes_the_fixture_under_every_pass() {
    let tensors = tensors();
    let wanted = Tensor::from_data(find(&tensors, "output")).unwrap();
    let captured = captured(SIDE);
    let registry = registry();
    let mut held: Vec<Graph> = Vec::new();
    for set in sets(&registry) {
        let plan = planned(&registry, &set);
        let capabilities = backend().capabilities(0);
        let (graph, report) = Manager::new()
            .run(&plan, &captured.graph, &capabilities)
            .unwrap();
        for run in report.passes.iter().filter(|run| !run.automatic) {
            let name = run.name;
            assert!(acts(run), "`{name}` of `{set}`: {:?}", run.reasons);
        }
        // Passes that make the same of the network are held once.
        if held.contains(&graph) {
            continue;
        }
        held.push(graph);
        let mut executable = prepared(&captured, &plan).executable;
        let output = execute(executable.as_mut(), &tensors);
        let d = Difference::between(&output, &wanted).unwrap();
        assert!(d.max_rel < tolerance(&plan), "passes `{set}`: {d:?}");
    }
    assert!(held.len() > 10, "nearly every set gives a graph of its own");
}

/// One parameter of each kind. The bias of k_proj is not among them: it adds the same to all of a query's scores, which
/// softmax takes away.
const KINDS: &[&str] = &[
    "unets.0.enc1.conv_layers.0.weight",
    "unets.0.enc1.conv_layers.0.bias",
    "unets.1.dec1.conv_layers.2.weight",
    "unets.1.dec1.norms.3.gamma",
    "unets.1.dec1.norms.3.beta",
    "unets.1.dec1.norms.3.running_mean",
    "unets.1.dec1.norms.3.running_var",
    "temporal_processor.1.norm1.gamma",
    "temporal_processor.1.norm1.beta",
    "temporal_processor.1.q_proj.weight",
    "temporal_processor.1.q_proj.bias",
    "temporal_processor.1.k_proj.weight",
    "temporal_processor.1.v_proj.weight",
    "temporal_processor.1.v_proj.bias",
    "temporal_processor.1.out_proj.weight",
    "temporal_processor.1.out_proj.bias",
    "temporal_processor.1.norm2.gamma",
    "temporal_processor.1.norm2.beta",
    "temporal_processor.1.ffn.0.weight",
    "temporal_processor.1.ffn.0.bias",
    "temporal_processor.1.ffn.2.weight",
    "temporal_processor.1.ffn.2.bias",
    "unets.0.bottleneck.1.ffn.2.weight",
    "unets.0.output.weight",
    "unets.1.output.bias",
    "temporal_processor.2.conv_layers.3.weight",
];

#[test]
fn a_parameter_set_to_zero_is_seen() {
    let tensors = quarter();
    let registry = registry();
    let plan = planned(&registry, "sdpa");
    let captured = captured(QUARTER);
    let output = |captured: &Captured| {
        let mut executable = prepared(captured, &plan).executable;
        execute(executable.as_mut(), &tensors)
    };
    let whole = output(&captured);
    for name in KINDS {
        let mut zeroed = captured.clone();
        let old = zeroed
            .params
            .get(name)
            .unwrap_or_else(|| panic!("no parameter {name}"));
        let zeros = TensorData::new(old.dtype, old.shape.clone(), vec![0; old.bytes().len()]);
        zeroed.params.insert(*name, zeros.unwrap());
        let d = Difference::between(&output(&zeroed), &whole).unwrap();
        assert!(d.max_rel > 1e-3, "{name} is invisible: {d:?}");
    }
}

/// Frames in a closed loop, with the untrained weights: previous output as `previous`, DDIM over 50 timesteps.
#[test]
fn a_stream_of_frames_agrees_with_the_interpreter() {
    let config = ModelConfig::load("stress").unwrap();
    let config = config
        .with_overrides(&["network.base_channels=16"])
        .unwrap();
    let model = build(&config, &Device::flex(), 3).unwrap();
    let sampler = SamplerConfig {
        steps: 2,
        eta: 0.5,
        strength: 0.6,
    };
    let trajectory = Trajectory::plan(&config.schedule, &sampler).unwrap();
    assert_eq!(
        trajectory
            .steps
            .iter()
            .map(|s| s.timestep)
            .collect::<Vec<_>>(),
        [29, 14]
    );
    let captured = capture_frame(
        &model,
        Size {
            width: 16,
            height: 16,
        },
        &trajectory,
    )
    .unwrap();
    assert_eq!(
        captured.graph.states().len(),
        1,
        "the previous output alone"
    );

    let plan = planned(&registry(), "sdpa,channels_last");
    let mut executable = prepared(&captured, &plan).executable;
    let mut states: Vec<Tensor> = Vec::new();
    let mut last: Option<Tensor> = None;
    for frame in 0..3 {
        let input = |port: &mirage_ir::Port| {
            let shape = captured.graph.ty(port.value).shape.clone();
            let noise = Noise::new(5, NoisePolicy::Fresh);
            let noise = noise.frame(frame, shape.iter().product());
            (
                port.name.to_string(),
                of_noise(captured.graph.ty(port.value).dtype, shape, &noise),
            )
        };
        let values: Vec<_> = captured.graph.inputs().iter().map(input).collect();
        let tensors: Vec<_> = values
            .iter()
            .map(|(_, d)| Tensor::from_data(d).unwrap())
            .collect();
        let run = interp::run(&captured.graph, &captured.params, &tensors, &states).unwrap();
        let output = execute(executable.as_mut(), &values);
        let d = Difference::between(&output, &run.outputs[0]).unwrap();
        assert!(d.max_rel < F32, "frame {frame}: {d:?}");
        if let Some(last) = last.replace(output.clone()) {
            assert!(
                Difference::between(&output, &last).unwrap().max_rel > 1e-2,
                "frames differ"
            );
        }
        states = run.states;
    }
}
