"""The lab to measure on: real Xen, DRBD and LVM on two emulated nodes."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.cluster import NODES, Lab, usual_directory

PLAIN_SCRIPT = "block-drbd"  # of DRBD's own, in Debian's drbd-utils: promotes, and asks nothing


def tell(text: str) -> None:
    """Say what goes on, beside the table: hours may pass until its next line."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


@contextmanager
def opened() -> Iterator[Lab]:
    """The lab in $SALTERN_LAB or .lab, for nobody else; afterwards it is down, unless it was up before."""
    lab = Lab(usual_directory(), tell)
    with lab.reserved():
        yield lab


def other(node: str) -> str:
    """The other node."""
    return next(each for each in NODES if each != node)


def write_plain(lab: Lab, node: str, guest: str) -> str:
    """Put the configuration of a guest on a node as one writes it without Saltern; returns where it is."""
    path = f"/root/plain-{guest}.cfg"
    lab.on(node, f"sed s/block-saltern/{PLAIN_SCRIPT}/ /etc/xen/{guest}.cfg > {path} && grep -q {PLAIN_SCRIPT} {path}")
    return path
