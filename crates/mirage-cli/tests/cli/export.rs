//! `mirage models export`.

use std::{collections::BTreeMap, fs};

use mirage_ir::{
    TensorData,
    interp::{Elements, Tensor},
};
use safetensors::SafeTensors;

use crate::{
    infer::{Inputs, infer, outputs},
    support::Place,
};

const EXPORT: [&str; 4] = ["models", "export", "--model", "lsd-tiny"];

#[test]
fn exported_weights_are_the_models_in_both_layouts() {
    let place = Place::new();
    Inputs::new(&place, 16).write(&place, "in.safetensors");
    infer(&place, &["--output", "drawn.safetensors", "--seed", "5"]).ok();
    let drawn = outputs(&place, "drawn.safetensors");
    for layout in ["pytorch", "burn"] {
        let more = ["--seed", "5", "--layout", layout, "--json"];
        let written = place
            .run(
                EXPORT
                    .iter()
                    .chain(&["--output", "w.safetensors"])
                    .chain(&more),
            )
            .ok()
            .parsed();
        assert_eq!(written["layout"], layout);
        assert_eq!(written["trained"], false);
        let bytes = fs::read(place.path("w.safetensors")).unwrap();
        assert_eq!(written["bytes"].as_u64(), Some(bytes.len() as u64));
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(written["tensors"].as_u64(), Some(file.len() as u64));
        let norm = ["down.0.block.0.norm1.weight", "down.0.block.0.norm1.gamma"];
        let [theirs, ours] = norm.map(|name| file.tensor(name).is_ok());
        assert_eq!([theirs, ours], [layout == "pytorch", layout == "burn"]);

        let more = ["--output", "loaded.safetensors", "--weights"];
        infer(&place, &[&more[..], &["w.safetensors"]].concat()).ok();
        assert_eq!(outputs(&place, "loaded.safetensors"), drawn, "{layout}");
    }
    // What was loaded is exported again as it was.
    let again = [
        "--output",
        "again.safetensors",
        "--weights",
        "w.safetensors",
        "--layout",
        "burn",
    ];
    let text = place.run(EXPORT.iter().chain(&again)).ok().text();
    assert!(!text.contains("untrained"), "{text}");
    let bytes = |name: &str| fs::read(place.path(name)).unwrap();
    assert!(floats(&bytes("again.safetensors")) == floats(&bytes("w.safetensors")));
}

#[test]
fn an_export_that_cannot_be_leaves_what_was_there() {
    let place = Place::new();
    let export = |more: &[&str]| place.run(EXPORT.iter().chain(more));
    export(&["--output", "no/folder/w"]).fails(1, &["no/folder/w", "there is no folder"]);
    fs::create_dir(place.path("folder")).unwrap();
    export(&["--output", "folder"]).fails(1, &["folder", "not a regular file"]);
    place.write("w.safetensors", "from before");
    export(&["--output", "w.safetensors", "--weights", "none.safetensors"])
        .fails(1, &["none.safetensors"]);
    export(&["--output", "w.safetensors", "--layout", "numpy"]).fails(2, &["numpy", "pytorch"]);
    assert_eq!(
        fs::read(place.path("w.safetensors")).unwrap(),
        b"from before"
    );
    assert_eq!(place.files(), ["folder", "w.safetensors"]);
}

/// Every float tensor by name, with its shape.
fn floats(bytes: &[u8]) -> BTreeMap<String, (Vec<usize>, Vec<f64>)> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let values = |view: &safetensors::tensor::TensorView<'_>| {
        let dtype = view.dtype().to_string().to_lowercase().parse().unwrap();
        let data = TensorData::new(dtype, view.shape(), view.data().to_vec()).unwrap();
        match Tensor::from_data(&data).unwrap().elements() {
            Elements::Float(values) => Some((view.shape().to_vec(), values.clone())),
            _ => None,
        }
    };
    let tensors = file.iter();
    tensors
        .filter_map(|(name, view)| Some((name.to_owned(), values(&view)?)))
        .collect()
}

/// PyTorch's own file through the program and back: the same names, shapes and numbers.
#[test]
fn a_checkpoint_comes_back_as_it_was() {
    let place = Place::new();
    let checkpoint = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../mirage-stream/tests/data/stress_b16.safetensors"
    );
    place
        .run([
            "models",
            "export",
            "--model",
            "stress",
            "--set",
            "network.base_channels=16",
            "--weights",
            checkpoint,
            "--output",
            "w.safetensors",
        ])
        .ok();
    let given = floats(&fs::read(checkpoint).unwrap());
    let exported = floats(&fs::read(place.path("w.safetensors")).unwrap());
    assert_eq!(exported.len(), 676);
    assert!(exported == given, "a name, a shape or a number differs");
}
