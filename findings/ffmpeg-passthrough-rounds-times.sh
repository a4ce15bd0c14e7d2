#!/usr/bin/env bash
# `-fps_mode passthrough`, the mode that is meant to leave times alone, does not keep them when frames are encoded or
# written raw: the encoder counts in 1 / (the frame rate that ffmpeg guesses), and times are rounded to it. Here the guess
# is 57 FPS, and 34.7 ms becomes 35.1 ms. -enc_time_base keeps them. Its value -1, which 5.1 and 7.0 accept, is refused by
# 9.0.2: a fraction is the only form that works in all.
# Found with: imageio-ffmpeg 0.8.1 (ffmpeg 9.0.2), Linux x86_64; ffmpeg 5.1.9 of Debian 12 rounds alike.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv && venv/bin/pip -q install --no-deps imageio-ffmpeg==0.8.1
ffmpeg=$(ls "$PWD"/venv/lib/*/site-packages/imageio_ffmpeg/binaries/ffmpeg*)
chmod +x "$ffmpeg"
times() { # seconds of the first four frames
  awk -F, '/^#tb/ {split($1, t, "[: /]+"); num = t[3]; den = t[4]} !/^#/ && n++ < 4 {printf "%.6f ", $3 * num / den} END {print ""}'
}
# Times of a camera that is now early, now late, in units of 1/90000 s.
"$ffmpeg" -v error -f lavfi -i testsrc2=size=96x64:rate=30:duration=1 -vf "settb=1/90000,setpts='N*3000+mod(N*7919,1300)'" \
  -fps_mode passthrough -enc_time_base 1:90000 -c:v libx264 -bf 0 -video_track_timescale 90000 in.mp4
{
  echo "stored:       $("$ffmpeg" -v error -i in.mp4 -c copy -f framecrc - | times)"
  echo "passthrough:  $("$ffmpeg" -v error -i in.mp4 -fps_mode passthrough -f framecrc - | times)"
  echo "1:1000000:    $("$ffmpeg" -v error -i in.mp4 -fps_mode passthrough -enc_time_base 1:1000000 -f framecrc - | times)"
  "$ffmpeg" -v error -i in.mp4 -fps_mode passthrough -enc_time_base -1 -f framecrc - 2>&1 | grep -o 'Invalid time base: -1'
} | tee out
diff out - <<'X'
stored:       0.000000 0.034656 0.069311 0.103967 
passthrough:  0.000000 0.035088 0.070175 0.105263 
1:1000000:    0.000000 0.034656 0.069311 0.103967 
Invalid time base: -1
X
