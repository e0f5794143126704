"""Who claims what: one graph between the places in the pillar and the things that only one of them may have.

A claim is a thing in a place: minor 1 on dom0, port 7792 at 192.168.1.190, the slot meta[1] on dom0. Its neighbours are the
pillar paths that ask for it. A claim with two neighbours is a conflict. What the allocation keeps of domains and disks that
are gone claims as well: their leftovers may still hold it.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

import networkx as nx

from saltern.errors import Violation
from saltern.model.desired import TIE_BREAKER_NODE_ID
from saltern.model.topology import Cluster, Disk, Domain
from saltern.topology.allocate import Allocation, DiskNumbers, DomainNumbers

# Rule, place, thing: a thing that may have one owner in one place. The place is empty for what must be unique in the
# cluster. A plain tuple, because there are a dozen of them for each domain.
Claim = tuple[str, str, str | int]


class _Rule(NamedTuple):
    found: str  # with {thing} and {place}
    allowed: str
    remedy: str


_NUMBER: Final = "write another number for one of them, or take both out and allocate"
RULES: Final = {
    "minor-unique": _Rule("minor {thing} on {place}", "each minor once on a node", _NUMBER),
    "port-unique": _Rule("port {thing} at {place}", "each port once at an address", _NUMBER),
    "slot-unique": _Rule("the slot {thing} on {place}", "one disk in a slot", _NUMBER),
    "node-id-unique": _Rule("node-id {thing} of one resource", "two different node-ids", _NUMBER),
    "volume-unique": _Rule(
        "the volume {thing} on {place}",
        "a volume for the data of one disk, for its metadata, or for slots of metadata",
        "name another volume in one of them",
    ),
    "resource-unique": _Rule("the resource {thing}", "each name once in the cluster", "name one of them differently"),
    "mac-unique": _Rule("the MAC address {thing}", "each address once in the cluster", "write another address"),
    "uuid-unique": _Rule("the UUID {thing}", "each UUID once in the cluster", "write another UUID"),
    "address-unique": _Rule("the address {thing}", "an address for each node", "write the node's own address"),
}


_NO_ATTRIBUTES: Final[dict[str, object]] = {}


def _no_attributes() -> dict[str, object]:
    return _NO_ATTRIBUTES


class _ClaimGraph(nx.Graph):  # type: ignore[type-arg] # generic in its stubs only
    """A graph without attributes: one empty dictionary for all nodes and edges instead of one for each of them."""

    node_attr_dict_factory = staticmethod(_no_attributes)
    edge_attr_dict_factory = staticmethod(_no_attributes)


def claim_graph(cluster: Cluster, allocation: Allocation) -> "nx.Graph[str | Claim]":
    """The bipartite graph between pillar paths (text) and claims."""
    graph = _ClaimGraph()
    graph.add_edges_from(_edges(cluster))
    graph.add_edges_from(list(_edges_of_what_is_gone(graph, cluster, allocation)))
    return graph


def _edges(cluster: Cluster) -> Iterator[tuple[str, Claim]]:
    for name, node in sorted(cluster.nodes.items()):
        yield f"saltern:nodes:{name}:address", ("address-unique", "", node.address)
        if node.migration_address not in (None, node.address):
            yield f"saltern:nodes:{name}:migration_address", ("address-unique", "", str(node.migration_address))
    yield from _takeover_edges(cluster)
    # A shared volume is one owner: the first disk that has a slot in it stands for all.
    shared: set[tuple[str, str]] = set()
    for name, domain in sorted(cluster.domains.items()):
        path = f"saltern:domains:{name}"
        if domain.uuid is not None:
            yield f"{path}:uuid", ("uuid-unique", "", domain.uuid)
        for position, interface in enumerate(domain.interfaces):
            if interface.mac is not None:
                yield f"{path}:interfaces:{position}:mac", ("mac-unique", "", interface.mac)
        for disk in domain.disks:
            yield from _disk_edges(cluster, domain, disk, f"{path}:disks:{disk.device}", shared)


def _takeover_edges(cluster: Cluster) -> Iterator[tuple[str, Claim]]:
    if cluster.takeover is not None:
        witness = cluster.takeover.witness
        for node in cluster.nodes.values():
            yield "saltern:takeover:port", ("port-unique", node.address, cluster.takeover.port)
        if witness is not None:
            yield "saltern:takeover:witness:port", ("port-unique", witness.address, witness.port)


def _disk_edges(
    cluster: Cluster, domain: Domain, disk: Disk, path: str, shared: set[tuple[str, str]]
) -> Iterator[tuple[str, Claim]]:
    yield f"{path}:resource", ("resource-unique", "", disk.resource)
    if domain.home != domain.partner:
        for position, node_id in enumerate(disk.node_ids or ()):
            yield f"{path}:node_ids:{position}", ("node-id-unique", path, node_id)
    if cluster.tie_breaker is not None:
        yield from _tie_breaker_edges(cluster, cluster.tie_breaker, disk, path)
    meta_disk = disk.meta_disk
    for name in (domain.home, domain.partner):
        yield f"{path}:volume", ("volume-unique", name, disk.volume)
        if disk.minor is not None:
            yield f"{path}:minor", ("minor-unique", name, disk.minor)
        if disk.port is not None and name in cluster.nodes:
            yield f"{path}:port", ("port-unique", cluster.nodes[name].address, disk.port)
        if not meta_disk.shared or (name, meta_disk.volume) not in shared:
            yield f"{path}:meta_disk", ("volume-unique", name, meta_disk.volume)
        if meta_disk.shared:
            shared.add((name, meta_disk.volume))
        if meta_disk.index is not None:
            yield f"{path}:meta_disk", ("slot-unique", name, f"{meta_disk.volume}[{meta_disk.index}]")


def _tie_breaker_edges(cluster: Cluster, name: str, disk: Disk, path: str) -> Iterator[tuple[str, Claim]]:
    """What a disk has on the node that breaks its ties: the same minor, the same port."""
    yield "saltern:tie_breaker", ("node-id-unique", path, TIE_BREAKER_NODE_ID)
    if disk.minor is not None:
        yield f"{path}:minor", ("minor-unique", name, disk.minor)
    if disk.port is not None and name in cluster.nodes:
        yield f"{path}:port", ("port-unique", cluster.nodes[name].address, disk.port)


def _edges_of_what_is_gone(
    graph: "nx.Graph[str | Claim]", cluster: Cluster, allocation: Allocation
) -> Iterator[tuple[str, Claim]]:
    """Claims of entries without a domain or disk, where the topology claims the same: two that are gone do no harm.

    A disk that the same domain gives a number of its gone disk is one that was named differently.
    """
    for name, entry in sorted(allocation.domains.items()):
        own = f"saltern:domains:{name}:"
        for path, claim in _kept_claims(cluster, name, entry):
            if claim in graph and not any(str(owner).startswith(own) for owner in graph[claim]):
                yield f"saltern:allocation:domains:{name}:{path}", claim


def _kept_claims(cluster: Cluster, name: str, entry: DomainNumbers) -> Iterator[tuple[str, Claim]]:
    domain = cluster.domains.get(name)
    if domain is None:
        yield "uuid", ("uuid-unique", "", entry.uuid or "")
        for label, mac in entry.macs.items():
            yield f"macs:{label}", ("mac-unique", "", mac)
    present = {disk.device for disk in domain.disks} if domain is not None else frozenset()
    for device in sorted(entry.disks.keys() - present):
        yield from _kept_disk_claims(cluster, entry, entry.disks[device], f"disks:{device}")


def _kept_disk_claims(
    cluster: Cluster, entry: DomainNumbers, disk: DiskNumbers, path: str
) -> Iterator[tuple[str, Claim]]:
    if disk.resource is not None:
        yield f"{path}:resource", ("resource-unique", "", disk.resource)
    for node in entry.node_ids:
        if disk.volume is not None:
            yield f"{path}:volume", ("volume-unique", node, disk.volume)
        if disk.minor is not None:
            yield f"{path}:minor", ("minor-unique", node, disk.minor)
        if disk.port is not None and node in cluster.nodes:
            yield f"{path}:port", ("port-unique", cluster.nodes[node].address, disk.port)
        if disk.meta_disk is not None and not disk.meta_disk.shared:
            yield f"{path}:meta_disk", ("volume-unique", node, disk.meta_disk.volume)
        elif disk.meta_disk is not None:
            yield f"{path}:meta_disk", ("slot-unique", node, f"{disk.meta_disk.volume}[{disk.meta_disk.index}]")


def conflicts(graph: "nx.Graph[str | Claim]") -> Iterator[Violation]:
    """A violation for each thing with several owners, with the paths of all of them and every place where they meet."""
    places: dict[tuple[str, str | int, tuple[str, ...]], list[str]] = defaultdict(list)
    for claim, owners in graph.adjacency():
        if len(owners) > 1 and isinstance(claim, tuple):
            rule_name, place, thing = claim
            paths = tuple(sorted(str(owner) for owner in owners))
            places[rule_name, thing, paths].append(place)
    for (name, thing, paths), where in places.items():
        rule = RULES[name]
        yield Violation(
            rule=name,
            paths=paths,
            found=f"{rule.found.format(thing=thing, place=' and '.join(sorted(where)))} is claimed {len(paths)} times",
            allowed=rule.allowed,
            remedy=rule.remedy,
        )
