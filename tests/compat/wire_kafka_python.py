"""Compares the wire room with kafka-python, which nobody here wrote, byte for byte.

Usage: wire_kafka_python.py PATH/TO/wire_recode [--rounds N] [--seed N]

Takes whichever kafka-python is installed. Version 2 (Debian's) knows versions without flexible
fields; version 3 (PyPI) is driven by Kafka's message definitions and knows all of them. For every
message that both sides know, random values are encoded by kafka-python, decoded and encoded again
by wire_recode; bytes and every single value must be the same. Record batches are exchanged both
ways with each codec, and request headers one way.
"""
import argparse
import random
import subprocess
import sys
import uuid

import kafka
from kafka.record import MemoryRecords, MemoryRecordsBuilder

# Mistakes of kafka-python 2.0.2: current_leader_epoch as int64 where Kafka has int32, and a closing
# parenthesis too early, by which the partitions of ProduceResponse 8 lose record_errors.
WRONG_2 = {"OffsetRequest_v4", "OffsetRequest_v5", "ProduceResponse_v8"}
broken = set()
CODECS = {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}


class Recode:
    """The program under test, one command and one answer a line."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("wire_recode died at: %s" % " ".join(str(w) for w in words)[:300])
        return answer.rstrip("\n")


def random_int(rng, bits):
    v = rng.getrandbits(bits) >> rng.randrange(bits)
    return -v - 1 if rng.random() < 0.3 and v < 1 << (bits - 1) else v % (1 << (bits - 1))


def random_text(rng):
    n = rng.choice([0, 1, 3, 12, 40, 127, 128, 300])
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz.-_\u00e9") for _ in range(n))


def text_word(value):
    if value is None:
        return "null"
    return "s:" + (value.encode() if isinstance(value, str) else bytes(value)).hex()


# ---- kafka-python 2: schemas made of type objects ------------------------------------------------


def fill_2(rng, kind, words):
    from kafka.protocol import types
    name = kind.__name__ if isinstance(kind, type) else type(kind).__name__
    if isinstance(kind, types.Schema):
        return tuple(fill_2(rng, k, words) for k in kind.fields)
    if isinstance(kind, types.Array):
        n = rng.randrange(4)
        words.append("[%d" % n)
        return [fill_2(rng, kind.array_of, words) for _ in range(n)]
    if name == "Boolean":
        value = rng.random() < 0.5
        words.append(str(int(value)))
    elif name in ("Int8", "Int16", "Int32", "Int64"):
        value = random_int(rng, int(name[3:]))
        words.append(str(value))
    elif name == "String":
        value = random_text(rng)
        words.append(text_word(value))
    elif name == "Bytes":
        value = random_text(rng).encode()
        words.append(text_word(value))
    else:
        raise ValueError("no idea how to fill %s" % name)
    return value


def messages_2(rng, known):
    """(what, name, key, version, bytes, words) for the messages that are known there"""
    from kafka.protocol import admin, fetch, metadata, offset, produce
    from kafka.protocol.api import Request, Response
    for module in (admin, fetch, metadata, offset, produce):
        for cls in vars(module).values():
            if not isinstance(cls, type) or cls in (Request, Response):
                continue
            if not issubclass(cls, (Request, Response)) or not hasattr(cls, "SCHEMA"):
                continue
            what = "request" if issubclass(cls, Request) else "response"
            if cls.__name__ in WRONG_2 or not known(what, cls.API_KEY, cls.API_VERSION):
                continue
            words = []
            message = cls(*fill_2(rng, cls.SCHEMA, words))
            try:
                data = message.encode()
            except TypeError:  # a few of its schemas have a mistake and cannot encode anything
                broken.add(cls.__name__)
                continue
            yield what, cls.__name__, cls.API_KEY, cls.API_VERSION, data, words


# ---- kafka-python 3: schemas read from Kafka's message definitions -------------------------------


def fill_3_value(rng, field, version, words, nullable=True):
    kind = field._json["type"].replace("[]", "")
    if nullable and field.nullable_for_version_q(version) and rng.random() < 0.3:
        words.append("null")
        return None
    if kind == "bool":
        value = rng.random() < 0.5
        words.append(str(int(value)))
    elif kind in ("int8", "int16", "int32", "int64"):
        value = random_int(rng, int(kind[3:]))
        words.append(str(value))
    elif kind == "bitfield":  # an int32 on the wire
        value = rng.sample(range(31), 3)
        words.append(str(sum(1 << bit for bit in value)))
    elif kind == "uuid":
        value = uuid.UUID(int=rng.getrandbits(128))
        words.append("u:" + value.bytes.hex())
    elif kind == "string":
        value = random_text(rng)
        words.append(text_word(value))
    elif kind in ("bytes", "records"):
        value = random_text(rng).encode()
        words.append(text_word(value))
    else:
        raise ValueError("no idea how to fill %s" % kind)
    return value


def fill_3_struct(rng, fields, version, words):
    item = {}
    for f in fields:
        if f.for_version_q(version):
            item[f.name] = fill_3(rng, f, version, words)
    return item


def fill_3(rng, field, version, words):
    if field.is_array() or field.is_struct_array():
        if field.nullable_for_version_q(version) and rng.random() < 0.3:
            words.append("null")
            return None
        n = rng.randrange(4)
        words.append("[%d" % n)
        if field.is_struct_array():
            fields = field._fields
            return [fill_3_struct(rng, fields, version, words) for _ in range(n)]
        return [fill_3_value(rng, field.array_of, version, words, False) for _ in range(n)]
    if field.is_struct():
        if field.nullable_for_version_q(version):
            if rng.random() < 0.4:
                words.append("null")
                return None
            words.append("+")
        return fill_3_struct(rng, field._fields, version, words)
    return fill_3_value(rng, field, version, words)


def messages_3(rng, known):
    import importlib
    import pkgutil
    import kafka.protocol as protocol
    from kafka.protocol.api_message import ApiMessage
    for info in pkgutil.walk_packages(protocol.__path__, "kafka.protocol."):
        if ".old" in info.name or "generate" in info.name:
            continue
        importlib.import_module(info.name)
    # Subclasses per version exist beside the primary ones.
    seen, todo = {}, [ApiMessage]
    while todo:
        for cls in todo.pop().__subclasses__():
            todo.append(cls)
            if getattr(cls, "_json", None) and cls._json.get("type") in ("request", "response"):
                seen[cls._json["name"]] = cls[None]
    for name, cls in sorted(seen.items()):
        for version in range(0, cls.max_version + 1):
            what, key = cls._json["type"], cls._json["apiKey"]
            if version < cls._valid_versions[0] or not known(what, key, version):
                continue
            words = []
            item = fill_3_struct(rng, cls._struct._fields, version, words)
            flexible = cls.flexible_version_q(version)
            data = cls._struct.encode(item, version=version, compact=flexible, tagged=flexible)
            yield what, name, key, version, bytes(data), words


# ---- comparison ----------------------------------------------------------------------------------


def compare_messages(recode, rng, rounds):
    make = messages_2 if kafka.__version__.startswith("2.0.") else messages_3
    same, unknown, messages = 0, set(), set()

    def known(what, key, version):
        if recode.ask(what, key, version, "").startswith("error api "):
            unknown.add((what, key, version))
            return False
        return True

    for _ in range(rounds):
        for what, name, key, version, data, words in make(rng, known):
            answer = recode.ask(what, key, version, data.hex())
            head, *got = answer.split(" ")
            got = [w.split("=", 1)[-1] for w in got]
            if head != data.hex() or got != words:
                sys.exit("%s v%d differs\nkafka-python: %s\n  %s\nwire:         %s\n  %s" % (
                    name, version, data.hex(), " ".join(words), head, answer[len(head):]))
            same += 1
            messages.add((what, key, version))
    print("messages: %d of %d kinds the same (%d kinds are not spoken here)" % (
        same, len(messages), len(unknown)))
    if broken:
        print("kafka-python itself cannot encode %s" % ", ".join(sorted(broken)))
    if len(messages) < 60:
        sys.exit("too few messages in common: something is wrong with this test")


def compare_batches(recode, rng):
    made = 0
    for number, name in CODECS.items():
        builder = MemoryRecordsBuilder(2, number, 1 << 20)
        want = []
        for i in range(rng.randrange(2, 60)):
            key = None if rng.random() < 0.3 else random_text(rng).encode()
            value = None if rng.random() < 0.2 else random_text(rng).encode() * rng.randrange(1, 9)
            headers = [(random_text(rng) + "h", random_text(rng).encode())
                       for _ in range(rng.randrange(3))]
            stamp = 1700000000000 + rng.randrange(-100000, 100000)
            builder.append(timestamp=stamp, key=key, value=value, headers=headers)
            want += [str(stamp), str(i), text_word(key), text_word(value)]
            for k, v in headers:
                want += [text_word(k), text_word(v)]
        builder.close()
        data = bytes(builder.buffer())
        answer = recode.ask("batch", data.hex())
        words = [w.split("=", 1)[1] for w in answer.split(" ") if "=" in w]
        if answer.startswith("error") or words[0] != str(number) or words[8:] != want:
            sys.exit("%s batch of kafka-python is read differently: %s" % (name, answer[:400]))
        made += 1
        for raw in (0, 1) if number == 2 else (0,):
            check_built(recode, number, raw, rng.randrange(1, 3000))
            made += 1
    print("batches: %d exchanged, codecs %s" % (made, ", ".join(CODECS.values())))


def check_built(recode, number, raw, n):
    stamp = 1700000000000
    records = MemoryRecords(bytes.fromhex(recode.ask("build", number, raw, stamp, n)))
    batch = records.next_batch()
    if hasattr(batch, "validate_crc") and not batch.validate_crc():
        sys.exit("kafka-python finds a wrong CRC")
    got = [(r.offset, r.timestamp, r.key, r.value) for r in batch]
    want = [(i, stamp + i, b"key-%d" % i if i % 3 else None,
             b"value %d of a batch, and some more words" % i if i % 5 else None)
            for i in range(n)]
    if got != want:
        sys.exit("kafka-python reads our %s batch differently" % CODECS[number])


def compare_header(recode):
    if kafka.__version__.startswith("2.0."):
        from kafka.protocol.api import RequestHeader
        from kafka.protocol.metadata import MetadataRequest
        request = MetadataRequest[1](["a", "b"])
        header = RequestHeader(request, correlation_id=7, client_id="caf\u00e9")
        data, body = header.encode() + request.encode(), request.encode()
        version = 1
    else:
        from kafka.protocol.metadata import MetadataRequest
        version = 12
        request = MetadataRequest[version](topics=None)
        request.with_header(correlation_id=7, client_id="caf\u00e9")
        data, body = request.encode(header=True), request.encode()
    answer = recode.ask("header", data.hex())
    want = "key=3 version=%d id=7 client=%s body=s:%s" % (
        version, text_word("caf\u00e9"), body.hex())
    if answer != want:
        sys.exit("header: %s\nwanted: %s" % (answer, want))
    print("header: the same")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("recode")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print("kafka-python %s, seed %d" % (kafka.__version__, args.seed))
    rng = random.Random(args.seed)
    recode = Recode(args.recode)
    compare_header(recode)
    compare_messages(recode, rng, args.rounds)
    compare_batches(recode, rng)


if __name__ == "__main__":
    main()
