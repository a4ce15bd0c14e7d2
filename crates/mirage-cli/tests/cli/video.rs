//! What happens to people's videos: no frame, second, sound or file is lost without a word. The inputs are made by
//! ffmpeg; without one, a test says that it was skipped.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::Place;

/// Whether there is ffmpeg; says that the test is skipped if not.
fn has_ffmpeg(test: &str) -> bool {
    let has = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !has {
        eprintln!("SKIPPED {test}: there is no ffmpeg on PATH");
    }
    has
}

impl Place {
    /// Runs ffmpeg in the folder.
    #[track_caller]
    fn ffmpeg(&self, line: &str) {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y", "-nostdin", "-threads", "1"]);
        command
            .args(line.split_whitespace())
            .current_dir(self.path("."));
        let out = command.output().unwrap();
        assert!(
            out.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
    }

    /// What ffprobe says of the first stream of a kind; `None` if there is none.
    fn probe(&self, name: &str, kind: &str) -> Option<Value> {
        let out = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-select_streams",
                kind,
                "-count_packets",
                "-show_streams",
            ])
            .args(["-show_format", "-of", "json", name])
            .current_dir(self.path("."))
            .output()
            .unwrap();
        let all: Value = serde_json::from_slice(&out.stdout).unwrap();
        let mut stream = all["streams"].get(0)?.clone();
        stream["whole"] = all["format"]["duration"].clone();
        Some(stream)
    }

    /// Seconds of a video, and its number of frames.
    fn length(&self, name: &str) -> (f64, u64) {
        let stream = self.probe(name, "v:0").unwrap();
        let number = |key: &str| {
            stream[key]
                .as_str()
                .and_then(|text| text.parse::<f64>().ok())
        };
        let seconds = number("duration").or(number("whole")).unwrap();
        (seconds, number("nb_read_packets").unwrap() as u64)
    }

    /// A run that succeeds, with its report.
    #[track_caller]
    fn report(&self, more: &[&str]) -> Value {
        self.small(&[more, &["--report", "r.json"]].concat()).ok();
        self.json("r.json")
    }
}

fn notes(report: &Value) -> String {
    report["video_notes"].to_string()
}

/// The two inputs of a variable rate: 120 frames in 10 s, at 30 FPS with a pause of 6 s.
fn variable(place: &Place) {
    place.ffmpeg(
        "-f lavfi -i testsrc2=size=96x64:rate=30:duration=10 -vf select='lt(n,60)+gte(n,240)' -fps_mode vfr \
         -c:v libx264 -pix_fmt yuv420p vfr.mp4",
    );
    place.ffmpeg("-i vfr.mp4 -c copy vfr.mkv");
}

#[test]
fn a_variable_rate_keeps_every_frame_and_its_time() {
    if !has_ffmpeg("a_variable_rate_keeps_every_frame_and_its_time") {
        return;
    }
    let place = Place::new();
    variable(&place);
    for input in ["vfr.mp4", "vfr.mkv"] {
        for output in ["out.mp4", "out.mkv", "out.webm"] {
            let report = place.report(&["-i", input, "-o", output]);
            assert_eq!(
                (&report["delivered"], &report["skipped"]),
                (&120.into(), &0.into())
            );
            let (seconds, frames) = place.length(output);
            assert_eq!(frames, 120, "{input} {output}");
            assert!((seconds - 10.0).abs() < 0.04, "{input} {output}: {seconds}");
        }
        // A constant rate: the pause is repeated frames.
        place.report(&["-i", input, "-o", "out.y4m"]);
        let (_, _, frames) = place.video("out.y4m");
        assert!((299..=301).contains(&frames), "{input}: {frames}");
        place.report(&["-i", input, "-o", &format!("{input}-images/")]);
        let times =
            std::fs::read_to_string(place.path(&format!("{input}-images/timestamps.txt"))).unwrap();
        let last: f64 = times.lines().last().unwrap().parse().unwrap();
        assert!((last - 10_000.0).abs() < 40.0, "{last}");
        // They are read again with their times.
        place.report(&["-i", &format!("{input}-images/"), "-o", "again.mp4"]);
        let (seconds, frames) = place.length("again.mp4");
        assert!(
            frames == 120 && (seconds - 10.0).abs() < 0.04,
            "{frames} {seconds}"
        );
    }
}

