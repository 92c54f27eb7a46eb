"""A wrong, used or damaged data folder is refused with a sentence that says what to do."""
import os
import shutil
import subprocess
import sys

import node


def serve(data, *flags, timeout=20):
    done = subprocess.run([node.BINARY, "serve", "--data", data, "--kafka-listen", "127.0.0.1:0",
                           "--admin-listen", "127.0.0.1:0", *flags],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)
    return done.returncode, done.stderr


def refused(data, *words, flags=()):
    status, err = serve(data, *flags)
    assert status == 1, (status, err)
    for word in words:
        assert word in err, (word, err)


def test_second_process():
    with node.Node() as n:
        refused(n.data, "in use by another process", f"pid {n.pid()}", "stop it first")
        assert n.http("GET", "/readyz")[0] == 200  # the first one is undisturbed


def test_wrong_folder():
    with node.Node() as n:
        n.call("term", "1")
        refused(n.data, "belongs to node 1", "--node 1", flags=("--node", "2"))
        refused(n.data, "belongs to cluster", flags=("--cluster-id", "AAAAAAAAAAAAAAAAAAAAAA"))
        foreign = os.path.join(n.base, "foreign")
        os.makedirs(foreign)
        with open(os.path.join(foreign, "thesis.txt"), "w", encoding="utf-8") as f:
            f.write("x")
        refused(foreign, "not a data folder of Writ")
        refused(os.path.join(n.base, "a", "b"), "its parent must exist")
        assert os.listdir(foreign) in (["thesis.txt", "lock"], ["lock", "thesis.txt"])
        n.start()


def test_voters():
    data = "/nonexistent/writ"
    status, err = serve(data, "--voters", "1@127.0.0.1:1,2@127.0.0.1:2,3@127.0.0.1:3")
    assert status == 2 and "next version" in err, (status, err)


def test_damaged_raft_log():
    """Bytes flipped in the middle of the control plane's log: refused, and not touched."""
    with node.Node("--governance", "off") as n:
        for i in range(5):
            n.produce(f"t{i}", ["x"])
        n.call("term", "1")
        raft = os.path.join(n.data, "raft")
        log = sorted(f for f in os.listdir(raft) if f.startswith("log-"))[0]
        path = os.path.join(raft, log)
        shutil.copy(path, path + ".saved")
        with open(path, "r+b") as f:
            f.seek(700)
            old = f.read(4)
            f.seek(700)
            f.write(bytes(b ^ 0xFF for b in old))
        status, err = serve(n.data)
        assert status == 1, (status, err)
        assert "damaged" in err or "corrupt" in err, err
        os.replace(path + ".saved", path)
        n.start()
        assert n.consume("t4") == ["x"]


def rewrite_audit(n, change):
    n.call("term", "1")
    with open(os.path.join(n.data, "audit", "audit.log"), "r+b") as f:
        lines = change(f.read().splitlines(keepends=True))
        f.seek(0)
        f.truncate()
        f.writelines(lines)
    n.start()


def test_audit_file_that_was_changed():
    """Missing or altered audit records are an alarm, not a refusal: the node serves, and says so."""
    changes = [lambda lines: lines[1:],
               lambda lines: [lines[0].replace(b"done", b"gone")] + lines[1:]]
    for change in changes:
        with node.Node() as n:
            n.http("PUT", "/v1/teams/a", {"kind": "Team", "name": "a"})
            assert n.http("GET", "/v1/audit/verify")[1]["ok"] is True
            rewrite_audit(n, change)
            node.wait(lambda: n.http("GET", "/v1/status")[1]["alarms"])
            status, verdict, _ = n.http("GET", "/v1/audit/verify")
            assert status == 200 and verdict["ok"] is False, verdict
            assert n.http("GET", "/readyz", token=False)[0] == 200


def test_audit_file_that_lost_its_end():
    """Records that Raft still has are written again at the next start."""
    with node.Node() as n:
        n.http("PUT", "/v1/teams/a", {"kind": "Team", "name": "a"})
        rewrite_audit(n, lambda lines: lines[:-2] + [lines[-2][:50]])
        assert n.http("GET", "/v1/audit/verify")[1]["ok"] is True
        assert not n.http("GET", "/v1/status")[1]["alarms"]


if __name__ == "__main__":
    node.main(sys.modules[__name__])
