#!/usr/bin/env bash
# usage: Tests/Campaigns/kill.sh [ROUNDS]
#
# Kills a run at random moments, by one rank, all ranks or mpirun, and starts the same command again with
# random numbers of ranks, until it is finished; ROUNDS times (5). Status 0 if every run ends with the
# digest and the records of one that was never killed. SEED=n repeats a campaign.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
need_program
rounds=${1:-5}
use_seed
cat >"$work/run.yaml" <<YAML
data: { train: $root/datasets/digits.h5, test: $root/datasets/digits-test.h5 }
model: [affine: 256, relu, affine: 128, relu, affine: 10]
optimizer: { adam: 0.001 }
batch_size: 70
microbatches: 8
epochs: ${EPOCHS:-400}
evaluation: { every: 37 }
checkpoint: { every: 23, keep: 2 }
YAML
"$nndist" train "$work/run.yaml" --output "$work/whole" >/dev/null
expected=$(digest "$work/whole") expected_records=$(records "$work/whole")
# The processes of ours that run in the folder of this campaign.
ranks_of() { for p in /proc/[0-9]*; do [[ $(readlink "$p/cwd") == "$work" && $(readlink "$p/exe") == "$nndist" ]] && echo "${p#/proc/}"; done 2>/dev/null || true; }
cd "$work"
failures=0
for ((round = 1; round <= rounds; round++)); do
  rm -rf run
  kills=0
  while true; do
    n=$((RANDOM % 5 + 1))
    "$root/launch/mpirun" -n "$n" "$nndist" train run.yaml --output run >log 2>errors &
    job=$!
    sleep "$((RANDOM % 3)).$((RANDOM % 1000))"
    mapfile -t pids < <(ranks_of)
    if ((${#pids[@]})) && kill -0 "$job" 2>/dev/null; then
      case $((RANDOM % 3)) in
        0) kill -9 "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null || true ;;
        1) kill -9 "${pids[@]}" 2>/dev/null || true ;;
        2) kill -9 "$(pgrep -P "$job" | head -n 1)" 2>/dev/null || true ;;
      esac
      ((++kills))
    fi
    status=0
    for ((i = 0; i < 300; i++)); do kill -0 "$job" 2>/dev/null || break; sleep 0.1; done
    if kill -0 "$job" 2>/dev/null; then echo "hangs after a kill"; kill -9 "$job"; ((++failures)); fi
    wait "$job" || status=$?
    # Ranks whose mpirun is gone end by themselves.
    for ((i = 0; i < 150; i++)); do [[ -n $(ranks_of) ]] || break; sleep 0.1; done
    if [[ -n $(ranks_of) ]]; then echo "ranks left behind"; kill -9 $(ranks_of); ((++failures)); fi
    ((status != 0)) || break
    if ((status < 128 && status != 76 && status != 75 && status != 73)); then
      echo "status $status:"; cat errors; ((++failures))
    fi
  done
  result=agrees
  [[ $(digest run) == "$expected" && $(records run) == "$expected_records" ]] || { result=DIFFERS; ((++failures)); }
  echo "round $round: $kills kills, $result"
done
exit $((failures > 0))
