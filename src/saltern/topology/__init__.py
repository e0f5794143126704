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
from saltern.topology.allocate import Allocation, allocate, complete, follow, forget, former_names, keeps_a_copy
from saltern.topology.bulk import many_objects
from saltern.topology.load import ROOT, Loaded, load
from saltern.topology.validate import reused_numbers, violations

__all__ = ["Allocation", "Compiled", "compile", "compile_change", "load_and_allocate", "write_allocation"]

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
def load_and_allocate(
    pillar: Mapping[str, object], forgotten: Collection[str] = (), moved: Collection[str] = ()
) -> Allocation:
    """The allocation for the topology under the key ``saltern``: what it has kept, what it lacks allocated.

    The entries of the domains and disks (``dns``, ``dns/xvdb``) in ``forgotten`` are given up before, those of the domains in
    ``moved`` follow the topology, unless both places of their data are others; ``UnknownEntry`` where there is none. Raises
    ``TopologyError`` with every violation when the topology is invalid for another reason than missing numbers.
    """
    loaded = load(pillar)
    previous = forget(loaded.allocation, forgotten)
    former = former_names(previous, loaded.cluster)
    followed = [
        name for name in moved if name not in former or keeps_a_copy(previous, loaded.cluster, name, former[name])
    ]
    return _allocated(loaded, follow(previous, loaded.cluster, followed))[0]


def _allocated(loaded: Loaded, previous: Allocation) -> tuple[Allocation, Cluster]:
    allocation, exhausted = allocate(loaded.cluster, previous)
    before = (*exhausted, *reused_numbers(loaded.cluster, previous))
    cluster = complete(loaded.cluster, allocation)
    found = violations(loaded, allocation, cluster, before)
    if found:
        raise TopologyError(found)
    return allocation, cluster


@many_objects()
def compile_change(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Cluster, Cluster]:
    """Both clusters of a remake, from the pillars that describe them; each is validated, else ``TopologyError``.

    ``before`` has its allocation, which says where the data are; where ``after`` has none it is taken from there. In that of
    ``after`` every entry follows the topology, as if ``moved`` named them all.
    """
    here = compile(before).cluster
    loaded = load(_with_record(before, after))
    previous = follow(loaded.allocation, loaded.cluster, former_names(loaded.allocation, loaded.cluster))
    return here, _allocated(loaded, previous)[1]


def _with_record(before: Mapping[str, object], after: Mapping[str, object]) -> Mapping[str, object]:
    record, there = before[ROOT], after.get(ROOT)
    if not isinstance(record, Mapping) or not isinstance(there, Mapping) or there.get("allocation") is not None:
        return after
    return {**after, ROOT: {**there, "allocation": record.get("allocation")}}
