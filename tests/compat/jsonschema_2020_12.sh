#!/bin/sh
# The JSON-Schema-Test-Suite for 2019-09 and 2020-12 (and newer cases of drafts 4, 6 and 7) as it
# comes inside the source archive of PyPI's jsonschema; the metaschemas come from
# jsonschema-specifications.
# usage: jsonschema_2020_12.sh BUILD [WORK]
set -eu
build=$(cd "$1" && pwd)
work=${2:-$(mktemp -d)}
[ $# -ge 2 ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
cd "$work"
if [ ! -d jsonschema-4.26.0 ]; then
    python3 -m pip download -q --disable-pip-version-check --no-binary jsonschema --no-deps \
        jsonschema==4.26.0
    python3 -m pip download -q --disable-pip-version-check --no-deps \
        jsonschema-specifications==2025.9.1
    tar xzf jsonschema-4.26.0.tar.gz
    python3 -m zipfile -e jsonschema_specifications-*.whl specifications
fi
suite=$work/jsonschema-4.26.0/json
schemas=$work/specifications/jsonschema_specifications/schemas
rc=0

old() { # draft number
    "$build/tests/compat/json_suite" --dialect "$1" \
        --ref "http://json-schema.org/draft-0$1/schema=$schemas/draft$1/metaschema.json" \
        --remotes "$suite/remotes/draft$1=http://localhost:1234/draft$1" \
        --remotes "$suite/remotes=http://localhost:1234" "$suite/tests/draft$1" || rc=1
}

new() { # year, name of the draft, folder of its metaschemas
    set -- "$1" "$2" "$schemas/$3"
    base=https://json-schema.org/draft/$2
    refs="--ref $base/schema=$3/metaschema.json"
    for v in "$3"/vocabularies/*; do
        refs="$refs --ref $base/meta/$(basename "$v")=$v"
    done
    # shellcheck disable=SC2086  # a list of options without spaces in them
    "$build/tests/compat/json_suite" --dialect "$1" $refs \
        --remotes "$suite/remotes/draft$2=http://localhost:1234/draft$2" \
        --remotes "$suite/remotes=http://localhost:1234" "$suite/tests/draft$2" || rc=1
}

for draft in 4 6 7; do
    echo "draft $draft:"
    old "$draft"
done
echo "2019-09:"
new 2019 2019-09 draft201909
echo "2020-12:"
new 2020 2020-12 draft202012
exit $rc
