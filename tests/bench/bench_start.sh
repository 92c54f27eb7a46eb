#!/bin/sh
# From exec to the first acknowledgement, and VmRSS 5 s after it, on a fresh and a restarted folder.
# usage: bench_start.sh BUILD [WORK]
set -eu
build=$(cd "$1" && pwd)
work=${2:-$(mktemp -d "${TMPDIR:-/tmp}/writ-bench.XXXXXX")}
mkdir -p "$work"
trap 'rm -rf "$work/data"; rmdir "$work" 2>/dev/null || true' EXIT
port=$(python3 -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])')
for folder in fresh restarted; do
    printf '%s ' "$folder"
    "$build/tests/bench/bench_node" start --bootstrap "127.0.0.1:$port" --topic first -- \
        "$build/writ" serve --data "$work/data" --governance off --kafka-listen "127.0.0.1:$port" \
        --admin-listen 127.0.0.1:0 2>>"$work/log" || { cat "$work/log" >&2; exit 1; }
done
rm -f "$work/log"
