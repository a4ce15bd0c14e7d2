//! Named pipelines, by name and as files.

use crate::support::Place;

#[test]
fn named_pipelines_are_listed_and_run_by_name() {
    let place = Place::new();
    let all = place.run(["passes", "pipelines", "--json"]).ok().parsed();
    let names: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["safe", "quality", "auto", "fast"]);
    let text = place.run(["passes", "pipelines"]).ok().text();
    for pipeline in all.as_array().unwrap() {
        let name = pipeline["name"].as_str().unwrap();
        assert!(text.contains(name), "{text}");
        // What the list says is what the name runs.
        let dump = |flag: &str, value: &str| {
            let args = [
                "graph", "dump", "--size", "32x32", "--steps", "1", flag, value,
            ];
            place.run(args).ok().text()
        };
        let by_passes = dump("--passes", pipeline["passes"].as_str().unwrap());
        assert_eq!(dump("--pipeline", name), by_passes, "{name}");
    }
}

#[test]
fn every_named_pipeline_is_legal_on_every_model() {
    let place = Place::new();
    let models = place.run(["models", "--json"]).ok().parsed();
    let light = |name: &&str| ["lsd-tiny", "lsd-light", "stress-light"].contains(name);
    let names = models
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["name"].as_str().unwrap());
    let models: Vec<&str> = names.filter(light).collect();
    assert_eq!(models.len(), 3);
    for model in models {
        for pipeline in ["safe", "quality", "auto", "fast"] {
            let args = [
                "graph",
                "dump",
                "--model",
                model,
                "--steps",
                "1",
                "--pipeline",
                pipeline,
            ];
            let dump = place.run(args).ok().text();
            mirage_ir::text::parse(&dump).unwrap();
        }
    }
}

#[test]
fn a_pipeline_that_is_neither_a_name_nor_a_file_says_what_is_near() {
    let place = Place::new();
    place
        .run(["graph", "dump", "--pipeline", "fsat"])
        .fails(2, &["--pipeline", "`fsat`", "fast"]);
    place
        .run(["graph", "dump", "--pipeline", "nowhere/fast.toml"])
        .fails(1, &["cannot read nowhere/fast.toml"]);
    place.write("bad.toml", "passes = [\"sdpa\"\n");
    place
        .run(["graph", "dump", "--pipeline", "bad.toml"])
        .fails(1, &["bad.toml", "line"]);
    place
        .run(["graph", "dump", "--pipeline", "fast", "--passes", "sdpa"])
        .fails(2, &["--pipeline", "--passes"]);
}

#[test]
fn a_file_of_a_users_own_is_read() {
    let place = Place::new();
    place.write(
        "mine.toml",
        "# mine\npasses = [\"sdpa\", { name = \"fuse\", max_body = 8 }]\n",
    );
    let args = [
        "graph",
        "dump",
        "--size",
        "32x32",
        "--steps",
        "1",
        "--pipeline",
        "mine.toml",
    ];
    assert!(place.run(args).ok().text().contains(" = attention("));
}
