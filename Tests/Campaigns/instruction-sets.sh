#!/usr/bin/env bash
# usage: Tests/Campaigns/instruction-sets.sh [FOLDER]
#
# Checks the objects of a release build (FOLDER, .build/release by default): what is built for a larger
# instruction set is seen by the linker as one table alone, none of it fuses a product and a sum, and what is
# built for all CPUs holds no larger vectors. Status 0 only if all of it holds.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
folder=${1:-$root/.build/release}
status=0
for set in AVX2 AVX512; do
  object=$folder/CElements.build/$set.c.o
  [[ -e $object ]] || fail 66 "no $object"
  seen=$(nm --defined-only --extern-only "$object" | awk '{ print $3 }')
  [[ $seen == "celements_${set,,}" ]] || { echo "$set: the linker sees $seen" && status=1; }
  fused=$(objdump -d --no-show-raw-insn "$object" | grep -cE '\svfn?m(add|sub)' || true)
  [[ $fused == 0 ]] || { echo "$set: $fused fused products and sums" && status=1; }
done
for objects in CElements.build/Baseline.c.o CProducts.build/{Baseline,CProducts,Convolutions}.c.o Kernels.build/*.o Numerics.build/*.o Execution.build/*.o; do
  for object in "$folder"/$objects; do
    wide=$(objdump -d --no-show-raw-insn "$object" | grep -cE '%[yz]mm' || true)
    [[ $wide == 0 ]] || { echo "${object#"$folder/"}: $wide instructions of larger vectors" && status=1; }
  done
done
exit $status