/// A run that cannot keep up leaves frames out, and no time.
#[test]
fn frames_that_are_skipped_keep_their_time() {
    if !has_ffmpeg("frames_that_are_skipped_keep_their_time") {
        return;
    }
    let place = Place::new();
    place.ffmpeg(
        "-f lavfi -i testsrc2=size=96x64:rate=30:duration=3 -c:v libx264 -pix_fmt yuv420p in.mp4",
    );
    for output in ["out.mp4", "out.gif"] {
        let line = format!(
            "run --live --size 128x128 --steps 8 --compare 0 -i in.mp4 -o {output} --report r.json"
        );
        place.run(line.split(' ')).ok();
        let report = place.json("r.json");
        let count = |key: &str| report[key].as_u64().unwrap();
        assert_eq!(count("delivered") + count("skipped") + count("failed"), 90);
        let (seconds, _) = place.length(output);
        assert!((seconds - 3.0).abs() < 0.05, "{output}: {seconds}");
    }
}

#[test]
fn a_glitch_costs_no_more_than_itself() {
    if !has_ffmpeg("a_glitch_costs_no_more_than_itself") {
        return;
    }
    let place = Place::new();
    place.ffmpeg("-f lavfi -i testsrc2=size=96x64:rate=25:duration=4 -c:v libx264 -g 25 -pix_fmt yuv420p -f mpegts tv.ts");
    // A capture that begins in the middle of a group of pictures.
    let bytes = std::fs::read(place.path("tv.ts")).unwrap();
    place.write("middle.ts", &bytes[bytes.len() / 188 / 3 * 188..]);
    place.ffmpeg("-f lavfi -i testsrc2=size=96x64:rate=25:duration=4 -c:v libx264 -pix_fmt yuv420p -movflags faststart film.mp4");
    let bytes = std::fs::read(place.path("film.mp4")).unwrap();
    place.write("cut.mp4", &bytes[..bytes.len() * 2 / 3]);
    for input in ["middle.ts", "cut.mp4"] {
        let report = place.report(&["-i", input, "-o", "out.mp4"]);
        let damage = &report["damage"];
        assert!(damage["count"].as_u64().unwrap() > 0, "{damage}");
        assert!(!damage["first"].as_str().unwrap().is_empty(), "{damage}");
        let delivered = report["delivered"].as_u64().unwrap();
        assert!((20..100).contains(&delivered), "{input}: {delivered}");
        assert_eq!(place.length("out.mp4").1, delivered);
        let said = place.small(&["-i", input, "-o", "out.gif"]).ok().text();
        assert!(said.contains("the input is damaged"), "{said}");
    }
    // Where nothing can be decoded there is nothing to keep.
    place.write("noise.mp4", [7; 5000]);
    place
        .small(&["-i", "noise.mp4", "-o", "noise.gif"])
        .fails(1, &["noise.mp4", "ffmpeg failed"]);
}

#[test]
fn sound_goes_where_it_can() {
    if !has_ffmpeg("sound_goes_where_it_can") {
        return;
    }
    let place = Place::new();
    place.ffmpeg(
        "-f lavfi -i testsrc2=size=96x64:rate=10:duration=2 -f lavfi -i sine=440:duration=2 \
         -c:v libx264 -pix_fmt yuv420p -c:a aac in.mp4",
    );
    for (output, codec) in [("out.mp4", "aac"), ("out.mkv", "aac"), ("out.webm", "opus")] {
        let report = place.report(&["-i", "in.mp4", "-o", output]);
        assert_eq!(
            notes(&report).contains("encoded anew"),
            codec == "opus",
            "{report}"
        );
        let sound = place.probe(output, "a:0").unwrap();
        assert_eq!(sound["codec_name"], codec, "{output}");
        assert!((place.length(output).0 - 2.0).abs() < 0.11, "{output}");
    }
    // Cut with the video.
    place.report(&["-i", "in.mp4", "-o", "cut.mp4", "--frames", "5"]);
    let sound = place.probe("cut.mp4", "a:0").unwrap();
    let seconds: f64 = sound["duration"].as_str().unwrap().parse().unwrap();
    assert!((seconds - 0.5).abs() < 0.06, "{seconds}");
    for output in ["out.gif", "out.y4m", "images/"] {
        let said = notes(&place.report(&["-i", "in.mp4", "-o", output]));
        assert!(
            said.contains("the sound of the input cannot be stored"),
            "{said}"
        );
    }
    let silent = place.report(&["-i", "in.mp4", "-o", "silent.mp4", "--no-audio"]);
    assert_eq!(notes(&silent), "[]");
    assert!(place.probe("silent.mp4", "a:0").is_none());
}

