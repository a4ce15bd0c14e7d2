#!/usr/bin/env bash
# The same command line gives 12 frames with one ffmpeg and 246 with another: without -fps_mode, ffmpeg 4.2.2 fills the
# gaps of a variable frame rate with copies when it writes MP4, ffmpeg 9.0.2 keeps the times. (Matroska keeps them in
# both.) Found with: imageio-ffmpeg 0.4.9 (ffmpeg 4.2.2) and 0.8.1 (ffmpeg 9.0.2), Linux x86_64.
# For users: say -fps_mode passthrough (-vsync passthrough before 5.1) whenever frames or times matter.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
binary() { # VERSION: installs the package, prints the path of its ffmpeg
  python3 -m venv "$1" && "$1/bin/pip" -q install --no-deps "imageio-ffmpeg==$1" && ls "$PWD/$1"/lib/*/site-packages/imageio_ffmpeg/binaries/ffmpeg*
}
old=$(binary 0.4.9)
new=$(binary 0.8.1)
chmod +x "$old" "$new"
frames() { "$new" -v quiet -i "$1" -fps_mode passthrough -f framecrc - | grep -vc '^#'; }

# 6 frames at 30 FPS, a pause until the 8th second, 6 frames: valid Matroska with times of its own.
"$new" -v error -f lavfi -i testsrc2=size=96x64:rate=30:duration=9 -vf "select='lt(n,6)+gte(n,240)*lt(n,246)'" \
  -fps_mode passthrough -c:v libx264 -pix_fmt yuv420p in.mkv
echo "in.mkv: $(frames in.mkv) frames"
for container in mp4 mkv; do
  "$old" -v error -i in.mkv -c:v libx264 "old.$container"
  "$new" -v error -i in.mkv -c:v libx264 "new.$container"
  echo "$container: 4.2.2 writes $(frames "old.$container"), 9.0.2 writes $(frames "new.$container")"
done | tee out
diff out - <<'X'
mp4: 4.2.2 writes 246, 9.0.2 writes 12
mkv: 4.2.2 writes 12, 9.0.2 writes 12
X
