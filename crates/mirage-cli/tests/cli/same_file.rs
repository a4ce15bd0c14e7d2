//! No command replaces a file that it reads, or writes one file twice.

use std::fs;

use crate::support::Place;

/// Command lines with the words of their refusal; every file is there before.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "run -i in.y4m -o in.y4m",
        &["--output in.y4m", "--input in.y4m"],
    ),
    (
        "run in.y4m folder/../in.y4m",
        &["--output folder/../in.y4m", "--input in.y4m"],
    ),
    (
        "run in.y4m o.y4m --report in.y4m",
        &["--report in.y4m", "--input in.y4m"],
    ),
    (
        "run --weights w.bin --report w.bin",
        &["--report w.bin", "--weights w.bin"],
    ),
    (
        "run --pipeline p.toml --report p.toml",
        &["--report p.toml", "--pipeline p.toml"],
    ),
    (
        "run --model m.toml --output m.toml",
        &["--output m.toml", "--model m.toml"],
    ),
    (
        "run --output new.y4m --report ./new.y4m",
        &["--report ./new.y4m", "--output new.y4m"],
    ),
    (
        "run --plugin p.so --report p.so",
        &["--report p.so", "--plugin p.so"],
    ),
    (
        "run images images/",
        &["--output images/", "--input images", "the same folder"],
    ),
    (
        "run images/%04d.png images/%06d.png",
        &["--output", "the same folder"],
    ),
    (
        "run images o.gif --report images/1.png",
        &["--report images/1.png", "--input images"],
    ),
    (
        "run --pipeline dump/01-fuse.toml --reproducers dump",
        &["--reproducers dump", "--pipeline dump/01-fuse.toml"],
    ),
    (
        "infer --inputs w.bin --output w.bin",
        &["--output w.bin", "--inputs w.bin"],
    ),
    (
        "infer --inputs a --output w.bin --weights folder/../w.bin",
        &["--output w.bin", "--weights folder/../w.bin"],
    ),
    (
        "models export --weights shards --output shards/m-00001-of-00002.safetensors",
        &[
            "--output shards/m-00001-of-00002.safetensors",
            "--weights shards/m-00001-of-00002.safetensors",
        ],
    ),
    (
        "run --weights shards/m.safetensors.index.json --report shards/m-00001-of-00002.safetensors",
        &["--report shards/m-00001-of-00002.safetensors", "--weights"],
    ),
    (
        "models export --weights w.bin --output w.bin",
        &["--output w.bin", "--weights w.bin"],
    ),
    (
        "bench --passes sdpa --compare l.json --save l.json",
        &["--save l.json", "--compare l.json"],
    ),
    (
        "bench --passes sdpa --save a --csv a",
        &["--csv a", "--save a"],
    ),
    (
        "bench ops --weights w.bin --save w.bin",
        &["--save w.bin", "--weights w.bin"],
    ),
    (
        "bench attention --save a --csv ./a",
        &["--csv ./a", "--save a"],
    ),
    (
        "bench resolution --model m.toml --csv m.toml",
        &["--csv m.toml", "--model m.toml"],
    ),
    (
        "bench history ledgers --html ledgers/a.json",
        &["--html ledgers/a.json", "FOLDER ledgers"],
    ),
    ("profile --html a --trace a", &["--trace a", "--html a"]),
    (
        "profile --weights w.bin --html w.bin",
        &["--html w.bin", "--weights w.bin"],
    ),
    (
        "tune --model m.toml --output m.toml",
        &["--output m.toml", "--model m.toml"],
    ),
    (
        "parity --model m.toml --save m.toml",
        &["--save m.toml", "--model m.toml"],
    ),
    (
        "graph dump --pipeline p.toml --output p.toml",
        &["--output p.toml", "--pipeline p.toml"],
    ),
    (
        "graph run g.txt --output g.txt",
        &["--output g.txt", "FILE g.txt"],
    ),
    (
        "graph run g.txt --inputs w.bin -o w.bin",
        &["--output w.bin", "--inputs w.bin"],
    ),
    (
        "run --output - --report -",
        &["--report -", "--output -", "standard output"],
    ),
    ("run --dump-dir -", &["--dump-dir -", "a folder"]),
];

#[test]
fn every_command_refuses_a_file_twice() {
    let place = Place::new();
    for folder in ["folder", "images", "dump", "ledgers", "shards"] {
        fs::create_dir(place.path(folder)).unwrap();
    }
    let there = [
        "in.y4m",
        "w.bin",
        "p.toml",
        "m.toml",
        "p.so",
        "l.json",
        "g.txt",
        "images/1.png",
        "images/0001.png",
        "dump/01-fuse.toml",
        "ledgers/a.json",
        "shards/m-00001-of-00002.safetensors",
        "shards/m.safetensors.index.json",
    ];
    for name in there {
        place.write(name, name);
    }
    let before = place.files();
    for (line, words) in REFUSED {
        place.run(line.split(' ')).fails(2, words);
        assert_eq!(place.files(), before, "{line}");
        for name in there {
            assert_eq!(
                fs::read(place.path(name)).unwrap(),
                name.as_bytes(),
                "{line}"
            );
        }
    }
}

#[cfg(unix)]
#[test]
fn links_are_the_file_that_they_name() {
    let place = Place::new();
    place.y4m("in.y4m", 32, 32, 2);
    std::os::unix::fs::symlink("in.y4m", place.path("link.y4m")).unwrap();
    fs::hard_link(place.path("in.y4m"), place.path("hard.y4m")).unwrap();
    let before = fs::read(place.path("in.y4m")).unwrap();
    for output in ["link.y4m", "hard.y4m"] {
        let words = [
            &format!("--output {output}"),
            "--input in.y4m",
            "the same file",
        ];
        place.small(&["in.y4m", output]).fails(2, &words);
    }
    assert_eq!(fs::read(place.path("in.y4m")).unwrap(), before);
    // A device may be written twice.
    let flags = ["in.y4m", "out.y4m", "--report", "/dev/null", "--json"];
    place.small(&flags).ok();
}

#[test]
fn other_files_of_a_folder_are_allowed() {
    let place = Place::new();
    place.small(&["--frames", "2", "--output", "images/"]).ok();
    let report = "images/report.json";
    place.small(&["images", "out.gif", "--report", report]).ok();
    place
        .small(&["images/*.png", "other/", "--frames", "1"])
        .ok();
    assert!(place.path(report).exists() && place.path("other/000000.png").exists());
}
