"""The Python helper against the shared vectors: test_clients.py FOLDER (governance/clients)."""
import base64
import json
import sys

sys.path.insert(0, sys.argv[1] + "/python")
try:
    import writ_sign
except ModuleNotFoundError as error:
    print(f"skipped: {error} (install python3-cryptography)")
    sys.exit(77)


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def record(r):
    plain = lambda x: None if x is None else base64.b64decode(x)
    return (r["topic"], plain(r["key"]), plain(r["value"]), [(n, plain(v)) for n, v in r["headers"]])


def status(header, r, find_key):
    try:
        writ_sign.verify(header.encode(), *record(r), find_key)
        return "ok"
    except writ_sign.Refused as refused:
        return refused.code


vectors = json.load(open(sys.argv[1] + "/vectors.json"))
public = {k["kid"]: unb64url(k["public"]) for k in vectors["keys"]}
seeds = {k["kid"]: unb64url(k["seed"]) for k in vectors["keys"]}
find = lambda kid, iat: public.get(kid)
checks = 0

for v in vectors["accept"]:
    assert status(v["header"], v["record"], find) == "ok", v["name"]
    assert status(v["header"], v["record"], lambda kid, iat: None) == "key-unknown", v["name"]
    if v["exact"]:
        made = writ_sign.Signer(v["kid"], seeds[v["kid"]]).sign(
            *record(v["record"]), v["sh"], iat=v["iat"], jti=unb64url(v["jti"]))
        assert made.decode() == v["header"], v["name"]
    checks += 1
for v in vectors["refuse"]:
    got = status(v["header"], v["record"], find)
    assert got == v["status"] or (v["lax"] and got == "ok"), (v["name"], got)
    checks += 1

# What it makes with its own clock and randomness holds, and never twice alike.
signer = writ_sign.Signer("shop/main", seeds["shop/main"])
one, two = (signer.sign("t", b"k", b"v", [("a", b"1")], ["a"]) for _ in range(2))
assert one != two
p = writ_sign.verify(one, "t", b"k", b"v", [("a", b"1")], find)
assert p["kid"] == "shop/main" and p["sh"] == ["a"]
print(f"{checks} vectors")
assert checks > 75
