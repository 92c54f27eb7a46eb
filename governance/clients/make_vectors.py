#!/usr/bin/python3
"""Makes vectors.json, the shared test vectors of record signatures (docs/signatures.md).

An implementation of its own: hashlib and python3-cryptography, none of the helpers beside it and
none of Writ's C. Run it after a change of the specification: ./make_vectors.py > vectors.json
"""
import base64
import hashlib
import json
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

L = 2**252 + 27742317777372353535851937790883648493  # the group's order
IAT = 1795597380123


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def lp(data):
    return b"\xff\xff\xff\xff" if data is None else struct.pack(">I", len(data)) + data


def context(topic, key, value, headers, names):
    text = b"ctx1" + lp(topic.encode()) + lp(key) + (b"\1" if value is None else b"\0")
    for name in names:
        values = [v for n, v in headers if n == name]
        text += lp(name.encode()) + struct.pack(">I", len(values)) + b"".join(map(lp, values))
    return hashlib.sha256(text).digest()


class Key:
    def __init__(self, kid, seed):
        self.kid, self.seed = kid, seed
        self.private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


# The first is the key of RFC 8037, appendix A.1.
KEYS = [
    Key("shop/main", unb64("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")),
    Key("shop/k\"2\"", hashlib.sha256(b"the second key").digest()),
]


def record(topic, key, value, headers=()):
    return {"topic": topic, "key": key, "value": value, "headers": list(headers)}


def protected(r, key, jti, names=(), **changes):
    p = {"alg": "EdDSA", "b64": False, "crit": ["b64"], "kid": key.kid, "iat": IAT,
         "jti": b64(jti),
         "ctx": b64(context(r["topic"], r["key"], r["value"], r["headers"], names))}
    if names:
        p["sh"] = list(names)
    p.update(changes)
    return {k: v for k, v in p.items() if v is not ...}


def sign(r, key, text):
    head = b64(text.encode())
    return head + ".." + b64(key.private.sign(head.encode() + b"." + (r["value"] or b"")))


def compact(p):
    return json.dumps(p, separators=(",", ":"), ensure_ascii=False)


def written(r):
    e = lambda x: None if x is None else base64.b64encode(x).decode()
    return {"topic": r["topic"], "key": e(r["key"]), "value": e(r["value"]),
            "headers": [[n, e(v)] for n, v in r["headers"]]}


