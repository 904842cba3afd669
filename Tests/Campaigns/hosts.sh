#!/usr/bin/env bash
# usage: Tests/Campaigns/hosts.sh [MBIT_PER_SECOND]
#
# Lets this machine play four hosts: network namespaces with names of their own, joined by a bridge whose
# links carry 1000 Mbit/s or what is given. Trains on 1 to 4 hosts with 1 and 2 ranks each, also stopping
# and going on with other hosts, compares all digests, loses a rank, and prints what a sum over four hosts
# costs. As root, with iproute2; leaves nothing behind. Takes a few minutes.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
need_program
rate=${1:-1000}
prefix=nn$$
clean_up() {
  for i in 0 1 2 3; do ip netns del "$prefix-$i" 2>/dev/null || true; done
  ip link del "$prefix" 2>/dev/null || true
}

ip link add "$prefix" type bridge
ip link set "$prefix" up
for i in 0 1 2 3; do
  ip netns add "$prefix-$i"
  ip link add "$prefix.$i" type veth peer name eth0 netns "$prefix-$i"
  ip link set "$prefix.$i" master "$prefix" up
  ip -n "$prefix-$i" addr add "10.77.0.$((i + 1))/24" dev eth0
  ip -n "$prefix-$i" link set eth0 up
  ip -n "$prefix-$i" link set lo up
  tc qdisc add dev "$prefix.$i" root tbf rate "${rate}mbit" burst 128kb latency 100ms
  ip netns exec "$prefix-$i" tc qdisc add dev eth0 root tbf rate "${rate}mbit" burst 128kb latency 100ms
done

# mpirun starts its daemons by this in place of ssh.
cat >"$work/agent" <<AGENT
#!/usr/bin/env bash
host=\$1
shift
exec ip netns exec "$prefix-\${host#host}" unshare --uts sh -c 'hostname "\$0"; shift 0; exec sh -c "\$*"' "\$host" "\$@"
AGENT
chmod +x "$work/agent"

# on HOSTS RANKS_PER_HOST COMMAND…
on() {
  local count=$1 ranks=$2 list=
  shift 2
  for ((i = 0; i < count; i++)); do list+=${list:+,}host$i:$ranks; done
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 ip netns exec "$prefix-0" \
    unshare --uts sh -c 'hostname host0; exec "$@"' sh \
    mpirun --host "$list" -n $((count * ranks)) --oversubscribe --bind-to none \
    --mca plm_rsh_agent "$work/agent" --mca btl vader,tcp,self --mca btl_tcp_if_include eth0 \
    --mca oob_tcp_if_include eth0 --mca orte_keep_fqdn_hostnames 1 \
    -x OMPI_MCA_mpi_yield_when_idle=1 "$@"
}

cat >"$work/run.yaml" <<YAML
data: { train: $root/datasets/digits.h5, test: $root/datasets/digits-test.h5 }
model: [affine: 700, relu, affine: 700, tanh, affine: 10]
batch_size: 100
microbatches: 12
epochs: 2
YAML

declare -A answers=()
note() {
  local digest
  digest=$(digest "$work/$1")
  echo "$1  $digest"
  answers[$digest]=1
}
for hands in 1x1 2x1 2x2 3x1 4x1 4x2; do
  on "${hands%x*}" "${hands#*x}" "$nndist" train "$work/run.yaml" --output "$work/$hands" \
    >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  grep -q " on ${hands%x*} host" "$work/log" || { cat "$work/log"; exit 1; }
  note "$hands"
done
on 4 1 "$nndist" train "$work/run.yaml" --output "$work/chain" --set epochs=1 >/dev/null
on 2 2 "$nndist" train "$work/run.yaml" --output "$work/chain" >/dev/null
note chain
on 3 2 "$nndist" train "$work/run.yaml" --output "$work/whole" --set optimizer.sharded=false >/dev/null
note whole
((${#answers[@]} == 1)) || { echo "${#answers[@]} answers, expected one"; exit 1; }
echo "one answer on all hosts"

# A rank of another host that is killed ends the job.
start=$SECONDS
status=0
on 3 1 sh -c "if test \"\$OMPI_COMM_WORLD_RANK\" = 2; then (sleep 3; kill -9 \$\$) & fi
  exec '$nndist' train '$work/run.yaml' --set epochs=100000 --set evaluation=never --output '$work/lost'" \
  >"$work/log" 2>&1 || status=$?
((status != 0 && SECONDS - start < 60)) || { cat "$work/log"; exit 1; }
echo "lost rank: status $status after $((SECONDS - start)) s"

for ranks in 1 2; do on 4 "$ranks" "$nndist" bench reduction --megabytes 64; done
