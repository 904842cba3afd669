#!/usr/bin/env bash
# usage: Tests/Campaigns/derivatives.sh [COUNT [FIRST]]
#
# Checks the derivatives, first and second, of COUNT random models of images (200, numbered from FIRST, 1): convolutions,
# poolings, normalisations, curves, sums and affine layers over the bundled digits. Status 0 only if `nndist check`
# agrees with all of them. Takes some minutes; the configurations of those that differ are printed.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
need_program
count=${1:-200}
first=${2:-1}

pick() { local -a words=("$@"); echo "${words[RANDOM % ${#words[@]}]}"; }

curve() {
  pick relu relu relu tanh sigmoid elu 'elu: 0.5' softplus gelu silu 'leaky_relu: 0.1' hard_sigmoid hard_swish
}

model() {
  local depth=$((2 + RANDOM % 4)) layer
  for ((layer = 0; layer < depth; layer++)); do
    case $((RANDOM % 8)) in
      0 | 1 | 2) echo "  - conv2d: { channels: $(pick 2 4 6 8), kernel: $(pick 2 3), padding: 1 }" ;;
      3) echo "  - conv2d: { channels: $(pick 4 8), kernel: 3, padding: 1, stride: $(pick 1 2) }" ;;
      4) echo "  - conv_transpose2d: { channels: $(pick 2 4), kernel: 3, padding: 1 }" ;;
      5) echo "  - $(pick 'max_pool2d: { kernel: 2, stride: 1 }' 'avg_pool2d: { kernel: 2, stride: 1 }')" ;;
      6) echo "  - conv2d: { channels: $(pick 4 6), kernel: 1, bias: false }" ;;
      7) echo "  - $(pick 'local_response_norm: { size: 3, alpha: 0.5, k: 2 }' rms_norm)" ;;
    esac
    ((RANDOM % 2)) && echo "  - $(pick batch_norm batch_norm layer_norm instance_norm)"
    ((RANDOM % 4)) && echo "  - $(curve)"
  done
  ((RANDOM % 3)) || echo "  - global_avg_pool"
  if ((RANDOM % 2)); then
    echo "  - affine: $(pick 8 16 32)"
    ((RANDOM % 2)) && echo "  - batch_norm"
    echo "  - $(curve)"
  fi
  echo "  - affine: 10"
}

wrong=0
for ((number = first; number < first + count; number++)); do
  RANDOM=$number
  configuration=$work/$number.yaml
  {
    printf 'data:\n  train: %s/datasets/digits.h5\n' "$root"
    printf 'model:\n'
    model
    printf 'loss: %s\n' \
      "$(pick softmax_cross_entropy '{ softmax_cross_entropy: { label_smoothing: 0.1 } }')"
    printf 'seed: %d\n' "$number"
  } >"$configuration"
  if ! "$nndist" check "$configuration" --budget 60 --rows 3 >"$work/out.txt" 2>&1 ||
    grep -q -e -nan "$work/out.txt"; then
    echo "model $number:"
    cat "$configuration" "$work/out.txt"
    wrong=$((wrong + 1))
  fi
done
echo "$((count - wrong)) of $count models agree"
((wrong == 0))
