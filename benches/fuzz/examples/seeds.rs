//! Writes the seeds of the corpora anew: `cargo run --example seeds` in `benches/fuzz`. They are small
//! valid inputs, made by the writers whose readers are fuzzed.

use std::{error::Error, fs, path::Path};

use mirage_ir::{DType, TensorData, generate, text, wire};
use mirage_video::{SinkOptions, SourceOptions, Y4mSampling, open_sink, open_source};

#[path = "../../../crates/mirage-lab/src/tensors.rs"]
#[allow(dead_code, reason = "only its writer is needed")]
mod tensors;

fn main() -> Result<(), Box<dyn Error>> {
    graphs()?;
    pipelines()?;
    videos()?;
    tensor_files()?;
    // Choices of the target `passes` are bytes; spread over their range they choose anything.
    for (name, step) in [("a", 37_u8), ("b", 91), ("c", 153), ("d", 211)] {
        let bytes: Vec<u8> = (0..=255_u8).map(|i| i.wrapping_mul(step)).collect();
        seed("passes", name, bytes)?;
    }
    Ok(())
}

fn seed(target: &str, name: &str, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&root)?;
    fs::write(root.join(format!("seed-{name}")), bytes)
}

/// What the generator does not make, or not always: calls, regions, states, unknown operations, orders, every kind of
/// attribute.
const WRITTEN: [(&str, &str); 3] = [
    (
        "call",
        r#"body "step" graph "step" {
  input %0 "x": f32[2]
  param %1 "w": f32[2]
  %2: f32[2] = mul(%0, %1)
  output "y" = %2
}
body "twice" graph "twice" {
  input %0 "x": f32[2]
  %1: f32[2] = call(%0) body "step"
  %2: f32[2] = call(%1) body "step"
  output "y" = %2
}
graph "frame" {
  input %0 "x": f32[2]
  param %1 "w": f32[2]
  %2: f32[2] = call(%0) body "twice"
  %3: f32[2] = add(%2, %1)
  output "y" = %3
}
"#,
    ),
    (
        "region",
        r#"graph "fused" {static_plan = true} {
  input %0 "x": f32[1,4,2,2]
  param %1 "gamma": f32[4]
  param %2 "beta": f32[4]
  state %3 "memory": f32[1,4,2,2]@[0,2,3,1] -> %6
  %4: f32[1,4,2,2] = region(%0, %1, %2) {attributes = {eps = 1e-5}, kind = "tail"} @ "down.0" graph "tail" {
    input %0 "x": f32[1,4,2,2]
    input %1 "gamma": f32[4]
    input %2 "beta": f32[4]
    %3: f32[1,4,2,2] = group_norm(%0, %1, %2) {eps = 1e-5, groups = 2}
    %4: f32[1,4,2,2] = silu(%3)
    output "out" = %4
  }
  %5: f32[1,4,2,2] = add(%4, %0)
  %6: f32[1,4,2,2]@[0,2,3,1] = reorder(%5) {order = [0, 2, 3, 1]}
  output "y" = %6
}
"#,
    ),
    (
        "unknown",
        r#"graph 'later' {list = [1, -2.5, 'a', true, inf]} {
  input %0 "x": f32[2] # a comment
  %1: f16[3,2]@[1,0], %2: i8[] = warp_drive(%0) {map = {deep = [[1], ["a \n b"]], "\u00e9" = nan}} @ "a.b" graph "inner" {
    %0: bool[] = "new kind!"()
    output "" = %0
  }
  output "y" = %1
}
"#,
    ),
];

