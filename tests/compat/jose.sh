#!/bin/sh
# jose.sh VECTORS: record signatures beside npm jose, a JOSE library that nobody here wrote.
set -eu
here=$(dirname "$(realpath "$0")")
vectors=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/jose.mjs" "$work/"
cd "$work"
npm install --silent --no-audit --no-fund --no-save jose@5.10.0 >/dev/null
node jose.mjs "$vectors"
