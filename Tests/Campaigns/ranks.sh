#!/usr/bin/env bash
# usage: Tests/Campaigns/ranks.sh [CONFIG.yaml [nndist's options…]]
#
# Trains one epoch on 1, 2, 3, 4, 5 and 8 ranks and with 1, 2 and 3 workers, and compares the digests of
# the last checkpoints and all records but those of time. Default: Fashion-MNIST. Takes some minutes.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
need_program
configuration=${1:-$root/launch/configs/fashion-mlp.yaml}
shift || true
declare -A answers=()
for hands in 1x1 1x2 1x3 2x1 2x2 3x1 4x1 5x1 5x2 8x1; do
  run=$work/$hands
  "$root/launch/mpirun" -n "${hands%x*}" "$nndist" train "$configuration" \
    --set epochs=1 --set run.workers="${hands#*x}" --output "$run" "$@" >"$run.txt" 2>&1 ||
    { cat "$run.txt"; exit 1; }
  answer="$(digest "$run")  $(records "$run")"
  echo "$hands  $answer"
  answers[$answer]=1
done
((${#answers[@]} == 1)) || { echo "${#answers[@]} answers, expected one"; exit 1; }
echo "one answer"
