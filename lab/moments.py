"""The moments from which tests begin: made once, and made anew when what they were made from has changed."""

from collections.abc import Callable

from lab.cluster import NODES, Lab
from lab.master import CHECKOUT, PILLAR
from lab.snapshot import tree_hash

BARE = "bare"
CONVERGED = "converged"
SYNCHRONISED_TIMEOUT_S = 300.0
SOURCES = (PILLAR, CHECKOUT / "src" / "saltern", CHECKOUT / "salt")


def bring(lab: Lab, name: str) -> None:
    """Put the lab to the moment BARE or CONVERGED.

    BARE: both nodes as installed, their second disks empty, their minions answer. CONVERGED: the topology of the lab was
    applied to that, every disk is synchronised, every domain runs.
    """
    lab.prepare()
    made_from = {BARE: "", CONVERGED: tree_hash(SOURCES)}[name]
    if lab.has(name) and lab.about(name).get("made from") == made_from:
        lab.restore(name)
        return
    {BARE: _make_bare, CONVERGED: _make_converged}[name](lab)
    lab.save(name, **{"made from": made_from})


def _make_bare(lab: Lab) -> None:
    lab.reinstall(*NODES)


def _make_converged(lab: Lab) -> None:
    bring(lab, BARE)
    converge(lab)


def converge(lab: Lab) -> None:
    """Make the volume groups, apply the topology, and wait until every disk is the same on both sides."""
    lab.make_volume_groups()
    lab.salt("*", "state.apply")
    for node in NODES:
        lab.wait_until(_synchronised(lab, node), f"all disks of {node} are UpToDate", timeout_s=SYNCHRONISED_TIMEOUT_S)


def _synchronised(lab: Lab, node: str) -> Callable[[], bool]:
    def holds() -> bool:
        disks = [line for line in lab.on(node, "drbdsetup events2 --now").stdout.splitlines() if " device " in line]
        return all("disk:UpToDate" in line for line in disks)

    return holds
