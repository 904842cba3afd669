# Shared by the campaigns, which source it: the package, the program, a folder for files, and digests of runs.

source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../launch/lib.sh"
[[ ${1:-} != -h && ${1:-} != --help ]] || usage 0

nndist=$(realpath -m "${PROGRAM:-$root/.build/release/nndist}")

# Ends the campaign where there is no program to test.
need_program() {
  [[ -x $nndist ]] || fail 69 "$nndist is not built; run: launch/train --build-only, or set PROGRAM"
}

# need COMMAND [PACKAGE]: ends the campaign without a command.
need() {
  command -v "$1" >/dev/null || fail 69 "$1 is not installed; run: apt-get install ${2:-$1}"
}

# Makes random numbers those of SEED, or of a new seed, which it prints.
use_seed() {
  RANDOM=${SEED:=$RANDOM}
  echo "SEED=$SEED"
}

# A campaign that leaves more than files behind has a clean_up of its own.
clean_up() { :; }
work=$(mktemp -d "${TMPDIR:-/tmp}/nndist-campaign.XXXXXX")
trap 'clean_up; rm -rf "$work"' EXIT

# The file of the last checkpoint of a run, its digest, and that of all records but those of time.
last_checkpoint() { find "$1/checkpoints" -name 'step-*.h5' | sort | tail -n 1; }
digest() { "$nndist" checkpoint digest "$(last_checkpoint "$1")"; }
records() { grep -v '"kind":"timing"' "$1/metrics.jsonl" | sha256sum | cut -c 1-64; }

# iris_run EPOCHS: puts the flowers and a configuration that trains on them in a blink into the current folder.
iris_run() {
  cp "$root/datasets/iris.h5" "$root/datasets/iris-test.h5" .
  cat >run.yaml <<YAML
data: { train: iris.h5, test: iris-test.h5 }
model: [affine: 8, relu, affine: 3]
optimizer: { sgd: { learning_rate: 0.1, momentum: 0.9 } }
batch_size: 21
microbatches: 6
epochs: $1
YAML
}
