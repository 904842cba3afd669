#!/usr/bin/env bash
# usage: Tests/Campaigns/bad-input.sh [COUNT]
#
# Damages data files, checkpoints and configurations at random, COUNT times each (100), and gives them to
# the program. Status 0 if it never crashes or hangs and every refusal is one line with a status of
# ours. SEED=n repeats a campaign.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
need_program
count=${1:-100}
use_seed
cd "$work"
iris_run 1
"$nndist" train run.yaml --output good >/dev/null
checkpoint=$(last_checkpoint good)
failures=0
declare -A statuses=()

# damage FILE OUTPUT: flips, zeroes, cuts or repeats some bytes.
damage() {
  local size
  size=$(stat -c %s "$1")
  cp "$1" "$2"
  case $((RANDOM % 4)) in
    0) truncate -s $(((RANDOM * 32768 + RANDOM) % size)) "$2" ;;
    1) head -c 64 /dev/zero | dd of="$2" bs=1 seek=$(((RANDOM * 32768 + RANDOM) % size)) conv=notrunc status=none ;;
    *) head -c $((RANDOM % 8 + 1)) /dev/urandom |
      dd of="$2" bs=1 seek=$(((RANDOM * 32768 + RANDOM) % size)) conv=notrunc status=none ;;
  esac
}

# try WHAT ARGUMENTS…
try() {
  local what=$1 status=0
  shift
  rm -rf run
  timeout -s KILL 30 "$nndist" "$@" >output 2>errors || status=$?
  statuses[$what/$status]=$((${statuses[$what/$status]:-0} + 1))
  case $status in
    0) ;;
    65 | 73 | 74 | 78) (($(wc -l <errors) == 1)) || { echo "$what: $(cat errors)"; keep "$what"; } ;;
    *) echo "$what: status $status: $(head -n 2 errors)"; keep "$what" ;;
  esac
}

keep() {
  ((++failures))
  mkdir -p "$root/.build/campaign"
  cp -r bad.* "$root/.build/campaign/" 2>/dev/null || true
}

for ((i = 0; i < count; i++)); do
  damage iris.h5 bad.h5
  try data train run.yaml --output run --set data.train=bad.h5
  try info data info bad.h5
  damage "$checkpoint" bad.h5
  try checkpoint evaluate bad.h5 --data iris-test.h5
  try initial train run.yaml --output run --init-from bad.h5
  damage run.yaml bad.yaml
  try configuration train bad.yaml --output run --set epochs=1
  rm -rf bad-run
  cp -r good bad-run
  file=$(ls bad-run/*.* bad-run/checkpoints/* | shuf -n 1 --random-source=<(yes "$RANDOM"))
  damage "$file" bad.part
  mv bad.part "$file"
  try run train run.yaml --output bad-run --set epochs=2
done
for key in "${!statuses[@]}"; do echo "$key: ${statuses[$key]}"; done | sort
exit $((failures > 0))
