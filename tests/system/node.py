"""One node for a test: deploy/dev-cluster around the binary that ctest names in WRIT_BINARY."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BINARY = os.environ.get("WRIT_BINARY") or os.path.join(ROOT, "build", "release", "writ")
os.environ["WRIT_BINARY"] = BINARY


class Node:
    """with Node(...) as n: a running node in a folder of its own."""

    def __init__(self, *flags, env=None):
        self.base = tempfile.mkdtemp(prefix="writ-system-")
        self.dir = os.path.join(self.base, "cluster")
        self.flags, self.env, self.status = flags, dict(os.environ, **(env or {})), {}

    def call(self, *args, check=True):
        done = subprocess.run([os.path.join(ROOT, "deploy", "dev-cluster"), *args, "--dir", self.dir],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.env,
                              timeout=120)
        if check and done.returncode:
            raise AssertionError(f"dev-cluster {args}: {done.stderr}")
        if done.returncode == 0 and done.stdout.strip():
            self.status = json.loads(done.stdout)
        return done

    def __enter__(self):
        self.call("up", *self.flags)
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            self.call("logs", check=False)
            sys.stderr.write("--- the node's log\n" + self.log()[-4000:] + "\n")
        self.call("down", check=False)
        shutil.rmtree(self.base, ignore_errors=True)

    @property
    def me(self):
        return self.status["nodes"][0]

    @property
    def kafka(self):
        return self.me["kafka"]

    @property
    def data(self):
        return self.me["data"]

    def pid(self):
        return self.me["pid"]

    def log(self):
        try:
            with open(os.path.join(self.dir, "log", "node-1.log"), encoding="utf-8") as f:
                return f.read()
        except OSError:
            return ""

    def kill(self):
        self.call("kill", "1")

    def start(self):
        self.call("start", "1", "--wait")

    def rss(self):
        with open(f"/proc/{self.pid()}/status", encoding="utf-8") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))

    def http(self, method, path, body=None, token=True, headers=None):
        """(status, parsed JSON or text, headers)"""
        h = dict(headers or {})
        if token:
            h["Authorization"] = "Bearer " + self.status["token"]
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body else None
        if data:
            h.setdefault("Content-Type", "application/json")
        req = urllib.request.Request(self.me["admin"] + path, data=data, method=method, headers=h)
        try:
            with urllib.request.urlopen(req, timeout=30) as r:
                return r.status, parse(r.read()), r.headers
        except urllib.error.HTTPError as e:
            return e.code, parse(e.read()), e.headers

    def kcat(self, *args, stdin="", check=True, timeout=60):
        done = subprocess.run(["kcat", "-b", self.kafka, *args], input=stdin, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        if check and done.returncode:
            raise AssertionError(f"kcat {args}: {done.stderr}")
        return done

    def produce(self, topic, lines, *args, check=True):
        return self.kcat("-P", "-t", topic, "-X", "acks=all", "-X", "message.timeout.ms=20000", *args,
                         stdin="".join(line + "\n" for line in lines), check=check)

    def cut_producer(self, topic, lines, cut, wait_s):
        """Produces, runs cut() after a while; how many lines kcat saw acknowledged."""
        path = os.path.join(self.base, "kcat.err")
        text = "".join(line + "\n" for line in lines)
        with open(os.path.join(self.base, "kcat.in"), "w+", encoding="utf-8") as source, \
                open(path, "w", encoding="utf-8") as err:
            source.write(text)
            source.seek(0)
            with subprocess.Popen(["kcat", "-b", self.kafka, "-P", "-t", topic, "-X", "acks=all", "-X",
                                   "message.timeout.ms=3000", "-v", "-v", "-v"], stdin=source,
                                  stdout=subprocess.DEVNULL, stderr=err) as p:
                time.sleep(wait_s)
                cut()
                p.wait(timeout=60)
        with open(path, encoding="utf-8") as f:
            return f.read().count("Message delivered")

    def consume(self, topic, partition=None):
        part = ["-p", str(partition)] if partition is not None else []
        out = self.kcat("-C", "-t", topic, *part, "-o", "beginning", "-e", "-q").stdout
        return out.splitlines()


def parse(data):
    text = data.decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


def wait(what, seconds=10):
    """Until what() is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def main(module):
    """Runs every function test_* of a test file."""
    failed = 0
    for name, test in list(vars(module).items()):
        if not name.startswith("test_"):
            continue
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        start = time.monotonic()
        try:
            test()
            print(f"ok   {name} ({time.monotonic() - start:.1f} s)", flush=True)
        except Exception as e:  # every failure of a test is told, the others still run
            import traceback
            traceback.print_exc()
            print(f"FAIL {name}: {e}", flush=True)
            failed += 1
    sys.exit(1 if failed else 0)
