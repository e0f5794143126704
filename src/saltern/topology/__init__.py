"""From the pillar to a proven cluster: load, allocate, claim, validate, draw.

What the ext_pillar, the runner and the command line use is here: ``compile``, ``load_and_allocate``, ``write_allocation``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from saltern.desired import compile_slices
from saltern.errors import TopologyError
from saltern.model.desired import NodeSlice
from saltern.model.topology import Cluster
from saltern.topology import lockfile
from saltern.topology.allocate import Allocation, allocate, complete, forget
from saltern.topology.bulk import many_objects
from saltern.topology.load import load
from saltern.topology.validate import reused_numbers, violations

__all__ = ["Allocation", "Compiled", "compile", "load_and_allocate", "write_allocation"]

write_allocation = lockfile.write


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A valid topology: the complete cluster, and the share of every node."""

    cluster: Cluster
    slices: Mapping[str, NodeSlice]


@many_objects()
def compile(pillar: Mapping[str, object]) -> Compiled:  # noqa: A001 - it is the word for it
    """The topology under the key ``saltern`` of a pillar, validated and cut into shares.

    Never allocates: a number that is not in the allocation is a violation. Raises ``TopologyError`` with every violation.
    """
    loaded = load(pillar)
    cluster = complete(loaded.cluster, loaded.allocation)
    found = violations(loaded, loaded.allocation, cluster)
    if found:
        raise TopologyError(found)
    return Compiled(cluster=cluster, slices=compile_slices(cluster))


@many_objects()
def load_and_allocate(pillar: Mapping[str, object], forgotten: Collection[str] = ()) -> Allocation:
    """The allocation for the topology under the key ``saltern``: what it has kept, what it lacks allocated.

    The entries of the domains and disks (``dns``, ``dns/xvdb``) in ``forgotten`` are given up before; ``UnknownEntry`` where
    there is none. Raises ``TopologyError`` with every violation when the topology is invalid for another reason than missing
    numbers.
    """
    loaded = load(pillar)
    previous = forget(loaded.allocation, forgotten)
    allocation, exhausted = allocate(loaded.cluster, previous)
    before = (*exhausted, *reused_numbers(loaded.cluster, previous))
    found = violations(loaded, allocation, complete(loaded.cluster, allocation), before)
    if found:
        raise TopologyError(found)
    return allocation
