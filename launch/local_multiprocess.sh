#!/usr/bin/env bash
# One run as several processes on this machine, as it would be on several machines.
#
#   NUM_PROCESSES=4 launch/local_multiprocess.sh --config=configs/tiny.py
#
# All arguments but --dry_run go to `python -m musicvae_jax.main`. Variables:
#   NUM_PROCESSES        how many processes (2)
#   DEVICES_PER_PROCESS  emulated devices of each, on the CPU (1)
#   PLATFORM             cpu, or cuda: then process i takes GPU i (cpu)
#   PORT                 where the first one listens (a free one)
#   PYTHON               the interpreter (python)
#   LOG_DIR              if set, process i writes to LOG_DIR/process_i.log
#   GRACE_SEC            once one has failed, the others are killed after so long (90)
#
# SIGTERM and SIGINT go to all of them. The exit code is that of the first that failed.
# https://docs.jax.dev/en/latest/multi_process.html
set -euo pipefail

NUM_PROCESSES="${NUM_PROCESSES:-2}"
DEVICES_PER_PROCESS="${DEVICES_PER_PROCESS:-1}"
PLATFORM="${PLATFORM:-cpu}"
PYTHON="${PYTHON:-python}"
LOG_DIR="${LOG_DIR:-}"
GRACE_SEC="${GRACE_SEC:-90}"

dry_run=false
args=()
for arg in "$@"; do
  if [[ "$arg" == --dry_run ]]; then dry_run=true; else args+=("$arg"); fi
done

if [[ -z "${PORT:-}" ]]; then
  if "$dry_run"; then
    PORT=12345
  else
    PORT="$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')"
  fi
fi

pids=()
for ((i = 0; i < NUM_PROCESSES; i++)); do
  environment=("JAX_PLATFORMS=$PLATFORM")
  if [[ "$PLATFORM" == cpu ]]; then
    # Devices that wait for each other need threads, even where there are fewer cores.
    environment+=("JAX_NUM_CPU_DEVICES=$DEVICES_PER_PROCESS" "NPROC=${NPROC:-16}")
  else
    environment+=("JAX_LOCAL_DEVICE_IDS=$i")
  fi
  command=(env "${environment[@]}" "$PYTHON" -m musicvae_jax.main
    "--coordinator=localhost:$PORT" "--num_processes=$NUM_PROCESSES" "--process_id=$i"
    ${args[@]+"${args[@]}"})
  if "$dry_run"; then
    printf '%q ' "${command[@]}"
    echo '&'
  elif [[ -n "$LOG_DIR" ]]; then
    mkdir -p "$LOG_DIR"
    "${command[@]}" >"$LOG_DIR/process_$i.log" 2>&1 &
    pids+=($!)
  else
    "${command[@]}" &
    pids+=($!)
  fi
done
if "$dry_run"; then
  echo wait
  exit 0
fi

# `env` is replaced by Python, so these are the processes themselves.
trap 'kill -TERM "${pids[@]}" 2>/dev/null || true' TERM
trap 'kill -INT "${pids[@]}" 2>/dev/null || true' INT
status=0
failed_at=
while ((${#pids[@]} > 0)); do
  sleep 0.2
  alive=()
  for pid in "${pids[@]}"; do
    if kill -0 "$pid" 2>/dev/null; then
      alive+=("$pid")
      continue
    fi
    code=0
    wait "$pid" || code=$?
    if ((status == 0 && code != 0)); then
      status=$code
      failed_at=$SECONDS
    fi
  done
  pids=(${alive[@]+"${alive[@]}"})
  # One that is stopped or hangs would otherwise be waited for without end.
  if [[ -n "$failed_at" ]] && ((SECONDS - failed_at >= GRACE_SEC && ${#pids[@]} > 0)); then
    kill -KILL "${pids[@]}" 2>/dev/null || true
  fi
done
exit "$status"
