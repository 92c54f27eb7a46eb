"""Signs and verifies Kafka records for Writ (docs/signatures.md): one detached JWS in the record
header SIGNATURE_HEADER. One file to copy into an application; needs `cryptography` (Debian:
python3-cryptography). SPDX-License-Identifier: Apache-2.0

    signer = Signer.from_file("shop.key")                       # made by `writ key new --out`
    headers = [("traceparent", trace)]
    signature = signer.sign("shop.orders.placed", key, value, headers, cover=["traceparent"])
    producer.send(topic, key=key, value=value, headers=headers + [(SIGNATURE_HEADER, signature)])

Sign when sending: the broker compares the signature's time with its own.
"""
import base64
import binascii
import hashlib
import json
import os
import re
import struct
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_HEADER = "x-jws-signature"
_SHAPE = re.compile(rb"([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]{86})", re.ASCII)
_MEMBERS = {"alg", "b64", "crit", "kid", "iat", "jti", "ctx"}


class Refused(Exception):
    """The signature does not hold. code: malformed, algorithm, key-unknown, context or invalid."""

    def __init__(self, code, why):
        super().__init__(f"{code}: {why}")
        self.code = code


def _b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _unb64(text):
    try:
        data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        data = None
    if data is None or _b64(data) != text:  # unused bits must be zero
        raise Refused("malformed", "not base64url")
    return data


def _lp(data):
    return b"\xff\xff\xff\xff" if data is None else struct.pack(">I", len(data)) + data


def context(topic, key, value, headers, cover):
    """SHA-256 over topic, key, null-ness and the covered headers."""
    text = b"ctx1" + _lp(topic.encode()) + _lp(key) + (b"\1" if value is None else b"\0")
    for name in cover:
        values = [v for n, v in headers if n == name]
        text += _lp(name.encode()) + struct.pack(">I", len(values)) + b"".join(map(_lp, values))
    return hashlib.sha256(text).digest()


class Signer:
    """Signs with one Ed25519 key. kid is "<producer>/<key>"."""

    def __init__(self, kid, seed):
        self.kid = kid
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @classmethod
    def from_file(cls, path, kid=None):
        """Reads a JWK (RFC 8037) such as `writ key new --out FILE` writes."""
        with open(path, "rb") as file:
            jwk = json.load(file)
        if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519" or "d" not in jwk:
            raise ValueError(f"{path} is not a secret Ed25519 key (JWK, kty OKP)")
        return cls(kid or jwk["kid"], _unb64(jwk["d"].encode()))

    def sign(self, topic, key, value, headers=(), cover=(), *, iat=None, jti=None):
        """The header's value as bytes. key and value: bytes or None, as given to the client;
        headers: (name, bytes or None) in record order; cover: names that the signature binds."""
        protected = {
            "alg": "EdDSA", "b64": False, "crit": ["b64"], "kid": self.kid,
            "iat": int(time.time() * 1000) if iat is None else iat,
            "jti": _b64(jti or os.urandom(12)).decode(),
            "ctx": _b64(context(topic, key, value, headers, cover)).decode(),
        }
        if cover:
            protected["sh"] = list(cover)
        text = json.dumps(protected, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) > 512:
            raise ValueError("key id and covered header names are too long")
        head = _b64(text)
        return head + b".." + _b64(self._key.sign(head + b"." + (value or b"")))


def _unique(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member twice")
    return dict(pairs)


def _decode(signature):
    match = _SHAPE.fullmatch(signature) if len(signature) <= 1024 else None
    if match is None:
        raise Refused("malformed", "not a detached JWS: protected..signature")
    text, sig = _unb64(match[1]), _unb64(match[2])
    try:
        p = json.loads(text.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Refused("malformed", f"the protected header: {error}") from None
    if not isinstance(p, dict) or len(text) > 512:
        raise Refused("malformed", "the protected header is no object of at most 512 bytes")
    if isinstance(p.get("alg"), str) and p["alg"] not in ("EdDSA", "Ed25519"):
        raise Refused("algorithm", p["alg"])
    sh = p.get("sh", [])
    text = lambda name: p[name] if isinstance(p[name], str) else ""
    if (not _MEMBERS <= p.keys() or not text("alg") or p["b64"] is not False
            or p["crit"] != ["b64"] or not 0 < len(text("kid")) <= 128
            or type(p["iat"]) is not int or not 0 <= p["iat"] < 2**53
            or len(text("jti")) != 16 or len(text("ctx")) != 43 or not isinstance(sh, list)
            or len(sh) > 16 or not all(isinstance(n, str) for n in sh) or len(set(sh)) < len(sh)):
        raise Refused("malformed", "a member of the protected header is missing or wrong")
    _unb64(p["jti"].encode())
    return p, match[1], sig


def verify(signature, topic, key, value, headers, find_key):
    """Raises Refused, or returns the protected header (kid, iat, jti, ...). find_key(kid, iat_ms)
    returns the 32 bytes of the public key that was valid at that time, or None."""
    p, head, sig = _decode(signature)
    public = find_key(p["kid"], p["iat"])
    if public is None:
        raise Refused("key-unknown", p["kid"])
    if _unb64(p["ctx"].encode()) != context(topic, key, value, headers, p.get("sh", [])):
        raise Refused("context", "made for another topic, key or header value")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(sig, head + b"." + (value or b""))
    except InvalidSignature:
        raise Refused("invalid", "does not fit the value and the key") from None
    return p
