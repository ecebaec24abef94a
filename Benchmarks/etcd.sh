#!/usr/bin/env bash
# The same closed loops as `holdfast bench`, on three local nodes of Debian's etcd: durable writes of 64 B and
# linearizable reads, spread over many keys. With --beside DIR, the cluster that scripts/cluster runs in DIR is
# measured in turn, run by run, so that both meet the same noise. Medians of all rounds are shown.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$here/scripts/lib/prerequisites.sh"

connections=1,16,64,256 seconds=5 warm_up=1 rounds=1 keys=1000 base_port=23790 only="" beside=""
usage() {
    echo "usage: Benchmarks/etcd.sh [--workload put|get] [--connections 1,16,64,256] [--seconds 5] [--warm-up 1]" >&2
    echo "                          [--repeat 1] [--keys 1000] [--base-port 23790] [--beside .holdfast]" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case "$1" in
        --workload) only=$2 ;;
        --connections) connections=$2 ;;
        --seconds) seconds=$2 ;;
        --warm-up) warm_up=$2 ;;
        --repeat) rounds=$2 ;;
        --keys) keys=$2 ;;
        --base-port) base_port=$2 ;;
        --beside) beside=$2 ;;
        *) usage ;;
    esac
    shift 2
done

if [ -n "$beside" ]; then
    [ -f "$beside/settings" ] || die "no cluster in $beside"
    binary=$(. "$beside/settings" && echo "$binary")
fi

command -v etcd >/dev/null 2>&1 || {
    say "installing etcd-server"
    { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y etcd-server; } >/dev/null ||
        die "could not install etcd-server"
}
command -v cc >/dev/null 2>&1 || die "a C compiler is needed: apt-get install gcc libc6-dev"

work=$(mktemp -d)
pids=()
finish() {
    for pid in ${pids[@]+"${pids[@]}"}; do kill -TERM "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap finish EXIT
cc -O2 -Wall -o "$work/etcd_load" "$here/Benchmarks/etcd_load.c"

client_port() { echo $((base_port + $1)); }
peer_port() { echo $((base_port + 10 + $1)); }

members="" endpoints=""
for i in 1 2 3; do
    members+="${members:+,}e$i=http://127.0.0.1:$(peer_port $i)"
    endpoints+="${endpoints:+,}127.0.0.1:$(client_port $i)"
done
for i in 1 2 3; do
    etcd --name "e$i" --data-dir "$work/e$i" --initial-cluster "$members" --initial-cluster-state new \
        --initial-advertise-peer-urls "http://127.0.0.1:$(peer_port $i)" --listen-peer-urls "http://127.0.0.1:$(peer_port $i)" \
        --advertise-client-urls "http://127.0.0.1:$(client_port $i)" --listen-client-urls "http://127.0.0.1:$(client_port $i)" \
        --quota-backend-bytes 8589934592 >"$work/e$i.log" 2>&1 &
    pids+=($!)
done
for i in 1 2 3; do
    for _ in $(seq 100); do
        curl -s -m 1 "http://127.0.0.1:$(client_port $i)/health" 2>/dev/null | grep -q true && break
        kill -0 "${pids[$((i - 1))]}" 2>/dev/null || { tail -n 5 "$work/e$i.log" >&2; die "etcd did not start"; }
        sleep 0.1
    done
done

# One run against the cluster beside, in the columns of etcd_load.
holdfast_run() {
    local json field
    json=$("$binary" bench --cluster-file "$beside/cluster.json" --workload "$1" --connections "$2" --seconds "$seconds" \
        --warm-up "$warm_up" --objects "$keys" --json 2>/dev/null) || die "holdfast bench failed"
    for field in operationsPerSecond p50Ms p90Ms p99Ms maxMs serverMicrosecondsPerOperation clientMicrosecondsPerOperation; do
        printf '%s ' "$(printf '%s' "$json" | sed -n "s/.*\"$field\":\([0-9.e+-]*\).*/\1/p")"
    done
    printf '%s' "$json" | sed -n 's/.*"errors":{\([^}]*\)}.*/\1/p' | tr ',' '\n' | awk -F: '{ n += $2 } END { print n + 0 }'
}

record() {
    local name=$1 count=$2 result=$3
    echo "$name $count $result" >>"$work/results"
    echo "round $round/$rounds $name $count: $(printf '%.0f' "${result%% *}")/s" >&2
}

pid_list=$(IFS=,; echo "${pids[*]}")
# Reads need something to read.
"$work/etcd_load" put 16 1 0 "$keys" "$endpoints" "$pid_list" >/dev/null
for ((round = 1; round <= rounds; round++)); do
    for workload in ${only:-put get}; do
        for count in ${connections//,/ }; do
            record "etcd-$workload" "$count" \
                "$("$work/etcd_load" "$workload" "$count" "$seconds" "$warm_up" "$keys" "$endpoints" "$pid_list")"
            [ -n "$beside" ] || continue
            case "$workload" in put) own=set64 ;; *) own=get ;; esac
            record "$own" "$count" "$(holdfast_run "$own" "$count")"
        done
    done
done

# Medians per column and workload; errors are summed.
awk -v rounds="$rounds" '
    { key = $1 " " $2; if (!(key in seen)) { seen[key] = 0; order[++n] = key }
      seen[key]++; for (f = 3; f <= 10; f++) value[key, f, seen[key]] = $f; errors[key] += $10 }
    function median(key, f,   i, j, t, count, sorted) {
        count = seen[key]; for (i = 1; i <= count; i++) sorted[i] = value[key, f, i] + 0
        for (i = 2; i <= count; i++) for (j = i; j > 1 && sorted[j - 1] > sorted[j]; j--) { t = sorted[j]; sorted[j] = sorted[j - 1]; sorted[j - 1] = t }
        return count % 2 ? sorted[(count + 1) / 2] : (sorted[count / 2] + sorted[count / 2 + 1]) / 2
    }
    END {
        format = "%-9s %11s %8s %8s %8s %8s %8s %13s %13s %7s\n"
        printf format, "WORKLOAD", "CONNECTIONS", "OPS/S", "P50 MS", "P90 MS", "P99 MS", "MAX MS", "SERVER US/OP", "CLIENT US/OP", "ERRORS"
        for (i = 1; i <= n; i++) {
            key = order[i]; split(key, part, " ")
            printf format, part[1], part[2], sprintf("%.0f", median(key, 3)), sprintf("%.2f", median(key, 4)), sprintf("%.2f", median(key, 5)),
                sprintf("%.2f", median(key, 6)), sprintf("%.1f", median(key, 7)), sprintf("%.1f", median(key, 8)), sprintf("%.1f", median(key, 9)), errors[key]
        }
    }' "$work/results"
