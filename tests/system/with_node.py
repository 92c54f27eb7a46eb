#!/usr/bin/env python3
"""with_node.py WRIT [--set KEY VALUE]... -- COMMAND...

Starts a node in a folder of its own on free ports, runs the command, stops the node, and gives the
command's status. The command finds WRIT_KAFKA, WRIT_ADMIN (addresses), WRIT_PID and WRIT_DATA in its
environment. Fails also when the node dies on the way or does not stop on SIGTERM; then the node's
last log lines are shown.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

START_S = 30
STOP_S = 30


def wait_ready(process, log):
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        with open(log, encoding="utf-8", errors="replace") as f:
            for line in f:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if entry.get("event") == "ready":
                    return entry
        if process.poll() is not None:
            return None
        time.sleep(0.02)
    return None


def tail(log, lines=40):
    with open(log, encoding="utf-8", errors="replace") as f:
        sys.stderr.write("".join(f.readlines()[-lines:]))


def main():
    arguments = sys.argv[1:]
    if "--" not in arguments or not arguments[0:1]:
        sys.exit(__doc__)
    cut = arguments.index("--")
    writ, options, command = arguments[0], arguments[1:cut], arguments[cut + 1:]
    settings = {"governance": "off", "kafka-listen": "127.0.0.1:0", "admin-listen": "127.0.0.1:0"}
    while options[:1] == ["--set"]:
        settings[options[1]] = options[2]
        options = options[3:]
    folder = tempfile.mkdtemp(prefix="writ-test-")
    settings.setdefault("data", os.path.join(folder, "data"))
    log = os.path.join(folder, "log")
    flags = [w for k, v in settings.items() for w in ("--" + k, v)]
    with open(log, "w", encoding="utf-8") as out:
        node = subprocess.Popen([writ, "serve"] + flags, stdout=out, stderr=out)
    status = 1
    try:
        ready = wait_ready(node, log)
        if not ready:
            tail(log)
            sys.exit("the node did not become ready")
        environment = dict(os.environ, WRIT_KAFKA=ready["kafka"],
                           WRIT_ADMIN=ready["admin"], WRIT_PID=str(node.pid),
                           WRIT_DATA=settings["data"])
        status = subprocess.run(command, env=environment).returncode
        if node.poll() is not None:
            tail(log)
            print("the node died with status %d" % node.returncode, file=sys.stderr)
            status = 1
        node.send_signal(signal.SIGTERM)
        try:
            node.wait(STOP_S)
        except subprocess.TimeoutExpired:
            print("the node did not stop within %d s" % STOP_S, file=sys.stderr)
            status = 1
        else:
            if status == 0 and node.returncode != 0:
                tail(log)
                print("the node stopped with status %d" % node.returncode, file=sys.stderr)
                status = 1
    finally:
        if node.poll() is None:
            node.kill()
            node.wait()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
