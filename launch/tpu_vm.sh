#!/usr/bin/env bash
# A training run on a Cloud TPU VM, from the request to the end, through preemptions.
#
#   PROJECT=my-project NFS_SHARE=10.0.0.2:/vol1 launch/tpu_vm.sh train --config=configs/hier.py
#
#   create   requests the TPU and waits until it is there
#   install  copies the commit checked out here to all workers and installs it
#   run      starts training on all workers and waits for it
#   train    all of these; when the TPU is preempted, asks for another and goes on
#   delete   gives the TPU back
#
# With --dry_run the commands are printed and nothing is done. The arguments of `run` and
# `train` go to `python -m musicvae_jax.main`. Variables:
#   PROJECT           Google Cloud project (gcloud's own)
#   NAME              of the TPU and its request (musicvae)
#   ZONE              (us-west4-a)
#   ACCELERATOR_TYPE  (v5litepod-8)
#   RUNTIME_VERSION   (v2-alpha-tpuv5-lite)
#   KIND              queued: a queued resource; vm: a TPU VM at once, or not at all (queued)
#   SPOT              true or false (true)
#   NFS_SHARE         HOST:/PATH, mounted on all workers, where the workdir is: a preempted TPU
#                     takes its disk with it, and all workers need one workdir (required)
#   WORKDIR           (/mnt/musicvae/runs/NAME)
#   MAX_RESTARTS      how often `train` goes on after a preemption or failure (50)
#
# The Cloud TPU API, which this uses, serves v2 to v6e; TPU7x is to be had through GKE only,
# see gke_jobset.yaml. Checked against, in November 2026:
#   https://docs.cloud.google.com/tpu/docs/queued-resources
#   https://cloud.google.com/sdk/gcloud/reference/compute/tpus/queued-resources/create
#   https://cloud.google.com/sdk/gcloud/reference/compute/tpus/tpu-vm/create
#   https://docs.cloud.google.com/tpu/docs/preemptible
#   https://docs.cloud.google.com/tpu/docs/jax-pods
set -euo pipefail

NAME="${NAME:-musicvae}"
ZONE="${ZONE:-us-west4-a}"
ACCELERATOR_TYPE="${ACCELERATOR_TYPE:-v5litepod-8}"
RUNTIME_VERSION="${RUNTIME_VERSION:-v2-alpha-tpuv5-lite}"
KIND="${KIND:-queued}"
SPOT="${SPOT:-true}"
NFS_SHARE="${NFS_SHARE:-}"
WORKDIR="${WORKDIR:-/mnt/musicvae/runs/$NAME}"
MAX_RESTARTS="${MAX_RESTARTS:-50}"
# What sysexits.h calls a temporary failure; training ends with it when it was preempted.
PREEMPTED=75

dry_run=false
args=()
for arg in "$@"; do
  if [[ "$arg" == --dry_run ]]; then dry_run=true; else args+=("$arg"); fi
done
command="${args[0]:-}"
args=("${args[@]:1}")

fail() {
  echo "error: $*" >&2
  exit 2
}

place=("--zone=$ZONE")
if [[ -n "${PROJECT:-}" ]]; then place+=("--project=$PROJECT"); fi

# Runs a command, or prints it in a form that a shell would read back.
do_or_print() {
  if "$dry_run"; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

on_all_workers() {
  do_or_print gcloud compute tpus tpu-vm ssh "$NAME" "${place[@]}" --worker=all --command="$1"
}

# ACTIVE, SUSPENDED and so on; READY and PREEMPTED of a plain VM; nothing if there is none.
state() {
  if [[ "$KIND" == queued ]]; then
    gcloud compute tpus queued-resources describe "$NAME" "${place[@]}" \
      --format='value(state.state)' 2>/dev/null || true
  else
    gcloud compute tpus tpu-vm describe "$NAME" "${place[@]}" --format='value(state)' \
      2>/dev/null || true
  fi
}

create() {
  local spot=()
  if [[ "$SPOT" == true ]]; then spot=(--spot); fi
  if [[ "$KIND" == vm ]]; then
    do_or_print gcloud compute tpus tpu-vm create "$NAME" "${place[@]}" \
      --accelerator-type="$ACCELERATOR_TYPE" --version="$RUNTIME_VERSION" \
      ${spot[@]+"${spot[@]}"}
    return
  fi
  do_or_print gcloud compute tpus queued-resources create "$NAME" "${place[@]}" \
    --node-id="$NAME" --accelerator-type="$ACCELERATOR_TYPE" \
    --runtime-version="$RUNTIME_VERSION" ${spot[@]+"${spot[@]}"}
  if "$dry_run"; then return; fi
  while true; do
    case "$(state)" in
      ACTIVE) return ;;
      FAILED | SUSPENDED) return 1 ;;
      *) sleep 30 ;;
    esac
  done
}

