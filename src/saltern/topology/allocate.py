"""Numbers for whatever the topology leaves open: deterministic, and stable once they are written down.

A number needs to differ only where two resources share a node. Domains are edges between nodes, and the numbers are a
colouring of these edges: each is given the lowest number that is free on both of its nodes. With d resources on the
busiest node that takes at most 2d - 1 numbers, however many nodes the cluster has. A tie-breaker has all resources on it, so
with one each number is given once.

The allocation is also the record of where the data of each domain are: nodes, volume groups, and for each disk its resource,
volumes and numbers, those of the topology included. What is recorded stays as it is, whatever the topology says now, until
it is forgotten by name: an entry outlives its domain, because what is left of the domain on the nodes may still run and
still holds the numbers, and a domain that the topology places on other nodes keeps the entry that says where it was. A
number that two domains hold on the same node (a merge of two branches) is left to the validator: nobody but a person
knows which of them is already in use.

What is forgotten leaves its minors, ports and slots behind as retired: its leftovers would connect with, or write into,
whatever else is given them. The same disk may have them again, others only when a person has taken them out of the file.
"""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
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
    """What is recorded of one disk; ``meta_disk`` is its own volume, or its slot in a shared one."""

    resource: str | None = None
    volume: str | None = None
    minor: int | None = None
    port: int | None = None
    meta_disk: MetaDisk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainNumbers:
    """The entry of one domain: node-ids and volume groups by the nodes where it was placed, MACs by interface label."""

    uuid: str | None = None
    node_ids: Mapping[str, int] = field(default_factory=dict)
    volume_groups: Mapping[str, str] = field(default_factory=dict)
    macs: Mapping[str, str] = field(default_factory=dict)
    disks: Mapping[str, DiskNumbers] = field(default_factory=dict)


class Retired(NamedTuple):
    """A number that a disk had on a node until it was forgotten; ``kind`` is ``minor``, ``port`` or ``meta_disk``."""

    node: str
    kind: str
    number: int | MetaDisk
    owner: str  # DOMAIN/DEVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Every entry, by domain, also those of domains that the topology no longer has; and the numbers of forgotten disks."""

    domains: Mapping[str, DomainNumbers] = field(default_factory=dict)
    retired: frozenset[Retired] = frozenset()


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
        self._retired: dict[object, dict[int, str]] = defaultdict(dict)
        self._lowest: dict[object, int] = defaultdict(lambda: first)

    def take(self, places: Iterable[object], number: int | None) -> None:
        if number is not None:
            for place in places:
                self._taken[place].add(number)

    def retire(self, place: object, number: int, owner: str) -> None:
        """Keep a number for its former owner."""
        self._retired[place][number] = owner

    def lowest(self, places: tuple[object, ...], owner: str) -> int | None:
        """Take the lowest number that is free in all places, the owner's former one first; ``None`` when there is none."""
        taken = [self._taken[place] for place in places]
        retired = [self._retired[place] for place in places]
        own = [number for number in sorted(retired[0]) if all(each.get(number) == owner for each in retired)]
        number = next((number for number in own if not any(number in each for each in taken)), 0)
        if not number:
            number = max(self._free_from(place) for place in places)
            while any(number in each for each in (*taken, *retired)):
                number += 1
        if number > self.last:
            return None
        for each in taken:
            each.add(number)
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
    """The allocation without the entries of these domains and disks (``dns``, ``dns/xvdb``), their numbers retired.

    Raises ``UnknownEntry`` when one of them has none.
    """
    disks = {f"{name}/{device}" for name, entry in allocation.domains.items() for device in entry.disks}
    unknown = sorted(set(names) - allocation.domains.keys() - disks)
    if unknown:
        asked = {name.partition("/")[0] for name in unknown}
        known = allocation.domains.keys() | {disk for disk in disks if disk.partition("/")[0] in asked}
        raise UnknownEntry(tuple(unknown), tuple(sorted(known)))
    kept, retired = {}, set(allocation.retired)
    for name, entry in allocation.domains.items():
        gone = {device for device in entry.disks if name in names or f"{name}/{device}" in names}
        for device in gone:
            retired |= _numbers_of(entry, device, f"{name}/{device}")
        if name not in names:
            disks_left = {device: disk for device, disk in entry.disks.items() if device not in gone}
            kept[name] = replace(entry, disks=disks_left)
    return Allocation(domains=kept, retired=frozenset(retired))


