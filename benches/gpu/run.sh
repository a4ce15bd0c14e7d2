#!/usr/bin/env bash
# Measures Mirage on an NVIDIA graphics card: what the card can do, whether results are right, what each
# pass buys, where the time goes, and what PyTorch takes for the same networks.
#
#     benches/gpu/run.sh --binary PATH/mirage --output results                  # all of it, about an hour
#     benches/gpu/run.sh --binary PATH/mirage --output results --budget 540     # as much as fits; again goes on
#     benches/gpu/run.sh --binary PATH/mirage --output results --stage parity --stage ledger-stress
#     benches/gpu/run.sh --list                                                 # the stages
#
# Needs the driver, CUDA's libdevice (CUDA_PATH, or /usr/local/cuda) and a program with the backend: built with
# `--features cuda`, or any with `--plugin libmirage_backend_cuda.so` (docs/expert/graphics-cards.md). The stages floor and
# peers need python3 with torch and safetensors.
# What is done stays done: a stage whose mark is in the folder is left out, and with --budget none begins
# that may outlast it. Results: files of each stage, all JSON in results.json, all tables in report.md.
# Exit code: 0 all is done; 75 some is left, run it again; 1 a stage failed; 2 the command line is wrong.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)

binary=mirage plugin='' out=gpu-results seconds=25 budget=0 backend=cuda list=0 stages=()
usage() { sed -n '2,17s/^# \{0,1\}//p' "$0"; }
wrong() { echo "run.sh: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --binary) binary=${2:?$1 needs a program} ;;
    --plugin) plugin=${2:?$1 needs a shared library} ;;
    --output) out=${2:?$1 needs a folder} ;;
    --stage) stages+=("${2:?$1 needs a stage, or the beginning of its name}") ;;
    --seconds) seconds=${2:?$1 needs seconds, for each ledger} ;;
    --budget) budget=${2:?$1 needs seconds, for all} ;;
    --backend) backend=${2:?$1 needs a name} ;; # to try the script without a card: cpu
    --list) list=1; shift; continue ;;
    --help | -h) usage; exit 0 ;;
    *) wrong "unknown option $1 (--help)" ;;
  esac
  shift 2
done
[[ $seconds =~ ^[0-9]+$ && $budget =~ ^[0-9]+$ ]] || wrong "--seconds and --budget take whole seconds"

models=${MODELS:-stress lsd-light lsd-tiny lsd-medium}
sizes=${SIZES:-64 256 512}
dtypes=${DTYPES:-fp16 bf16 f32}
passes=${PASSES:-fold_batch_norm,sdpa,channels_last,pad_channels,fuse,graph_capture}
parity_models=${PARITY_MODELS:-lsd-tiny lsd-light stress-light stress lsd-medium lsd-heavy}
profiled=${PROFILED:-stress}
peers=${PEERS:-stress-64-fp16 stress-64-tf32 lsd-light-64-fp16 lsd-light-512-fp16}

# Seconds for a ledger: a frame of many pixels takes longer.
seconds_for() { echo $((seconds * ($1 > 256 ? 4 : $1 > 64 ? 2 : 1))); }
# The set of passes in a dtype.
set_in() { [ "$1" = f32 ] && echo "$passes" || echo "$1,$passes"; }

