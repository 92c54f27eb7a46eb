#!/bin/sh
# GitHub's 329 example events, judged by us and by ajv 8: the same verdict for each, and a place.
# usage: octokit_verdicts.sh BUILD [WORK]
# BUILD holds tests/real/validate_files; the npm packages go to WORK (kept when it is given).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
work=${2:-$(mktemp -d)}
[ $# -ge 2 ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
if [ ! -d "$work/node_modules/ajv-formats" ]; then
    (cd "$work" && npm install --silent --no-audit --no-fund --no-save --prefix "$work" \
        ajv@8 ajv-formats@3 @octokit/webhooks-schemas@7.6.1 @octokit/webhooks-examples@7.6.1)
fi
python3 "$here/octokit_extract.py" "$work/node_modules" "$work/events"
NODE_PATH="$work/node_modules" node "$here/octokit_verdicts.js" \
    "$build/tests/real/validate_files" "$work/events"
