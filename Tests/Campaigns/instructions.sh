#!/usr/bin/env bash
# usage: Tests/Campaigns/instructions.sh [--write] [CASE…]
#
# Counts the instructions of a training step, library included, for configurations in Tests/Campaigns/steps
# with one and with eight microbatches, and compares them with those in instructions.tsv beside this script: status 1
# if one is larger by more than 2 %. Unlike times, counts repeat on a busy machine, and on any x86-64 CPU with AVX2:
# Valgrind shows programs no AVX-512, and the library is kept from fused multiply-adds, a hundred times slower there.
# Takes seven minutes. --write notes the counts. Environment: PROGRAM, nndist.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
need_program
writes=
if [[ ${1:-} == --write ]]; then writes=1 && shift; fi
(($#)) || set -- playground logistic mlp sigmoid lenet bncnn
need valgrind
noted=$root/Tests/Campaigns/instructions.tsv
export ONEDNN_MAX_CPU_ISA=AVX
# Valgrind cannot read what Swift writes for debuggers.
strip --strip-debug -o "$work/nndist" "$nndist"
step=$(nm "$nndist" | sed -n 's/.* T \(.*BenchStepsC4stepyyKF\)$/\1/p')
[[ -n $step ]] || fail 70 "$nndist: no function for a step"

# The instructions of some steps, and of all that the bench does before.
total() {
  local sample kind number
  read -r sample kind number < <(sed -n '2s/^# samples //p' "$root/Tests/Campaigns/steps/$1.yaml")
  valgrind --tool=callgrind --callgrind-out-file="$work/out" --toggle-collect="$step" \
    "$work/nndist" bench step "$root/Tests/Campaigns/steps/$1.yaml" --samples "$sample" "--$kind" "$number" \
    --no-floor --rounds 1 --steps "$3" --set microbatches="$2" --set run.workers=1 >"$work/line" 2>"$work/errors" \
    || { cat "$work/errors" >&2; exit 1; }
  awk '/^(totals|summary):/ { total = $2 } END { printf "%.0f", total }' "$work/out"
}

count() {
  # What the first step sets up is not always the same; many steps of a small network outweigh it.
  local more=4
  case $1 in
    playground | logistic) more=400 ;;
    lenet | bncnn) more=2 ;;
  esac
  echo $((($(total "$1" "$2" $((1 + more))) - $(total "$1" "$2" 1)) / more))
}

status=0
for name in "$@"; do
  for microbatches in 1 8; do
    found=$(count "$name" $microbatches)
    before=$(awk -v name="$name" -v m=$microbatches '$1 == name && $2 == m { print $3 }' "$noted" 2>/dev/null || true)
    verdict=new
    if [[ -n $before ]]; then
      verdict=$(awk -v a="$before" -v b="$found" 'BEGIN { printf "%+.1f %%", 100 * (b / a - 1) }')
      if ((found * 100 > before * 102)); then
        verdict+=", more than before"
        status=1
      fi
    fi
    printf '%s\t%s\t%s\t%s\n' "$name" $microbatches "$found" "$verdict"
    printf '%s\t%s\t%s\n' "$name" $microbatches "$found" >>"$work/counts"
  done
done
if [[ -n $writes ]]; then
  { cat "$work/counts"; cat "$noted" 2>/dev/null || true; } | awk '!seen[$1 " " $2]++' >"$work/all"
  cp "$work/all" "$noted"
  status=0
fi
exit $status
