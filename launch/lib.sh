# Shared by the scripts of this folder and the campaigns, which source it: what must be installed, and where Swift is.

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
script=$(realpath --relative-to="$root" "$0")
if [[ -z ${HOME:-} ]]; then
  HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
  export HOME
fi

usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  exit "$1"
}

fail() {
  echo "$script: $2" >&2
  exit "$1"
}

# Shows a command, then runs it.
step() {
  echo "+ $*"
  "$@"
}

# swift_alone COMMAND…: runs `swift COMMAND…` with a folder for temporary files that goes when it ends, because
# SwiftPM leaves dozens of empty ones behind each time, and its locks. Tests that leave anything else are wrong.
swift_alone() (
  TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/nndist.XXXXXX")
  export TMPDIR
  trap 'rm -rf "$TMPDIR"' EXIT
  step swift "$@" </dev/null || exit
  [[ $1 == test ]] || exit 0
  left=$(find "$TMPDIR" -mindepth 1 -maxdepth 1 ! -name 'TemporaryDirectory.*' \
    ! -name '*.lock' -printf '%f ')
  [[ -z $left ]] || fail 70 "tests left temporary files behind: $left"
)

# Prints the packages that are missing, by what they are needed for: a library built by hand counts.
missing_packages() {
  local pkg_config=pkg-config
  command -v pkg-config >/dev/null || { echo pkg-config && pkg_config=false; }
  command -v git >/dev/null || echo git
  compgen -G '/usr/lib/gcc/*/*/libstdc++.so' >/dev/null || echo g++
  $pkg_config --exists ompi-c || echo libopenmpi-dev
  [[ $( (mpirun.openmpi --version || mpirun --version) 2>/dev/null) =~ "Open MPI"|OpenRTE ]] ||
    echo openmpi-bin
  $pkg_config --exists hdf5 || echo libhdf5-dev
  $pkg_config --exists libcrypto || echo libssl-dev
  $pkg_config --exists zlib || echo zlib1g-dev
  [[ -e /usr/include/dnnl.h || -e /usr/local/include/dnnl.h ]] || echo libdnnl-dev
  [[ ${1:-} == tests ]] || return 0
  command -v h5dump >/dev/null || echo hdf5-tools
  command -v dot >/dev/null || echo graphviz
  command -v rsvg-convert >/dev/null || echo librsvg2-bin
}

# install_packages NAME…: by apt, as root or by sudo; with neither says what to run.
install_packages() {
  local command="apt-get install -y --no-install-recommends $*"
  command -v apt-get >/dev/null ||
    fail 69 "missing, under Debian's names: $*; install them and run this again"
  local sudo=()
  if [[ $(id -u) != 0 ]]; then
    # Only a terminal can be asked for a password.
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 && -t 2 ]]; }; then
      sudo=(sudo)
    else
      fail 69 "missing: $*; as root run: $command"
    fi
  fi
  echo "+ ${sudo[*]} $command"
  local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
  # Lists that cannot be renewed may still do.
  "${apt[@]}" update </dev/null || true
  "${apt[@]}" install -y --no-install-recommends "$@" </dev/null ||
    fail 69 "could not install: $*; as root run: $command"
}

# install_missing [tests]: installs what building, or building and testing, needs.
install_missing() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

minimum_swift=6.1

# at_least VERSION MINIMUM
at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]; }

# Puts Swift into PATH.
find_swift() {
  local directory version found=
  local directories=()
  directory=$(command -v swift) && directories+=("$(dirname "$directory")")
  directories+=(/opt/swift/usr/bin "$HOME/.local/share/swiftly/bin" /usr/local/swift/usr/bin)
  directories+=(/usr/share/swift/usr/bin /usr/libexec/swift/*/bin /usr/libexec/swift/bin)
  directories+=("$HOME"/swift-*/usr/bin /opt/swift-*/usr/bin)
  for directory in "${directories[@]}"; do
    [[ -x $directory/swift ]] || continue
    # OpenStack has a `swift` too.
    version=$("$directory/swift" --version 2>/dev/null </dev/null |
      sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1) || true
    [[ -n $version ]] || continue
    if at_least "$version" "$minimum_swift"; then
      PATH=$directory:$PATH
      return
    fi
    found+="${found:+, }$version in $directory"
  done
  version=$(apt-cache policy swiftlang 2>/dev/null | sed -n 's/.*Candidate: \([0-9][0-9.]*\).*/\1/p')
  if [[ -n $version ]] && at_least "$version" "$minimum_swift" && [[ -z ${swift_was_installed:-} ]]; then
    install_packages swiftlang
    swift_was_installed=true
    find_swift
    return
  fi
  fail 69 "Swift $minimum_swift or later is needed, found ${found:-none}; install it from https://www.swift.org/install/linux or unpack it to /opt/swift"
}

# Prints the number of cores this job may keep busy: allowed, physical, and within a container's quota.
core_count() {
  local cores physical quota=max period=1
  cores=$(nproc)
  physical=$(lscpu -p=CPU,CORE,SOCKET 2>/dev/null | awk -F, -v list="$(allowed_cores)" '
    BEGIN { n = split(list, part, ","); for (i = 1; i <= n; i++) { m = split(part[i], end, "-");
      for (c = end[1]; c <= end[m] + 0; c++) allowed[c + 0] = 1 } }
    !/^#/ && allowed[$1 + 0] && !seen[$2, $3]++ { count++ } END { print count + 0 }') || physical=0
  ((physical == 0 || physical >= cores)) || cores=$physical
  if [[ -r /sys/fs/cgroup/cpu.max ]]; then read -r quota period </sys/fs/cgroup/cpu.max || true; fi
  if [[ $quota != max ]] && (((quota + period - 1) / period < cores)); then
    cores=$(((quota + period - 1) / period))
  fi
  echo "$cores"
}

allowed_cores() { sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status; }
