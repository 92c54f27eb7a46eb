#!/bin/sh
# record_errors.sh WRIT: a refusal as npm @confluentinc/kafka-javascript shows it, built from its
# package, against a governing node of its own. WRIT_COMPAT_WORK keeps the build.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
writ=$1
work=${WRIT_COMPAT_WORK:-$(mktemp -d)}
[ -n "${WRIT_COMPAT_WORK:-}" ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
module=$work/node_modules/@confluentinc/kafka-javascript
if ! ls "$module"/build/Release/*.node >/dev/null 2>&1; then
    cd "$work"
    npm install --silent --no-audit --no-fund --no-save --prefix "$work" --ignore-scripts \
        @confluentinc/kafka-javascript@1.10.1
    # Its installer would fetch binaries from elsewhere; the package holds all the sources, and node
    # brings its own headers.
    headers=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
    cd "$module"
    CKJS_LINKING=dynamic \
        node "$(npm root -g)/npm/node_modules/node-gyp/bin/node-gyp.js" rebuild \
        --nodedir="$headers" >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; exit 1; }
    cd "$here"
fi
NODE_PATH=$work/node_modules python3 "$here/../system/with_node.py" "$writ" --set governance on -- \
    node "$here/record_errors.js" "$writ"
