"""Whatever arrives: a closed connection, bounded memory, and the others go on."""
import os
import socket
import struct
import sys
import time

import node

API_VERSIONS = struct.pack(">hhih", 18, 0, 7, -1)


def connect(n):
    host, port = n.kafka.rsplit(":", 1)
    s = socket.create_connection((host, int(port)), timeout=10)
    return s


def ask(s):
    """An ApiVersions round trip."""
    s.sendall(struct.pack(">i", len(API_VERSIONS)) + API_VERSIONS)
    size = struct.unpack(">i", s.recv(4, socket.MSG_WAITALL))[0]
    body = s.recv(size, socket.MSG_WAITALL)
    assert struct.unpack(">i", body[:4])[0] == 7


def closed(s, seconds=10):
    s.settimeout(seconds)
    try:
        while s.recv(4096):
            pass
        return True
    except (ConnectionResetError, BrokenPipeError):
        return True
    except TimeoutError:
        return False


def test_bad_lengths():
    with node.Node("--governance", "off") as n:
        good = connect(n)
        for size in (0, -1, -2**31, 2**31 - 1, 0x15030100, 7):
            bad = connect(n)
            bad.sendall(struct.pack(">i", size) + b"x" * 16)
            assert closed(bad), size
            ask(good)
        for junk in (os.urandom(5000), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01" + b"\0" * 500):
            bad = connect(n)
            bad.sendall(junk)
            bad.shutdown(socket.SHUT_WR)
            assert closed(bad)
            ask(good)


def test_slow_and_silent_clients():
    with node.Node("--governance", "off", "--set", "request-timeout=1s", "--set",
                   "idle-timeout=2s") as n:
        half, silent = connect(n), connect(n)
        half.sendall(b"\0\0")
        dripping = connect(n)
        dripping.sendall(struct.pack(">i", 1000000))
        start = time.monotonic()
        assert closed(half, 6)
        assert closed(silent, 6)
        while time.monotonic() - start < 8:
            try:
                dripping.sendall(b"x")
            except OSError:
                break
            time.sleep(0.2)
        else:
            raise AssertionError("a client that sends five bytes a second is still there")


def test_memory_stays_bounded():
    """Promises of large requests and clients that never read cost next to nothing."""
    with node.Node("--governance", "off", "--set", "memory=64MiB") as n:
        n.produce("t", ["x" * 900] * 1000)
        before = n.rss()
        open_ = []
        for _ in range(300):
            s = connect(n)
            s.sendall(struct.pack(">i", 30 << 20) + b"x" * 1000)
            open_.append(s)
        for _ in range(50):  # many requests, no reading
            s = connect(n)
            s.setblocking(False)
            try:
                s.send((struct.pack(">i", len(API_VERSIONS)) + API_VERSIONS) * 20000)
            except BlockingIOError:
                pass
            open_.append(s)
        time.sleep(1)
        good = connect(n)
        ask(good)
        grown = n.rss() - before
        assert grown < 96 << 20, grown
        n.produce("t", ["still works"])


def test_many_connections():
    with node.Node("--governance", "off", "--set", "max-connections=500") as n:
        before = n.rss()
        open_ = [connect(n) for _ in range(400)]
        for s in open_[::20]:
            ask(s)
        assert n.rss() - before < 8 << 20
        more = [connect(n) for _ in range(150)]
        assert closed(more[-1])
        for s in open_:
            s.close()
        for s in more:
            s.close()
        node.wait(lambda: can_ask(n))


def can_ask(n):
    try:
        ask(connect(n))
        return True
    except (OSError, struct.error):
        return False


if __name__ == "__main__":
    node.main(sys.modules[__name__])
