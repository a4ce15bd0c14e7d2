//! Every message of the program for a wrong command line or a bad file, and the help of every command, as
//! snapshots: a change of words is seen in a review, and all of them can be read in one place.

#![cfg(all(target_os = "linux", not(any(feature = "cuda", feature = "tch"))))]

use std::{collections::BTreeMap, fmt::Write as _, fs};

use crate::support::Place;

/// Command lines by command, as typed after `mirage`.
const CASES: &[(&str, &[&str])] = &[
    (
        "mirage",
        &[
            "rnu",
            "frobnicate",
            "--log a=b=c backends",
            "--color sometimes backends",
            "--threads 0 backends",
            "--plugin nope.so passes",
            "--plugin text.so passes show fp61",
            "passes list --plugin-timeout soon",
            "completions tcsh",
            "man file.txt",
        ],
    ),
    (
        "run",
        &[
            "run --passes sdpb",
            "run --passes quantize",
            "run --passes fp16,bf16",
            "run --passes fp16{kep=norm}",
            "run --passes fp16{keep=nrm}",
            "run --passes fuse{kinds=foo}",
            "run --passes sdpa,fuse{max_body=1}",
            "run --passes pad_channels{max_overhead=lots}",
            "run --passes merge_qkv{force=maybe}",
            "run --passes fp16{",
            "run --passes sdpa,sdpa",
            "run --passes sdpa,,fuse",
            "run --keep-order --passes channels_last,sdpa",
            "run --passes sdpa --pipeline fast",
            "run --pipeline fsat",
            "run --pipeline nope.toml",
            "run --pipeline bad.toml",
            "run --pipeline unclosed.toml",
            "run --model lsd-tny",
            "run --model resnet",
            "run --model sd-turbo",
            "run --model nope.toml",
            "run --model model.toml",
            "run --set network.chanels=24",
            "run --set network.channels=many",
            "run --set network.channels",
            "run --backend cpuu",
            "run --backend gpu",
            "run --backend cuda",
            "run --backend tch",
            "run --device 7",
            "run --device cuda:0",
            "run --seed -1",
            "run --strength -0.5",
            "run --size 0x0",
            "run --size 64",
            "run --size 30x30",
            "run --model stress --size 64x40",
            "run --steps 0",
            "run --steps many",
            "run --eta 2",
            "run --strength 0",
            "run --noise loud",
            "run --frames 0",
            "run --fps 0",
            "run --on-error retry",
            "run --output out.xyz",
            "run --output no/such/folder/out.gif --size 32x32 --steps 1",
            "run --output o.y4m --report ./o.y4m",
            "run --report folder",
            "run --report no/report.json",
            "run --stepz 3",
            "run a.gif b.gif c.gif",
            "run a.gif --input b.gif",
            "run nope.y4m",
            "run empty.y4m",
            "run nonsense.y4m",
            "run nonsense.gif",
            "run cut.y4m cut.y4m",
            "run cut.y4m o.gif --report ./cut.y4m",
            "run --matrix 2020",
            "run --weights cut.safetensors --report cut.safetensors",
            "run folder",
            "run frames/%04d.png",
            "run --weights nope.safetensors --size 32x32 --steps 1",
            "run --weights cut.safetensors --size 32x32 --steps 1",
            "run --weights empty.y4m --size 32x32 --steps 1",
            "run empty.y4m empty.y4m",
            "run --output - --report -",
        ],
    ),
    (
        "infer",
        &[
            "infer",
            "infer --inputs nope.safetensors --output out.safetensors",
            "infer --inputs cut.safetensors --output out.safetensors",
            "infer --inputs other.safetensors --output out.safetensors",
            "infer --inputs other.safetensors --output no/out.safetensors",
            "infer --inputs other.safetensors --output ./other.safetensors",
            "infer --inputs a --output b --reference --repeat 3",
            "infer --inputs a --output b --batch 0",
        ],
    ),
    (
        "bench",
        &[
            "bench",
            "bench --passes sdpa --keep-order",
            "bench --row sdpa",
            "bench --row =sdpa",
            "bench --row mine=sdpb",
            "bench --row none=sdpa",
            "bench --passes sdpa --time soon",
            "bench --passes sdpa --fail-on-regression 5%",
            "bench --passes sdpa --compare nope.json",
            "bench --passes sdpa --compare nonsense.json",
            "bench --passes sdpa --plant lots",
            "bench --passes sdpa --processes 0",
            "bench --passes sdpa --save a.json --html a.json",
            "bench --passes sdpa,fuse,channels_last,merge_qkv,pad_channels,fp16,graph_capture --shapley",
            "bench --passes sdpa --peak 5",
            "bench compare nope.json",
            "bench compare nope.json other.json",
            "bench compare cut.json cut.json",
            "bench history nowhere",
            "bench history folder",
            "bench ops --op convolution --size 32x32 --steps 1",
            "bench ops --time 1ms --size 32x32 --steps 1 --top many",
            "bench ops --save a.json --csv a.json",
            "bench attention --lengths 0",
            "bench attention --lengths 128..64",
            "bench attention --dtype i32",
            "bench attention --head-dims a",
            "bench resolution --sides 30",
            "bench resolution --sides 64..65536 --csv no/rows.csv",
        ],
    ),
    (
        "tune, doctor, profile, parity",
        &[
            "tune --budget soon",
            "tune --max-error psnr",
            "tune --max-error rel<=-1",
            "tune --output nowhere/tuned.toml",
            "tune --frames 1",
            "doctor --time 5s",
            "doctor --backend cdu",
            "doctor alignment --dtype fp8",
            "profile --frames 3 --warmup 2",
            "profile --sort tme",
            "profile --by layer",
            "profile --by op --layers",
            "profile --memory m.png",
            "profile --roofline r.png",
            "profile --peak 5,5 --no-roofline",
            "profile --html p --trace p",
            "profile --html nowhere/p.html",
            "parity --backend nope",
            "parity --reference nope",
            "parity --model nope",
            "parity --size 17x16",
            "parity --passes fp16 --dtypes bf16",
            "parity --dtypes fp8",
        ],
    ),
    (
        "passes, models, backends, graph, plugins",
        &[
            "passes show",
            "passes show fp61",
            "passes shwo fp16",
            "models show lsd-lite",
            "models export --output folder",
            "models export --output w.safetensors --layout numpy",
            "backends --jsn",
            "graph",
            "graph dump --stable-ids --format wire",
            "graph dump --output folder",
            "graph dump --forward --steps 2",
            "graph run nowhere.txt",
            "graph run not.txt",
            "graph run mistyped.txt",
            "graph run bytes.bin",
            "graph show nowhere.txt",
            "graph show not.txt",
            "graph run g.txt --inputs nope.safetensors",
            "graph run g.txt --inputs other.safetensors",
            "plugins new Bad_Name",
            "plugins new sdpa",
            "plugins new folder",
            "plugins new my-pass --mirage nowhere",
            "plugins new my-pass --mirage folder",
        ],
    ),
];

