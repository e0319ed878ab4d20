#!/usr/bin/env bash
# Fills in gke_jobset.yaml and applies it to the cluster that kubectl is set to.
#
#   IMAGE=REGION-docker.pkg.dev/PROJECT/REPOSITORY/musicvae-tpu launch/gke.sh --config=configs/hier.py
#
# With --dry_run the filled-in file and the command are printed and nothing is done. Other
# arguments go to `python -m musicvae_jax.main`. Variables:
#   IMAGE             built from launch/Dockerfile.tpu or launch/Dockerfile.cuda (required)
#   NAME              of the JobSet (musicvae)
#   ACCELERATOR       tpu or gpu (tpu)
#   TPU_ACCELERATOR   label of the node pool (tpu-v5-lite-podslice)
#   TPU_TOPOLOGY      (2x4)
#   GPU_ACCELERATOR   label of the node pool (nvidia-l4)
#   HOSTS             machines, one pod on each (2)
#   DEVICES_PER_HOST  chips or GPUs of each (4)
#   CLAIM             a PersistentVolumeClaim that many nodes may write, as Filestore's, for the
#                     workdir (musicvae-runs)
#   WORKDIR           (/runs/NAME)
#   MAX_RESTARTS      after failures; preemptions are not counted (10)
#   PYTHON            the interpreter that fills in (python3)
#
# Needs the JobSet controller: https://jobset.sigs.k8s.io/docs/installation/
set -euo pipefail

export NAME="${NAME:-musicvae}"
export HOSTS="${HOSTS:-2}"
export DEVICES_PER_HOST="${DEVICES_PER_HOST:-4}"
export CLAIM="${CLAIM:-musicvae-runs}"
export MAX_RESTARTS="${MAX_RESTARTS:-10}"
export IMAGE="${IMAGE:-}"
ACCELERATOR="${ACCELERATOR:-tpu}"
WORKDIR="${WORKDIR:-/runs/$NAME}"
PYTHON="${PYTHON:-python3}"

dry_run=false
args=()
for arg in "$@"; do
  if [[ "$arg" == --dry_run ]]; then dry_run=true; else args+=("$arg"); fi
done
if [[ -z "$IMAGE" ]]; then
  echo "error: IMAGE is needed: what was built from launch/Dockerfile.tpu or Dockerfile.cuda" >&2
  exit 2
fi
case "$ACCELERATOR" in
  tpu)
    export DEVICE=google.com/tpu
    export NODE_SELECTOR="{\"cloud.google.com/gke-tpu-accelerator\": \"${TPU_ACCELERATOR:-tpu-v5-lite-podslice}\", \"cloud.google.com/gke-tpu-topology\": \"${TPU_TOPOLOGY:-2x4}\"}"
    ;;
  gpu)
    export DEVICE=nvidia.com/gpu
    export NODE_SELECTOR="{\"cloud.google.com/gke-accelerator\": \"${GPU_ACCELERATOR:-nvidia-l4}\"}"
    ;;
  *)
    echo "error: ACCELERATOR=$ACCELERATOR: tpu or gpu is needed" >&2
    exit 2
    ;;
esac

# JSON is YAML too, so any argument arrives as it is.
ARGS="$("$PYTHON" -c 'import json, sys; print(json.dumps(sys.argv[1:]))' \
  ${args[@]+"${args[@]}"} "--workdir=$WORKDIR" --preemption_exit_code=75)"
export ARGS
filled="$("$PYTHON" -c 'import os, string, sys; print(string.Template(sys.stdin.read()).substitute(os.environ), end="")' \
  <"$(dirname "$0")/gke_jobset.yaml")"
if "$dry_run"; then
  echo "$filled"
  echo "# | kubectl apply -f -"
else
  echo "$filled" | kubectl apply -f -
fi
