#!/usr/bin/env bash
# Creates a folder with libtorch 2.9.0, which backend-tch links, from PyTorch's wheel, and prints the two
# exports that its build needs. If the folder already exists, only prints them.
#
#   scripts/setup-libtorch.sh [--cuda] [FOLDER]
#
# FOLDER is ~/.cache/mirage/libtorch by default, with --cuda ~/.cache/mirage/libtorch-cuda. Needs Python
# with pip, gcc and binutils. A package index may serve only the CUDA build: its code for processors is
# the same, and the libraries of NVIDIA's that it asks for are replaced by empty ones. With --cuda
# NVIDIA's own libraries are included: several gigabytes.
set -euo pipefail

version=2.9.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mirage
cuda=
folder=
for argument in "$@"; do
  case $argument in
    --cuda) cuda=1 ;;
    -h | --help) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    -*) echo "error: unknown option $argument; see --help" >&2; exit 2 ;;
    *) folder=$argument ;;
  esac
done
folder=$(realpath -m "${folder:-$cache/libtorch${cuda:+-cuda}}")

tell() {
  echo "export LIBTORCH=$folder${cuda:+/torch}"
  # The program and the plugin find it at run time by the path that the build writes into them.
  echo "export LIBTORCH_CXX11_ABI=1"
}
if [ "$(cat "$folder/build-version" 2>/dev/null)" = "$version" ]; then
  tell
  exit 0
fi

for tool in python3 gcc readelf nm; do
  command -v "$tool" >/dev/null || { echo "error: $tool is not installed; this script needs it" >&2; exit 1; }
done
mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$(dirname "$folder")/libtorch.XXXXXX")
trap 'rm -rf "$work"' EXIT
pip=(python3 -m pip --quiet --disable-pip-version-check)

if [ -n "$cuda" ]; then
  "${pip[@]}" install --target "$work/site" "torch==$version" >&2
  mkdir "$work/made"
  mv "$work/site"/{torch,nvidia} "$work/made/"
  echo "$version" >"$work/made/build-version"
else
  # PyTorch's own index has a build without CUDA, a fifth of the size.
  "${pip[@]}" download --no-deps --only-binary :all: --dest "$work" \
    --index-url https://download.pytorch.org/whl/cpu "torch==$version" >/dev/null 2>&1 ||
    "${pip[@]}" download --no-deps --only-binary :all: --dest "$work" "torch==$version" >&2
  python3 - "$work"/torch-*.whl "$work/made" <<'PYTHON'
import pathlib, shutil, sys, zipfile

KEEP = ("libc10.so", "libtorch_cpu.so", "libgomp")
wheel, made = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
for name in wheel.namelist():
    inside = pathlib.PurePosixPath(name)
    kept = inside.parts[:2] == ("torch", "include") or (
        inside.parts[:2] == ("torch", "lib") and inside.name.startswith(KEEP)
    )
    if kept and not name.endswith("/"):
        target = made.joinpath(*inside.parts[1:])
        target.parent.mkdir(parents=True, exist_ok=True)
        with wheel.open(name) as source, open(target, "wb") as sink:
            shutil.copyfileobj(source, sink)
PYTHON
  lib=$work/made/lib
  [ -e "$lib/libtorch_cpu.so" ] || { echo "error: the wheel of torch $version has no libtorch_cpu.so" >&2; exit 1; }
  # What is called libtorch.so only names the others.
  gcc -shared -nostdlib -Wl,-soname,libtorch.so -o "$lib/libtorch.so" -x c /dev/null
  python3 "$(dirname "$0")/cuda_stand_ins.py" "$lib"
  echo "$version" >"$work/made/build-version"
fi
rm -rf "$folder"
mv "$work/made" "$folder"
tell