#[test]
fn every_message_for_bad_input_is_on_record() {
    let place = Place::new();
    files(&place);
    let before = place.files();
    let folder = place.path("").canonicalize().unwrap();
    let folder = folder.display().to_string();
    let mut record = String::new();
    for (group, lines) in CASES {
        writeln!(record, "# {group}\n").unwrap();
        for line in *lines {
            let ended = place.run(line.split(' '));
            assert_ne!(ended.code, Some(0), "`mirage {line}` succeeds");
            let code = ended.code.unwrap();
            let said = ended.stderr.replace(&folder, "[folder]");
            writeln!(record, "$ mirage {line}\n[{code}] {}\n", said.trim_end()).unwrap();
        }
        assert_eq!(place.files(), before, "a failed command leaves no file");
    }
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("messages", record);
    });
}

#[test]
fn every_help_text_is_on_record() {
    let place = Place::new();
    let mut helps = BTreeMap::new();
    collect(&place, &[], &mut helps);
    assert!(helps.len() > 25, "{} commands", helps.len());
    let mut record = String::new();
    for (command, help) in helps {
        let own =
            |paragraph: &&str| command == "mirage" || !paragraph.starts_with("Global options:");
        let help: Vec<&str> = help.trim_end().split("\n\n").filter(own).collect();
        writeln!(record, "# {command}\n\n{}\n", help.join("\n\n")).unwrap();
    }
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("help", record);
    });
}

/// Help of a command and of all commands below it. The global options are the same for all.
fn collect(place: &Place, command: &[&str], helps: &mut BTreeMap<String, String>) {
    let help = place.run(command.iter().chain(&["--help"])).ok().text();
    let below = help.split_once("\nCommands:\n").map_or("", |(_, rest)| {
        rest.split_once("\n\n").map_or(rest, |(list, _)| list)
    });
    let names = below.lines().filter_map(|line| {
        let name = line.strip_prefix("  ").filter(|l| !l.starts_with(' '))?;
        name.split_whitespace().next().filter(|n| *n != "help")
    });
    for name in names {
        collect(place, &[command, &[name]].concat(), helps);
    }
    helps.insert(
        std::iter::once("mirage")
            .chain(command.iter().copied())
            .collect::<Vec<_>>()
            .join(" "),
        help,
    );
}

/// Bad files of every kind.
fn files(place: &Place) {
    place.write("file.txt", "text\n");
    place.write("text.so", "#!/bin/sh\n");
    place.write("bad.toml", "passes = [\n  3\n]\n");
    place.write("unclosed.toml", "passes = [\"sdpa\"\n");
    place.write("model.toml", "name = \"m\"\nnam = 3\n");
    place.write("empty.y4m", "");
    place.write("nonsense.y4m", [7; 5000]);
    place.write("nonsense.gif", [7; 5000]);
    place.write("nonsense.json", "[1, 2]");
    place.write("cut.json", "{\"format\": \"mirage-ledger\"");
    place.y4m("cut.y4m", 32, 32, 3);
    let whole = fs::read(place.path("cut.y4m")).unwrap();
    place.write("cut.y4m", &whole[..whole.len() - 100]);
    place.write("cut.safetensors", [9, 0, 0, 0, 0, 0, 0, 0, b'{']);
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]);
    let other = safetensors::serialize([("other", view.unwrap())], None);
    place.write("other.safetensors", other.unwrap());
    fs::create_dir(place.path("folder")).unwrap();
    place.write("not.txt", "graph \"g\" {\n  nonsense\n}\n");
    place.write(
        "mistyped.txt",
        "graph \"g\" {\n  input %0 \"x\": f32[2]\n  %1: f32[3] = neg(%0)\n  output \"y\" = %1\n}\n",
    );
    place.write(
        "g.txt",
        "graph \"g\" {\n  input %0 \"x\": f32[2]\n  %1: f32[2] = neg(%0)\n  output \"y\" = %1\n}\n",
    );
    place.write("bytes.bin", [0xff, 0xfe, 0x00]);
}
