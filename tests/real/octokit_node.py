#!/usr/bin/env python3
"""octokit_node.py WRIT EVENTS VERDICTS: GitHub's example events through a running, governing node.

One topic for each event type, its contract the type's schema; each example is signed and sent with
kcat. The node must give ajv's verdict (VERDICTS, of ajv_judge.js) for each, the ledger must hold each
refused one with the place, and the topics must hold the accepted ones byte for byte and no other.
"""
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

writ, events, verdict_file = sys.argv[1:4]
bootstrap = os.environ["WRIT_KAFKA"]
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED", what)


def command(*words, stdin=None):
    run = subprocess.run(words, input=stdin, capture_output=True)
    return run.returncode, run.stdout, run.stderr.decode(errors="replace")


def cli(*words, stdin=None):
    status, out, err = command(writ, *words, stdin=stdin)
    if status:
        sys.exit("writ %s: %s%s" % (" ".join(words), out.decode(errors="replace"), err))
    return out.decode()


def admin(*words):
    return json.loads(cli(*words, "-o", "json", "--data", os.environ["WRIT_DATA"]))


def register(folder, types):
    key = cli("key", "new", "--kid", "github-app/k1", "--out", os.path.join(folder, "key"), "-o", "json")
    public = json.loads(key)["public_key"]
    contracts = os.path.join(folder, "contracts")
    os.mkdir(contracts)
    with open(os.path.join(contracts, "people.yaml"), "w", encoding="utf-8") as f:
        f.write("kind: Team\nname: github\n---\nkind: Producer\nname: github-app\nteam: github\n"
                "topics: [github.*]\nkeys: [{ id: k1, public_key: \"%s\" }]\n" % public)
    for name in types:
        with open(os.path.join(contracts, name + ".yaml"), "w", encoding="utf-8") as f:
            f.write("kind: Topic\nname: github.%s\nteam: github\ndescription: GitHub's %s event\n"
                    "type: com.github.%s\nvalue: { format: json, schema: %s }\n"
                    "signing: { required: true, window: 5m }\n"
                    % (name, name, name, os.path.join(os.path.abspath(events), name + ".schema.json")))
    print(cli("apply", "-f", contracts, "--data", os.environ["WRIT_DATA"]).splitlines()[-1])


def send(folder, topic, path):
    with open(path, "rb") as f:
        value = f.read()
    signature = cli("sign", "--key", os.path.join(folder, "key"), "--topic", topic, stdin=value).strip()
    _, _, err = command("kcat", "-P", "-b", bootstrap, "-t", topic, "-H", signature,
                        "-X", "message.timeout.ms=10000", path)
    return value, "Delivery failed" not in err and "ERROR" not in err, err


def items(answer):
    return answer["items"] if isinstance(answer, dict) else answer


def main():
    verdicts = []
    with open(verdict_file, encoding="utf-8") as f:
        for line in f:
            word, name = line.rstrip("\n").split("\t")
            verdicts.append((name, word == "valid"))
    types = sorted({re.sub(r"\.\d+\.json$", "", name) for name, _ in verdicts})
    print("%d event types, %d examples, ajv accepts %d" %
          (len(types), len(verdicts), sum(ok for _, ok in verdicts)))
    with tempfile.TemporaryDirectory() as folder:
        register(folder, types)
        stored, refused = collections.defaultdict(list), collections.Counter()
        for name, valid in verdicts:
            topic = "github." + re.sub(r"\.\d+\.json$", "", name)
            value, accepted, err = send(folder, topic, os.path.join(events, name))
            check(accepted == valid, "%s: ajv %s, the node %s: %s" % (name, valid, accepted, err))
            if accepted:
                stored[topic].append(value)
            else:
                refused[topic] += 1
        for topic, count in sorted(refused.items()):
            entries = items(admin("rejections", "--topic", topic, "--limit", "100"))
            check(len(entries) == count, "%s: %d refused, %d in the ledger" %
                  (topic, count, len(entries)))
            for e in entries:
                check(e["code"] == "payload.invalid" and (e["path"] or "property" in e["detail"]),
                      "%s: the ledger names no place: %s" % (topic, e))
        for name in types:
            topic = "github." + name
            _, out, _ = command("kcat", "-q", "-C", "-b", bootstrap, "-t", topic, "-o", "beginning",
                                "-e", "-f", "%S %s\n")
            expected = b"".join(b"%d %s\n" % (len(v), v) for v in stored[topic])
            check(out == expected, "%s holds something else than the accepted examples" % topic)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed or not passed else 0)


main()
