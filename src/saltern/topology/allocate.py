"""Numbers for whatever the topology leaves open: deterministic, and stable once they are written down.

A number needs to differ only where two resources share a node. Domains are edges between nodes, and the numbers are a
colouring of these edges: each is given the lowest number that is free on both of its nodes. With d resources on the
busiest node that takes at most 2d - 1 numbers, however many nodes the cluster has.

What was allocated before is kept. Only a domain that has moved to other nodes, and whose number is taken there, is
given another. A number that two domains hold on the same node (a merge of two branches) is left to the validator: nobody
but a person knows which of them is already in use.
"""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from saltern.errors import Violation
from saltern.model.topology import Cluster, Disk, Domain, Interface, MetaDisk
from saltern.topology.values import MAX_SLOT

FIRST_MINOR: Final = 1
LAST_MINOR: Final = 255  # DRBD 8.4
FIRST_PORT: Final = 7788  # where the examples of drbd.conf(5) begin
LAST_PORT: Final = 65535
FIRST_SLOT: Final = 0
_WRITTEN_AS: Final = {"slot": "meta_disk"}
XEN_OUI: Final = "00:16:3e"
UUID_NAMESPACE: Final = uuid.UUID("6d2f5f0e-7f0b-5b6c-9f3b-0d7a3c1e5a84")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskNumbers:
    """What was allocated to one disk; ``None`` for what the topology writes itself."""

    minor: int | None = None
    port: int | None = None
    slot: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainNumbers:
    """What was allocated to one domain: node-ids by node, MACs by interface label, numbers by device."""

    uuid: str | None = None
    node_ids: Mapping[str, int] = field(default_factory=dict)
    macs: Mapping[str, str] = field(default_factory=dict)
    disks: Mapping[str, DiskNumbers] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Everything that was allocated, by domain."""

    domains: Mapping[str, DomainNumbers] = field(default_factory=dict)


NOTHING: Final = DomainNumbers()
NO_NUMBERS: Final = DiskNumbers()


def interface_labels(interfaces: tuple[Interface, ...]) -> Iterator[tuple[str, Interface]]:
    """Each interface with a label that survives others being added: its bridge, ``xenbr0/2`` for the second on one."""
    seen: dict[str, int] = {}
    for interface in interfaces:
        count = seen[interface.bridge] = seen.get(interface.bridge, 0) + 1
        yield interface.bridge if count == 1 else f"{interface.bridge}/{count}", interface


class _Pool:
    """Numbers of one kind: what is taken in each place (a node, or a shared volume on a node)."""

    def __init__(self, first: int, last: int) -> None:
        self.first = first
        self.last = last
        self._taken: dict[object, set[int]] = defaultdict(set)
        self._lowest: dict[object, int] = defaultdict(lambda: first)

    def take(self, places: tuple[object, object], number: int) -> None:
        for place in places:
            self._taken[place].add(number)

    def is_free(self, places: tuple[object, object], number: int) -> bool:
        return not any(number in self._taken[place] for place in places)

    def lowest(self, places: tuple[object, object]) -> int | None:
        """Take the lowest number that is free in both places; ``None`` when there is none."""
        here, there = (self._taken[place] for place in places)
        number = max(self._free_from(place) for place in places)
        while number in here or number in there:
            number += 1
        if number > self.last:
            return None
        here.add(number)
        there.add(number)
        return number

    def _free_from(self, place: object) -> int:
        """The lowest free number of a place. Numbers are never given back, hence it only rises."""
        taken, number = self._taken[place], self._lowest[place]
        while number in taken:
            number += 1
        self._lowest[place] = number
        return number


def allocate(cluster: Cluster, previous: Allocation) -> tuple[Allocation, tuple[Violation, ...]]:
    """Numbers for everything that ``cluster`` leaves open, those of ``previous`` kept.

    Depends on nothing but its arguments, not on the order of their mappings. Entries of ``previous`` that nothing
    needs any longer are left out. Where the numbers of a node are used up there is a violation instead of a number.
    """
    allocator = _Allocator(cluster, previous)
    return allocator.allocate(), tuple(allocator.violations)


class _Wish(NamedTuple):
    """One number of one disk: where it must be free, what the topology writes, what was allocated before."""

    name: str
    pool: _Pool
    places: tuple[object, object]
    written: int | None
    before: int | None


class _Allocator:
    def __init__(self, cluster: Cluster, previous: Allocation) -> None:
        self._cluster = cluster
        self._previous = previous
        self._domains = [cluster.domains[name] for name in sorted(cluster.domains)]
        self._minors = _Pool(FIRST_MINOR, LAST_MINOR)
        self._ports = _Pool(FIRST_PORT, LAST_PORT)
        self._slots = _Pool(FIRST_SLOT, MAX_SLOT)
        self._macs: set[str] = set()
        self.violations: list[Violation] = []

    def allocate(self) -> Allocation:
        for domain in self._domains:
            self._take_known(domain)
        # A domain that moved is served before new ones, so that it keeps its numbers wherever it can.
        disks = {
            domain.name: self._disks(domain) for domain in sorted(self._domains, key=self._has_moved, reverse=True)
        }
        return Allocation(
            domains={
                domain.name: DomainNumbers(
                    uuid=self._uuid(domain),
                    node_ids=self._node_ids(domain),
                    macs=self._interfaces(domain),
                    disks=disks[domain.name],
                )
                for domain in self._domains
            }
        )

    def _before(self, domain: Domain) -> DomainNumbers:
        return self._previous.domains.get(domain.name, NOTHING)

    def _has_moved(self, domain: Domain) -> bool:
        nodes = self._before(domain).node_ids.keys()
        return bool(nodes) and nodes != {domain.home, domain.partner}

    def _wishes(self, domain: Domain, disk: Disk) -> Iterator[_Wish]:
        before = self._before(domain).disks.get(disk.device, NO_NUMBERS)
        nodes = (domain.home, domain.partner)
        yield _Wish("minor", self._minors, nodes, disk.minor, before.minor)
        yield _Wish("port", self._ports, nodes, disk.port, before.port)
        if disk.meta_disk.shared:
            volume = disk.meta_disk.volume
            places = (domain.home, volume), (domain.partner, volume)
            yield _Wish("slot", self._slots, places, disk.meta_disk.index, before.slot)

    def _take_known(self, domain: Domain) -> None:
        moved = self._has_moved(domain)
        for disk in domain.disks:
            for wish in self._wishes(domain, disk):
                if wish.written is not None:
                    wish.pool.take(wish.places, wish.written)
                elif wish.before is not None and not moved:
                    wish.pool.take(wish.places, wish.before)
        self._macs.update(interface.mac for interface in domain.interfaces if interface.mac is not None)
        self._macs.update(self._before(domain).macs.values())

    def _disks(self, domain: Domain) -> dict[str, DiskNumbers]:
        moved = self._has_moved(domain)
        return {
            disk.device: DiskNumbers(
                **{
                    wish.name: self._grant(wish, moved, f"saltern:domains:{domain.name}:disks:{disk.device}")
                    for wish in self._wishes(domain, disk)
                    if wish.written is None
                }
            )
            for disk in domain.disks
        }

    def _grant(self, wish: _Wish, moved: bool, path: str) -> int | None:
        if wish.before is not None and not moved:
            return wish.before
        if wish.before is not None and wish.pool.is_free(wish.places, wish.before):
            wish.pool.take(wish.places, wish.before)
            return wish.before
        number = wish.pool.lowest(wish.places)
        if number is None:
            self.violations.append(_exhausted(wish, path))
        return number

    def _uuid(self, domain: Domain) -> str | None:
        if domain.uuid is not None:
            return None
        return self._before(domain).uuid or str(uuid.uuid5(UUID_NAMESPACE, f"{self._cluster.name}/{domain.name}"))

    def _node_ids(self, domain: Domain) -> dict[str, int]:
        """One id for each node. They belong to the nodes, so that exchanging home and partner changes neither."""
        before = self._before(domain).node_ids
        ids = {node: before[node] for node in (domain.home, domain.partner) if node in before}
        for node in (domain.home, domain.partner):
            if node not in ids:
                ids[node] = 1 if 0 in ids.values() else 0
        return ids

    def _interfaces(self, domain: Domain) -> dict[str, str]:
        before = self._before(domain).macs
        return {
            label: before[label] if label in before else self._mac(f"{self._cluster.name}/{domain.name}/{label}")
            for label, interface in interface_labels(domain.interfaces)
            if interface.mac is None
        }

    def _mac(self, seed: str) -> str:
        attempt = 0
        while True:
            digits = hashlib.sha256(f"{seed}/{attempt}".encode()).hexdigest()
            mac = f"{XEN_OUI}:{digits[0:2]}:{digits[2:4]}:{digits[4:6]}"
            if mac not in self._macs:
                self._macs.add(mac)
                return mac
            attempt += 1


def _exhausted(wish: _Wish, path: str) -> Violation:
    return Violation(
        rule="numbers-exhausted",
        paths=(f"{path}:{_WRITTEN_AS.get(wish.name, wish.name)}",),
        found=f"no {wish.name} that is free on both nodes",
        allowed=f"{wish.pool.first} to {wish.pool.last}",
        remedy="place some domains on other nodes",
    )


def complete(cluster: Cluster, allocation: Allocation) -> Cluster:
    """The cluster with the numbers of ``allocation`` wherever it writes none itself; what neither has stays ``None``."""
    domains = {
        name: _complete_domain(domain, allocation.domains.get(name, NOTHING))
        for name, domain in cluster.domains.items()
    }
    return Cluster(name=cluster.name, nodes=cluster.nodes, domains=domains)


def _complete_domain(domain: Domain, numbers: DomainNumbers) -> Domain:
    return Domain(
        name=domain.name,
        home=domain.home,
        partner=domain.partner,
        memory_bytes=domain.memory_bytes,
        vcpus=domain.vcpus,
        disks=tuple(_complete_disk(domain, disk, numbers) for disk in domain.disks),
        interfaces=tuple(
            interface
            if interface.mac is not None
            else Interface(bridge=interface.bridge, mac=numbers.macs.get(label), options=interface.options)
            for label, interface in interface_labels(domain.interfaces)
        ),
        depends_on=domain.depends_on,
        order=domain.order,
        uuid=domain.uuid if domain.uuid is not None else numbers.uuid,
        xl=domain.xl,
    )


def _complete_disk(domain: Domain, disk: Disk, numbers: DomainNumbers) -> Disk:
    allocated = numbers.disks.get(disk.device, NO_NUMBERS)
    meta_disk = disk.meta_disk
    if meta_disk.shared and meta_disk.index is None:
        meta_disk = MetaDisk(volume=meta_disk.volume, index=allocated.slot, shared=True)
    return Disk(
        device=disk.device,
        resource=disk.resource,
        volume=disk.volume,
        size_bytes=disk.size_bytes,
        drbd=disk.drbd,
        minor=disk.minor if disk.minor is not None else allocated.minor,
        port=disk.port if disk.port is not None else allocated.port,
        meta_disk=meta_disk,
        node_ids=disk.node_ids if disk.node_ids is not None else _allocated_ids(domain, numbers.node_ids),
    )


def _allocated_ids(domain: Domain, node_ids: Mapping[str, int]) -> tuple[int, int] | None:
    if domain.home in node_ids and domain.partner in node_ids:
        return node_ids[domain.home], node_ids[domain.partner]
    return None
