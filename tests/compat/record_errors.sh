#!/bin/sh
# record_errors.sh WRIT RECORD_ERRORS: a refusal as clients with record_errors (KIP-467) show it:
# librdkafka's own words through the library inside PyPI's confluent-kafka, and npm
# @confluentinc/kafka-javascript built from its package. Against a governing node of its own.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
writ=$1 program=$2
if [ -z "${WRIT_KAFKA:-}" ]; then
    work=${WRIT_COMPAT_WORK:-$(mktemp -d)}
    [ -n "${WRIT_COMPAT_WORK:-}" ] || trap 'rm -rf "$work"' EXIT
    mkdir -p "$work/wheel" "$work/npm"
    if ! ls "$work"/wheel/lib/librdkafka.so.1 >/dev/null 2>&1; then
        python3 -m pip -q download --no-deps -d "$work/wheel" confluent-kafka==2.16.1
        mkdir -p "$work/wheel/lib"
        python3 -m zipfile -e "$work"/wheel/*.whl "$work/wheel/files"
        ln -sf "$(ls "$work"/wheel/files/confluent_kafka.libs/librdkafka-*.so.1)" "$work/wheel/lib/librdkafka.so.1"
    fi
    module=$work/npm/node_modules/@confluentinc/kafka-javascript
    if ! ls "$module"/build/Release/*.node >/dev/null 2>&1; then
        (cd "$work/npm" && npm install --silent --no-audit --no-fund --no-save --prefix "$work/npm" --ignore-scripts @confluentinc/kafka-javascript@1.10.1
         # Its installer would fetch binaries from elsewhere; the package holds all the sources.
         headers=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
         cd "$module"
         MAKEFLAGS=-j2 CKJS_LINKING=dynamic node "$(npm root -g)/npm/node_modules/node-gyp/bin/node-gyp.js" \
             rebuild --nodedir="$headers" >"$work/npm/build.log" 2>&1 || { tail -n 30 "$work/npm/build.log"; exit 1; })
    fi
    export WRIT_COMPAT_LIB="$work/wheel/lib" NODE_PATH="$work/npm/node_modules"
    python3 "$here/../system/with_node.py" "$writ" --set governance on -- "$0" "$writ" "$program"
    exit
fi
node "$here/record_errors.js" "$writ"
LD_LIBRARY_PATH=$WRIT_COMPAT_LIB "$program" "$WRIT_KAFKA" shop.orders
