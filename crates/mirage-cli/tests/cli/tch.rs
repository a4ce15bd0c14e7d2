//! The backend `tch` as a plugin that was built apart: `MIRAGE_TCH_PLUGIN` names it. CI builds it and runs
//! these (`.ci/run`, stage tch).

use std::{fs, process::Command};

use safetensors::SafeTensors;

use crate::support::{Ended, Place};

fn plugin() -> String {
    std::env::var("MIRAGE_TCH_PLUGIN").expect("MIRAGE_TCH_PLUGIN names libmirage_backend_tch.so")
}

fn with_plugin(place: &Place, more: &[&str]) -> Ended {
    let plugin = plugin();
    place.run(["--plugin", &plugin].iter().chain(more))
}

/// The elements of a tensor in a file.
fn floats(bytes: &[u8], name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let data = file.tensor(name).unwrap().data().to_vec();
    let element = |four: &[u8]| f32::from_le_bytes(four.try_into().unwrap());
    data.chunks_exact(4).map(element).collect()
}

/// PyTorch's weights and output for 16 base channels, computed in f64.
#[test]
#[ignore = "needs the plugin: MIRAGE_TCH_PLUGIN"]
fn the_benchmark_network_is_computed_as_pytorch_does() {
    let place = Place::new();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../mirage-stream/tests/data");
    let weights = format!("{data}/stress_b16.safetensors");
    let io = fs::read(format!("{data}/stress_b16_io.safetensors")).unwrap();
    let wanted = floats(&io, "output");
    let tensors = SafeTensors::deserialize(&io).unwrap().tensors();
    let inputs = tensors.into_iter().filter(|(name, _)| name != "output");
    place.write(
        "in.safetensors",
        safetensors::serialize(inputs, None).unwrap(),
    );
    let largest = wanted.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    for passes in [
        "",
        "sdpa,fuse",
        "fold_batch_norm,sdpa,channels_last,pad_channels,fuse,graph_capture",
    ] {
        let network = ["--model=stress", "--set=network.base_channels=16"];
        let files = [
            "--weights",
            &weights,
            "--inputs",
            "in.safetensors",
            "--output",
            "out.safetensors",
        ];
        let how = ["--backend=tch", "--passes", passes];
        with_plugin(&place, &[&["infer"][..], &network, &files, &how].concat()).ok();
        let got = floats(&fs::read(place.path("out.safetensors")).unwrap(), "output");
        assert_eq!(got.len(), wanted.len());
        let errors = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs());
        let error = errors.fold(0.0, f32::max) / largest;
        assert!(error < 1e-4, "passes `{passes}`: {error}");
    }
}

#[test]
#[ignore = "needs the plugin: MIRAGE_TCH_PLUGIN"]
fn models_sets_and_dtypes_are_in_parity_with_the_processors_backend() {
    let place = Place::new();
    for (model, reference, size) in [
        ("lsd-tiny", "definition", "64x64"),
        ("lsd-light", "cpu", "32x32"),
        ("stress-light", "cpu", "32x32"),
    ] {
        let what = [
            "parity",
            "--backend=cpu,tch",
            "--model",
            model,
            "--size",
            size,
        ];
        let how = ["--reference", reference, "--json"];
        let report = with_plugin(&place, &[&what[..], &how].concat())
            .ok()
            .parsed();
        let rows = report["rows"].as_array().unwrap();
        let of_tch: Vec<_> = rows.iter().filter(|r| r["backend"] == "tch").collect();
        // Four sets in three dtypes; half precision differs, or it was not computed in it.
        assert_eq!(of_tch.len(), 12, "{model}");
        for row in of_tch {
            assert_eq!(row["within"], true, "{row}");
            let error = row["max_rel"].as_f64().unwrap();
            assert!(
                error > 0.0 && (row["dtype"] == "f32" || error > 1e-4),
                "{row}"
            );
        }
    }
}

#[test]
#[ignore = "needs the plugin: MIRAGE_TCH_PLUGIN"]
fn a_stream_runs_and_the_ledger_and_the_profile_know_the_backend() {
    let place = Place::new();
    let small = [
        "--model=lsd-tiny",
        "--size=32x32",
        "--steps=1",
        "--backend=tch",
    ];
    let frames = ["--frames=6", "--warmup=2", "--passes=sdpa,channels_last"];
    with_plugin(&place, &[&["run"][..], &small, &frames].concat()).ok();
    let bench = ["--passes=sdpa,graph_capture", "--time=20s", "--json"];
    let ledger = with_plugin(&place, &[&["bench"][..], &small, &bench].concat());
    let ledger = ledger.ok().parsed();
    assert_eq!(ledger["backend"]["name"], "tch");
    for row in ledger["rows"].as_array().unwrap() {
        assert_eq!(row["outcome"]["state"], "measured", "{row}");
    }
    let listed = with_plugin(&place, &["plugins", "list"]).ok().text();
    assert!(listed.contains("mirage-backend-tch"), "{listed}");
}

/// The default program needs neither libtorch nor CUDA to be loaded.
#[test]
fn the_program_links_neither_libtorch_nor_cuda() {
    let ldd = Command::new("ldd")
        .arg(env!("CARGO_BIN_EXE_mirage"))
        .output();
    let text = String::from_utf8(ldd.unwrap().stdout).unwrap();
    assert!(text.contains("libc.so"), "{text}");
    for library in ["torch", "libc10", "cuda", "nvrtc", "cublas"] {
        assert!(!text.contains(library), "{library}: {text}");
    }
}
