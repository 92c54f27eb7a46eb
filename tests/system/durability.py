"""What was acknowledged is there after SIGKILL, in order and once."""
import sys

import node


def test_acknowledged_survives_kill():
    with node.Node("--governance", "off") as n:
        want = []
        for round_ in range(3):
            lines = [f"{round_}-{i}" for i in range(200)]
            n.produce("t", lines)
            want += lines
            n.kill()
            n.start()
            assert n.consume("t") == want


def test_kill_while_producing():
    """A producer that is cut off: each line that it saw acknowledged is stored; nothing twice."""
    with node.Node("--governance", "off") as n:
        n.produce("t", ["first"])
        for round_ in range(3):
            acked = n.cut_producer("t", (f"r{round_} {i}" for i in range(20000)), n.kill, 0.15)
            n.start()
            got = [x for x in n.consume("t") if x.startswith(f"r{round_} ")]
            assert len(got) >= acked, (len(got), acked)
            order = [int(x.split()[1]) for x in dict.fromkeys(got)]
            assert order == sorted(order)


def test_many_partitions_and_restart_in_order():
    with node.Node("--governance", "off", "--set", "default-partitions=8") as n:
        lines = [f"{i}" for i in range(1000)]
        n.produce("p", lines, "-X", "batch.num.messages=7")
        before = [n.consume("p", p) for p in range(8)]
        n.call("term", "1")
        n.start()
        assert [n.consume("p", p) for p in range(8)] == before
        assert sorted(x for p in before for x in p) == sorted(lines)


def test_offsets_go_on():
    with node.Node("--governance", "off") as n:
        for i in range(3):
            n.produce("o", ["x"] * 10)
            n.kill()
            n.start()
            out = n.kcat("-Q", "-t", "o:0:-1").stdout
            assert out.strip().endswith(str(10 * (i + 1))), out


if __name__ == "__main__":
    node.main(sys.modules[__name__])