delete() {
  if [[ "$KIND" == vm ]]; then
    do_or_print gcloud compute tpus tpu-vm delete "$NAME" "${place[@]}" --quiet
  else
    do_or_print gcloud compute tpus queued-resources delete "$NAME" "${place[@]}" --quiet --force
  fi
}

install() {
  if [[ -z "$NFS_SHARE" ]]; then fail "NFS_SHARE=HOST:/PATH is needed"; fi
  local root commit archive
  root="$(cd "$(dirname "$0")/.." && pwd)"
  commit="$(git -C "$root" rev-parse HEAD)"
  archive="/tmp/musicvae-$commit.tar.gz"
  do_or_print git -C "$root" archive --format=tar.gz --output="$archive" HEAD
  do_or_print gcloud compute tpus tpu-vm scp "$archive" "$NAME:/tmp/musicvae.tar.gz" \
    "${place[@]}" --worker=all
  on_all_workers "set -e
sudo apt-get -qq update && sudo apt-get -qq install -y nfs-common python3-venv
sudo mkdir -p /mnt/musicvae
mountpoint -q /mnt/musicvae || sudo mount -t nfs $NFS_SHARE /mnt/musicvae
sudo chmod a+rwx /mnt/musicvae
rm -rf ~/musicvae && mkdir ~/musicvae && tar -xzf /tmp/musicvae.tar.gz -C ~/musicvae
echo $commit > ~/musicvae/.git_commit
python3 -m venv ~/venv
~/venv/bin/pip install --quiet --upgrade pip
cd ~/musicvae && ~/venv/bin/pip install --quiet -e '.[tpu]'"
}
run() {
  local quoted
  quoted="$(printf '%q ' ${args[@]+"${args[@]}"} "--workdir=$WORKDIR" "--preemption_exit_code=$PREEMPTED")"
  # A run of before whose connection was lost may still be there; it is told to save.
  on_all_workers "cd ~/musicvae
if [ -f ~/run.pid ] && kill -TERM \$(cat ~/run.pid) 2>/dev/null; then
  for i in \$(seq 60); do kill -0 \$(cat ~/run.pid) 2>/dev/null || break; sleep 1; done
fi
echo \$\$ > ~/run.pid
exec env GIT_COMMIT=\$(cat .git_commit) ~/venv/bin/python -m musicvae_jax.main $quoted"
}

is_there() {
  case "$(state)" in
    ACTIVE | READY) return 0 ;;
    *) return 1 ;;
  esac
}

# Each step in a shell of its own, since `set -e` does not hold within `||`.
step() {
  "$0" "$@"
}

train() {
  if "$dry_run"; then
    create
    install
    run
    echo "# if the TPU was preempted (at most $MAX_RESTARTS times):"
    delete
    echo "# and from the top; in the end:"
    delete
    return
  fi
  local restarts
  for ((restarts = 0; restarts <= MAX_RESTARTS; restarts++)); do
    if ! is_there; then
      if [[ -n "$(state)" ]]; then step delete; fi
      step create || continue
      step install || continue
    fi
    local code=0
    step run ${args[@]+"${args[@]}"} || code=$?
    if ((code == 0)); then
      delete
      return
    fi
    echo "training ended with exit code $code; restart $((restarts + 1)) of $MAX_RESTARTS" >&2
    sleep 10
  done
  fail "gave up after $MAX_RESTARTS restarts; the TPU may still be there: $0 delete"
}

case "$command" in
  create | install | run | train | delete) "$command" ;;
  *) fail "'$command' is none of create, install, run, train, delete" ;;
esac
