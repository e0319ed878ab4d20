#!/usr/bin/env bash
# The model on folk tunes and those it is compared with: trained, measured, and made ready to ship.
#
#   launch/recipe.sh
#   FOLDER=collections launch/recipe.sh
#
# With FOLDER, where the published collections are (docs/data.md), hier_mixture is trained, too, from
# the parameters of the first model, and a bar prior for it, as the shipped one was.
# Ends after MINUTES wherever it is, and goes on from there when it is run again, so that a machine
# lent for ten minutes at a time will do; says what is left. --dry_run prints the commands. Variables:
#   OUT       where everything goes (runs/recipe)
#   MODELS    names in configs/, the one to ship first (hier flat per_bar seed)
#   FOLDER    see above
#   STEPS     training steps of each, if not its configuration's own
#   MINUTES   how long to train at a time (0: to the end); a prior, which takes minutes, goes to its end
#   DATA_DIR  where the data set is kept; copied from another machine, it is not built
#   PYTHON    the interpreter (python)
#
# Without a network: fetch wheels elsewhere (pip download), then pip install --no-index
# --find-links=WHEELS .
set -euo pipefail
cd "$(dirname "$0")/.."

OUT="${OUT:-runs/recipe}"
MODELS="${MODELS:-hier flat per_bar seed}"
FOLDER="${FOLDER:-}"
STEPS="${STEPS:-}"
MINUTES="${MINUTES:-0}"
DATA_DIR="${DATA_DIR:-}"
PYTHON="${PYTHON:-python}"

dry_run=false
for arg in "$@"; do
  case "$arg" in
    --dry_run) dry_run=true ;;
    *)
      echo "error: $arg: only --dry_run is known; see the variables above" >&2
      exit 2
      ;;
  esac
done

run() {
  if "$dry_run"; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

# Ends the script when the time is over, and sets `left` to the minutes that remain.
end="$(awk -v now="$(date +%s)" -v minutes="$MINUTES" 'BEGIN { print int(now + 60 * minutes) }')"
left=0
check_time() {
  if [[ "$MINUTES" == 0 ]] || "$dry_run"; then return; fi
  local seconds=$((end - $(date +%s)))
  if ((seconds <= 0)); then
    echo "$MINUTES minutes are over before $1; the same command goes on from there"
    exit 0
  fi
  left="$(awk -v seconds="$seconds" 'BEGIN { printf "%.2f", seconds / 60 }')"
}

main="$PYTHON -m musicvae_jax.main"
# train MODEL FLAGS...: until it is measured, or the time is over.
train() {
  local model="$1"
  shift
  local flags=("--config=configs/$model.py" "--workdir=$OUT/$model" "$@")
  if [[ -n "$DATA_DIR" ]]; then flags+=("--config.dataset.data_dir=$DATA_DIR"); fi
  if [[ -n "$STEPS" ]]; then flags+=("--config.train.num_steps=$STEPS"); fi
  if [[ -e "$OUT/$model/evaluate/metrics.json" ]]; then return; fi
  check_time "the training of $model"
  # shellcheck disable=SC2086 # a command and its arguments
  run $main "${flags[@]}" "--config.train.max_minutes=$left"
  check_time "the evaluation of $model"
  # shellcheck disable=SC2086
  run $main "${flags[@]}" --mode=evaluate
}

for model in $MODELS; do train "$model"; done
shipped="${MODELS%% *}"
if [[ -n "$FOLDER" ]]; then
  train hier_mixture "--config.dataset.folder=$FOLDER" "--config.train.init_from=$OUT/$shipped"
  shipped=hier_mixture
fi
if [[ -e "$OUT/export/model.json" ]]; then
  echo "all of it is done: $OUT"
  exit 0
fi
if [[ -n "$FOLDER" ]]; then
  check_time "the prior of $shipped"
  flags=("--checkpoint=$OUT/$shipped" "--output=$OUT/prior")
  if [[ -n "$STEPS" ]]; then flags+=("--config.prior.num_steps=$STEPS"); fi
  # shellcheck disable=SC2086
  run $main --mode=train_prior "${flags[@]}"
fi
check_time "the export of $shipped"
# shellcheck disable=SC2086
run $main "--checkpoint=$OUT/$shipped" --mode=export "--output=$OUT/export"
