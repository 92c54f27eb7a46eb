#!/bin/sh
# refusal.sh WRIT REFUSAL RDKAFKA_REFUSAL: below with_node.py with governance on. Registers the sample
# contracts, signs orders good and bad, and lets two clients judge how batches with bad records are
# refused: our own, which sees every field of the answer, and librdkafka.
set -eu
writ=$1 refusal=$2 rdkafka_refusal=$3
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
WRIT_SERVER=$WRIT_ADMIN
WRIT_TOKEN=$(cat "$WRIT_DATA/token")
export WRIT_SERVER WRIT_TOKEN

public() # public FILE KID: makes a key pair, prints the public key
{
    "$writ" key new --out "$work/$1" --kid "$2" -o json |
        sed -n 's/.*"public_key" *: *"\([A-Za-z0-9_-]*\)".*/\1/p' | head -n 1
}
cp -r "$root/deploy/samples/contracts" "$work/contracts"
sed -e "s/@HOST_KEY@/$(public host.key host-agent/k1)/" \
    -e "s/@SHOP_KEY@/$(public shop.key shop-web/k1)/" \
    -e "s/@OLD_KEY@/$(public old.key shop-web/old)/" \
    "$work/contracts/producers.yaml.in" >"$work/contracts/producers.yaml"
rm "$work/contracts/producers.yaml.in"
"$writ" apply -f "$work/contracts" >/dev/null

trace=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
# Five orders a round; the second breaks a rule of the schema, the fourth is not JSON.
i=0
while [ $i -lt 20 ]; do
    order='"customer":"c-42","lines":[{"article":"tea","count":2}],"currency":"EUR"'
    echo "{\"id\":\"o-${i}1\",$order,\"total\":9.8}"
    echo "{\"id\":\"o-${i}2\",$order,\"total\":-9.8}"
    echo "{\"id\":\"o-${i}3\",$order,\"total\":1}"
    echo "{\"id\":\"o-${i}4\",$order,"
    echo "{\"id\":\"o-${i}5\",$order,\"total\":2}"
    i=$((i + 1))
done >"$work/values"
"$writ" sign --key "$work/shop.key" --topic shop.orders --record-key o-1 \
    -H "traceparent=$trace" --sign-header traceparent --batch <"$work/values" |
    sed 's/^x-jws-signature=//' >"$work/signatures"
[ "$(wc -l <"$work/signatures")" = 100 ] || { echo "signing failed" >&2; exit 1; }

"$refusal" "$WRIT_KAFKA" shop.orders o-1 "$trace" "$work/values" "$work/signatures"
[ "$rdkafka_refusal" = none ] ||
    "$rdkafka_refusal" "$WRIT_KAFKA" shop.orders o-1 "$trace" "$work/values" "$work/signatures"
"$writ" rejections --topic shop.orders --limit 5 -o json >"$work/ledger"
grep -q 'payload.invalid' "$work/ledger" || { cat "$work/ledger"; echo "not in the ledger" >&2; exit 1; }