def follow(allocation: Allocation, cluster: Cluster, names: Collection[str]) -> Allocation:
    """The allocation in which the entries of these domains say what ``cluster`` says, because their data were moved so.

    What the topology leaves open stays as it was, also on new nodes where it is free there; ``allocate`` fills the rest. What
    the domains had elsewhere is retired. An entry under another name is found by the UUID, when the topology writes that.
    Raises ``UnknownEntry`` for a domain that has none.
    """
    former = former_names(allocation, cluster)
    unknown = sorted(set(names) - former.keys())
    if unknown:
        raise UnknownEntry(tuple(unknown), tuple(sorted(former)))
    domains, retired = dict(allocation.domains), set(allocation.retired)
    holders = _holders(allocation, cluster)
    for name in sorted(names):
        entry = domains.pop(former[name])
        domains[name] = then = _followed(entry, cluster, cluster.domains[name], _Held(name, former[name], holders))
        held = {each[:3] for device in then.disks for each in _numbers_of(then, device, "")}
        for place in held:
            holders[place].add(name)
        for device in entry.disks:
            retired |= {each for each in _numbers_of(entry, device, f"{name}/{device}") if each[:3] not in held}
    return Allocation(domains=domains, retired=frozenset(retired))


def former_names(allocation: Allocation, cluster: Cluster) -> dict[str, str]:
    """The domains of ``cluster`` that have an entry, and under which name: their own, or another with the written UUID."""
    gone = {
        entry.uuid: name
        for name, entry in sorted(allocation.domains.items())
        if entry.uuid is not None and name not in cluster.domains
    }
    found = {}
    for name, domain in cluster.domains.items():
        if name in allocation.domains:
            found[name] = name
        elif domain.uuid in gone:
            found[name] = gone[domain.uuid]
    return found


def keeps_a_copy(allocation: Allocation, cluster: Cluster, name: str, former: str) -> bool:
    """Whether one of the places where the data are recorded is still one of the domain's."""
    domain, entry = cluster.domains[name], allocation.domains[former]
    places = [
        (node, cluster.nodes[node].volume_group) for node in (domain.home, domain.partner) if node in cluster.nodes
    ]
    return any(entry.volume_groups.get(node) == group for node, group in places)


# Node, kind and number, as in ``Retired``, and the domains that have it.
_Holders = dict[tuple[str, str, int | MetaDisk], set[str]]


class _Held(NamedTuple):
    """What others than a domain hold; it was called ``former``."""

    name: str
    former: str
    holders: _Holders

    def are_free(self, kind: str, number: int | MetaDisk | None, nodes: Iterable[str]) -> bool:
        """Whether a number may be had on all of these nodes."""
        own = {self.name, self.former}
        return number is not None and all(self.holders.get((node, kind, number), own) <= own for node in nodes)


def _holders(allocation: Allocation, cluster: Cluster) -> _Holders:
    holders: _Holders = defaultdict(set)
    for node, kind, number, owner in allocation.retired:
        holders[node, kind, number].add(owner.partition("/")[0])
    for name, entry in allocation.domains.items():
        for device in entry.disks:
            for each in _numbers_of(entry, device, ""):
                holders[each[:3]].add(name)
    for name, domain in cluster.domains.items():
        written = DomainNumbers(
            node_ids=dict.fromkeys((domain.home, domain.partner), 0),
            disks={
                disk.device: DiskNumbers(minor=disk.minor, port=disk.port, meta_disk=disk.meta_disk)
                for disk in domain.disks
            },
        )
        for device in written.disks:
            for each in _numbers_of(written, device, ""):
                holders[each[:3]].add(name)
    return holders


def _followed(entry: DomainNumbers, cluster: Cluster, domain: Domain, held: _Held) -> DomainNumbers:
    nodes = (domain.home, domain.partner)
    disks = {}
    for disk in domain.disks:
        before = _former_disk(entry, disk)
        if before is not None:
            disks[disk.device] = DiskNumbers(
                resource=disk.resource,
                volume=disk.volume,
                minor=disk.minor if disk.minor is not None else _still_free("minor", before.minor, nodes, held),
                port=disk.port if disk.port is not None else _still_free("port", before.port, nodes, held),
                meta_disk=_followed_meta_disk(disk.meta_disk, before.meta_disk, nodes, held),
            )
    return replace(
        entry,
        uuid=domain.uuid or entry.uuid,
        node_ids=_followed_node_ids(entry, domain),
        volume_groups={node: cluster.nodes[node].volume_group for node in nodes if node in cluster.nodes},
        disks=disks,
    )


def _former_disk(entry: DomainNumbers, disk: Disk) -> DiskNumbers | None:
    """What is recorded of the disk with these data: of the same volume, else of the same resource, else device."""
    recorded = entry.disks.values()
    by_volume = (each for each in recorded if each.volume == disk.volume)
    by_resource = (each for each in recorded if each.resource == disk.resource)
    return next(by_volume, None) or next(by_resource, None) or entry.disks.get(disk.device)


