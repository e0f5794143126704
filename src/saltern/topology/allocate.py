"""Numbers for whatever the topology leaves open: deterministic, and stable once they are written down.

A number needs to differ only where two resources share a node. Domains are edges between nodes, and the numbers are a
colouring of these edges: each is given the lowest number that is free on both of its nodes. With d resources on the
busiest node that takes at most 2d - 1 numbers, however many nodes the cluster has.

The allocation is also the record of where the data of each domain are, and with which numbers, those of the topology
included. Nothing of it is given up unless it is forgotten by name: an entry outlives its domain, because what is left of
the domain on the nodes may still run and still holds the numbers, and a domain that the topology places on other nodes
keeps the entry that says where it was. A number that two domains hold on the same node (a merge of two branches) is left
to the validator: nobody but a person knows which of them is already in use.
"""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from saltern.errors import UnknownEntry, Violation
from saltern.model.topology import Cluster, Disk, Domain, Interface, MetaDisk
from saltern.topology.values import MAX_SLOT

FIRST_MINOR: Final = 1
LAST_MINOR: Final = 255  # DRBD 8.4
FIRST_PORT: Final = 7788  # where the examples of drbd.conf(5) begin
LAST_PORT: Final = 65535
# Metadata in slot 0 look like data to drbdmeta when it is to create others behind them, and it refuses.
FIRST_SLOT: Final = 1
_WRITTEN_AS: Final = {"slot": "meta_disk"}
XEN_OUI: Final = "00:16:3e"
UUID_NAMESPACE: Final = uuid.UUID("6d2f5f0e-7f0b-5b6c-9f3b-0d7a3c1e5a84")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskNumbers:
    """The numbers of one disk; ``meta_disk`` is its slot in a shared volume, ``None`` where it has none."""

    minor: int | None = None
    port: int | None = None
    meta_disk: MetaDisk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainNumbers:
    """The entry of one domain: node-ids by the nodes where it was placed, MACs by interface label, numbers by device."""

    uuid: str | None = None
    node_ids: Mapping[str, int] = field(default_factory=dict)
    macs: Mapping[str, str] = field(default_factory=dict)
    disks: Mapping[str, DiskNumbers] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Every entry, by domain; also those of domains that the topology no longer has."""

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

    def take(self, places: Iterable[object], number: int | None) -> None:
        if number is not None:
            for place in places:
                self._taken[place].add(number)

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


def has_moved(domain: Domain, allocation: Allocation) -> bool:
    """Whether the domain is placed on a node that its entry does not name; exchanging home and partner is no move."""
    nodes = allocation.domains.get(domain.name, NOTHING).node_ids.keys()
    return bool(nodes) and not {domain.home, domain.partner} <= nodes


def forget(allocation: Allocation, names: Collection[str]) -> Allocation:
    """The allocation without the entries of these domains. Raises ``UnknownEntry`` when one of them has none."""
    unknown = sorted(set(names) - allocation.domains.keys())
    if unknown:
        raise UnknownEntry(tuple(unknown), tuple(sorted(allocation.domains)))
    return Allocation(domains={name: entry for name, entry in allocation.domains.items() if name not in names})


def allocate(cluster: Cluster, previous: Allocation) -> tuple[Allocation, tuple[Violation, ...]]:
    """The entries of ``previous``, and in them every number of ``cluster``: written, kept, or the lowest that is free.

    Depends on nothing but its arguments, not on the order of their mappings. The entry of a domain that has moved stays as
    it is. Where the numbers of a node are used up there is a violation instead of a number.
    """
    allocator = _Allocator(cluster, previous)
    return allocator.allocate(), tuple(allocator.violations)


class _Wish(NamedTuple):
    """One number of one disk: where it must be free, what the topology writes, what its entry has."""

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
        for entry in self._previous.domains.values():
            self._reserve(entry)
        for domain in self._domains:
            self._take_written(domain)
        entries = {
            domain.name: self._entry(domain) for domain in self._domains if not has_moved(domain, self._previous)
        }
        return Allocation(domains={**self._previous.domains, **entries})

    def _reserve(self, entry: DomainNumbers) -> None:
        nodes = tuple(entry.node_ids)
        for disk in entry.disks.values():
            self._minors.take(nodes, disk.minor)
            self._ports.take(nodes, disk.port)
            if disk.meta_disk is not None:
                self._slots.take(_slot_places(nodes, disk.meta_disk), disk.meta_disk.index)
        self._macs.update(entry.macs.values())

    def _take_written(self, domain: Domain) -> None:
        nodes = (domain.home, domain.partner)
        for disk in domain.disks:
            self._minors.take(nodes, disk.minor)
            self._ports.take(nodes, disk.port)
            self._slots.take(_slot_places(nodes, disk.meta_disk), disk.meta_disk.index)
        self._macs.update(interface.mac for interface in domain.interfaces if interface.mac is not None)

    def _entry(self, domain: Domain) -> DomainNumbers:
        before = self._previous.domains.get(domain.name, NOTHING)
        disks = {
            disk.device: self._disk(domain, disk, before.disks.get(disk.device, NO_NUMBERS)) for disk in domain.disks
        }
        return DomainNumbers(
            uuid=before.uuid or domain.uuid or str(uuid.uuid5(UUID_NAMESPACE, f"{self._cluster.name}/{domain.name}")),
            # They belong to the nodes, so that exchanging home and partner changes neither.
            node_ids=before.node_ids or {domain.home: 0, domain.partner: 1},
            macs=self._interfaces(domain, before.macs),
            disks={**before.disks, **disks},
        )

    def _disk(self, domain: Domain, disk: Disk, before: DiskNumbers) -> DiskNumbers:
        path = f"saltern:domains:{domain.name}:disks:{disk.device}"
        nodes = (domain.home, domain.partner)
        return DiskNumbers(
            minor=self._grant(_Wish("minor", self._minors, nodes, disk.minor, before.minor), path),
            port=self._grant(_Wish("port", self._ports, nodes, disk.port, before.port), path),
            meta_disk=self._slot(nodes, disk.meta_disk, before.meta_disk, path) if disk.meta_disk.shared else None,
        )

    def _slot(self, nodes: tuple[str, str], written: MetaDisk, before: MetaDisk | None, path: str) -> MetaDisk | None:
        kept = before.index if before is not None and before.volume == written.volume else None
        places = (nodes[0], written.volume), (nodes[1], written.volume)
        wish = _Wish("slot", self._slots, places, written.index, kept)
        index = self._grant(wish, path)
        return None if index is None else MetaDisk(volume=written.volume, index=index, shared=True)

    def _grant(self, wish: _Wish, path: str) -> int | None:
        if wish.written is not None:
            return wish.written
        if wish.before is not None:
            return wish.before
        number = wish.pool.lowest(wish.places)
        if number is None:
            self.violations.append(_exhausted(wish, path))
        return number

    def _interfaces(self, domain: Domain, before: Mapping[str, str]) -> dict[str, str]:
        return {
            label: interface.mac or before.get(label) or self._mac(f"{self._cluster.name}/{domain.name}/{label}")
            for label, interface in interface_labels(domain.interfaces)
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


def _slot_places(nodes: tuple[str, ...], meta_disk: MetaDisk) -> tuple[tuple[str, str], ...]:
    return tuple((node, meta_disk.volume) for node in nodes)


def _exhausted(wish: _Wish, path: str) -> Violation:
    return Violation(
        rule="numbers-exhausted",
        paths=(f"{path}:{_WRITTEN_AS.get(wish.name, wish.name)}",),
        found=f"no {wish.name} that is free on both nodes",
        allowed=f"{wish.pool.first} to {wish.pool.last}",
        remedy="place some domains on other nodes, or forget those that are gone",
    )


def complete(cluster: Cluster, allocation: Allocation) -> Cluster:
    """The cluster with the numbers of ``allocation`` wherever it writes none itself; what neither has stays ``None``.

    The numbers of a domain that has moved are those of other nodes: it is given none of them.
    """
    domains = {
        name: _complete_domain(
            domain, NOTHING if has_moved(domain, allocation) else allocation.domains.get(name, NOTHING)
        )
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
    kept = allocated.meta_disk
    if meta_disk.shared and meta_disk.index is None and kept is not None and kept.volume == meta_disk.volume:
        meta_disk = kept
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
