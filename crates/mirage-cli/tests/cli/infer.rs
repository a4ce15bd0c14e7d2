//! `mirage infer`.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::Stdio,
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::support::{Ended, Place};

/// Tensors: name, dtype, shape, bytes.
pub(crate) struct Inputs(Vec<(String, Dtype, Vec<usize>, Vec<u8>)>);

impl Inputs {
    /// What lsd-tiny takes at this size, with contents that no zero hides.
    pub(crate) fn new(place: &Place, side: usize) -> Self {
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

    /// With a NaN as the first element of a tensor.
    pub(crate) fn with_nan(mut self, name: &str) -> Self {
        let tensor = self.0.iter_mut().find(|(n, ..)| n == name).unwrap();
        tensor.3[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        self
    }

    pub(crate) fn write(&self, place: &Place, name: &str) {
        let views = self.0.iter().map(|(name, dtype, shape, bytes)| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        place.write(name, safetensors::serialize(views, None).unwrap());
    }
}

pub(crate) fn infer(place: &Place, more: &[&str]) -> Ended {
    place.run(["infer", "--inputs", "in.safetensors"].iter().chain(more))
}

/// Every output's f32 elements.
pub(crate) fn outputs(place: &Place, name: &str) -> HashMap<String, Vec<f32>> {
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
            "`previos` is not an input",
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
    infer(&place, &["--output", "o"]).fails(1, &["in.safetensors", "not safetensors"]);
    Inputs::new(&place, 16).write(&place, "in.safetensors");
    let whole = fs::read(place.path("in.safetensors")).unwrap();
    place.write("in.safetensors", &whole[..whole.len() - 10]);
    infer(&place, &["--output", "o"]).fails(1, &["in.safetensors", "truncated"]);
    place.write("in.safetensors", &whole);
    infer(&place, &["--output", "no/folder/o"]).fails(1, &["no/folder/o", "there is no folder"]);
    infer(&place, &["--output", "o", "--size", "32x32"])
        .fails(1, &["`sample` is f32[1, 3, 16, 16]", "[1, 3, 32, 32]"]);
    assert_eq!(place.files(), ["in.safetensors"]);
}

#[test]
fn a_pass_is_repeated_and_every_time_told() {
    let place = Place::new();
    Inputs::new(&place, 16).write(&place, "in.safetensors");
    let json = infer(
        &place,
        &["--output", "a.safetensors", "--repeat", "3", "--json"],
    )
    .ok()
    .parsed();
    let times = json["again_ms"].as_array().unwrap();
    assert_eq!(times.len(), 3);
    assert!(times.iter().all(|t| t.as_f64().unwrap() > 0.0));

    let text = infer(&place, &["--output", "b.safetensors", "--repeat", "1"]).ok();
    assert!(text.text().contains("1 more run: median"));
    let once = infer(&place, &["--output", "c.safetensors"]).ok();
    assert!(!once.text().contains("more run"));
    let bytes = |name: &str| fs::read(place.path(name)).unwrap();
    assert_eq!(bytes("a.safetensors"), bytes("c.safetensors"));

    for wrong in [
        &["--repeat", "2", "--lockstep"][..],
        &["--repeat", "2", "--reference"],
        &["--lockstep", "--reference"],
    ] {
        let all = [&["--output", "no.safetensors"], wrong].concat();
        infer(&place, &all).fails(2, &["cannot be used with", wrong[wrong.len() - 1]]);
    }
    infer(&place, &["--output", "no.safetensors", "--repeat", "-1"]).fails(2, &["-1"]);
}

/// Each line in is one pass and one line out; nothing is run unasked, and the output is there before
/// the first answer.
#[test]
fn passes_take_turns_with_another_program() {
    let place = Place::new();
    Inputs::new(&place, 16).write(&place, "in.safetensors");
    infer(&place, &["--output", "once.safetensors"]).ok();
    let args = "infer --inputs in.safetensors --output out.safetensors --lockstep --json";
    let mut child = place
        .command()
        .args(args.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut asking = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    let mut times = Vec::new();
    for _ in 0..3 {
        writeln!(asking).unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        times.push(answer.trim().parse::<f64>().unwrap());
        assert!(place.path("out.safetensors").exists());
    }
    drop(asking);
    let mut rest = String::new();
    answers.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());

    let json: serde_json::Value = serde_json::from_str(&rest).unwrap();
    let told: Vec<f64> = serde_json::from_value(json["again_ms"].clone()).unwrap();
    assert_eq!(told.len(), times.len());
    for (told, time) in told.iter().zip(&times) {
        assert!(*time > 0.0 && (told - time).abs() < 1e-5);
    }
    let bytes = |name: &str| fs::read(place.path(name)).unwrap();
    assert_eq!(bytes("out.safetensors"), bytes("once.safetensors"));
}

#[test]
fn a_picture_with_channels_last_is_told_what_to_do() {
    let place = Place::new();
    let bytes = vec![0; 4 * 64 * 64 * 3];
    let picture = TensorView::new(Dtype::F32, vec![1, 64, 64, 3], &bytes).unwrap();
    let file = safetensors::serialize([("sample", picture)], None).unwrap();
    place.write("in.safetensors", file);
    infer(&place, &["--output", "o"]).fails(
        1,
        &[
            "`sample` is f32[1, 64, 64, 3]",
            "f32[1, 3, 64, 64]: channels come first; permute it",
        ],
    );
}
