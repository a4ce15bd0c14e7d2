#!/usr/bin/env bash
# Measures Mirage on an NVIDIA graphics card: what the card can do, whether results are right, what each
# pass buys, where the time goes, and what PyTorch takes for the same networks.
#
#     benches/gpu/run.sh -b PATH/mirage -o results            # all of it, about half an hour
#     benches/gpu/run.sh -b PATH/mirage -o results -t 10 floor parity ledger
#
# Needs the driver, CUDA's libdevice (CUDA_PATH, or /usr/local/cuda) and a program that was built with
# `--features cuda` (docs/backends.md). The steps floor and peers need python3 with torch; where it is
# missing they say so. Results: a JSON file for each command, all of them in results.json, report.md.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)

binary=mirage out=gpu-results seconds=20 backend=cuda
while getopts b:o:t:B: option; do
  case $option in
    b) binary=$OPTARG ;;
    o) out=$OPTARG ;;
    t) seconds=$OPTARG ;; # for each ledger
    B) backend=$OPTARG ;; # to try the script without a card: cpu
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
steps=${*:-floor parity ledger profile peers}
models=${MODELS:-stress lsd-tiny lsd-light lsd-medium}
sizes=${SIZES:-64 256 512}
passes=${PASSES:-fold_batch_norm,sdpa,channels_last,pad_channels,fuse,graph_capture}
parity_models=${PARITY_MODELS:-lsd-tiny,lsd-light,stress-light}

command -v "$binary" >/dev/null || { echo "run.sh: there is no program $binary (-b)" >&2; exit 2; }
mkdir -p "$out"
report=$out/report.md
log=$out/log
failed=0

say() { printf '%s\n' "$*" | tee -a "$report"; }
# `step NAME COMMAND...`: its output into the log; a failure is noted and the rest goes on.
step() {
  local name=$1 start=$SECONDS
  shift
  echo "== $name: $*" >>"$log"
  if "$@" >>"$log" 2>&1; then
    echo "$name: $((SECONDS - start)) s"
  else
    failed=$((failed + 1))
    say "" "**$name failed**: \`$(tail -n 1 "$log")\`"
  fi
}
ledger() {
  local file=$1
  shift
  "$binary" bench --backend "$backend" --steps 1 --time "$seconds" --save "$file.json" --markdown "$@" >"$file.md"
}
nodes() {
  "$binary" profile --backend "$backend" --model stress --steps 1 --passes "$1" --by node --json >"$out/profile.json"
}
table() { [ ! -s "$1" ] || { say ""; tee -a "$report" <"$1"; }; }

: >"$report"
say "# Mirage on a graphics card" ""
say '```'
nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,temperature.gpu --format=csv,noheader 2>&1 | tee -a "$report"
"$binary" backends 2>&1 | tee -a "$report"
say '```'

for name in $steps; do
  case $name in
    floor)
      say "" "## What the card can do"
      step floor python3 "$here/floor.py" "$out/floor.json"
      table "$out/floor.md"
      ;;
    parity)
      say "" "## Parity" "" "Models of the size of a test against the definition in f64, stress against the processor in f32."
      step parity-small "$binary" parity --backend "$backend" --model "$parity_models" --reference cpu --size 64x64 \
        --markdown --save "$out/parity-small.json"
      step parity-tiny "$binary" parity --backend "$backend" --model lsd-tiny --size 16x16 \
        --markdown --save "$out/parity-tiny.json"
      grep '^|' "$log" | tee -a "$report"
      ;;
    ledger)
      say "" "## What each pass buys"
      for model in $models; do
        for size in $sizes; do
          [ "$model" != stress ] || [ "$size" = 64 ] || continue
          for dtype in f32 fp16 bf16; do
            set=$passes
            [ "$dtype" = f32 ] || set=$dtype,$passes
            file=$out/ledger-$model-$size-$dtype
            step "ledger $model $size $dtype" ledger "$file" --model "$model" --size "${size}x$size" --passes "$set"
            table "$file.md"
          done
        done
      done
      ;;
    profile)
      say "" "## Where the time of a frame goes"
      best=fp16,$passes
      step profile nodes "$best"
      "$binary" profile --backend "$backend" --model stress --steps 1 --passes "$best" --by op 2>>"$log" |
        sed 's/^/    /' | tee -a "$report"
      ;;
    peers)
      say "" "## PyTorch"
      step peers python3 "$here/peers.py" --json "$out/peers.json" --markdown "$out/peers.md"
      table "$out/peers.md"
      ;;
    *)
      echo "run.sh: unknown step $name: floor, parity, ledger, profile, peers" >&2
      exit 2
      ;;
  esac
done

# Every result in one file.
{
  echo '{'
  separator=
  for file in "$out"/*.json; do
    [ "$file" != "$out/results.json" ] && [ -s "$file" ] || continue
    printf '%s"%s": ' "$separator" "$(basename "$file" .json)"
    cat "$file"
    separator=,
  done
  echo '}'
} >"$out/results.json"
say "" "$failed steps failed."
[ "$failed" = 0 ]
