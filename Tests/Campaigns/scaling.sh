#!/usr/bin/env bash
# usage: Tests/Campaigns/scaling.sh
#
# Prints what several ranks of one host cost, as lines of JSON: steps in exact order beside steps in the
# free order of MPI_Allreduce on 1, 2, 4 and 8 ranks; two ranks with twice the rows beside one; and the sum
# of 2 MB and 150 MB beside every algorithm of MPI_Allreduce. Takes some minutes; the machine should be idle.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
need_program
step() {
  local ranks=$1 name=$2 batch=$3 microbatches=$4
  shift 4
  local model samples classes
  case $name in
    logistic) model='[{affine: 10}]' samples=784 classes=10 ;;
    mlp) model='[{affine: 512},relu,{affine: 256},relu,{affine: 10}]' samples=784 classes=10 ;;
    wide) model='[{affine: 4096},relu,{affine: 4096},relu,{affine: 1000}]' samples=4096 classes=1000 ;;
  esac
  "$root/launch/mpirun" -n "$ranks" "$nndist" bench step "$root/launch/configs/fashion-mlp.yaml" --name "$name" \
    --samples "$samples" --classes "$classes" --set "model=$model" --set optimizer=sgd \
    --set batch_size="$batch" --set microbatches="$microbatches" --set run.workers=1 "$@"
}
for name in logistic mlp wide; do
  for ranks in 1 2 4 8; do step "$ranks" "$name" 256 "$ranks" --free-order; done
done
for name in mlp wide; do
  step 1 "$name" 128 1
  step 2 "$name" 256 2
done
step 2 mlp 256 8
step 8 mlp 256 8
for megabytes in 2 150; do
  for ranks in 2 4; do
    for algorithm in 0 1 2 3 4 5 6; do
      echo -n "algorithm $algorithm "
      OMPI_MCA_coll_tuned_use_dynamic_rules=1 OMPI_MCA_coll_tuned_allreduce_algorithm=$algorithm \
        "$root/launch/mpirun" -n "$ranks" "$nndist" bench reduction --megabytes "$megabytes"
    done
  done
done
