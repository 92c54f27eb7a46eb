#!/usr/bin/env python3
"""The strict JSON reader beside jansson (Debian's libjansson4) and Python's json.

usage: json_jansson.py JSON_VERDICTS [SEED] [COUNT]

Random documents, most of them damaged, go to both. Verdicts must agree, save where jansson has
limits of its own (numbers beyond its types, NUL in a name); values must agree with Python's reader.
"""
import ctypes
import json
import random
import struct
import subprocess
import sys
from decimal import Decimal

REJECT_DUPLICATES, DECODE_ANY, ALLOW_NUL = 0x1, 0x4, 0x10
NUMERIC_OVERFLOW, NULL_BYTE_IN_KEY, STACK_OVERFLOW = 15, 13, 2


class JanssonError(ctypes.Structure):
    _fields_ = [("line", ctypes.c_int), ("column", ctypes.c_int), ("position", ctypes.c_int),
                ("source", ctypes.c_char * 80), ("text", ctypes.c_char * 160)]


class Jansson:
    def __init__(self):
        self.lib = ctypes.CDLL("libjansson.so.4")
        self.lib.json_loadb.restype = ctypes.c_void_p
        self.lib.json_loadb.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t,
                                        ctypes.POINTER(JanssonError)]
        self.lib.json_delete.argtypes = [ctypes.c_void_p]

    def accepts(self, text):
        """True, False, or None where a limit of jansson speaks."""
        if b"\0" in text:
            return False  # RFC 8259 allows it nowhere; 2.14 accepts it behind a number or a word
        error = JanssonError()
        value = self.lib.json_loadb(text, len(text), REJECT_DUPLICATES | DECODE_ANY | ALLOW_NUL,
                                    ctypes.byref(error))
        if value:
            return True  # leaked: freeing needs the inlined json_decref; the run is short
        # The code is the last byte of text (JSON_ERROR_TEXT_LENGTH - 1).
        code = ctypes.string_at(ctypes.addressof(error) + JanssonError.text.offset + 159, 1)[0]
        return None if code in (NUMERIC_OVERFLOW, NULL_BYTE_IN_KEY, STACK_OVERFLOW) else False


SCALARS = ["0", "-0", "1", "-12", "3.25", "1e5", "2E-3", "1.5e+10", "true", "false", "null", '""',
           '"a"', '"\\u00e9"', '"\\ud83d\\ude00"', '"\\n\\t\\"\\\\\\/"', '"\u20ac"', '"\U0001f600"',
           "123456789012345678", "0.1", "-1.0"]
DAMAGE = ['"', "\\", "{", "}", "[", "]", ",", ":", "0", "-", ".", "e", "\\u", "\\ud800", " ", "\n",
          "\t", "\x00", "\x01", "\x7f", "t", "nul", "\ufeff", "/", "'"]


def document(rng, depth=0):
    kind = rng.random()
    if depth > 5 or kind < 0.45:
        return rng.choice(SCALARS)
    space = rng.choice(["", "", " ", "\n  "])
    if kind < 0.7:
        return "[" + ("," + space).join(document(rng, depth + 1)
                                       for _ in range(rng.randrange(5))) + space + "]"
    names = [rng.choice(['"a"', '"b"', '"\\u0061"', '""', '"c%d"' % rng.randrange(9)])
             for _ in range(rng.randrange(6))]
    return "{" + space + ("," + space).join(n + ":" + space + document(rng, depth + 1)
                                           for n in names) + "}"


def damaged(rng, text):
    data = bytearray(text.encode())
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        at = rng.randrange(len(data) + 1)
        how = rng.randrange(4)
        if how == 0:
            data[at:at] = rng.choice(DAMAGE).encode()
        elif how == 1:
            del data[at:at + rng.randrange(1, 4)]
        elif how == 2 and at < len(data):
            data[at] = rng.randrange(256)
        else:
            data[at:at + 1] = rng.choice(DAMAGE).encode()
    return bytes(data)


def main():
    program = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 20000
    rng = random.Random(seed)
    documents = [damaged(rng, document(rng)) for _ in range(count)]
    out = subprocess.run([program], input=b"".join(struct.pack(">I", len(d)) + d for d in documents),
                         stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")
    jansson = Jansson()
    passed = failed = accepted = skipped = 0
    for text, line in zip(documents, out):
        ours = line.startswith("1 ")
        theirs = jansson.accepts(text)
        accepted += ours
        if theirs is None:
            skipped += 1
            continue
        good = ours == theirs
        if good and ours:
            good = json.loads(text, parse_float=Decimal, parse_int=Decimal) == \
                json.loads(line[2:], parse_float=Decimal, parse_int=Decimal)
        passed += good
        failed += not good
        if not good:
            print(f"FAILED {text!r}: jansson {theirs}, we say {line}")
    print(f"{accepted} of {count} accepted; {skipped} beyond jansson")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0 or accepted < count // 20)


if __name__ == "__main__":
    main()
