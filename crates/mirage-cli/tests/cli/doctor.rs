//! `mirage doctor`: the machine, the backends, what helps a model.

use crate::support::Place;

#[test]
fn everything_is_told_for_people_and_as_json() {
    let place = Place::new();
    let args = ["doctor", "--size", "32x32", "--steps", "1"];
    let text = place.run(args).ok().text();
    for word in [
        "processor",
        "memory",
        "backend cpu",
        "conv",
        "sdpa",
        "precision",
        "alignment",
    ] {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
    let report = place.run(args.iter().chain(&["--json"])).ok().parsed();
    assert_eq!(report["format"], "mirage-doctor");
    assert_eq!(report["schema"], 1);
    assert!(report["machine"]["processors"].as_u64() >= Some(1));
    assert!(
        report["libraries"]
            .as_array()
            .unwrap()
            .iter()
            .any(|l| l["name"] == "libcuda")
    );
    assert!(report["rates"].is_null());
    let backends = report["backends"].as_array().unwrap();
    let cpu = backends.iter().find(|b| b["backend"] == "cpu").unwrap();
    let conv = &cpu["operations"][0];
    assert_eq!(conv["op"], "conv");
    assert_eq!(
        (&conv["dtypes"][0]["support"], &conv["dtypes"][1]["support"]),
        (&"fast".into(), &"slow".into())
    );
}

#[test]
fn each_pass_says_whether_it_helps_and_why() {
    let place = Place::new();
    let args = ["doctor", "--size", "32x32", "--steps", "1", "--json"];
    let report = place.run(args).ok().parsed();
    let passes = report["passes"].as_array().unwrap();
    let expectation = |name: &str| {
        let pass = passes.iter().find(|p| p["pass"] == name).unwrap();
        assert!(
            !pass["reasons"].as_array().unwrap().is_empty(),
            "{name} says no reason"
        );
        pass["expectation"].as_str().unwrap().to_owned()
    };
    assert_eq!(expectation("sdpa"), "may_help");
    // Kernels of this backend compute in f32.
    assert_eq!(expectation("fp16"), "memory_only");
    assert_eq!(expectation("auto_precision"), "nothing");
    // The backend wants no multiple of channels.
    assert_eq!(expectation("pad_channels"), "nothing");
    assert_eq!(report["precision"]["dtype"], "f32");
    assert!(
        report["precision"]["reasons"][0]
            .as_str()
            .unwrap()
            .contains("kept f32")
    );
}

#[test]
fn measuring_fills_in_rates_operations_and_speed_ups() {
    let place = Place::new();
    let args = [
        "doctor",
        "--measure",
        "--time",
        "10s",
        "--size",
        "32x32",
        "--steps",
        "1",
        "--json",
    ];
    let report = place.run(args).ok().parsed();
    for rate in ["fma_gflops", "copy_gbytes", "read_gbytes"] {
        assert!(report["rates"][rate].as_f64().unwrap() > 0.0, "{rate}");
    }
    for operation in report["backends"][0]["operations"].as_array().unwrap() {
        for dtype in operation["dtypes"].as_array().unwrap() {
            assert!(
                dtype["measured"]["ms"].as_f64().unwrap() > 0.0,
                "{operation}"
            );
        }
    }
    let passes = report["passes"].as_array().unwrap();
    let sdpa = passes.iter().find(|p| p["pass"] == "sdpa").unwrap();
    assert!(
        sdpa["speed_up"]["estimate"].as_f64().unwrap() > 0.0,
        "{sdpa}"
    );
    assert!(sdpa["verdict"].is_string());
}

#[test]
fn bad_lines_and_the_alignment_check_keep_their_codes() {
    let place = Place::new();
    place
        .run(["doctor", "--backend", "cdu"])
        .fails(2, &["unknown backend `cdu`"]);
    place
        .run(["doctor", "--model", "lsd-tyny"])
        .fails(2, &["lsd-tiny"]);
    place
        .run(["doctor", "--time", "5s"])
        .fails(2, &["--measure"]);
    let ended = place.run(["doctor", "alignment", "--dtype", "fp16"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("are not aligned"), "{}", ended.stderr);
}
