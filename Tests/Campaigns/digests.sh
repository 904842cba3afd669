#!/usr/bin/env bash
# usage: Tests/Campaigns/digests.sh [--write FILE] [--compare FILE] [NAME…]
#
# Trains short runs of all configurations in launch/configs and Tests/Campaigns/digests, or of those named, on
# 1 rank with 1 worker, 2 with 1 and 3 with 2, and prints a line for each: name, digest of the last checkpoint,
# digest of the records. Status 0 only if the three agree and, without NAME, the configurations together use every
# layer, initialiser, loss, optimiser, schedule and option of training. --write stores the lines; --compare holds
# them to lines that another program stored on the same machine, because digests depend on the CPU.
# Environment: PROGRAM, nndist. Takes one minute; no data set is needed that is not bundled.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
need_program

stored='' expected='' names=()
while (($#)); do
  case $1 in
    --write) stored=${2:?no FILE after --write} && shift ;;
    --compare) expected=${2:?no FILE after --compare} && shift ;;
    -*) usage 64 >&2 ;;
    *) names+=("$1") ;;
  esac
  shift
done
[[ -z $expected || -r $expected ]] || fail 66 "$expected cannot be read"
is_whole=false
if ((${#names[@]} == 0)); then
  is_whole=true
  for path in "$root"/launch/configs/*.yaml "$root"/Tests/Campaigns/digests/*.yaml; do
    name=${path##*/}
    names+=("${name%.yaml}")
  done
fi

# path_of NAME: the configuration.
path_of() {
  local path
  for path in "$root"/{launch/configs,Tests/Campaigns/digests}/"$1.yaml"; do
    [[ ! -r $path ]] || { echo "$path" && return; }
  done
  fail 66 "no configuration '$1' in launch/configs or Tests/Campaigns/digests"
}

# random SHAPE CLASSES ROWS: makes random samples, once, and prints the path of the file.
random() {
  local file=$work/synthetic-$1.h5
  [[ -e $file ]] || "$nndist" data synthetic "$file" --samples "$1" --classes "$2" --rows "$3" >"$work/log"
  echo "$file"
}

# options_of NAME: sets `options` to what makes a run short, and gives it data that are not bundled.
options_of() {
  options=()
  [[ $path != */launch/* ]] || options=(--set checkpoint.every=never)
  case $1 in
    alexnet) options+=(--set data.train="$(random 3,224,224 1000 8)" --set batch_size=4) ;;
    fashion-*)
      local file
      file=$(random 1,28,28 10 384)
      options+=(--set data.train="$file" --set data.test="$file" --set epochs=1)
      ;;
    lamb) options+=(--set data.train="$(random 6 2 384)") ;;
    *) [[ $path != */launch/* ]] || options+=(--set epochs=2) ;;
  esac
}

# train NAME RANKS WORKERS: prints the digests of the run.
train() {
  local run=$work/run status=0 options
  options_of "$1"
  local command=("$nndist" train "$path" --output "$run" --set run.workers="$3" "${options[@]}")
  (($2 == 1)) || command=("$root/launch/mpirun" -n "$2" "${command[@]}")
  rm -rf "$run"
  "${command[@]}" >"$work/log" 2>&1 || status=$?
  ((status == 0)) || { cat "$work/log" >&2 && fail "$status" "$1 on $2 ranks"; }
  echo "$(digest "$run") $(records "$run")"
}

status=0
wrong() {
  echo "$*" >&2
  status=1
}
for name in "${names[@]}"; do
  path=$(path_of "$name")
  if [[ $name == bf16 ]] && ! grep -qw -m 1 'avx512_bf16\|amx_bf16' /proc/cpuinfo; then
    echo "$name left out: the CPU has no products of bfloat16" | tee -a "$work/lines"
    continue
  fi
  answer=$(train "$name" 1 1)
  for hands in 2x1 3x2; do
    found=$(train "$name" "${hands%x*}" "${hands#*x}")
    [[ $found == "$answer" ]] || wrong "$name on $hands: $found, on 1x1: $answer"
  done
  echo "$name $answer" >>"$work/lines"
  read -r digest records <<<"$answer"
  printf '%-20s %s %s\n' "$name" "${digest::16}" "${records::16}"
  [[ -n $expected ]] || continue
  read -r _ old_digest old_records < <(grep "^$name " "$expected" || echo "$name none none")
  [[ $old_digest == "$digest" ]] || wrong "$name: digest differs from ${old_digest::16} in $expected"
  [[ $old_records == "$records" ]] || wrong "$name: records differ from ${old_records::16} in $expected"
done

# The keys that `nndist config` lists, and those that configurations set to another value than the default.
if $is_whole; then
  for name in "${names[@]}"; do "$nndist" config "$(path_of "$name")"; done >"$work/resolved"
  "$nndist" config | awk -f "$root/Tests/Campaigns/digests/coverage.awk" "$work/resolved" - || status=1
fi
[[ -z $stored ]] || cp "$work/lines" "$stored"
exit $status
