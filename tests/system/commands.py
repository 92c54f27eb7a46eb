"""The command line and the helpers against a running node: what docs/cli.md and docs/signatures.md
tell a stranger to type."""
import base64
import json
import os
import subprocess
import sys
import tempfile
import time

from node import BINARY, ROOT, Node, main, wait

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOPIC = """kind: Topic
name: shop.orders
team: orders
value:
  format: json
  schema: ./order.schema.json
  examples: [./order.example.json]
key: { format: string, required: true }
headers: { required: [traceparent] }
signing: { required: true, headers: [traceparent] }
partitions: 1
"""
TEAM = "kind: Team\nname: orders\ncontact: '#orders'\n"
SCHEMA = '{"type": "object", "required": ["total"], "properties": {"total": {"minimum": 0}}}\n'
ORDER = '{"total":12.5}\n'


class Folder:
    """A working directory with contracts/, a key, and the command line in it."""

    def __init__(self, node):
        self.node, self.dir = node, tempfile.mkdtemp(dir=node.base)
        os.mkdir(self.dir + "/contracts")
        self.write("contracts/order.schema.json", SCHEMA)
        self.write("contracts/order.example.json", ORDER)
        self.write("contracts/topic.yaml", TOPIC)
        self.write("contracts/team.yaml", TEAM)
        key = json.loads(self.writ("key", "new", "--kid", "shop/k1", "--out", "shop.key", "-o", "json",
                                   remote=False))
        self.producer(key["public_key"])

    def producer(self, key):
        self.write("contracts/producer.yaml",
                   f"kind: Producer\nname: shop\nteam: orders\ntopics: [shop.*]\n"
                   f"keys:\n  - {{ id: k1, public_key: {key} }}\n")

    def write(self, name, text):
        with open(f"{self.dir}/{name}", "w", encoding="utf-8") as f:
            f.write(text)

    def run(self, *words, stdin="", remote=True):
        return subprocess.run([BINARY, *words, *(["--data", self.node.data] if remote else [])],
                              cwd=self.dir, input=stdin, capture_output=True, text=True, timeout=60)

    def writ(self, *words, code=0, stdin="", remote=True):
        done = self.run(*words, stdin=stdin, remote=remote)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout + (done.stderr if code else "")

    def sign(self, value, key="o-1", topic="shop.orders"):
        return self.writ("sign", "--key", "shop.key", "--topic", topic, "--record-key", key, "-H",
                         f"traceparent={TRACE}", "--sign-header", "traceparent", "--line",
                         stdin=value, remote=False).strip()

    def send(self, value, signature, *more, check=True):
        return self.node.kcat("-P", "-t", "shop.orders", "-k", "o-1", "-H", f"traceparent={TRACE}",
                              "-H", signature, "-X", "message.timeout.ms=10000", *more, stdin=value,
                              check=check)


def test_documents():
    with Node("--governance", "on") as n:
        f = Folder(n)
        assert "3 to create" in f.writ("plan", "-f", "contracts")
        assert "create Topic shop.orders" in f.writ("diff", "-f", "contracts", code=1)
        assert "Applied: 3 created" in f.writ("apply", "-f", "contracts")
        assert "Nothing to change" in f.writ("apply", "-f", "contracts")
        f.writ("diff", "-f", "contracts")

        # What is exported can be applied, in both spellings, and is the same.
        f.write("export.yaml", f.writ("export"))
        f.write("export.json", f.writ("export", "-o", "json"))
        assert "Nothing to change" in f.writ("apply", "-f", "export.yaml")
        assert "Nothing to change" in f.writ("apply", "-f", "export.json")

        # A mistake is told with its file, line and field, and nothing of the folder is applied.
        f.write("contracts/topic.yaml", TOPIC.replace("partitions", "partitons"))
        f.write("contracts/team.yaml", TEAM + "members: [alice]\n")
        said = f.writ("apply", "-f", "contracts", code=1)
        assert "contracts/topic.yaml:1 /partitons" in said and '"partitions"' in said, said
        assert "members: []" in f.writ("get", "team", "orders", "-o", "yaml")
        f.write("contracts/topic.yaml", TOPIC + "retention: { time: 1d }\n")
        said = f.writ("plan", "-f", "contracts")
        assert '/retention/time: "7d" -> "1d"' in said and "2 to update" in said, said
        assert "if-version" in f.writ("apply", "-f", "contracts", "--if-version", "1", code=1)
        f.writ("apply", "-f", "contracts")
        assert "#orders" in f.writ("get", "teams") and "alice" in f.writ("get", "teams")
        f.write("contracts/topic.yaml", TOPIC.replace("partitions: 1", "mode: shadow"))
        assert "not-built" in f.writ("plan", "-f", "contracts", code=1)
        assert "unknown" in f.writ("get", "topic", "none", code=1)
        f.writ("delete", "team", "orders", code=1)
        assert "Deleted Topic shop.orders." in f.writ("delete", "topic", "shop.orders")
        assert "No topics" in f.run("get", "topics").stderr


