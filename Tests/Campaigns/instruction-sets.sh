#!/usr/bin/env bash
# usage: Tests/Campaigns/instruction-sets.sh [FOLDER]
#
# Checks the objects of a release build (FOLDER, .build/release by default): no function that is built for a
# larger instruction set has a name that the linker could take for that of another module, none of them fuses
# a product and a sum, and the modules for all CPUs hold no larger vectors. Status 0 only if all of it holds.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
folder=${1:-$root/.build/release}
status=0
for module in KernelsAVX2 KernelsAVX512; do
  objects=("$folder/$module.build"/*.o)
  [[ -e ${objects[0]} ]] || { echo "no objects of $module in $folder" >&2; exit 66; }
  shared=$(nm --defined-only "${objects[@]}" | awk '$2 ~ /[Ww]/ { print $3 }' | grep -v "$module" || true)
  if [[ -n $shared ]]; then
    echo "$module: functions that other modules may have under the same name:"$'\n'"$shared"
    status=1
  fi
  fused=$(objdump -d --no-show-raw-insn "${objects[@]}" | grep -cE '\svfn?m(add|sub)' || true)
  [[ $fused == 0 ]] || { echo "$module: $fused fused products and sums" && status=1; }
done
for module in KernelsBaseline Kernels Numerics Execution; do
  wide=$(objdump -d --no-show-raw-insn "$folder/$module.build"/*.o | grep -cE '%[yz]mm' || true)
  [[ $wide == 0 ]] || { echo "$module: $wide instructions of larger vectors" && status=1; }
done
exit $status
