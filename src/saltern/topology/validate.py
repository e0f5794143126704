"""The rules that need more than one place of the topology. Each is a function that yields what breaks it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

import networkx as nx

from saltern.desired import SLOT_BYTES, metadata_size_bytes
from saltern.errors import Violation
from saltern.model.topology import Cluster, Domain, Node
from saltern.topology import capacity
from saltern.topology.allocate import NO_NUMBERS, NOTHING, Allocation, DomainNumbers, has_moved, interface_labels
from saltern.topology.claims import claim_graph, conflicts
from saltern.topology.load import DOMAINS, NODES, Loaded
from saltern.topology.lockfile import PATH as ALLOCATION
from saltern.topology.read import suggest
from saltern.units import format_size

# The device mapper's name of a volume, VG-LV with every hyphen doubled, has room for 127 characters (dm-ioctl.h).
DM_NAME_LENGTH: Final = 127
MAX_LISTED: Final = 8


def violations(
    loaded: Loaded, allocation: Allocation, cluster: Cluster, before: Iterable[Violation] = ()
) -> tuple[Violation, ...]:
    """Every rule that the topology breaks, sorted by path; ``cluster`` is that of ``loaded``, completed by ``allocation``.

    ``before`` are violations that the caller has found already. Nothing is told twice, and nothing that only follows
    from a violation that stands for itself.
    """
    found = [*loaded.violations, *before]
    found += moved_domains(cluster, allocation, loaded.nodes)
    found += changed_uuids(cluster, allocation)
    found += conflicts_at_their_source(loaded, allocation, cluster)
    told = frozenset(path for violation in found for path in violation.paths)
    found += missing_numbers(cluster, allocation, told)
    found += unknown_nodes(cluster, loaded.nodes)
    found += unknown_dependencies(cluster, loaded.domains)
    found += dependency_cycles(cluster)
    found += unmatched_networks(cluster)
    found += volume_limits(cluster)
    found += too_little_capacity(cluster)
    return tuple(sorted(set(found), key=lambda violation: (violation.paths, violation.rule, violation.found)))


# --- What was allocated before -----------------------------------------------------------------------------------
_FORGET: Final = "`salt-run topology.allocate forget={name}` (without Salt: `saltern allocate --forget {name} PATH`)"


def moved_domains(cluster: Cluster, allocation: Allocation, nodes: frozenset[str]) -> Iterator[Violation]:
    """Domains on other nodes than those where their data are: they would start again there, with blank volumes.

    Nodes that are wrong for themselves are told elsewhere.
    """
    for name, domain in cluster.domains.items():
        if not has_moved(domain, allocation):
            continue
        path, pair, recorded = f"{DOMAINS}:{name}", {domain.home, domain.partner}, allocation.domains[name].node_ids
        if len(pair) == len(recorded) and pair <= nodes:
            yield Violation(
                rule="domain-moved",
                paths=(f"{path}:home", f"{path}:partner", f"{ALLOCATION}:domains:{name}"),
                found=f"{' and '.join(sorted(pair))} here, {' and '.join(sorted(recorded))} in the allocation",
                allowed=f"{' and '.join(sorted(recorded))}, where its data are, either of them as the home",
                remedy="put it back; or, when it runs nowhere and its data may stay behind or were moved by hand, run "
                + _FORGET.format(name=name),
            )


def changed_uuids(cluster: Cluster, allocation: Allocation) -> Iterator[Violation]:
    """Domains with another UUID than the one they may still run as."""
    for name, domain in cluster.domains.items():
        recorded = allocation.domains.get(name, NOTHING).uuid
        if recorded is not None and domain.uuid not in (None, recorded):
            yield Violation(
                rule="uuid-changed",
                paths=(f"{DOMAINS}:{name}:uuid", f"{ALLOCATION}:domains:{name}:uuid"),
                found=f"{domain.uuid} here, {recorded} in the allocation",
                allowed=f"{recorded}, as which it may still run",
                remedy=f"write that, or take it out; or, when it runs nowhere, run {_FORGET.format(name=name)}",
            )


# --- Numbers -----------------------------------------------------------------------------------------------------
def conflicts_at_their_source(loaded: Loaded, allocation: Allocation, cluster: Cluster) -> Iterator[Violation]:
    """Things with two owners; where a number was allocated, its path is the one in the allocation."""
    found = list(conflicts(claim_graph(cluster, allocation)))
    allocated = _allocated_paths(loaded) if found else {}
    for violation in found:
        paths = tuple(sorted(allocated.get(path, path) for path in violation.paths))
        if any(path.startswith(ALLOCATION) for path in paths):
            remedy = f"write another number; or forget the domain that runs nowhere: {_FORGET.format(name='NAME')}"
            yield replace(violation, paths=paths, remedy=remedy)
        else:
            yield violation


def _allocated_paths(loaded: Loaded) -> dict[str, str]:
    """Where each number that the topology leaves open would be written -> where it was allocated."""
    paths = {}
    for name, domain in loaded.cluster.domains.items():
        written, allocated = f"{DOMAINS}:{name}", f"{ALLOCATION}:domains:{name}"
        if domain.uuid is None:
            paths[f"{written}:uuid"] = f"{allocated}:uuid"
        for position, (label, interface) in enumerate(interface_labels(domain.interfaces)):
            if interface.mac is None:
                paths[f"{written}:interfaces:{position}:mac"] = f"{allocated}:macs:{label}"
        for disk in domain.disks:
            here, there = f"{written}:disks:{disk.device}", f"{allocated}:disks:{disk.device}"
            if disk.minor is None:
                paths[f"{here}:minor"] = f"{there}:minor"
            if disk.port is None:
                paths[f"{here}:port"] = f"{there}:port"
            if disk.node_ids is None:
                paths[f"{here}:node_ids:0"] = f"{allocated}:node_ids:{domain.home}"
                paths[f"{here}:node_ids:1"] = f"{allocated}:node_ids:{domain.partner}"
            if disk.meta_disk.shared and disk.meta_disk.index is None:
                paths[f"{here}:meta_disk"] = f"{there}:meta_disk"
    return paths


def missing_numbers(cluster: Cluster, allocation: Allocation, told: frozenset[str]) -> Iterator[Violation]:
    """Numbers that the allocation does not have, one violation for each domain; not those of domains that moved."""
    for name, domain in cluster.domains.items():
        if has_moved(domain, allocation):
            continue
        numbers = _numbers(domain, allocation.domains.get(name, NOTHING), f"{DOMAINS}:{name}")
        paths = tuple(path for path, number, kept in numbers if (number is None or number != kept) and path not in told)
        if paths:
            yield Violation(
                rule="not-allocated",
                paths=paths,
                found="not in the allocation, or differently",
                allowed="numbers that the allocation has, also where they are written here",
                remedy="run `salt-run topology.allocate` (without Salt: `saltern allocate PATH`) and commit what it writes",
            )


def _numbers(domain: Domain, entry: DomainNumbers, path: str) -> Iterator[tuple[str, object, object]]:
    """Each number of a domain: its path, what it is (``None`` when missing), what the allocation has."""
    yield f"{path}:uuid", domain.uuid, entry.uuid
    for position, (label, interface) in enumerate(interface_labels(domain.interfaces)):
        yield f"{path}:interfaces:{position}:mac", interface.mac, entry.macs.get(label)
    for disk in domain.disks:
        place, kept = f"{path}:disks:{disk.device}", entry.disks.get(disk.device, NO_NUMBERS)
        yield f"{place}:minor", disk.minor, kept.minor
        yield f"{place}:port", disk.port, kept.port
        yield f"{place}:node_ids", disk.node_ids, disk.node_ids
        if disk.meta_disk.shared:
            yield f"{place}:meta_disk", None if disk.meta_disk.index is None else disk.meta_disk, kept.meta_disk


# --- References --------------------------------------------------------------------------------------------------
def unknown_nodes(cluster: Cluster, nodes: frozenset[str]) -> Iterator[Violation]:
    """Domains on nodes that are not there, or with both replicas on one node."""
    for name, domain in cluster.domains.items():
        path = f"{DOMAINS}:{name}"
        for role, node in (("home", domain.home), ("partner", domain.partner)):
            if node not in nodes:
                yield _unknown("unknown-node", f"{path}:{role}", f"the node {node!r}", node, nodes)
        if domain.home == domain.partner:
            yield Violation(
                rule="home-is-partner",
                paths=(f"{path}:home", f"{path}:partner"),
                found=f"{domain.home!r} for both",
                allowed="two different nodes",
                remedy="write the node that shall hold the replica as the partner",
            )


def unknown_dependencies(cluster: Cluster, domains: frozenset[str]) -> Iterator[Violation]:
    """Dependencies on domains that are not there, and of a domain on itself."""
    for name, domain in cluster.domains.items():
        path = f"{DOMAINS}:{name}:depends_on"
        for other in domain.depends_on:
            if other not in domains:
                yield _unknown("unknown-domain", path, f"the domain {other!r}", other, domains)
            elif other == name:
                yield Violation(
                    rule="depends-on-itself",
                    paths=(path,),
                    found=f"{name!r} itself",
                    allowed="other domains",
                    remedy="take it out",
                )


@lru_cache(maxsize=256)  # one name that is missing may be written in thousands of places
def _likely(name: str, known: frozenset[str]) -> str | None:
    return suggest(name, sorted(known))


def _unknown(rule: str, path: str, found: str, name: str, known: frozenset[str]) -> Violation:
    likely = _likely(name, known)
    return Violation(
        rule=rule,
        paths=(path,),
        found=f"{found}, which is not in the topology",
        allowed=", ".join(sorted(known)) if len(known) <= MAX_LISTED else f"one of the {len(known)} in the topology",
        remedy=f"did you mean `{likely}`?" if likely else "describe it, or write another",
    )


def dependency_cycles(cluster: Cluster) -> Iterator[Violation]:
    """Domains that wait for each other: the shortest cycle through the first of them."""
    edges = [(name, other) for name, domain in sorted(cluster.domains.items()) for other in sorted(domain.depends_on)]
    graph: nx.DiGraph[str] = nx.DiGraph(edges)
    for component in nx.strongly_connected_components(graph):
        if len(component) > 1:
            first = min(component)
            within = graph.subgraph(component)
            ways = [
                nx.shortest_path(within, other, first) for other in sorted(within.successors(first)) if other != first
            ]
            cycle = [first, *min(ways, key=len)]
            yield Violation(
                rule="dependency-cycle",
                paths=tuple(f"{DOMAINS}:{name}:depends_on" for name in cycle[:-1]),
                found=" -> ".join(cycle),
                allowed="dependencies without a cycle",
                remedy="take one of these dependencies out",
            )


# --- Networks ----------------------------------------------------------------------------------------------------
def unmatched_networks(cluster: Cluster) -> Iterator[Violation]:
    """Nodes outside of their own network, and pairs that cannot reach each other in one."""
    for name, node in cluster.nodes.items():
        if node.network is not None and not _within(node, node.network):
            yield _network(
                (f"{NODES}:{name}:address", f"{NODES}:{name}:network"), f"{node.address} outside of {node.network}"
            )
    pairs = {tuple(sorted((domain.home, domain.partner))) for domain in cluster.domains.values()}
    for first, second in sorted(pairs):
        if first in cluster.nodes and second in cluster.nodes:
            yield from _unmatched_pair(cluster.nodes[first], cluster.nodes[second])


def _unmatched_pair(first: Node, second: Node) -> Iterator[Violation]:
    paths = f"{NODES}:{first.name}", f"{NODES}:{second.name}"
    if first.network is not None and second.network is not None:
        if first.network != second.network:
            found = f"{first.network} and {second.network}"
            yield _network((f"{paths[0]}:network", f"{paths[1]}:network"), found)
    elif ip_address(first.address).version != ip_address(second.address).version:
        yield _network((f"{paths[0]}:address", f"{paths[1]}:address"), f"{first.address} and {second.address}")
    elif first.network is not None and not _within(second, first.network):
        yield _network((f"{paths[0]}:network", f"{paths[1]}:address"), f"{second.address} outside of {first.network}")
    elif second.network is not None and not _within(first, second.network):
        yield _network((f"{paths[0]}:address", f"{paths[1]}:network"), f"{first.address} outside of {second.network}")


def _within(node: Node, network: str) -> bool:
    return ip_address(node.address) in ip_network(network)


def _network(paths: tuple[str, ...], found: str) -> Violation:
    return Violation(
        rule="network-match",
        paths=paths,
        found=found,
        allowed="both nodes of a domain in one replication network",
        remedy="correct the address or the network, or place the domains on nodes that share one",
    )


# --- Sizes -------------------------------------------------------------------------------------------------------
def volume_limits(cluster: Cluster) -> Iterator[Violation]:
    """Disks whose metadata do not fit into a slot, and volumes whose full name is too long for the device mapper."""
    for name, domain in cluster.domains.items():
        for disk in domain.disks:
            path = f"{DOMAINS}:{name}:disks:{disk.device}"
            if disk.meta_disk.shared and metadata_size_bytes(disk.size_bytes) > SLOT_BYTES:
                yield Violation(
                    rule="slot-size",
                    paths=(f"{path}:size", f"{path}:meta_disk"),
                    found=f"{format_size(disk.size_bytes)}, with metadata of {metadata_size_bytes(disk.size_bytes)} bytes",
                    allowed=f"metadata of at most {format_size(SLOT_BYTES)} in a slot, for both generations of DRBD",
                    remedy="take `meta_disk` out: the disk is then given a metadata volume of its own",
                )
            nodes = [cluster.nodes[node] for node in (domain.home, domain.partner) if node in cluster.nodes]
            yield from _long_names(nodes, disk.volume, f"{path}:volume")
            yield from _long_names(nodes, disk.meta_disk.volume, f"{path}:meta_disk")


def _long_names(nodes: Iterable[Node], volume: str, path: str) -> Iterator[Violation]:
    lengths = {node.name: _dm_name_length(node.volume_group, volume) for node in nodes}
    too_long = [name for name, length in lengths.items() if length > DM_NAME_LENGTH]
    if too_long:
        yield Violation(
            rule="volume-name-length",
            paths=(path, *(f"{NODES}:{name}:volume_group" for name in too_long)),
            found=f"{max(lengths.values())} characters for volume group and volume, hyphens counted twice",
            allowed=f"at most {DM_NAME_LENGTH}",
            remedy="choose a shorter name for the volume",
        )


def _dm_name_length(volume_group: str, volume: str) -> int:
    return len(volume_group) + len(volume) + 1 + volume_group.count("-") + volume.count("-")


def too_little_capacity(cluster: Cluster) -> Iterator[Violation]:
    """Nodes that declare less space or memory than what is placed on them needs.

    Memory counts the domains at home. Whether it holds a lost partner's domains as well is not a rule, because a cluster may
    be meant to run only some of them then: ``capacity.losses`` reports it.
    """
    volumes, memory = capacity.volume_demand(cluster), capacity.memory_demand(cluster)
    for name, node in cluster.nodes.items():
        path = f"{NODES}:{name}"
        yield from _exceeded(
            "volume-group-capacity", f"{path}:volume_group_size", volumes.get(name, 0), node.volume_group_size_bytes
        )
        yield from _exceeded("memory-capacity", f"{path}:memory", memory.get(name, 0), node.memory_bytes)


def _exceeded(rule: str, path: str, needed_bytes: int, available_bytes: int | None) -> Iterator[Violation]:
    if available_bytes is not None and needed_bytes > available_bytes:
        yield Violation(
            rule=rule,
            paths=(path,),
            found=f"{format_size(needed_bytes)} needed for what is placed here",
            allowed=f"{format_size(available_bytes)} as declared",
            remedy="place something on another node, or declare what the node really has",
        )
