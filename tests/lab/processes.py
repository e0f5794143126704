"""Which programs a node has started, told by its kernel: the trace of every execve(2) (Documentation/trace/events.rst)."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from lab.cluster import NODES, Lab

TRACE = "/sys/kernel/tracing"
EXEC = f"{TRACE}/events/sched/sched_process_exec/enable"
# What `perform` and `observe` of the core run; what these programs start themselves is under /lib/drbd, or is forked only.
TOOLS = ("lvs", "vgs", "lvcreate", "lvextend", "lvchange", "drbdadm", "drbdsetup", "drbdmeta", "xl", "modprobe")


@contextmanager
def counted(lab: Lab) -> Iterator[dict[str, Counter[str]]]:
    """How often each tool was started on each node while the context was open; filled in at its end."""
    found: dict[str, Counter[str]] = {}
    for node in NODES:
        mounted = f"mountpoint -q {TRACE} || mount -t tracefs tracefs {TRACE}"
        lab.on(node, f"{mounted}; echo > {TRACE}/trace; echo 1 > {EXEC}")
    yield found
    for node in NODES:
        lab.on(node, f"echo 0 > {EXEC}")
        told = lab.on(node, f"cat {TRACE}/trace").stdout
        assert "overrun" not in told
        found[node] = Counter(name for name in re.findall(r"filename=/usr/s?bin/(\S+)", told) if name in TOOLS)
