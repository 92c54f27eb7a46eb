#!/bin/sh
# The price of a verdict: GitHub's examples of the event `issues` with their contract's schema.
# usage: bench_schema.sh BUILD WORK     (WORK/events as octokit_extract.py writes it, or npm is asked)
# Prints one JSON line for each example and fails when the median is over 5 microseconds per KB.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
work=$2
mkdir -p "$work"
if [ ! -d "$work/events" ]; then
    (cd "$work" && npm install --silent --no-audit --no-fund --no-save --prefix "$work" \
        @octokit/webhooks-schemas@7.6.1 @octokit/webhooks-examples@7.6.1)
    python3 "$here/../real/octokit_extract.py" "$work/node_modules" "$work/events"
fi
for payload in "$work"/events/issues.[0-9]*.json; do
    "$build/tests/bench/bench_schema" "$work/events/issues.schema.json" "$payload" 0.3
done | grep '^{' | python3 -c '
import json, statistics, sys
lines = sys.stdin.read().splitlines()
print("\n".join(lines))
us = [d["validate_us_per_kb"] for d in map(json.loads, lines) if d["valid"]]
print(f"{len(us)} valid examples: median {statistics.median(us):.2f}, worst {max(us):.2f} us per KB")
sys.exit(statistics.median(us) > 5)'
