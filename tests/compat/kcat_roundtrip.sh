#!/bin/sh
# kcat_roundtrip.sh HOST:PORT: Debian's kcat writes and reads with each codec, keys, headers, null
# values, acks 0, 1 and all, the idempotent producer, offsets by time and from the end. Governance must
# be off. (kcat 1.7.1 sends lz4 batches uncompressed as long as FindCoordinator is not advertised.)
set -eu
broker=${1:?usage: kcat_roundtrip.sh HOST:PORT}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
topic=kcat-$$
kcat="timeout 30 kcat -q -b $broker"

fail()
{
    echo "FAIL $*" >&2
    exit 1
}

seq 1 500 | sed 's/.*/key-&|value & of a line that is long enough to be worth compressing/' >"$work/lines"
offset=0
for codec in none gzip snappy lz4 zstd; do
    $kcat -P -t "$topic" -p 0 -z $codec -K '|' "$work/lines" -l
    $kcat -C -t "$topic" -p 0 -o "$offset" -e -K '|' >"$work/back"
    cmp -s "$work/lines" "$work/back" || fail "codec $codec: what comes back differs"
    offset=$((offset + 500))
done

for acks in 0 1 all; do
    echo "acks $acks" | $kcat -P -t "$topic" -p 0 -X acks=$acks
    sleep 0.2
    [ "$($kcat -C -t "$topic" -p 0 -o "$offset" -e)" = "acks $acks" ] || fail "acks=$acks"
    offset=$((offset + 1))
done

seq 1 300 | $kcat -P -t "$topic" -p 0 -X enable.idempotence=true
[ "$($kcat -C -t "$topic" -p 0 -o "$offset" -e | sort -n | tail -1)" = 300 ] || fail "idempotence"
offset=$((offset + 300))

echo "k|" | $kcat -P -t "$topic" -p 0 -K '|' -Z -H a=1 -H b=2
got=$($kcat -C -t "$topic" -p 0 -o "$offset" -e -f '%k %S %h %o')
[ "$got" = "k -1 a=1,b=2 $offset" ] || fail "null value and headers: $got"

got=$($kcat -C -t "$topic" -p 0 -o -1 -e -f '%o')
[ "$got" = "$offset" ] || fail "from the end: $got"
stamp=$($kcat -C -t "$topic" -p 0 -o "$offset" -e -f '%T')
got=$($kcat -Q -t "$topic:0:$stamp" | sed 's/.*offset //')
[ "$got" -le "$offset" ] || fail "offset by time: $got"
got=$($kcat -Q -t "$topic:0:$((stamp + 3600000))" | sed 's/.*offset //')
[ "$got" = -1 ] || [ "$got" = $((offset + 1)) ] || fail "offset of a time to come: $got"

timeout 30 kcat -b "$broker" -L -t "$topic" | grep -q "topic \"$topic\" with" || fail "metadata"
echo "kcat: all as it should be ($((offset + 1)) records)"