/// Graphs of random operations, and written ones.
fn graphs() -> Result<(), Box<dyn Error>> {
    let mut all = Vec::new();
    for (seed, dtype) in [
        (1, DType::F32),
        (2, DType::F16),
        (3, DType::BF16),
        (6, DType::F64),
    ] {
        let options = generate::Options {
            max_nodes: 8,
            dtypes: vec![dtype],
            ..generate::Options::default()
        };
        all.push((
            dtype.name().to_owned(),
            generate::generate(seed, &options)?.graph,
        ));
    }
    for (name, text) in WRITTEN {
        all.push(((*name).to_owned(), text::parse(text)?));
    }
    for (name, graph) in all {
        seed("text", &name, text::print(&graph))?;
        seed("wire", &name, wire::encode(&graph))?;
    }
    Ok(())
}

fn pipelines() -> Result<(), Box<dyn Error>> {
    let text = [
        (
            "plain",
            "fold_batch_norm,sdpa,merge-qkv,channels_last,fuse,graph_capture",
        ),
        (
            "options",
            "fp16{keep=norm+softmax},fuse{kinds=conv_act+elementwise,max_body=8,force},pad_channels{multiple=8,max_overhead=0.5}",
        ),
        (
            "blanks",
            " sdpa { masks } ,\n bf16{ keep = \"\" },x{a=\"b, \\\"c\\\" \\\\ \\n\"}",
        ),
        (
            "toml",
            "passes = [\"sdpa\", { name = \"fp16\", keep = [\"norm\", \"softmax\"], inputs = true, limit = 4, scale = 0.5 }]",
        ),
        (
            "tables",
            "[[passes]]\nname = \"fuse\"\nkinds = \"conv_act\"\n[[passes]]\nname = 'sdpa'\n",
        ),
        (
            "string",
            "passes = 'merge_qkv{min=3,force=true}, eliminate_dead'",
        ),
    ];
    for (name, text) in text {
        seed("grammar", name, text)?;
    }
    Ok(())
}

fn videos() -> Result<(), Box<dyn Error>> {
    let source = SourceOptions {
        frames: Some(2),
        scene_size: (6, 4),
        ..SourceOptions::default()
    };
    let folder = tempfile::tempdir()?;
    for (target, name, sampling) in [
        ("y4m", "420", Y4mSampling::S420),
        ("y4m", "444", Y4mSampling::S444),
        ("gif", "scene", Y4mSampling::S420),
    ] {
        let mut scene = open_source("scene", &source)?;
        let path = folder.path().join(format!("{name}.{target}"));
        let options = SinkOptions {
            sampling,
            ..SinkOptions::default()
        };
        let mut sink = open_sink(&path.to_string_lossy(), scene.info(), &options)?;
        while let Some(frame) = scene.next_frame()? {
            sink.write_frame(&frame)?;
        }
        sink.finish()?;
        seed(target, name, fs::read(path)?)?;
    }
    for (name, header, plane) in [
        ("422", "W2 H1 F30000:1001 Ip A1:1 C422 XCOLORRANGE=FULL", 4),
        ("mono", "W3 H2 F0:0 It Cmono", 6),
        ("paldv", "W3 H3 F25:1 C420paldv", 17),
    ] {
        let mut file = format!("YUV4MPEG2 {header}\n").into_bytes();
        for _ in 0..2 {
            file.extend(b"FRAME Ixyz\n");
            file.extend((0..plane).map(|i| 16 + 13 * i));
        }
        seed("y4m", name, file)?;
    }
    Ok(())
}

fn tensor_files() -> Result<(), Box<dyn Error>> {
    let tensors = [
        (
            "input".to_owned(),
            TensorData::from_f32([1, 2], &[0.5, -1.5])?,
        ),
        ("timestep".to_owned(), TensorData::from_i64([], &[7])?),
        (
            "empty".to_owned(),
            TensorData::new(DType::Bool, [0, 3], [])?,
        ),
        (
            "half".to_owned(),
            TensorData::new(DType::BF16, [3], [0; 6])?,
        ),
    ];
    for count in [0, 1, 4] {
        let bytes = tensors::write(&tensors[..count], "fuzz").map_err(|e| format!("{e:?}"))?;
        seed("safetensors", &count.to_string(), bytes)?;
    }
    Ok(())
}