def _still_free(kind: str, number: int | None, nodes: Iterable[str], held: _Held) -> int | None:
    return number if held.are_free(kind, number, nodes) else None


def _followed_meta_disk(
    written: MetaDisk, before: MetaDisk | None, nodes: Iterable[str], held: _Held
) -> MetaDisk | None:
    if not written.shared or written.index is not None:
        return written
    same = before is not None and before.shared and before.volume == written.volume
    return before if same and held.are_free("meta_disk", before, nodes) else None


def _followed_node_ids(entry: DomainNumbers, domain: Domain) -> dict[str, int]:
    """Node-ids that the nodes have in their metadata; a new node has one that none of the former had."""
    written = next((disk.node_ids for disk in domain.disks if disk.node_ids is not None), None)
    if written is not None:
        return dict(zip((domain.home, domain.partner), written, strict=True))
    ids: dict[str, int] = {}
    for node in (domain.home, domain.partner):
        used = {*entry.node_ids.values(), *ids.values()}
        ids[node] = entry.node_ids.get(node, min(set(range(len(used) + 1)) - used))
    return ids


def _numbers_of(entry: DomainNumbers, device: str, owner: str) -> set[Retired]:
    """What one disk holds on the nodes and only one of them can have."""
    disk = entry.disks[device]
    slot = disk.meta_disk if disk.meta_disk is not None and disk.meta_disk.shared else None
    held: tuple[tuple[str, int | MetaDisk | None], ...] = (
        ("minor", disk.minor),
        ("port", disk.port),
        ("meta_disk", slot),
    )
    return {
        Retired(node, kind, number, owner) for node in entry.node_ids for kind, number in held if number is not None
    }


def allocate(cluster: Cluster, previous: Allocation) -> tuple[Allocation, tuple[Violation, ...]]:
    """The entries of ``previous``, and in them everything of ``cluster``: recorded, else written, else the lowest free.

    Depends on nothing but its arguments, not on the order of their mappings. The entry of a domain that has moved stays as
    it is. Where the numbers of a node are used up there is a violation instead of a number.
    """
    allocator = _Allocator(cluster, previous)
    return allocator.allocate(), tuple(allocator.violations)


class _Wish(NamedTuple):
    """One number of one disk (``owner``): where it must be free, what the topology writes, what its entry has."""

    name: str
    owner: str
    pool: _Pool
    places: tuple[object, ...]
    written: int | None
    before: int | None


class _Allocator:
    def __init__(self, cluster: Cluster, previous: Allocation) -> None:
        self._cluster = cluster
        self._third = () if cluster.tie_breaker is None else (cluster.tie_breaker,)
        self._previous = previous
        self._domains = [cluster.domains[name] for name in sorted(cluster.domains)]
        self._minors = _Pool(FIRST_MINOR, LAST_MINOR)
        self._ports = _Pool(FIRST_PORT, LAST_PORT)
        self._slots = _Pool(FIRST_SLOT, MAX_SLOT)
        self._macs: set[str] = set()
        self.violations: list[Violation] = []

    def allocate(self) -> Allocation:
        self._reserve_retired()
        for entry in self._previous.domains.values():
            self._reserve(entry)
        for domain in self._domains:
            self._take_written(domain)
        entries = {
            domain.name: self._entry(domain) for domain in self._domains if not has_moved(domain, self._previous)
        }
        domains = {**self._previous.domains, **entries}
        return Allocation(domains=domains, retired=_still_retired(self._previous.retired, domains))

    def _reserve_retired(self) -> None:
        for node, kind, number, owner in self._previous.retired:
            if isinstance(number, MetaDisk):
                self._slots.retire((node, number.volume), number.index or 0, owner)
            else:
                # What is left of a resource may be left on the tie-breaker as well.
                for place in (node, *self._third):
                    (self._minors if kind == "minor" else self._ports).retire(place, number, owner)

    def _reserve(self, entry: DomainNumbers) -> None:
        nodes = tuple(entry.node_ids)
        for disk in entry.disks.values():
            self._minors.take((*nodes, *self._third), disk.minor)
            self._ports.take((*nodes, *self._third), disk.port)
            if disk.meta_disk is not None:
                self._slots.take(_slot_places(nodes, disk.meta_disk), disk.meta_disk.index)
        self._macs.update(entry.macs.values())

    def _take_written(self, domain: Domain) -> None:
        nodes = (domain.home, domain.partner)
        for disk in domain.disks:
            self._minors.take((*nodes, *self._third), disk.minor)
            self._ports.take((*nodes, *self._third), disk.port)
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
            node_ids=before.node_ids or _first_node_ids(domain),
            volume_groups={**self._volume_groups(domain), **before.volume_groups},
            macs=self._interfaces(domain, before.macs),
            disks={**before.disks, **disks},
        )

    def _volume_groups(self, domain: Domain) -> dict[str, str]:
        nodes = self._cluster.nodes
        return {name: nodes[name].volume_group for name in (domain.home, domain.partner) if name in nodes}

    def _disk(self, domain: Domain, disk: Disk, before: DiskNumbers) -> DiskNumbers:
        path = f"saltern:domains:{domain.name}:disks:{disk.device}"
        nodes, owner = (domain.home, domain.partner), f"{domain.name}/{disk.device}"
        ends = (*nodes, *self._third)
        return DiskNumbers(
            resource=before.resource or disk.resource,
            volume=before.volume or disk.volume,
            minor=self._grant(_Wish("minor", owner, self._minors, ends, disk.minor, before.minor), path),
            port=self._grant(_Wish("port", owner, self._ports, ends, disk.port, before.port), path),
            meta_disk=before.meta_disk or self._meta_disk(nodes, owner, disk.meta_disk, path),
        )

    def _meta_disk(self, nodes: tuple[str, str], owner: str, written: MetaDisk, path: str) -> MetaDisk | None:
        if not written.shared:
            return written
        places = (nodes[0], written.volume), (nodes[1], written.volume)
        index = self._grant(_Wish("slot", owner, self._slots, places, written.index, None), path)
        return None if index is None else replace(written, index=index)

    def _grant(self, wish: _Wish, path: str) -> int | None:
        if wish.before is not None:
            return wish.before
        if wish.written is not None:
            return wish.written
        number = wish.pool.lowest(wish.places, wish.owner)
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


