//! `mirage infer`.

use std::{collections::HashMap, fs};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::support::{Ended, Place};

/// Tensors: name, dtype, shape, bytes.
struct Inputs(Vec<(String, Dtype, Vec<usize>, Vec<u8>)>);

impl Inputs {
    /// What lsd-tiny takes at this size, with contents that no zero hides.
    fn new(place: &Place, side: usize) -> Self {
        let mut all = Inputs(Vec::new());
        for name in ["sample", "frame", "previous"] {
            all.floats(name, &[1, 3, side, side]);
        }
        all.integer("timestep", 399);
        let model = place
            .run(["models", "show", "lsd-tiny", "--json"])
            .ok()
            .parsed();
        for state in model["state"].as_array().unwrap() {
            let shape: Vec<usize> = serde_json::from_value(state["shape"].clone()).unwrap();
            let name = state["name"].as_str().unwrap();
            match state["dtype"].as_str() {
                Some("i64") => all.integer(name, 3),
                _ => all.floats(name, &shape),
            }
        }
        all
    }

    fn integer(&mut self, name: &str, value: i64) {
        let bytes = value.to_le_bytes().to_vec();
        self.0.push((name.into(), Dtype::I64, vec![1], bytes));
    }

    fn floats(&mut self, name: &str, shape: &[usize]) {
        let phase = self.0.len() as f32;
        let value = |i: usize| (i as f32 * 0.37 + phase).sin().abs() * 0.8;
        let bytes = (0..shape.iter().product())
            .flat_map(|i| value(i).to_le_bytes())
            .collect();
        self.0
            .push((name.into(), Dtype::F32, shape.to_vec(), bytes));
    }

    fn write(&self, place: &Place, name: &str) {
        let views = self.0.iter().map(|(name, dtype, shape, bytes)| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        place.write(name, safetensors::serialize(views, None).unwrap());
    }
}

fn infer(place: &Place, more: &[&str]) -> Ended {
    place.run(["infer", "--inputs", "in.safetensors"].iter().chain(more))
}

/// Every output's f32 elements.
fn outputs(place: &Place, name: &str) -> HashMap<String, Vec<f32>> {
    let bytes = fs::read(place.path(name)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8]| {
        data.chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    };
    file.iter()
        .filter(|(_, view)| view.dtype() == Dtype::F32)
        .map(|(name, view)| (name.to_owned(), values(view.data())))
        .collect()
}

fn largest_difference(a: &HashMap<String, Vec<f32>>, b: &HashMap<String, Vec<f32>>) -> f32 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().flat_map(|(name, x)| {
        assert_eq!(x.len(), b[name].len());
        assert!(x.iter().any(|v| *v != 0.0), "{name} is all zeros");
        x.iter().zip(&b[name]).map(|(x, y)| (x - y).abs())
    });
    differences.fold(0.0, f32::max)
}

#[test]
fn passes_and_the_definition_agree() {
    let place = Place::new();
    Inputs::new(&place, 16).write(&place, "in.safetensors");
    infer(&place, &["--output", "a.safetensors"]).ok();
    infer(&place, &["--output", "b.safetensors"]).ok();
    let bytes = |name: &str| fs::read(place.path(name)).unwrap();
    assert_eq!(bytes("a.safetensors"), bytes("b.safetensors"));

    let plain = outputs(&place, "a.safetensors");
    assert_eq!(plain["output"].len(), 3 * 16 * 16);
    infer(
        &place,
        &["--output", "sdpa.safetensors", "--passes", "sdpa"],
    )
    .ok();
    assert!(largest_difference(&plain, &outputs(&place, "sdpa.safetensors")) < 1e-4);
    infer(&place, &["--output", "exact.safetensors", "--reference"]).ok();
    assert!(largest_difference(&plain, &outputs(&place, "exact.safetensors")) < 1e-4);

    infer(&place, &["--output", "seed.safetensors", "--seed", "5"]).ok();
    assert!(largest_difference(&plain, &outputs(&place, "seed.safetensors")) > 1e-3);
    let json = infer(
        &place,
        &[
            "--output",
            "j.safetensors",
            "--json",
            "--passes",
            "fp16{inputs}",
        ],
    )
    .ok()
    .parsed();
    assert_eq!(json["outputs"][0]["name"], "output");
    assert!(json["notes"][0].as_str().unwrap().contains("f16"));
}

#[test]
fn everything_that_does_not_fit_is_listed() {
    let place = Place::new();
    let mut inputs = Inputs::new(&place, 16);
    inputs.0.retain(|t| t.0 != "previous");
    inputs.floats("previos", &[1, 3, 16, 16]);
    inputs.0.iter_mut().find(|t| t.0 == "timestep").unwrap().1 = Dtype::F64;
    inputs.0.iter_mut().find(|t| t.0 == "frame").unwrap().2 = vec![1, 3, 8, 32];
    inputs.write(&place, "in.safetensors");
    place.write("out.safetensors", "from before");
    infer(&place, &["--output", "out.safetensors"]).fails(
        1,
        &[
            "`previous`",
            "is missing",
            "`previos` is no input",
            "did you mean `previous`",
            "`timestep` is f64",
            "i64[1]",
            "`frame` is f32[1, 3, 8, 32]",
        ],
    );
    assert_eq!(
        fs::read(place.path("out.safetensors")).unwrap(),
        b"from before"
    );
    assert_eq!(place.files(), ["in.safetensors", "out.safetensors"]);
}

#[test]
fn files_that_are_no_tensors() {
    let place = Place::new();
    infer(&place, &["--output", "o"]).fails(1, &["in.safetensors", "cannot read"]);
    place.write("in.safetensors", "");
    infer(&place, &["--output", "o"]).fails(1, &["in.safetensors", "empty"]);
    place.write("in.safetensors", [255; 400]);
    infer(&place, &["--output", "o"]).fails(1, &["in.safetensors", "not a whole safetensors file"]);
    Inputs::new(&place, 16).write(&place, "in.safetensors");
    let whole = fs::read(place.path("in.safetensors")).unwrap();
    place.write("in.safetensors", &whole[..whole.len() - 10]);
    infer(&place, &["--output", "o"]).fails(1, &["in.safetensors", "not a whole safetensors file"]);
    place.write("in.safetensors", &whole);
    infer(&place, &["--output", "no/folder/o"]).fails(1, &["no/folder/o", "folder exists"]);
    infer(&place, &["--output", "o", "--size", "32x32"])
        .fails(1, &["`sample` is f32[1, 3, 16, 16]", "[1, 3, 32, 32]"]);
    assert_eq!(place.files(), ["in.safetensors"]);
}
