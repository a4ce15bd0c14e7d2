//! Results that are not finite: counted, explained, and never written.

use safetensors::{Dtype, tensor::TensorView};

use crate::{
    checkpoints::Checkpoint,
    infer::{Inputs, infer},
    support::Place,
};

#[test]
fn an_input_that_is_not_finite_is_named() {
    let place = Place::new();
    Inputs::new(&place, 16)
        .with_nan("sample")
        .write(&place, "in.safetensors");
    for more in [
        &[][..],
        &["--json"],
        &["--passes", "fp16"],
        &["--reference"],
    ] {
        let ended = infer(&place, &[&["--output", "o.safetensors"], more].concat());
        ended.fails(
            1,
            &[
                "the result is not finite",
                "output: 768 of 768 elements are NaN",
                "the input is not finite either",
                "sample: 1 of 768 elements is NaN",
            ],
        );
        assert!(!ended.stderr.contains("without fp16"), "{}", ended.stderr);
    }
    assert_eq!(place.files(), ["in.safetensors"]);
}

#[test]
fn only_what_lowers_precision_is_blamed() {
    let place = Place::new();
    let weights = Checkpoint::exported(&place);
    // The first convolution leaves the range of f16, and the norm after it undoes that in f32.
    weights
        .clone()
        .scale("input.weight", 1e7)
        .write(&place, "half.safetensors");
    weights
        .scale("input.weight", 1e38)
        .scale("input.weight", 4.0)
        .write(&place, "single.safetensors");
    Inputs::new(&place, 16).write(&place, "in.safetensors");
    let out = ["--output", "o.safetensors", "--weights"];

    let half = [&out[..], &["half.safetensors"]].concat();
    infer(&place, &half).ok();
    let words = [
        "NaN",
        "in f64 every layer is finite",
        "`input` (conv)",
        "without fp16",
    ];
    std::fs::remove_file(place.path("o.safetensors")).unwrap();
    infer(&place, &[&half[..], &["--passes", "fp16"]].concat()).fails(1, &words);
    let run = ["--frames", "1", "--output", "o.y4m", "--weights"];
    let fp16 = ["half.safetensors", "--passes", "fp16"];
    place.small(&[&run[..], &fp16].concat()).fails(1, &words);

    let words = [
        "beyond the range of f32 is",
        "`input`",
        "no pass is the cause",
    ];
    for passes in [&[][..], &["--passes", "fp16"]] {
        let single = [&["single.safetensors"], passes].concat();
        for ended in [
            infer(&place, &[&out[..], &single].concat()),
            place.small(&[&run[..], &single].concat()),
        ] {
            ended.fails(1, &words);
            assert!(!ended.stderr.contains("without fp16"), "{}", ended.stderr);
        }
    }
    let profile = "profile --size 32x32 --steps 1 --frames 4 --warmup 0 --no-roofline --weights single.safetensors";
    place.run(profile.split(' ')).fails(1, &["not finite"]);
    assert!(!place.path("o.y4m").exists() && !place.path("o.safetensors").exists());
}

#[test]
fn a_graph_whose_result_is_not_finite_fails() {
    let place = Place::new();
    place.write(
        "g.txt",
        "graph \"g\" {\n  input %0 \"x\": f32[2]\n  %1: f32[2] = neg(%0)\n  output \"y\" = %1\n}\n",
    );
    let bytes: Vec<u8> = [f32::INFINITY, 1.0]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let x = TensorView::new(Dtype::F32, vec![2], &bytes).unwrap();
    place.write(
        "in.safetensors",
        safetensors::serialize([("x", x)], None).unwrap(),
    );
    let args = "graph run g.txt --inputs in.safetensors --output o.safetensors";
    let words = [
        "y: 1 of 2 elements is infinite",
        "x: 1 of 2 elements is infinite",
    ];
    place.run(args.split(' ')).fails(1, &words);
    assert!(!place.path("o.safetensors").exists());
    place.run(["graph", "run", "g.txt"]).ok();
}