# Every stage with the seconds that it may take, in the order of what is asked for most.
all_stages() {
  echo "card 30"
  echo "floor 60"
  echo "parity-definition 120"
  for dtype in $dtypes; do echo "profile-$dtype 120"; done
  for peer in $peers; do echo "peers-$peer 240"; done
  for model in $parity_models; do echo "parity-$model 240"; done
  for size in $sizes; do
    for model in $models; do
      # stress has attention over all pixels with 16 heads: its own size alone.
      [ "$model" != stress ] || [ "$size" = 64 ] || continue
      for dtype in $dtypes; do echo "ledger-$model-$size-$dtype $(($(seconds_for "$size") + 240))"; done
    done
  done
}
chosen() {
  local wanted
  [ ${#stages[@]} -gt 0 ] || return 0
  for wanted in "${stages[@]}"; do case $1 in "$wanted"*) return 0 ;; esac; done
  return 1
}
if [ $list = 1 ]; then
  all_stages
  exit 0
fi
for stage in "${stages[@]:-}"; do
  grep -q "^$stage" <<<"$(all_stages)" || wrong "no stage is called $stage (--list)"
done
if [ -n "$plugin" ]; then
  [ -f "$plugin" ] || wrong "there is no file $plugin (--plugin)"
  export MIRAGE_PLUGIN_PATH=$plugin${MIRAGE_PLUGIN_PATH:+:$MIRAGE_PLUGIN_PATH}
fi
command -v "$binary" >/dev/null || wrong "there is no program $binary (--binary)"
mkdir -p "$out/done" || wrong "cannot write to $out"

# What a stage runs. Its table goes to standard output, its JSON into $out.
work() {
  local stage=$1 model size dtype
  case $stage in
    card)
      nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,temperature.gpu --format=csv,noheader 2>&1
      "$binary" backends
      ;;
    floor)
      python3 "$here/floor.py" "$out/floor.json" && cat "$out/floor.md"
      ;;
    parity-definition)
      "$binary" parity --backend "$backend" --model lsd-tiny --size 16x16 --markdown --save "$out/$stage.json"
      ;;
    parity-*)
      "$binary" parity --backend "$backend" --model "${stage#parity-}" --reference cpu --size 64x64 \
        --markdown --save "$out/$stage.json"
      ;;
    ledger-*)
      IFS=' ' read -r model size dtype <<<"$(parts "${stage#ledger-}")"
      local known=()
      [ ! -s "$out/floor.json" ] || known=(--peak "$(peak "$dtype")")
      # Sets that do not fit into the card's memory fail, the ledger says why, and the others are measured.
      "$binary" bench "${known[@]}" --backend "$backend" --model "$model" --size "${size}x$size" --steps 1 \
        --time "$(seconds_for "$size")s" --passes "$(set_in "$dtype")" --save "$out/$stage.json" --markdown ||
        { [ $? = 1 ] && [ -s "$out/$stage.json" ]; }
      ;;
    profile-*)
      # Percent of the card's peak performance, if the stage floor has measured it.
      dtype=${stage#profile-}
      local profile=(profile --backend "$backend" --model "$profiled" --steps 1 --passes "$(set_in "$dtype")")
      [ ! -s "$out/floor.json" ] || profile+=(--peak "$(peak "$dtype")")
      "$binary" "${profile[@]}" --by node --sort gap --html "$out/$stage.html" --json >"$out/$stage.json" &&
        "$binary" "${profile[@]}" --by op --sort gap && echo &&
        "$binary" "${profile[@]}" --by node --sort gap --top 30
      ;;
    peers-*)
      IFS=' ' read -r model size dtype <<<"$(parts "${stage#peers-}")"
      python3 "$here/peers.py" --mirage "$(command -v "$binary")" --backend "$backend" --passes "$passes" \
        --model "$model" --size "$size" --dtype "$dtype" --json "$out/$stage.json" --markdown "$out/$stage.md" \
        1>&2 && cat "$out/$stage.md"
      ;;
  esac
}
# GFLOPS,GBYTES of a dtype; f32 is multiplied as three products of tf32.
peak() {
  python3 -c 'import json, sys
floor, dtype = json.load(open(sys.argv[1])), sys.argv[2]
share = 1 / 3 if dtype == "f32" else 1
rate = floor["product_%s_tflops" % ("tf32" if dtype == "f32" else dtype)]
print("%.0f,%.0f" % (1e3 * share * rate, floor["copy_gb_per_s"]))' "$out/floor.json" "$1"
}
# MODEL-SIZE-DTYPE as three words; the model may have dashes.
parts() { sed -E 's/^(.*)-([0-9]+)-([a-z0-9]+)$/\1 \2 \3/' <<<"$1"; }

export -f work parts set_in seconds_for peak
export binary out seconds backend here passes profiled
failed=0 left=0 skipped=0
while read -r stage limit; do
  chosen "$stage" || continue
  if [ -e "$out/done/$stage" ]; then
    skipped=$((skipped + 1))
    continue
  fi
  if [ "$budget" != 0 ]; then
    # What is left bounds a stage, and with less than a third of what it may take it is for the next time.
    rest=$((budget - SECONDS))
    if [ $((rest * 3)) -lt "$limit" ]; then
      left=$((left + 1))
      continue
    fi
    [ "$rest" -ge "$limit" ] || limit=$rest
  fi
  start=$SECONDS
  if timeout "$limit" bash -c "set -o pipefail; work $stage" >"$out/$stage.table" 2>"$out/$stage.log" </dev/null; then
    mv "$out/$stage.table" "$out/done/$stage"
    rm -f "$out/$stage.failed"
    echo "$stage: $((SECONDS - start)) s"
  else
    code=$?
    why="exit code $code: $(grep -v '^$' "$out/$stage.log" | tail -n 1)"
    [ $code != 124 ] || why="it took more than $limit s"
    # Tables of a parity beyond its bound are worth reading too.
    { cat "$out/$stage.table"; echo "failed: $why"; } >"$out/$stage.failed"
    rm -f "$out/$stage.table"
    failed=$((failed + 1))
    echo "$stage failed: $why"
  fi
done < <(all_stages)

# Every table in one file, every result in another.
{
  echo "# Mirage on a graphics card"
  while read -r stage _; do
    for file in "$out/done/$stage" "$out/$stage.failed"; do
      [ -s "$file" ] || continue
      printf '\n## %s\n\n' "$stage"
      case $stage in card | profile-*) sed 's/^/    /' "$file" ;; *) cat "$file" ;; esac
      break
    done
  done < <(all_stages)
} >"$out/report.md"
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

echo "$(find "$out/done" -type f | wc -l) stages done ($skipped in earlier runs), $failed failed, $left left"
[ $failed = 0 ] || exit 1
[ $left = 0 ] || exit 75
