#!/bin/sh
# octokit_node.sh WRIT [WORK]: octokit_node.py with its packages from npm and ajv beside as the judge.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
writ=$1
work=${2:-$(mktemp -d)}
[ $# -ge 2 ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
if [ ! -d "$work/node_modules/ajv" ]; then
    (cd "$work" && npm install --silent --no-audit --no-fund --no-save --prefix "$work" \
        ajv@8 @octokit/webhooks-schemas@7.6.1 @octokit/webhooks-examples@7.6.1)
fi
python3 "$here/octokit_extract.py" "$work/node_modules" "$work/events"
NODE_PATH="$work/node_modules" node "$here/ajv_judge.js" "$work/events" >"$work/verdicts"
python3 "$here/../system/with_node.py" "$writ" --set governance on -- \
    python3 "$here/octokit_node.py" "$writ" "$work/events" "$work/verdicts"