def _first_node_ids(domain: Domain) -> dict[str, int]:
    """Node-ids by node where none are recorded: what the first disk that has some writes, else the home is 0."""
    home, partner = next((disk.node_ids for disk in domain.disks if disk.node_ids is not None), (0, 1))
    return {domain.home: home, domain.partner: partner}


def _still_retired(retired: frozenset[Retired], domains: Mapping[str, DomainNumbers]) -> frozenset[Retired]:
    """Without the numbers that their disk has again."""
    if not retired:
        return retired
    recorded: set[Retired] = set()
    for name, entry in domains.items():
        for device in entry.disks:
            recorded |= _numbers_of(entry, device, f"{name}/{device}")
    return retired - recorded


def _slot_places(nodes: tuple[str, ...], meta_disk: MetaDisk) -> tuple[tuple[str, str], ...]:
    return tuple((node, meta_disk.volume) for node in nodes)


def _exhausted(wish: _Wish, path: str) -> Violation:
    return Violation(
        rule="numbers-exhausted",
        paths=(f"{path}:{_WRITTEN_AS.get(wish.name, wish.name)}",),
        found=f"no {wish.name} that is free on all of its nodes",
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
    return replace(cluster, domains=domains)


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
        priority=domain.priority,
        automatic_return=domain.automatic_return,
        minion=domain.minion,
        uuid=domain.uuid if domain.uuid is not None else numbers.uuid,
        xl=domain.xl,
    )


def _complete_disk(domain: Domain, disk: Disk, numbers: DomainNumbers) -> Disk:
    allocated = numbers.disks.get(disk.device, NO_NUMBERS)
    meta_disk = disk.meta_disk
    kept = allocated.meta_disk
    if meta_disk.shared and meta_disk.index is None and kept is not None and kept.volume == meta_disk.volume:
        meta_disk = replace(meta_disk, index=kept.index)
    return Disk(
        device=disk.device,
        resource=disk.resource,
        volume=disk.volume,
        size_bytes=disk.size_bytes,
        drbd=disk.drbd,
        minor=disk.minor if disk.minor is not None else allocated.minor,
        port=disk.port if disk.port is not None else allocated.port,
        meta_disk=meta_disk,
        node_ids=disk.node_ids if disk.node_ids is not None else allocated_ids(domain, numbers.node_ids),
    )


def allocated_ids(domain: Domain, node_ids: Mapping[str, int]) -> tuple[int, int] | None:
    """The recorded node-ids of home and partner; ``None`` when they are not those nodes'."""
    if domain.home in node_ids and domain.partner in node_ids:
        return node_ids[domain.home], node_ids[domain.partner]
    return None
