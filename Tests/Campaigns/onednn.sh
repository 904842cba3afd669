#!/usr/bin/env bash
# usage: Tests/Campaigns/onednn.sh FOLDER
#
# Builds the tests with the oneDNN in FOLDER, which has include and lib, apart from all other builds, and runs those
# of everything that calls it. Status 0 only if they pass. A build of oneDNN 3 in a folder of its own:
#
#   python3 -m pip install --no-deps --prefix FOLDER onednn-cpu-gomp onednn-devel-cpu-gomp
#
# Takes some minutes the first time. Environment: SCRATCH, the folder of the build (.build/onednn).
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
folder=$(realpath -e "${1:?no FOLDER}")
[[ -r $folder/include/dnnl.h && -e $folder/lib/libdnnl.so ]] || fail 66 "no oneDNN in $folder"
scratch=${SCRATCH:-$root/.build/onednn}
# The linker takes the first library of a name, and the folders that packages name come before those of options:
# so each package names ours first.
for package in ompi-c hdf5 libcrypto zlib; do
  printf '%s\n' "Name: $package" "Description: after $folder" 'Version: 1' \
    "Cflags: $(pkg-config --cflags "$package")" \
    "Libs: -L$folder/lib $(pkg-config --libs "$package")" >"$work/$package.pc"
done
CPATH=$folder/include PKG_CONFIG_PATH=$work swift build --package-path "$root" \
  --scratch-path "$scratch" -c release --build-tests
export LD_LIBRARY_PATH=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
"$scratch/release/nndistPackageTests.xctest" --testing-library swift-testing \
  --filter 'OneDNNTests|KernelsTests|CPUBackendTests'
