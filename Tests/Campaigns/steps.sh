#!/usr/bin/env bash
# usage: Tests/Campaigns/steps.sh [CASE…]
#
# Times the training steps of every configuration in Tests/Campaigns/steps, or of those named, with 1, 8, 16
# and 64 microbatches, as far as there are rows, on one core: a line of JSON each, then the table of the README.
# The second line of a configuration gives the extents of a sample and the classes or responses; no data is
# read. Takes ten minutes. Environment: PROGRAM, nndist; CORE, the core to run on (0).
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
need_program
(($#)) || set -- playground logistic mlp sigmoid wide lenet bncnn alexnet
lines=$work/lines
for name in "$@"; do
  path=$root/Tests/Campaigns/steps/$name.yaml
  [[ -r $path ]] || fail 64 "no case '$name' in ${path%/*}"
  read -r samples kind count < <(sed -n '2s/^# samples //p' "$path")
  rows=$(sed -n 's/^batch_size: //p' "$path")
  for microbatches in 1 8 16 64; do
    ((microbatches <= rows)) || continue
    taskset -c "${CORE:-0}" "$nndist" bench step "$path" --samples "$samples" "--$kind" "$count" \
      --set microbatches=$microbatches --set run.workers=1 | tee -a "$lines"
  done
done

# Three digits are more than such a machine gives.
short() { LC_ALL=C awk -v value="$(field "$1")" 'BEGIN { printf value < 100 ? "%.3g" : "%.0f", value }'; }
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p" <<<"$line"; }
echo
echo "| Case, rows of a step | Microbatches | Floor | Step | Ratio | Peak memory |"
echo "|---|---|---|---|---|---|"
while read -r line; do
  echo "| $(field case), $(field batch) | $(field microbatches) | $(short floor_ms) ms | $(short step_ms) ms |" \
    "$(short ratio) | $(short peak_megabytes) MB |"
done <"$lines"
