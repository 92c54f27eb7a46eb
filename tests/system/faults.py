"""Faults of the disk under a running node (fault_io.c is preloaded)."""
import os
import sys

import node


class Faulty(node.Node):
    def __init__(self, *flags):
        super().__init__(*flags)
        self.trigger = os.path.join(self.base, "trigger")
        self.env["DEV_CLUSTER_WRAP"] = (f"env LD_PRELOAD={os.environ['FAULT_IO']} "
                                        f"FAULT_TRIGGER={self.trigger}")

    def fault(self, text):
        with open(self.trigger, "w", encoding="utf-8") as f:
            f.write(text)

    def heal(self):
        os.unlink(self.trigger)

    def gone(self):
        node.wait(lambda: self.call("status").returncode == 0 and self.me["state"] == "down")


def test_failed_journal_sync_ends_the_process():
    """Never retried, never acknowledged (design 6.7); what was acknowledged before is there."""
    with Faulty("--governance", "off", "--set", "journal-direct=off") as n:
        n.produce("t", ["kept"])
        n.fault("fdatasync journal 5")
        done = n.kcat("-P", "-t", "t", "-X", "message.timeout.ms=2000", "-X", "acks=all",
                      stdin="never acknowledged\n", check=False)
        assert done.returncode != 0
        n.gone()
        assert "the node ends at once" in n.log() and "journal" in n.log()
        n.heal()
        n.start()
        assert n.consume("t")[0] == "kept"


def test_failed_journal_write_ends_the_process():
    """The same with the journal past the page cache, where write and sync are one call."""
    with Faulty("--governance", "off") as n:
        n.produce("t", ["kept"])
        n.fault("pwritev journal 5")
        n.kcat("-P", "-t", "t", "-X", "message.timeout.ms=1000", stdin="x\n", check=False)
        n.gone()
        n.heal()
        n.start()
        assert n.consume("t")[0] == "kept"


def test_full_disk_under_segments():
    """ENOSPC on a segment: writes are refused as retriable, reads go on, it resumes by itself."""
    with Faulty("--governance", "off") as n:
        n.produce("t", ["kept"])
        n.fault("pwritev topics 28")
        done = n.kcat("-P", "-t", "t", "-X", "message.timeout.ms=1500", "-X", "acks=all", stdin="x\n",
                      check=False)
        assert done.returncode != 0
        assert n.consume("t")[0] == "kept"
        assert n.http("GET", "/healthz", token=False)[0] == 200
        n.heal()
        n.produce("t", ["again"])
        assert n.consume("t")[-1] == "again"
        n.kill()
        n.start()
        assert n.consume("t")[0] == "kept" and n.consume("t")[-1] == "again"


if __name__ == "__main__":
    node.main(sys.modules[__name__])