#[test]
fn pixels_keep_their_shape() {
    if !has_ffmpeg("pixels_keep_their_shape") {
        return;
    }
    let place = Place::new();
    place.ffmpeg("-f lavfi -i testsrc2=size=96x64:rate=10:duration=1 -vf setsar=2/1 -c:v libx264 -pix_fmt yuv420p in.mp4");
    for output in ["out.mp4", "out.mkv", "out.webm"] {
        place.report(&["-i", "in.mp4", "-o", output]);
        let stream = place.probe(output, "v:0").unwrap();
        assert_eq!(stream["sample_aspect_ratio"], "2:1", "{output}");
    }
    place.report(&["-i", "in.mp4", "-o", "out.y4m"]);
    let header = std::fs::read(place.path("out.y4m")).unwrap();
    assert!(String::from_utf8_lossy(&header[..80]).contains(" A2:1 "));
    place.report(&["-i", "out.y4m", "-o", "again.mp4"]);
    assert_eq!(
        place.probe("again.mp4", "v:0").unwrap()["sample_aspect_ratio"],
        "2:1"
    );
    let said = notes(&place.report(&["-i", "in.mp4", "-o", "out.gif"]));
    assert!(said.contains("looks distorted"), "{said}");
    place.report(&["-i", "in.mp4", "-o", "square.gif", "--square-pixels"]);
    let (width, height, _) = place.video("square.gif");
    assert_eq!((width, height), (192, 64));
}

