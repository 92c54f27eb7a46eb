"""Health, readiness, status, metrics and logs."""
import json
import os
import re
import subprocess
import sys

import node

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",?)*\})? '
                    r'(-?(?:[0-9.]+(?:[eE][-+]?[0-9]+)?)|NaN|[-+]?Inf)$')


def metrics(n):
    status, text, headers = n.http("GET", "/metrics", token=False)
    if status == 401:
        status, text, headers = n.http("GET", "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain"), status
    return text


def test_metrics_follow_the_conventions():
    with node.Node("--governance", "off") as n:
        n.produce("t", ["a"] * 10)
        n.consume("t")
        metrics(n)  # so that the second answer counts the first
        typed, seen, values = {}, set(), {}
        for line in metrics(n).splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                assert name not in typed, f"{name} is typed twice"
                typed[name] = kind
            elif not line.startswith("#"):
                m = SAMPLE.match(line)
                assert m, line
                name = m.group(1)
                base = re.sub(r"_(bucket|sum|count)$", "", name)
                kind = typed.get(name) or typed.get(base)
                assert kind, f"no TYPE before {line}"
                assert kind != "counter" or name.endswith("_total"), line
                assert (name, m.group(2)) not in seen, f"twice: {line}"
                seen.add((name, m.group(2)))
                values[(name, m.group(2))] = float(m.group(3))
        page = open(os.path.join(node.ROOT, "docs", "operations.md"), encoding="utf-8").read()
        for name in typed:
            assert f"`{name}`" in page, f"{name} is not in docs/operations.md"
        for name in ("writ_journal_sync_seconds_count", "writ_requests_received_total",
                     "writ_catalogue_version", "writ_raft_term", "writ_raft_append_seconds_count",
                     "process_resident_memory_bytes", "writ_http_request_seconds_count"):
            assert values.get((name, None), 0) > 0, name


def test_health_and_status():
    with node.Node() as n:
        assert n.http("GET", "/healthz", token=False)[1]["alive"] is True
        status, ready, _ = n.http("GET", "/readyz", token=False)
        assert status == 200 and ready == {"ready": True, "reasons": []}, ready
        done = subprocess.run([node.BINARY, "status", "--data", n.data], stdout=subprocess.PIPE, text=True,
                              check=True)
        own = json.loads(done.stdout)
        assert own["ready"] and own["pid"] == n.pid() and own["cluster_id"] == n.status["cluster_id"]
        assert own["catalogue"]["version"] == own["catalogue"]["enforced_version"] > 0
        assert n.http("GET", "/v1/status")[1]["kafka"] == n.kafka
        assert n.http("GET", "/v1/status", token=False)[0] == 401
        n.kill()
        done = subprocess.run([node.BINARY, "status", "--data", n.data], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 3 and "no node runs" in done.stderr, done


def test_not_ready_without_space():
    with node.Node("--governance", "off") as n:
        n.produce("t", ["kept"])
        n.call("term", "1")
        # More than any disk has: the node starts, reads are served, writes are refused as retriable.
        n.env["DEV_CLUSTER_TIMEOUT"] = "1"
        n.call("up", "--set", "free-space-min=1000000GiB", check=False)
        node.wait(lambda: n.http("GET", "/readyz", token=False)[0] == 503)
        assert "free-space-min" in n.http("GET", "/readyz", token=False)[1]["reasons"][0]
        assert n.consume("t") == ["kept"]
        done = n.kcat("-P", "-t", "t", "-X", "message.timeout.ms=2000", stdin="lost?\n", check=False)
        assert done.returncode != 0
        assert n.consume("t") == ["kept"]


def test_logs_are_json():
    with node.Node("--set", "log-level=debug") as n:
        n.http("GET", "/v1/topics", headers={"X-Request-Id": "abc-123"})
        node.wait(lambda: "abc-123" in n.log())
        for line in n.log().splitlines():
            entry = json.loads(line)
            assert entry["node"] == 1 and entry["level"] and entry["room"] and entry["event"], line
            assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", entry["time"]), line


if __name__ == "__main__":
    node.main(sys.modules[__name__])
