"""What nodes have and what is asked of them: volume groups, memory, and which losses of nodes the cluster survives."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from saltern.desired import SLOT_BYTES, metadata_size_bytes
from saltern.model.topology import Cluster
from saltern.units import MIB, round_up

EXTENT_BYTES: Final = 4 * MIB  # what vgcreate(8) takes where nothing else is asked of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one node is asked for, in bytes."""

    needed_bytes: int
    available_bytes: int


def volume_demand(cluster: Cluster) -> dict[str, int]:
    """Bytes of all volumes on each node, in whole extents of 4 MiB."""
    needed: dict[str, int] = defaultdict(int)
    slots: dict[tuple[str, str], int] = defaultdict(int)
    for domain in cluster.domains.values():
        for disk in domain.disks:
            size_bytes = round_up(disk.size_bytes, EXTENT_BYTES)
            if not disk.meta_disk.shared:
                size_bytes += round_up(metadata_size_bytes(disk.size_bytes), EXTENT_BYTES)
            for node in (domain.home, domain.partner):
                needed[node] += size_bytes
                if disk.meta_disk.index is not None:
                    place = node, disk.meta_disk.volume
                    slots[place] = max(slots[place], disk.meta_disk.index + 1)
    for (node, _), count in slots.items():
        needed[node] += count * SLOT_BYTES
    return needed


def memory_demand(cluster: Cluster) -> dict[str, int]:
    """Bytes of memory of the domains at home on each node."""
    needed: dict[str, int] = defaultdict(int)
    for domain in cluster.domains.values():
        needed[domain.home] += domain.memory_bytes
    return needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What happens when the nodes ``lost`` are lost together.

    ``stopped`` are domains that have no node left, or none with quorum. ``overloaded`` are nodes whose memory does not hold
    what they would take over, ``unknown`` those that would take something over and whose memory is not declared.
    """

    lost: tuple[str, ...]
    stopped: tuple[str, ...]
    overloaded: Mapping[str, Demand]
    unknown: tuple[str, ...]

    @property
    def survivable(self) -> bool | None:
        """Whether every domain runs again; ``None`` where memory that was not declared decides."""
        if self.stopped or self.overloaded:
            return False
        return None if self.unknown else True


def losses(cluster: Cluster, count: int = 1) -> Iterator[Loss]:
    """What happens for each way to lose ``count`` nodes at once, in the order of their names."""
    home_load = memory_demand(cluster)
    takeover: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for domain in cluster.domains.values():
        takeover[domain.home][domain.partner] += domain.memory_bytes
        pairs[domain.home, domain.partner].append(domain.name)
    for lost in combinations(sorted(cluster.nodes), count):
        moved: dict[str, int] = defaultdict(int)
        # Without the tie-breaker a side that is left alone has no quorum, and takes nothing over.
        for node in lost if cluster.tie_breaker not in lost else ():
            for survivor, memory_bytes in takeover[node].items():
                if survivor not in lost:
                    moved[survivor] += memory_bytes
        yield _loss(cluster, lost, home_load, moved, pairs)


def _loss(
    cluster: Cluster,
    lost: tuple[str, ...],
    home_load: Mapping[str, int],
    moved: Mapping[str, int],
    pairs: Mapping[tuple[str, str], list[str]],
) -> Loss:
    overloaded, unknown = {}, []
    for node, extra in sorted(moved.items()):
        available = cluster.nodes[node].memory_bytes
        needed = home_load.get(node, 0) + extra
        if available is None:
            unknown.append(node)
        elif needed > available:
            overloaded[node] = Demand(needed_bytes=needed, available_bytes=available)
    stopped = [name for home in lost for partner in lost for name in pairs.get((home, partner), ())]
    if cluster.tie_breaker in lost:
        stopped = [name for pair, names in pairs.items() if not set(pair).isdisjoint(lost) for name in names]
    return Loss(lost=lost, stopped=tuple(sorted(stopped)), overloaded=overloaded, unknown=tuple(unknown))
