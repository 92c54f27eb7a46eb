"""SIGTERM ends in order, SIGHUP opens the log anew."""
import os
import signal
import subprocess
import sys
import time

import node


def test_term_while_idle_and_connected():
    with node.Node("--governance", "off") as n:
        n.produce("t", ["a"])
        with subprocess.Popen(["kcat", "-b", n.kafka, "-C", "-t", "t", "-q"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as consumer:
            time.sleep(0.3)  # a long poll is under way
            start = time.monotonic()
            n.call("term", "1")
            assert time.monotonic() - start < 8
            consumer.kill()
        assert '"event":"stopped"' in n.log()
        n.start()
        assert n.consume("t") == ["a"]


def test_term_while_producing():
    with node.Node("--governance", "off") as n:
        n.produce("t", ["first"])
        acked = n.cut_producer("t", (str(i) for i in range(50000)), lambda: n.call("term", "1"), 0.1)
        assert '"event":"stopped"' in n.log()
        n.start()
        assert len(n.consume("t")) >= acked


def test_hup_reopens_the_log():
    with node.Node("--set", "log-file=/tmp/writ-system-%i.log") as n:
        path = "/tmp/writ-system-1.log"
        try:
            os.rename(path, path + ".1")
            os.kill(n.pid(), signal.SIGHUP)
            node.wait(lambda: os.path.exists(path) and "reopened" in open(path, encoding="utf-8").read())
        finally:
            for p in (path, path + ".1"):
                if os.path.exists(p):
                    os.unlink(p)


if __name__ == "__main__":
    node.main(sys.modules[__name__])