#[test]
fn hdr_becomes_sdr() {
    if !has_ffmpeg("hdr_becomes_sdr") {
        return;
    }
    let place = Place::new();
    let list = |what: &str| {
        let out = Command::new("ffmpeg")
            .args(["-hide_banner", what])
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    if !list("-filters").contains(" zscale ") || !list("-encoders").contains(" libx265 ") {
        eprintln!("SKIPPED hdr_becomes_sdr: this ffmpeg has no zscale or no libx265");
        return;
    }
    // White of 100 cd/m² and a saturated red, in PQ and BT.2020.
    place.ffmpeg(
        "-f lavfi -i color=white:size=96x64:rate=10:duration=0.5 -vf \
         format=yuv420p,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv,zscale=t=linear:npl=100,format=gbrpf32le,zscale=t=smpte2084:p=bt2020:m=bt2020nc:r=tv,format=yuv420p10le \
         -c:v libx265 -x265-params log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc \
         -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc hdr.mp4",
    );
    let said = notes(&place.report(&["-i", "hdr.mp4", "-o", "out.y4m"]));
    assert!(said.contains("HDR (PQ); it was tone-mapped"), "{said}");
    let bytes = std::fs::read(place.path("out.y4m")).unwrap();
    // The middle of the first frame's luma: white of SDR is 235, untreated PQ gives less than 130.
    let begin = bytes.windows(6).position(|w| w == b"FRAME\n").unwrap() + 6;
    assert!(
        bytes[begin + 96 * 32 + 48] > 180,
        "{}",
        bytes[begin + 96 * 32 + 48]
    );
    place.report(&["-i", "hdr.mp4", "-o", "out.mp4"]);
    let stream = place.probe("out.mp4", "v:0").unwrap();
    for key in ["color_transfer", "color_primaries", "color_space"] {
        assert_eq!(stream[key], "smpte170m", "{key}");
    }
}

#[test]
fn a_song_with_a_cover_is_no_video() {
    if !has_ffmpeg("a_song_with_a_cover_is_no_video") {
        return;
    }
    let place = Place::new();
    place.ffmpeg("-f lavfi -i testsrc2=size=96x64 -frames:v 1 c.jpg");
    place.ffmpeg("-f lavfi -i sine=440:duration=1 -i c.jpg -map 0 -map 1 -c:v copy -disposition:v:0 attached_pic s.mp3");
    place
        .small(&["-i", "s.mp3", "-o", "out.mp4"])
        .fails(1, &["s.mp3", "only sound with a cover picture"]);
    place.ffmpeg("-i s.mp3 -map 0:a s.flac");
    place
        .small(&["-i", "s.flac", "-o", "out.mp4"])
        .fails(1, &["s.flac", "only sound"]);
}

#[test]
fn gif_timing() {
    if !has_ffmpeg("gif_timing") {
        return;
    }
    let place = Place::new();
    for rate in [60, 120] {
        place.ffmpeg(&format!(
            "-f lavfi -i testsrc2=size=32x32:rate={rate} -frames:v {rate} -f yuv4mpegpipe -pix_fmt yuv420p r.y4m"
        ));
        let report = place.report(&["-i", "r.y4m", "-o", "o.gif"]);
        assert!(
            notes(&report).contains("GIF shows at most 50 frames a second"),
            "{report}"
        );
        assert!((place.length("o.gif").0 - 1.0).abs() < 0.02);
    }
}

#[test]
fn streams_that_can_be_read_once() {
    if !has_ffmpeg("streams_that_can_be_read_once") {
        return;
    }
    let place = Place::new();
    place.ffmpeg(
        "-f lavfi -i testsrc2=size=96x64:rate=10:duration=1 -c:v mpeg2video -f mpegts a.ts",
    );
    place.y4m("a.y4m", 96, 64, 10);
    for (file, input) in [
        ("a.ts", "/dev/stdin"),
        ("a.ts", "-"),
        ("a.ts", "pipe:0"),
        ("a.y4m", "/dev/stdin"),
    ] {
        let mut cat = Command::new("cat")
            .arg(place.path(file))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut command = place.command();
        command
            .args(crate::support::SMALL)
            .args(["-i", input, "-o", "q.gif", "--json"]);
        command.stdin(cat.stdout.take().unwrap());
        let ended = crate::support::Ended::of(command.output().unwrap()).ok();
        cat.wait().unwrap();
        assert_eq!(ended.parsed()["delivered"], 10, "{file} {input}");
    }
}

/// Nobody sends anything: an interruption ends the program within a second, and no process stays.
#[cfg(unix)]
#[test]
fn an_interruption_while_the_input_is_opened() {
    if !has_ffmpeg("an_interruption_while_the_input_is_opened") {
        return;
    }
    let place = Place::new();
    let waiting = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", waiting.local_addr().unwrap());
    for signal in ["-INT", "-TERM"] {
        let mut command = place.command();
        command
            .args(crate::support::SMALL)
            .args(["--live", "-i", &address, "-o", "u.mp4"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // ffprobe has connected and waits for data.
        let connection = waiting.accept().unwrap();
        let killed = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
        let sent = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(
                sent.elapsed() < Duration::from_secs(20),
                "{signal}: still there"
            );
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(status.code(), Some(130), "{signal}");
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
        assert!(
            said.contains("interrupted before the first frame"),
            "{said}"
        );
        // The end of the connection: ffprobe is gone.
        let (mut socket, _) = connection;
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let rest = std::io::Read::read(&mut socket, &mut [0; 64]);
        assert!(
            matches!(rest, Ok(0) | Err(_)) && !timed_out(&rest),
            "{rest:?}"
        );
    }
    assert!(place.files().is_empty(), "{:?}", place.files());
}

#[cfg(unix)]
fn timed_out(result: &std::io::Result<usize>) -> bool {
    let waits = |e: &std::io::Error| e.kind() == std::io::ErrorKind::WouldBlock;
    result.as_ref().is_err_and(waits)
}

#[test]
fn a_small_model_is_said() {
    let place = Place::new();
    place.y4m("in.y4m", 320, 192, 2);
    let said = place.small(&["-i", "in.y4m", "-o", "o.gif"]).ok().text();
    assert!(said.contains("fine detail is lost"), "{said}");
}

/// Nothing that is read is written over, by whatever name.
#[test]
fn inputs_are_never_replaced() {
    let place = Place::new();
    place.y4m("a.y4m", 32, 32, 3);
    place.write("p.toml", "passes = [\"sdpa\"]\n");
    place
        .run(["models", "export", "--output", "w.safetensors"])
        .ok();
    #[cfg(unix)]
    std::os::unix::fs::symlink("a.y4m", place.path("link.y4m")).unwrap();
    std::fs::create_dir(place.path("sub")).unwrap();
    std::fs::hard_link(place.path("a.y4m"), place.path("hard.y4m")).unwrap();
    let files = ["a.y4m", "p.toml", "w.safetensors"];
    let read = |name: &&str| std::fs::read(place.path(name)).unwrap();
    let before: Vec<Vec<u8>> = files.iter().map(read).collect();
    let lines = [
        "run -i a.y4m -o a.y4m",
        "run -i a.y4m -o ./sub/../a.y4m",
        "run -i a.y4m -o hard.y4m",
        #[cfg(unix)]
        "run -i link.y4m -o a.y4m",
        "run -i a.y4m -o o.gif --report a.y4m",
        "run -o o.gif --report ./o.gif",
        "run -o o.gif --weights w.safetensors --report w.safetensors",
        "run -o o.gif --pipeline p.toml --report p.toml",
        "infer --inputs w.safetensors --output w.safetensors",
        "models export --weights w.safetensors --output w.safetensors --layout burn",
        "graph dump --weights w.safetensors --output w.safetensors",
        "profile --pipeline p.toml --html p.toml",
        "tune --weights w.safetensors --output w.safetensors",
    ];
    for line in lines {
        let ended = place.run(line.split(' '));
        ended.fails(2, &["are the same file"]);
    }
    let after: Vec<Vec<u8>> = files.iter().map(read).collect();
    assert!(before == after, "a file was changed");
}
