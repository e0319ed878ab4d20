#!/usr/bin/env bash
# The benchmarks of training and decoding on this machine's GPU, and their results in one folder:
# against PyTorch, and each way in which the LSTMs can be run, with the launches that a profiler sees.
#
#   launch/bench_gpu.sh
#
# Each prints a table and, as its last line, its figures as JSON; both go to OUT, with what
# the machine is. With --quick a few minutes, with --dry_run only the commands. Variables:
#   OUT      where results go (runs/bench_gpu)
#   MODELS   for the training step, names in configs/ (seed,hier,hier_paper)
#   BATCHES  batch sizes (64,512)
#   DTYPES   (float32 bfloat16)
#   GRAPHS   what XLA puts into CUDA graphs in the training step (default +WHILE): what it does by
#            default, and loops too
#   LSTMS    values of config.model.lstm to measure (auto scan triton)
#   CONFIGS  whose functions are measured one by one, divided by commas (hier,default)
#   DECODE   for decoding, names in configs/ (seed hier)
#   PYTHON   the interpreter (python)
#
# Needs the extras of the benchmarks: pip install -e '.[cuda]' torch
set -euo pipefail
cd "$(dirname "$0")/.."

OUT="${OUT:-runs/bench_gpu}"
MODELS="${MODELS:-seed,hier,hier_paper}"
BATCHES="${BATCHES:-64,512}"
DTYPES="${DTYPES:-float32 bfloat16}"
GRAPHS="${GRAPHS:-default +WHILE}"
LSTMS="${LSTMS:-auto scan triton}"
CONFIGS="${CONFIGS:-hier,default}"
DECODE="${DECODE:-seed hier}"
PYTHON="${PYTHON:-python}"

dry_run=false
quick=()
for arg in "$@"; do
  case "$arg" in
    --dry_run) dry_run=true ;;
    --quick) quick=(--quick) ;;
    *)
      echo "error: $arg: only --quick and --dry_run are known; see the variables above" >&2
      exit 2
      ;;
  esac
done

failed=0
# measure NAME COMMAND...: output to OUT/NAME.txt, its last line to OUT/NAME.json
measure() {
  local name="$1"
  shift
  if "$dry_run"; then
    printf '%q ' "$@"
    printf '| tee %q\n' "$OUT/$name.txt"
    return
  fi
  if "$@" 2>"$OUT/$name.err" | tee "$OUT/$name.txt"; then
    tail -n 1 "$OUT/$name.txt" >"$OUT/$name.json"
  else
    echo "error: $name failed; see $OUT/$name.err" >&2
    failed=1
  fi
}

if ! "$dry_run"; then
  mkdir -p "$OUT"
  {
    date --utc --iso-8601=seconds
    git rev-parse HEAD
    nvidia-smi || true
    "$PYTHON" -m pip freeze
  } >"$OUT/machine.txt" 2>&1
  "$PYTHON" -c 'import jax, sys; sys.exit(f"error: no GPU: {jax.devices()}" if jax.default_backend() != "gpu" else 0)'
fi
calls=10
if [ "${#quick[@]}" != 0 ]; then calls=3; fi
for flags in $GRAPHS; do
  suffix="" xla_flags="${XLA_FLAGS:-}"
  if [ "$flags" != default ]; then
    suffix="_graphs$flags" xla_flags+=" --xla_gpu_enable_command_buffer=$flags"
  fi
  for dtype in $DTYPES; do
    measure "train_step_$dtype$suffix" env "XLA_FLAGS=$xla_flags" "$PYTHON" \
      benchmarks/train_step.py "--models=$MODELS" "--batch=$BATCHES" "--dtype=$dtype" \
      ${quick[@]+"${quick[@]}"}
  done
  for lstm in $LSTMS; do
    measure "functions_$lstm$suffix" env "XLA_FLAGS=$xla_flags" "$PYTHON" \
      launch/measure_devices.py "--config=$CONFIGS" "--calls=$calls" \
      --config.train.batch_size=512 "--config.model.lstm=$lstm"
  done
done
for model in $DECODE; do
  measure "decode_$model" "$PYTHON" benchmarks/decode.py "--model=$model" ${quick[@]+"${quick[@]}"}
done
if ! "$dry_run"; then echo "results are in $OUT"; fi
exit "$failed"