def test_records():
    with Node("--governance", "on") as n:
        f = Folder(n)
        f.writ("apply", "-f", "contracts")
        signature = f.sign(ORDER)
        f.send(ORDER, signature)
        f.write("order.json", ORDER.strip())
        explain = ("explain", "shop.orders", "order.json", "--record-key", "o-1", "-H")
        assert "accepted" in f.writ(*explain, f"traceparent={TRACE}", "-H", signature)
        assert "header.missing" in f.writ(*explain, "x=y", code=1)

        f.send(ORDER, signature)  # byte for byte the same: a retry, acknowledged and stored once
        bad = '{"total":-1}\n'
        refused = {"payload.invalid": (bad, f.sign(bad)),
                   "signature.invalid": ('{"total":13}\n', f.sign(ORDER)),
                   "signature.context": (ORDER, f.sign(ORDER, key="o-2")),
                   "signature.replayed": (ORDER, signature, "-H", "more=1")}
        for code, case in refused.items():
            assert f.send(*case, check=False).returncode != 0, code
        wait(lambda: all(f" {code} " in f.run("rejections").stdout for code in refused))
        assert len(f.writ("rejections").splitlines()) == 1 + len(refused)
        said = f.writ("rejections", "--topic", "shop.orders", "--code", "payload.invalid")
        assert "/total" in said and "signature" not in said, said
        assert len(n.consume("shop.orders")) == 1
        said = f.writ("describe", "topic", "shop.orders")
        assert "Last refusals" in said and "payload.invalid" in said, said


def test_keys():
    with Node("--governance", "on") as n:
        f = Folder(n)
        f.writ("apply", "-f", "contracts")
        f.writ("key", "new", "--kid", "shop/k2", "--out", "k2.key", remote=False)
        assert "shop/k2" in f.writ("key", "add", "shop", "k2", "--public", "k2.key")
        assert "reason" in f.writ("key", "revoke", "shop", "k1", code=2)
        assert "revoked" in f.writ("key", "revoke", "shop", "k1", "--reason", "lost")
        said = f.writ("key", "list", "shop")
        assert said.count("active") == 1 and "lost" in said, said
        assert f.send(ORDER, f.sign(ORDER), check=False).returncode != 0
        wait(lambda: "signature.key-revoked" in f.run("rejections").stdout)
        os.rename(f.dir + "/k2.key", f.dir + "/shop.key")
        f.send(ORDER, f.sign(ORDER))


def test_audit():
    with Node("--governance", "on") as n:
        f = Folder(n)
        f.writ("apply", "-f", "contracts")
        f.writ("key", "revoke", "shop", "k1", "--reason", "test")
        assert "key.revoke" in f.writ("audit", "--action", "key.revoke")
        assert "whole" in f.writ("audit", "verify")
        with subprocess.Popen([BINARY, "audit", "--follow", "-o", "json", "--data", n.data],
                              stdout=subprocess.PIPE, text=True) as follow:
            seen = [json.loads(follow.stdout.readline())["seq"] for _ in range(2)]
            f.write("contracts/team.yaml", TEAM + "description: new\n")
            f.writ("apply", "-f", "contracts/team.yaml")
            end = time.monotonic() + 10
            while seen[-1] < 5 and time.monotonic() < end:
                seen.append(json.loads(follow.stdout.readline())["seq"])
            follow.terminate()
        assert seen == sorted(seen), seen


def test_helpers():
    """Python's helper signs what the broker takes, and judges what the broker stored."""
    sys.path.insert(0, ROOT + "/governance/clients/python")
    from writ_sign import Refused, Signer, verify
    with Node("--governance", "on") as n:
        f = Folder(n)
        f.writ("apply", "-f", "contracts")
        signer = Signer.from_file(f.dir + "/shop.key")
        headers = [("traceparent", TRACE.encode())]
        value = b'{"total":1}'
        signature = signer.sign("shop.orders", b"o-1", value, headers, ["traceparent"])
        f.send(value.decode() + "\n", "x-jws-signature=" + signature.decode())
        f.send(ORDER, f.sign(ORDER))
        _, keys, _ = n.http("GET", "/v1/producers/shop/keys")
        public = {k["kid"]: base64.urlsafe_b64decode(k["public_key"] + "=") for k in keys["items"]}
        lines = n.kcat("-C", "-t", "shop.orders", "-e", "-q", "-J").stdout.splitlines()
        assert len(lines) == 2
        for record in map(json.loads, lines):
            pairs = list(zip(record["headers"][::2], record["headers"][1::2]))
            got = [(k, v.encode()) for k, v in pairs]
            sent = dict(got)["x-jws-signature"]
            find = lambda kid, iat: public.get(kid)
            args = (record["topic"], record["key"].encode(), record["payload"].encode(), got, find)
            assert verify(sent, *args)["kid"] == "shop/k1"
            try:
                verify(sent, "shop.other", *args[1:])
                raise AssertionError("took a record of another topic")
            except Refused as refused:
                assert refused.code == "context"


if __name__ == "__main__":
    main(sys.modules[__name__])
