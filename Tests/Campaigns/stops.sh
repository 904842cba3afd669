#!/usr/bin/env bash
# usage: Tests/Campaigns/stops.sh [STOPS]
#
# Stops a run whose steps are products for the most part STOPS times (300) at random moments, on a machine that is
# busy otherwise, each time by a random signal: alone and under launch/mpirun with 2 ranks; then under plain mpirun, a
# tenth as often. Each stop is to end with status 75, under plain mpirun by SIGTERM or SIGINT with a run that says it is
# stopped, and all that go on in the digest of a run that was left alone. Then trains under timers of 1 kHz whose
# handlers are not ours, and multiplies under one of 5 kHz for a minute, which is to change no bit. Status 0 if all is so. SEED=n repeats a campaign.
set -euo pipefail
# Else SIGINT would be ignored in all that is started in the background.
set -m
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
need_program
stops=${1:-300}
use_seed
ulimit -c 0
busy=()
clean_up() { kill "${busy[@]}" 2>/dev/null || true; }
cd "$work"
cat >run.yaml <<YAML
data: { train: $root/datasets/digits.h5 }
model: [affine: 384, relu, affine: 384, relu, affine: 10]
optimizer: { sgd: 0.01 }
batch_size: 72
microbatches: 8
epochs: 2000000
evaluation: never
checkpoint: never
YAML
steps_per_epoch=21
for ((i = 0; i < $(nproc); i++)); do
  (while :; do :; done) &
  busy+=($!)
done
failures=0
wrong() {
  echo "$*"
  ((++failures))
}
plain=(mpirun --oversubscribe -n 2)
if [[ $(id -u) == 0 ]]; then plain+=(--allow-run-as-root); fi
last_step() { last_checkpoint "$1" 2>/dev/null | sed 's/.*step-0*//; s/\.h5$//'; }
state() { grep -o '"state": *"[a-z]*"' run/status.json | cut -d'"' -f4; }
# Waits until a process takes SIGTERM, by a trap or a thread that waits for it; no longer this script, which does too.
wait_for() {
  while kill -0 "$1" 2>/dev/null; do
    grep -qz run.yaml "/proc/$1/cmdline" 2>/dev/null && awk '/^Sig(Blk|Cgt):/ { if (index("4567cdef", substr($2, length($2) - 3, 1))) found = 1 }
      END { exit !found }' "/proc/$1/status" 2>/dev/null && return
    sleep 0.01
  done
}
# stop NAME COUNT "SIGNALS" "STATUSES" FROM COMMAND…: FROM is begin, or steps for moments after the first of them.
stop() {
  local name=$1 count=$2 statuses=$4 from=$5 i status job before
  local -a signals
  read -ra signals <<<"$3"
  shift 5
  rm -rf run whole
  before=0
  for ((i = 1; i <= count; i++)); do
    local signal=${signals[RANDOM % ${#signals[@]}]}
    "$@" "$nndist" train run.yaml --output run >log 2>errors &
    job=$!
    wait_for "$job"
    if [[ $from == steps ]]; then
      until grep -q 'goes on from\|writes to' log || ! kill -0 "$job" 2>/dev/null; do sleep 0.02; done
    fi
    sleep "$((RANDOM % 2)).$((RANDOM % 1000))"
    kill -"$signal" "$job" 2>/dev/null || wrong "$name, stop $i: had ended"
    status=0
    wait "$job" || status=$?
    [[ " $statuses " == *" $status "* ]] || { wrong "$name, stop $i by $signal: status $status"; cat log errors; }
    [[ $(state) == stopped ]] || wrong "$name, stop $i by $signal: $(state)"
    local after
    after=$(last_step run)
    if ((${after:-0} <= before)); then wrong "$name, stop $i by $signal: no new checkpoint"; fi
    before=$after
  done
  local epochs=$((before / steps_per_epoch + 1))
  "$nndist" train run.yaml --output run --set epochs=$epochs >log 2>&1 || wrong "$name: status $? to the end"
  "$nndist" train run.yaml --output whole --set epochs=$epochs >log 2>&1 || wrong "$name: status $? of the whole"
  [[ $(digest run) == "$(digest whole)" ]] || wrong "$name: digest differs"
  echo "$name: $count stops, step $(last_step run)"
}
stop alone "$stops" 'INT TERM HUP USR1 USR2' 75 begin env
stop launch/mpirun "$stops" 'INT TERM HUP USR1 USR2' 75 begin "$root/launch/mpirun" -n 2
stop 'mpirun, USR1 and USR2' $(((stops + 9) / 10)) 'USR1 USR2' 75 steps "${plain[@]}"
# What mpirun says of a job it was told to end is not ours.
stop 'mpirun, TERM and INT' $(((stops + 9) / 10)) 'TERM INT' "$(seq -s ' ' 1 255)" steps "${plain[@]}"

kill "${busy[@]}"
cc -O1 -shared -fPIC -o timers.so "$root/Tests/Campaigns/timers.c" -ldl -lpthread
for model in 'model=[affine: 384, relu, affine: 384, relu, affine: 10]' \
  'model=[conv2d: {channels: 16, kernel: 3}, relu, conv2d: {channels: 9, kernel: 3, stride: 2}, relu, affine: 10]'; do
  rm -rf whole
  "$nndist" train run.yaml --output whole --set epochs=40 --set "$model" --set run.workers=2 >log
  expected=$(digest whole)
  for timers in process threads; do
    rm -rf run
    TIMERS=$timers TIMERS_LOG=$work/counts LD_PRELOAD=$work/timers.so \
      "$nndist" train run.yaml --output run --set epochs=40 --set "$model" --set run.workers=2 >log ||
      wrong "timers of the $timers: status $?"
    [[ $(digest run) == "$expected" ]] || wrong "timers of the $timers: digest differs"
    echo "timers of the $timers: $(tail -n 1 counts)"
  done
done
grep -q '^[1-9][0-9]* on an alternate' counts || wrong 'no handler ran on an alternate stack'
cc -O1 -o products "$root/Tests/Campaigns/products.c" -ldnnl -lpthread
for isa in AVX2 ALL; do
  OMP_NUM_THREADS=1 ONEDNN_MAX_CPU_ISA=$isa ./products 60 || wrong "products of $isa: status $?"
done
exit $((failures > 0))
