//! Weights as people have them: wrapped, sharded, converted, damaged, or something else altogether.

use std::fs;

use serde_json::{Map, Value, json};

use crate::support::{Ended, Place};

/// A safetensors file in parts, to write variants of it that the format's library would refuse.
#[derive(Clone)]
pub(crate) struct Checkpoint(Vec<(String, String, Vec<usize>, Vec<u8>)>);

impl Checkpoint {
    /// The exported weights of lsd-tiny.
    pub(crate) fn exported(place: &Place) -> Self {
        let args = ["models", "export", "--output", "exported.safetensors"];
        place.run(args).ok();
        let bytes = fs::read(place.path("exported.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: Vec<_> = file
            .iter()
            .map(|(name, view)| {
                let (dtype, shape) = (view.dtype().to_string(), view.shape().to_vec());
                (name.to_owned(), dtype, shape, view.data().to_vec())
            })
            .collect();
        tensors.sort();
        Checkpoint(tensors)
    }

    /// The tensor of this name, to change it.
    fn edit(&mut self, name: &str) -> &mut (String, String, Vec<usize>, Vec<u8>) {
        self.0.iter_mut().find(|(n, ..)| n == name).unwrap()
    }

    /// Multiplies the f32 elements of a tensor.
    pub(crate) fn scale(mut self, name: &str, by: f32) -> Self {
        for bytes in self.edit(name).3.as_chunks_mut::<4>().0 {
            *bytes = (f32::from_le_bytes(*bytes) * by).to_le_bytes();
        }
        self
    }

    fn prefixed(&self, prefix: &str) -> Self {
        let tensors = self.0.iter().cloned();
        Checkpoint(
            tensors
                .map(|(n, d, s, b)| (format!("{prefix}{n}"), d, s, b))
                .collect(),
        )
    }

    pub(crate) fn write(&self, place: &Place, name: &str) {
        self.write_with(place, name, json!({"format": "pt"}));
    }

    fn write_with(&self, place: &Place, name: &str, metadata: Value) {
        let mut header = Map::from_iter([("__metadata__".to_owned(), metadata)]);
        let mut data = Vec::new();
        for (name, dtype, shape, bytes) in &self.0 {
            let offsets = [data.len(), data.len() + bytes.len()];
            header.insert(
                name.clone(),
                json!({"dtype": dtype, "shape": shape, "data_offsets": offsets}),
            );
            data.extend(bytes);
        }
        let header = serde_json::to_vec(&header).unwrap();
        let length = (header.len() as u64).to_le_bytes();
        place.write(name, [&length[..], &header, &data].concat());
    }
}

fn run(place: &Place, weights: &str) -> Ended {
    place.small(&["--frames", "2", "--output", "out.y4m", "--weights", weights])
}

/// The picture that a run with these weights gives.
fn picture(place: &Place, weights: &str) -> (Vec<u8>, String) {
    let text = run(place, weights).ok().text();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (fs::read(place.path("out.y4m")).unwrap(), text)
}

#[test]
fn a_prefix_of_every_name_is_removed_and_said() {
    let place = Place::new();
    // Other weights than those of the seed, so that a file that is not read is seen.
    let weights = Checkpoint::exported(&place).scale("output.weight", 3.0);
    weights.write(&place, "plain.safetensors");
    let (wanted, text) = picture(&place, "plain.safetensors");
    assert!(!text.contains("prefix"), "{text}");
    assert_ne!(picture(&place, "exported.safetensors").0, wanted);
    for prefix in [
        "module.",
        "_orig_mod.",
        "module._orig_mod.",
        "model.diffusion_model.",
        "ema_model.",
    ] {
        weights.prefixed(prefix).write(&place, "w.safetensors");
        let (found, text) = picture(&place, "w.safetensors");
        assert_eq!(found, wanted, "{prefix}");
        assert!(
            text.contains(&format!("the prefix `{prefix}` of all tensors")),
            "{text}"
        );
    }
    let report = [
        "--report",
        "-",
        "--weights",
        "w.safetensors",
        "--frames",
        "1",
    ];
    let notes = place.small(&report).ok().parsed()["notes"].to_string();
    assert!(notes.contains("the prefix `ema_model.`"), "{notes}");
}

#[test]
fn differences_are_told_with_the_names_and_shapes_of_the_file() {
    let place = Place::new();
    let weights = Checkpoint::exported(&place);
    let mut turned = weights.prefixed("module.");
    turned.edit("module.down.0.block.0.time.weight").2.reverse();
    turned.write(&place, "w.safetensors");
    run(&place, "w.safetensors").fails(
        1,
        &["1 of another shape: module.down.0.block.0.time.weight (network [16, 64], file [64, 16]: transposed)"],
    );
    let mut lacking = weights.clone();
    lacking
        .0
        .retain(|(name, ..)| name != "down.0.block.0.norm1.weight");
    lacking.write(&place, "w.safetensors");
    run(&place, "w.safetensors")
        .fails(1, &["1 missing from the file: down.0.block.0.norm1.weight"]);
}

#[test]
fn dtypes_that_cannot_be_used_are_named_or_left_out() {
    let place = Place::new();
    let weights = Checkpoint::exported(&place);
    let mut bytes = weights.clone();
    let tensor = bytes.edit("mix.weight");
    tensor.1 = "F8_E4M3".to_owned();
    tensor.3.truncate(tensor.3.len() / 4);
    bytes.write(&place, "w.safetensors");
    run(&place, "w.safetensors").fails(
        1,
        &["1 of a dtype that cannot be used (convert to F32, F16 or BF16): mix.weight (F8_E4M3)"],
    );
    let mut unknown = weights.clone();
    unknown.edit("mix.weight").1 = "F2".to_owned();
    unknown.write(&place, "w.safetensors");
    run(&place, "w.safetensors").fails(1, &["tensor `mix.weight` has the unknown dtype `F2`"]);

    let mut more = weights.clone();
    more.0
        .push(("counts".to_owned(), "U16".to_owned(), vec![2], vec![0; 4]));
    more.write(&place, "w.safetensors");
    let (_, text) = picture(&place, "w.safetensors");
    assert!(text.contains("left out: counts (U16)"), "{text}");
    // A float that the network does not have may be a part of another network.
    more.edit("counts").1 = "F16".to_owned();
    more.write(&place, "w.safetensors");
    run(&place, "w.safetensors").fails(1, &["1 not in the network: counts"]);
}

#[test]
fn metadata_may_be_anything() {
    let place = Place::new();
    let weights = Checkpoint::exported(&place).scale("output.weight", 3.0);
    weights.write(&place, "plain.safetensors");
    weights.write_with(
        &place,
        "w.safetensors",
        json!({"epoch": 3, "args": {"lr": 1e-4}}),
    );
    assert_eq!(
        picture(&place, "w.safetensors").0,
        picture(&place, "plain.safetensors").0
    );
}

#[test]
fn shards_are_read_by_folder_and_by_index() {
    let place = Place::new();
    let weights = Checkpoint::exported(&place).scale("output.weight", 3.0);
    weights.write(&place, "plain.safetensors");
    let wanted = picture(&place, "plain.safetensors").0;
    fs::create_dir(place.path("sharded")).unwrap();
    let names = [1, 2].map(|i| format!("model-0000{i}-of-00002.safetensors"));
    let (first, second) = weights.0.split_at(weights.0.len() / 2);
    let mut map = Map::new();
    for (name, tensors) in names.iter().zip([first, second]) {
        Checkpoint(tensors.to_vec()).write(&place, &format!("sharded/{name}"));
        map.extend(tensors.iter().map(|t| (t.0.clone(), json!(name))));
    }
    // Without an index, by the names of the shards.
    assert_eq!(picture(&place, "sharded").0, wanted);
    let index = "sharded/model.safetensors.index.json";
    place.write(
        index,
        json!({"metadata": {}, "weight_map": map}).to_string(),
    );
    for path in ["sharded", index] {
        assert_eq!(picture(&place, path).0, wanted, "{path}");
    }

    let one = format!("sharded/{}", names[0]);
    run(&place, &one).fails(
        1,
        &[
            "missing from the file",
            "one of 2 shards",
            "pass the folder",
        ],
    );
    fs::remove_file(place.path(&format!("sharded/{}", names[1]))).unwrap();
    for path in ["sharded", index] {
        run(&place, path).fails(1, &["of 2 shards", "missing in the folder", &names[1]]);
    }
    fs::remove_file(place.path(index)).unwrap();
    run(&place, "sharded").fails(
        1,
        &["shard 2 of 2 is missing", "-00002-of-00002.safetensors"],
    );
    fs::create_dir(place.path("bare")).unwrap();
    run(&place, "bare").fails(1, &["bare", "no .safetensors file"]);
}

#[test]
fn weights_that_are_not_finite_are_refused_at_load() {
    let place = Place::new();
    let mut weights = Checkpoint::exported(&place);
    weights.edit("down.0.downsample.conv.weight").3[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    weights.prefixed("net.").write(&place, "w.safetensors");
    let words = [
        "tensor `net.down.0.downsample.conv.weight` is not finite",
        "1 of its 2304 elements",
        "index 0",
    ];
    run(&place, "w.safetensors").fails(1, &words);
    let export = [
        "models",
        "export",
        "--output",
        "x.safetensors",
        "--weights",
        "w.safetensors",
    ];
    place.run(export).fails(1, &words);
    assert!(!place.files().contains(&"out.y4m".to_owned()));
    assert!(!place.files().contains(&"x.safetensors".to_owned()));
}

#[test]
fn other_files_are_told_for_what_they_are() {
    let place = Place::new();
    Checkpoint::exported(&place).write(&place, "whole.safetensors");
    let whole = fs::read(place.path("whole.safetensors")).unwrap();
    let cases: [(&str, &[u8], &[&str]); 9] = [
        ("w.safetensors", b"", &["the file is empty"]),
        (
            "w.safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 18\n",
            &["pointer of Git LFS", "git lfs pull"],
        ),
        (
            "w.safetensors",
            b"<!DOCTYPE html>\n<html></html>",
            &["web page", "download"],
        ),
        (
            "model.pth",
            b"PK\x03\x04\0\0\0\0",
            &["torch.save", "torch.load('model.pth'", "save_file("],
        ),
        (
            "old.ckpt",
            b"\x80\x02}q\0.",
            &["Python pickle", "save_file("],
        ),
        ("m.gguf", b"GGUF\x03\0\0\0", &["GGUF"]),
        ("w.safetensors", &[255; 400], &["not safetensors"]),
        ("w.safetensors", &whole[..100], &["truncated", "100 bytes"]),
        (
            "w.safetensors",
            &whole[..whole.len() - 10],
            &["truncated", "download it again"],
        ),
    ];
    for (name, bytes, words) in cases {
        place.write(name, bytes);
        run(&place, name).fails(1, &[&[name], words].concat());
        // Tensors for `infer` are read by the same code.
        let args = ["infer", "--output", "o.safetensors", "--inputs", name];
        place.run(args).fails(1, &[&[name], words].concat());
    }
    assert!(!place.files().contains(&"out.y4m".to_owned()));
}
