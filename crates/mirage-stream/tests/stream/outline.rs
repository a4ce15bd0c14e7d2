//! Memory of capturing large models. In a process of its own, so that nothing else moves the numbers.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Tensor},
};
use mirage_capture::Captured;
use mirage_ir::cost::graph_cost;
use mirage_model::{ModelConfig, Size, WeightLayout, build, named_parameters, outline};
use mirage_stream::capture_forward;

/// Resident bytes of this process, where the system says.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn grown(since: Option<usize>) -> usize {
    match (since, resident()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => 0,
    }
}

#[test]
fn weights_are_in_memory_once_at_most() {
    let start = resident();
    let config = ModelConfig::load("stress-heavy").unwrap();
    let model = outline(&config, &Device::flex()).unwrap();
    let captured = capture_forward(&model, 1, config.size).unwrap();
    let bytes = weight_bytes(&captured);
    assert_eq!(bytes, 4 * (1_564_768_285 + 146_456));
    assert!(graph_cost(&captured.graph).flops > 100_000_000_000);
    assert!(
        grown(start) < bytes / 20,
        "an outline takes {} bytes",
        grown(start)
    );
    drop((model, captured));

    let config = ModelConfig::load("stress-light").unwrap();
    let folder = std::env::temp_dir().join(format!("mirage-outline-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("weights.safetensors");
    for loaded in [false, true] {
        let start = resident();
        let seed = if loaded { 2 } else { 1 };
        let mut model = build(&config, &Device::flex(), seed).unwrap();
        if loaded {
            model.load_weights(&path, WeightLayout::PyTorch).unwrap();
        }
        let captured = capture_forward(
            &model,
            1,
            Size {
                width: 16,
                height: 16,
            },
        )
        .unwrap();
        let (bytes, grown) = (weight_bytes(&captured), grown(start));
        assert!(
            grown < bytes + bytes / 4,
            "{grown} bytes for {bytes} bytes of weights, loaded: {loaded}"
        );
        assert_eq!(
            named_parameters(&model).len(),
            captured.params.len(),
            "every parameter has a use"
        );

        // What was captured are the model's weights.
        let name = "unets.0.output.weight";
        let mut found = First {
            path: Vec::new(),
            name,
            bytes: Vec::new(),
        };
        model.visit(&mut found);
        assert!(found.bytes.iter().any(|&b| b != 0));
        assert_eq!(captured.params.get(name).unwrap().bytes(), found.bytes);
        if !loaded {
            model.save_weights(&path, WeightLayout::PyTorch).unwrap();
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn weight_bytes(captured: &Captured) -> usize {
    captured
        .params
        .iter()
        .map(|(_, data)| data.bytes().len())
        .sum()
}

/// Reads the parameter of one name.
struct First<'a> {
    path: Vec<String>,
    name: &'a str,
    bytes: Vec<u8>,
}

impl ModuleVisitor for First<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.path.join(".") == self.name {
            self.bytes = param.val().into_data().as_bytes().to_vec();
        }
    }
}
