#!/bin/sh
# openapi_lint.sh PROGRAM: the OpenAPI document that PROGRAM prints, judged by npm @redocly/cli. No
# error and no warning is accepted.
set -eu
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$program" >"$work/openapi.json"
cd "$work"
npm install --silent --no-audit --no-fund --no-save @redocly/cli@2.77.0 >/dev/null
npx redocly lint --format=stylish openapi.json 2>&1 | tee lint.txt
grep -q 'Your API description is valid' lint.txt
! grep -q 'You have [0-9]* warning' lint.txt
echo "1 passed, 0 failed"
