#!/usr/bin/env bash
# A variable frame rate looks constant once it is copied into Matroska: base and average rate are both 12, though frames
# are 33 ms apart with a pause of 6 s; the MP4 with the same packets says 30 and 12. The muxer writes the average as
# DefaultDuration, and the demuxer reports that as both rates. A program that takes "base rate = average rate" for a
# constant rate plays this file in 13 s instead of 10, or drops 70 of its 120 frames.
# Found with: imageio-ffmpeg 0.8.1 (ffmpeg 9.0.2) to write, av 18.1.0 (PyAV) to read, Linux x86_64.
# Look at the times of the first packets instead.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv && venv/bin/pip -q install --no-deps imageio-ffmpeg==0.8.1 av==18.1.0
ffmpeg=$(ls "$PWD"/venv/lib/*/site-packages/imageio_ffmpeg/binaries/ffmpeg*)
chmod +x "$ffmpeg"
"$ffmpeg" -v error -f lavfi -i testsrc2=size=96x64:rate=30:duration=10 -vf "select='lt(n,60)+gte(n,240)'" \
  -fps_mode passthrough -enc_time_base 1:30 -c:v libx264 -pix_fmt yuv420p vfr.mp4
"$ffmpeg" -v error -i vfr.mp4 -c copy vfr.mkv
venv/bin/python - <<'P' | tee out
import av
for name in ("vfr.mp4", "vfr.mkv"):
    with av.open(name) as file:
        stream = file.streams.video[0]
        times = sorted(float(p.pts * p.time_base) for p in file.demux(stream) if p.pts is not None)
        gaps = sorted({round(b - a, 2) for a, b in zip(times, times[1:])})
        print(name, "base", stream.base_rate, "average", stream.average_rate, "gaps", gaps, "frames", len(times))
P
diff out - <<'X'
vfr.mp4 base 30 average 12 gaps [0.03, 6.03] frames 120
vfr.mkv base 12 average 12 gaps [0.03, 6.03] frames 120
X