def main():
    order = record("shop.orders.placed", b"o-1", b'{"id":"o-1","total":12.5}',
                   [("traceparent", b"00-aa-bb-01"), ("other", b"x")])
    jti = lambda n: hashlib.sha256(b"jti%d" % n).digest()[:12]
    accept, refuse = [], []

    def good(name, r, key=KEYS[0], names=(), text=None):
        j = jti(len(accept))
        p = protected(r, key, j, names)
        accept.append({"name": name, "record": written(r), "kid": key.kid, "iat": IAT,
                       "jti": b64(j), "sh": list(names), "exact": text is None,
                       "header": sign(r, key, compact(p) if text is None else text(p))})

    # A verifier on a general JSON reader may take these: RFC 7515 (section 4) lets it use the last
    # of two members. Writ does not.
    lax = {"a member twice", "a member twice, escaped", "an unknown member twice",
           "a lone surrogate", "nested too deep"}

    def bad(name, status, r, header, key=KEYS[0]):
        refuse.append({"name": name, "status": status, "record": written(r), "kid": key.kid,
                       "lax": name in lax, "header": header})

    good("a keyed JSON record", order)
    good("RFC 7797's detached payload", record("money", None, b"$.02"))
    good("no key, empty value", record("t", None, b""))
    good("empty key, null value", record("t", b"", None))
    good("null key, null value", record("t", None, None))
    good("a covered header", order, names=["traceparent"])
    good("a covered header that is absent", order, names=["absent"])
    good("headers twice, null and empty", record("t", b"k", b"v", [
        ("a", b"1"), ("b", None), ("a", b"2"), ("b", b""), ("c", b"3")]), names=["b", "a"])
    good("names beyond ASCII", record("t", "\u00e4".encode(), b"\x00\xff", [("\u20ac\U0001f600", b"1")]),
         names=["\u20ac\U0001f600"])
    good("a kid to escape", order, key=KEYS[1])
    good("10 kB", record("big", b"k", bytes(range(256)) * 40))
    good("alg Ed25519 (RFC 9864)", order, text=lambda p: compact({**p, "alg": "Ed25519"}))
    good("members in another order, spaces", order,
         text=lambda p: json.dumps(dict(reversed(list(p.items()))), indent=1))
    good("escaped member names and values", order,
         text=lambda p: compact(p).replace('"alg":"EdDSA"', '"\\u0061lg":"Ed\\u0044SA"'))
    good("unknown members", order,
         text=lambda p: compact({**p, "x": [{"y": [1.5e3, None, True]}, -0.1], "typ": "writ"}))

    p = protected(order, KEYS[0], jti(100))
    h = sign(order, KEYS[0], compact(p))
    head, sig = h.split("..")
    text = compact(p)
    variant = lambda **c: sign(order, KEYS[0], compact({k: v for k, v in {**p, **c}.items()
                                                        if v is not ...}))
    for name, header in {
        "empty": "", "not a JWS": "hello", "one dot": head + "." + sig,
        "three dots": head + "..." + sig, "a payload inside": head + ".e30." + sig,
        "padded signature": h + "==", "short signature": h[:-1],
        "unused bits set": h[:-1] + chr(ord(h[-1]) + 1), "plus and slash": head + ".." + "+/" + sig[2:],
        "no protected header": ".." + sig, "a space": " " + h,
        "not JSON": sign(order, KEYS[0], text[:-1]), "an array": sign(order, KEYS[0], "[]"),
        "bytes after": sign(order, KEYS[0], text + "x"),
        "a member twice": sign(order, KEYS[0], text[:-1] + ',"iat":%d}' % IAT),
        "a member twice, escaped": sign(order, KEYS[0], text[:-1] + ',"\\u0069at":%d}' % IAT),
        "an unknown member twice": sign(order, KEYS[0], text[:-1] + ',"x":1,"x":1}'),
        "a lone surrogate": sign(order, KEYS[0], text[:-1] + ',"x":"\\ud800"}'),
        "nested too deep": sign(order, KEYS[0], text[:-1] + ',"x":' + "[" * 20 + "]" * 20 + "}"),
        "a leading zero": sign(order, KEYS[0], text[:-1] + ',"x":01}'),
        "a raw newline": sign(order, KEYS[0], text[:-1] + ',"x":"\n"}'),
        "too long": sign(order, KEYS[0], text[:-1] + ',"x":"' + "y" * 400 + '"}'),
        "no alg": variant(alg=...), "no b64": variant(b64=...), "no crit": variant(crit=...),
        "no kid": variant(kid=...), "no iat": variant(iat=...), "no jti": variant(jti=...),
        "no ctx": variant(ctx=...),
        "b64 true": variant(b64=True), "b64 as text": variant(b64="false"),
        "crit empty": variant(crit=[]), "crit with more": variant(crit=["b64", "exp"]),
        "crit other": variant(crit=["exp"]), "crit as text": variant(crit="b64"),
        "iat as text": variant(iat=str(IAT)), "iat negative": variant(iat=-1),
        "iat with a fraction": variant(iat=IAT + 0.5), "iat above 2^53": variant(iat=2**53),
        "jti short": variant(jti="abc"), "jti long": variant(jti="a" * 20),
        "ctx short": variant(ctx="AA"), "kid empty": variant(kid=""), "kid a number": variant(kid=1),
        "sh a text": variant(sh="a"), "sh twice": variant(sh=["a", "a"]),
        "sh a number": variant(sh=[1]), "sh too many": variant(sh=[chr(97 + i) for i in range(17)]),
    }.items():
        bad(name, "malformed", order, header)
    for alg in ["none", "HS256", "ES256", "RS256", "Ed448", "eddsa", ""]:
        bad("alg " + (alg or "empty"), "algorithm", order, variant(alg=alg))
    moved = lambda **c: {**order, **c}
    bad("another topic", "context", moved(topic="shop.orders.paid"), h)
    bad("another key", "context", moved(key=b"o-2"), h)
    bad("the key taken away", "context", moved(key=None), h)
    bad("an empty value made null", "context", record("t", None, None),
        sign(record("t", None, b""), KEYS[0], compact(protected(record("t", None, b""), KEYS[0], jti(101)))))
    covered = sign(order, KEYS[0], compact(protected(order, KEYS[0], jti(102), ["traceparent"])))
    bad("a covered header altered", "context",
        moved(headers=[("traceparent", b"00-aa-cc-01")]), covered)
    bad("a covered header taken away", "context", moved(headers=[]), covered)
    bad("a covered header added", "context",
        moved(headers=order["headers"] + [("traceparent", b"2")]), covered)
    bad("the value altered", "invalid", moved(value=b'{"id":"o-1","total":12.6}'), h)
    bad("the value longer", "invalid", moved(value=order["value"] + b" "), h)
    bad("another key's signature", "invalid", order, sign(order, KEYS[1], text))
    bad("the signature altered", "invalid", order,
        head + ".." + b64(bytes([unb64(sig)[0] ^ 1]) + unb64(sig)[1:]))
    raw = unb64(sig)
    s = int.from_bytes(raw[32:], "little") + L
    bad("S above the group's order", "invalid", order,
        head + ".." + b64(raw[:32] + s.to_bytes(32, "little")))
    json.dump({"about": "Made by make_vectors.py; docs/signatures.md says what they mean.",
               "keys": [{"kid": k.kid, "seed": b64(k.seed), "public": b64(k.public)} for k in KEYS],
               "accept": accept, "refuse": refuse}, sys.stdout, indent=1)
    print()


main()
