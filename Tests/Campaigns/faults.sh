#!/usr/bin/env bash
# usage: Tests/Campaigns/faults.sh [CALL…]
#
# Lets every call of a short run that concerns its files fail, one at a time: of a new run, without and with a folder
# for it, of one that goes on, and of one that starts over. CALL limits it to some calls, such as openat. Status 0 if each time the program ends
# by itself, with one line and a status of ours, leaves no temporary file, a status to go on from and the files of
# others as they were, and the same command then ends in the digest of the undisturbed run. Status 69 without strace.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
need_program
need strace
declare -A errors=(
  [openat]="EIO EMFILE" [mkdir]=ENOSPC [mkdirat]=ENOSPC [write]="ENOSPC EIO" [fsync]=EIO [close]=EIO
  [rename]=EIO [renameat]=EIO [unlinkat]=EIO [ftruncate]=EIO [flock]="EIO ENOLCK" [read]=EIO [pread64]=EIO
  [getdents64]=EIO [newfstatat]=EIO [fstat]=EIO [statx]=EIO
)
calls=("$@")
((${#calls[@]})) || calls=("${!errors[@]}")
for call in "${calls[@]}"; do
  [[ ${errors[$call]:-} ]] || fail 64 "unknown call '$call', expected one of ${!errors[*]}"
done
list=$(IFS=,; echo "${calls[*]}")

mkdir "$work/place" "$work/logs"
cd "$work/place"
iris_run 2
cat >>run.yaml <<'YAML'
checkpoint: { every: 3, keep: 1 }
run: { workers: 1 }
YAML
train=("$nndist" train run.yaml --output "$PWD/run")
temporaries() { find . -name '.*.partial'; }
others() {
  local ours=(iris.h5 iris-test.h5 run.yaml)
  [[ $1 == bare ]] || ours+=(run/notes.txt run/checkpoints/mine.h5)
  sha256sum "${ours[@]}"
}

# prepare SCENARIO: the folder as it is before the command.
prepare() {
  rm -rf run
  case $1 in
    bare) return ;;
    new) mkdir -p run/checkpoints ;;
    *) cp -r ../half run ;;
  esac
  echo notes >run/notes.txt
  echo mine >run/checkpoints/mine.h5
}

"${train[@]}" --set epochs=1 >/dev/null
mv run ../half
"${train[@]}" >/dev/null
expected=$(digest run)
failures=0
count=0
declare -A statuses=()

# try SCENARIO CALL ERROR NUMBER LINE OPTION…
try() {
  local scenario=$1 call=$2 error=$3 number=$4 line=$5 status=0 again=0 faults=() state
  shift 5
  prepare "$scenario"
  timeout -s KILL 60 strace -f -qq -o "$work/logs/trace" -e "trace=$call" \
    -e "inject=$call:error=$error:when=$number" "${train[@]}" "$@" \
    >"$work/logs/output" 2>"$work/logs/errors" || status=$?
  statuses[$status]=$((${statuses[$status]:-0} + 1))
  grep -q INJECTED "$work/logs/trace" || faults+=("nothing was injected")
  case $status in
    0) ;;
    65 | 74 | 78)
      (($(wc -l <"$work/logs/errors") == 1)) || faults+=("not one line")
      # What the run itself reads and writes is no bad input; libhdf5 opens and reads in its own ways.
      [[ $status == 74 || $line != *place/run/* || $line == *step-*.h5* ]] || faults+=("status $status")
      ;;
    *) faults+=("status $status") ;;
  esac
  [[ $call == unlinkat || -z $(temporaries) ]] || faults+=("left $(temporaries | xargs)")
  if [[ -e run/status.json ]]; then
    state=$(sed -n 's/.*"state": "\(.*\)",/\1/p' run/status.json)
    [[ $state == stopped || $state == finished ]] || faults+=("state '$state'")
  fi
  "${train[@]}" "$@" >"$work/logs/again" 2>&1 || again=$?
  ((again == 0)) || faults+=("then status $again: $(tail -n 1 "$work/logs/again")")
  ((again != 0)) || [[ $(digest run) == "$expected" ]] || faults+=("another digest")
  [[ -z $(temporaries) ]] || faults+=("then left $(temporaries | xargs)")
  [[ $(others "$scenario") == "$untouched" ]] || faults+=("files of others changed")
  count=$((count + 1))
  ((${#faults[@]} == 0)) && return
  failures=$((failures + 1))
  printf '%s: %s %s: %s\n' "$scenario" "$error" "$line" "$(IFS=';'; echo "${faults[*]}")"
  sed 's/^/    /' "$work/logs/errors" | head -n 3
}

for scenario in bare new resumed fresh; do
  options=()
  [[ $scenario != fresh ]] || options=(--fresh)
  prepare "$scenario"
  untouched=$(others "$scenario")
  strace -f -y -qq -o "$work/logs/calls" -e "trace=$list" "${train[@]}" "${options[@]}" >/dev/null
  # Every call that names our files, with its number among the calls of that name of its thread: strace counts so.
  # Not the closing of what was read: libhdf5 1.10 does not survive it when it fails.
  awk -v place="$PWD" '{
    name = $2; sub(/\(.*/, "", name)
    if ($2 !~ /^[a-z0-9_]+\(/) next
    number = ++seen[$1, name]
    if (name == "close" && /\.h5>/) next
    if (index($0, place "/")) { sub(/^[0-9]+ +/, ""); print name "\t" number "\t" $0 }
  }' "$work/logs/calls" >"$work/logs/plan"
  while IFS=$'\t' read -r call number line <&3; do
    for error in ${errors[$call]}; do try "$scenario" "$call" "$error" "$number" "${line:0:150}" "${options[@]}"; done
  done 3<"$work/logs/plan"
done
echo "$count faults; statuses: $(for s in "${!statuses[@]}"; do echo -n "$s: ${statuses[$s]}  "; done)"
echo "$failures failures"
((failures == 0))
