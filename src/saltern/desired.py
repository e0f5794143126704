"""What one node should be: its share of a complete cluster, and the way that share travels in the pillar.

This module also runs on the node: it imports the model and the standard library only.
"""

import heapq
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final, TypeVar

from saltern.errors import SliceError
from saltern.guard.detect import detect_s
from saltern.guard.times import Times
from saltern.model.desired import (
    METADATA_PEERS,
    DomainDisk,
    DomainInterface,
    DomainSpec,
    GuardSpec,
    NodeSlice,
    Purpose,
    Resource,
    ResourceHost,
    TieBreaker,
    Volume,
    WitnessSpec,
)
from saltern.model.topology import Cluster, Disk, Domain, FenceAgent, Interface, Node, Takeover, Witness
from saltern.units import MIB, SECTOR_BYTES

SLICE_VERSION: Final = 1
SLOT_BYTES: Final = 128 * MIB  # MD_RESERVED_SECT of DRBD: the length of one slot in a shared meta-disk
_CONNECTIONS: Final = uuid.UUID("0b9c5f5e-2f65-5a0b-8a5c-6b8de0a5d1c7")  # the namespace of connection identities

_T = TypeVar("_T")


def metadata_size_bytes(size_bytes: int, peers: int = METADATA_PEERS) -> int:
    """What DRBD metadata take for a disk of ``size_bytes`` with room for ``peers``.

    A bitmap for each peer, one bit for 4 KiB in whole 4 KiB blocks, and 72 sectors for superblock and activity log
    (DRBD User's Guide, "Estimating metadata size").
    """
    sectors = -(-size_bytes // SECTOR_BYTES)
    return (-(-sectors // 2**18) * 8 * peers + 72) * SECTOR_BYTES


# --- Compiling ---------------------------------------------------------------------------------------------------
def compile_slices(cluster: Cluster) -> dict[str, NodeSlice]:
    """The share of every node, by node. ``cluster`` must be complete and valid, else ``ValueError``."""
    volumes: dict[str, list[Volume]] = defaultdict(list)
    slots: dict[tuple[str, str], int] = {}
    resources: dict[str, dict[str, Resource]] = {node: {} for node in cluster.nodes}
    domains: dict[str, dict[str, DomainSpec]] = {node: {} for node in cluster.nodes}
    for domain in start_order(cluster.domains):
        spec = _domain_spec(domain)
        pair = cluster.nodes[domain.home], cluster.nodes[domain.partner]
        for node in pair:
            domains[node.name][domain.name] = spec
        for disk in domain.disks:
            resource = _resource(cluster, domain, disk, pair)
            for node in pair:
                resources[node.name][disk.resource] = resource
                volumes[node.name] += _volumes(disk, node)
                if disk.meta_disk.shared:
                    place = node.name, disk.meta_disk.volume
                    slots[place] = max(slots.get(place, 0), _known(disk.meta_disk.index) + 1)
    for (name, volume), count in slots.items():
        group = cluster.nodes[name].volume_group
        volumes[name].append(
            Volume(volume_group=group, name=volume, size_bytes=count * SLOT_BYTES, purpose=Purpose.META)
        )
    tie_breaks = {name: each for name, each in sorted(_by_name(resources).items()) if each.tie_breaker is not None}
    return {
        name: NodeSlice(
            cluster=cluster.name,
            node=name,
            migration_address=cluster.nodes[name].migration_address or cluster.nodes[name].address,
            volumes=tuple(sorted(volumes[name], key=lambda volume: volume.name)),
            resources=_in_order(resources[name], name),
            domains=domains[name],
            guard=_guard(cluster, name, domains[name].values()),
            tie_breaks=tie_breaks if name == cluster.tie_breaker else {},
        )
        for name in sorted(cluster.nodes)
    }


def _by_name(resources: Mapping[str, Mapping[str, Resource]]) -> dict[str, Resource]:
    """The resources of all nodes, each once."""
    return {name: each for found in resources.values() for name, each in found.items()}


def _guard(cluster: Cluster, node: str, domains: Iterable[DomainSpec]) -> GuardSpec | None:
    """What the guard of a node is told, ``None`` where nothing is taken over, or the node holds no domain."""
    partners = sorted({name for domain in domains for name in (domain.home, domain.partner)} - {node})
    if cluster.takeover is None or not partners:
        return None
    agents = cluster.takeover.fencing
    return GuardSpec(
        address=cluster.nodes[node].address,
        port=cluster.takeover.port,
        partners={name: cluster.nodes[name].address for name in partners},
        witness=cluster.takeover.witness,
        fencing={name: agents[name] for name in partners if name in agents},
        times=_times(cluster, cluster.takeover),
        notify=cluster.takeover.notify,
        quorum=cluster.takeover.quorum,
    )


def _times(cluster: Cluster, takeover: Takeover) -> Times:
    """By quorum, with what DRBD takes to notice a loss, of all disks the longest."""
    if not takeover.quorum:
        return takeover.times
    nets = [disk.drbd.sections.get("net", {}) for domain in cluster.domains.values() for disk in domain.disks]
    return replace(takeover.times, detect_s=max(map(detect_s, nets), default=detect_s({})))


def witness_spec(cluster: Cluster) -> WitnessSpec | None:
    """What the witness of a cluster is told, ``None`` where there is none. It answers the nodes that hold domains."""
    witness = None if cluster.takeover is None else cluster.takeover.witness
    if cluster.takeover is None or witness is None:
        return None
    return WitnessSpec(
        cluster=cluster.name,
        address=witness.address,
        port=witness.port,
        nodes=tuple(sorted({name for each in cluster.domains.values() for name in (each.home, each.partner)})),
        times=cluster.takeover.times,
    )


def _in_order(resources: Mapping[str, Resource], node: str) -> dict[str, Resource]:
    """By name, those at home on ``node`` first: what the partner waits for is done before this node waits for it."""
    return dict(sorted(resources.items(), key=lambda each: (each[1].home != node, each[0])))


def start_order(domains: Mapping[str, Domain]) -> list[Domain]:
    """The domains in the order in which they start: dependencies first, then by ``order``, then by name.

    Dependencies on domains that are not there count as met. Raises ``ValueError`` for a cycle.
    """
    waiting = {name: sum(other in domains for other in domain.depends_on) for name, domain in domains.items()}
    dependants: dict[str, list[Domain]] = defaultdict(list)
    for domain in domains.values():
        for other in domain.depends_on:
            dependants[other].append(domain)
    ready = [(domain.order, name) for name, domain in domains.items() if not waiting[name]]
    heapq.heapify(ready)
    started = []
    while ready:
        _, name = heapq.heappop(ready)
        started.append(domains[name])
        for dependant in dependants[name]:
            waiting[dependant.name] -= 1
            if not waiting[dependant.name]:
                heapq.heappush(ready, (dependant.order, dependant.name))
    if len(started) < len(domains):
        raise ValueError("the dependencies of domains form a cycle")
    return started


def _known(value: _T | None) -> _T:
    if value is None:
        raise ValueError("the cluster is not complete: a number is missing")
    return value


def _sections(cluster: str, domain: Domain, disk: Disk) -> Mapping[str, Mapping[str, str]]:
    """The options of a resource, with an identity in ``net`` where the topology writes none.

    DRBD pairs by address and port, whatever the names; with a shared secret of its own a resource connects with itself only.
    """
    net = disk.drbd.sections.get("net", {})
    if "cram-hmac-alg" in net or "shared-secret" in net:
        return disk.drbd.sections
    identity = uuid.uuid5(_CONNECTIONS, f"{cluster}/{_known(domain.uuid)}/{disk.resource}").hex
    return {**disk.drbd.sections, "net": {**net, "cram-hmac-alg": "sha256", "shared-secret": identity}}


def _resource(cluster: Cluster, domain: Domain, disk: Disk, pair: tuple[Node, Node]) -> Resource:
    home_id, partner_id = _known(disk.node_ids)
    return Resource(
        name=disk.resource,
        domain=domain.name,
        protocol=disk.drbd.protocol,
        size_bytes=disk.size_bytes,
        hosts=(_host(disk, pair[0], home_id), _host(disk, pair[1], partner_id)),
        sections=_sections(cluster.name, domain, disk),
        tie_breaker=None if cluster.tie_breaker is None else _tie_breaker(disk, cluster.nodes[cluster.tie_breaker]),
    )


def _tie_breaker(disk: Disk, node: Node) -> TieBreaker:
    return TieBreaker(node=node.name, address=node.address, port=_known(disk.port), minor=_known(disk.minor))


def _host(disk: Disk, node: Node, node_id: int) -> ResourceHost:
    group = f"/dev/{node.volume_group}"
    return ResourceHost(
        node=node.name,
        node_id=node_id,
        address=node.address,
        port=_known(disk.port),
        minor=_known(disk.minor),
        disk=f"{group}/{disk.volume}",
        meta_device=f"{group}/{disk.meta_disk.volume}",
        meta_index=disk.meta_disk.index,
    )


def _volumes(disk: Disk, node: Node) -> Iterable[Volume]:
    group = node.volume_group
    yield Volume(volume_group=group, name=disk.volume, size_bytes=disk.size_bytes, purpose=Purpose.DATA)
    if not disk.meta_disk.shared:
        size_bytes = metadata_size_bytes(disk.size_bytes)
        yield Volume(volume_group=group, name=disk.meta_disk.volume, size_bytes=size_bytes, purpose=Purpose.META)


def _domain_spec(domain: Domain) -> DomainSpec:
    return DomainSpec(
        name=domain.name,
        uuid=_known(domain.uuid),
        home=domain.home,
        partner=domain.partner,
        memory_bytes=domain.memory_bytes,
        vcpus=domain.vcpus,
        disks=tuple(DomainDisk(device=disk.device, resource=disk.resource) for disk in domain.disks),
        interfaces=tuple(_interface_spec(interface) for interface in domain.interfaces),
        depends_on=domain.depends_on,
        order=domain.order,
        xl=domain.xl,
        automatic_return=domain.automatic_return,
        minion=domain.minion,
        priority=domain.priority,
    )


def _interface_spec(interface: Interface) -> DomainInterface:
    return DomainInterface(bridge=interface.bridge, mac=_known(interface.mac), options=interface.options)


# --- Travelling in the pillar ------------------------------------------------------------------------------------
def slice_to_pillar(share: NodeSlice) -> dict[str, Any]:
    """The share as plain dictionaries, lists, text and numbers, for the key ``saltern`` of a node's pillar."""
    return {
        "slice_version": SLICE_VERSION,
        "cluster": share.cluster,
        "node": share.node,
        "migration_address": share.migration_address,
        "volumes": [volume_to_pillar(volume) for volume in share.volumes],
        "resources": {name: resource_to_pillar(resource) for name, resource in share.resources.items()},
        # A list, because the order of starting is part of what it says.
        "domains": [domain_to_pillar(domain) for domain in share.domains.values()],
        "guard": None if share.guard is None else guard_to_pillar(share.guard),
        "tie_breaks": {name: resource_to_pillar(resource) for name, resource in share.tie_breaks.items()},
    }


def part(share: NodeSlice, domains: Collection[str]) -> NodeSlice:
    """What a share says of some domains, apart from volumes."""
    return replace(
        share,
        volumes=(),
        resources={name: each for name, each in share.resources.items() if each.domain in domains},
        domains={name: each for name, each in share.domains.items() if name in domains},
        tie_breaks={name: each for name, each in share.tie_breaks.items() if each.domain in domains},
    )


def volume_to_pillar(volume: Volume) -> dict[str, Any]:
    """One volume as plain data."""
    return {
        "volume_group": volume.volume_group,
        "name": volume.name,
        "size_bytes": volume.size_bytes,
        "purpose": volume.purpose.value,
    }


def resource_to_pillar(resource: Resource) -> dict[str, Any]:
    """One resource as plain data."""
    return {
        "domain": resource.domain,
        "protocol": resource.protocol,
        "size_bytes": resource.size_bytes,
        "hosts": [
            {
                "node": host.node,
                "node_id": host.node_id,
                "address": host.address,
                "port": host.port,
                "minor": host.minor,
                "disk": host.disk,
                "meta_device": host.meta_device,
                "meta_index": host.meta_index,
            }
            for host in resource.hosts
        ],
        "sections": {name: dict(options) for name, options in resource.sections.items()},
        "tie_breaker": None if resource.tie_breaker is None else asdict(resource.tie_breaker),
    }


def domain_to_pillar(domain: DomainSpec) -> dict[str, Any]:
    """One domain as plain data."""
    return {
        "name": domain.name,
        "uuid": domain.uuid,
        "home": domain.home,
        "partner": domain.partner,
        "memory_bytes": domain.memory_bytes,
        "vcpus": domain.vcpus,
        "disks": [{"device": disk.device, "resource": disk.resource} for disk in domain.disks],
        "interfaces": [
            {"bridge": interface.bridge, "mac": interface.mac, "options": dict(interface.options)}
            for interface in domain.interfaces
        ],
        "depends_on": list(domain.depends_on),
        "order": domain.order,
        "xl": dict(domain.xl),
        "automatic_return": domain.automatic_return,
        "minion": domain.minion,
        "priority": domain.priority,
    }


def guard_to_pillar(guard: GuardSpec) -> dict[str, Any]:
    """What a guard is told as plain data. The options of agents have a name that keeps them out of what is shown."""
    return {
        **asdict(guard),
        "partners": dict(guard.partners),
        "notify": list(guard.notify),
        "fencing": {
            node: {"agent": each.agent, "secret_options": dict(each.options), "timeout_s": each.timeout_s}
            for node, each in guard.fencing.items()
        },
    }


def witness_to_pillar(witness: WitnessSpec) -> dict[str, Any]:
    """What the witness is told, as plain data, for the key ``saltern`` of its pillar."""
    return {"witness": {"slice_version": SLICE_VERSION, **asdict(witness), "nodes": list(witness.nodes)}}


def slice_from_pillar(data: Mapping[str, Any]) -> NodeSlice:
    """The share that ``slice_to_pillar`` wrote. Raises ``SliceError`` for anything else."""
    version = data.get("slice_version") if isinstance(data, Mapping) else None
    if version is None:
        raise SliceError(
            "this pillar holds no compiled share of a topology: the master's ext_pillar `saltern` is not configured, "
            "or this node is not in the topology",
            "Add `ext_pillar: [{saltern: {}}]` to the master's configuration and see that the node is under `saltern:nodes`",
        )
    try:
        if version != SLICE_VERSION:
            raise SliceError(
                f"this pillar holds a share of version {version!r}, and this node's Saltern reads version {SLICE_VERSION}",
                "Install the same version of Saltern on the master and on the node",
            )
        return NodeSlice(
            cluster=_of(str, data["cluster"]),
            node=_of(str, data["node"]),
            migration_address=_of(str, data["migration_address"]),
            volumes=tuple(volume_from_pillar(volume) for volume in _of(list, data["volumes"])),
            resources={name: resource_from_pillar(name, item) for name, item in _of(dict, data["resources"]).items()},
            domains={item["name"]: _domain_from_pillar(item) for item in _of(list, data["domains"])},
            guard=None if data["guard"] is None else _guard_from_pillar(data["guard"]),
            tie_breaks={name: resource_from_pillar(name, item) for name, item in _of(dict, data["tie_breaks"]).items()},
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise SliceError(
            f"this pillar holds a damaged share of a topology ({type(error).__name__}: {error})",
            "Refresh the pillar; if that does not help, compare the versions of Saltern on the master and on the node",
        ) from error


def _of(kind: type[_T], value: object) -> _T:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{str(value)[:60]!r} is not of type {kind.__name__}")
    return value


def _texts(data: object) -> dict[str, str]:
    return {_of(str, name): _of(str, value) for name, value in _of(dict, data).items()}


def volume_from_pillar(data: Mapping[str, Any]) -> Volume:
    """One volume from plain data; raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else."""
    return Volume(
        volume_group=_of(str, data["volume_group"]),
        name=_of(str, data["name"]),
        size_bytes=_of(int, data["size_bytes"]),
        purpose=Purpose(data["purpose"]),
    )


def resource_from_pillar(name: str, data: Mapping[str, Any]) -> Resource:
    """One resource from plain data; raises as ``volume_from_pillar``."""
    home, partner = _of(list, data["hosts"])
    return Resource(
        name=_of(str, name),
        domain=_of(str, data["domain"]),
        protocol=_of(str, data["protocol"]),
        size_bytes=_of(int, data["size_bytes"]),
        hosts=(_host_from_pillar(home), _host_from_pillar(partner)),
        sections={_of(str, section): _texts(options) for section, options in _of(dict, data["sections"]).items()},
        tie_breaker=None if data["tie_breaker"] is None else _tie_breaker_from_pillar(data["tie_breaker"]),
    )


def _tie_breaker_from_pillar(data: Mapping[str, Any]) -> TieBreaker:
    return TieBreaker(
        node=_of(str, data["node"]),
        address=_of(str, data["address"]),
        port=_of(int, data["port"]),
        minor=_of(int, data["minor"]),
    )


def _host_from_pillar(data: Mapping[str, Any]) -> ResourceHost:
    index = data["meta_index"]
    return ResourceHost(
        node=_of(str, data["node"]),
        node_id=_of(int, data["node_id"]),
        address=_of(str, data["address"]),
        port=_of(int, data["port"]),
        minor=_of(int, data["minor"]),
        disk=_of(str, data["disk"]),
        meta_device=_of(str, data["meta_device"]),
        meta_index=None if index is None else _of(int, index),
    )


def _domain_from_pillar(data: Mapping[str, Any]) -> DomainSpec:
    return DomainSpec(
        name=_of(str, data["name"]),
        uuid=_of(str, data["uuid"]),
        home=_of(str, data["home"]),
        partner=_of(str, data["partner"]),
        memory_bytes=_of(int, data["memory_bytes"]),
        vcpus=_of(int, data["vcpus"]),
        disks=tuple(
            DomainDisk(device=_of(str, disk["device"]), resource=_of(str, disk["resource"]))
            for disk in _of(list, data["disks"])
        ),
        interfaces=tuple(
            DomainInterface(bridge=_of(str, item["bridge"]), mac=_of(str, item["mac"]), options=_texts(item["options"]))
            for item in _of(list, data["interfaces"])
        ),
        depends_on=tuple(_of(str, name) for name in _of(list, data["depends_on"])),
        order=_of(int, data["order"]),
        xl=_of(dict, data["xl"]),
        automatic_return=_of(bool, data["automatic_return"]),
        minion=None if data["minion"] is None else _of(str, data["minion"]),
        priority=_of(int, data["priority"]),
    )


def _guard_from_pillar(data: Mapping[str, Any]) -> GuardSpec:
    return GuardSpec(
        address=_of(str, data["address"]),
        port=_of(int, data["port"]),
        partners=_texts(data["partners"]),
        witness=None if data["witness"] is None else _witness_from_pillar(data["witness"]),
        fencing={_of(str, name): _agent_from_pillar(each) for name, each in _of(dict, data["fencing"]).items()},
        times=_times_from_pillar(data["times"]),
        notify=tuple(_of(str, each) for each in data["notify"]),
        quorum=_of(bool, data["quorum"]),
    )


def _witness_from_pillar(data: Mapping[str, Any]) -> Witness:
    return Witness(minion=_of(str, data["minion"]), address=_of(str, data["address"]), port=_of(int, data["port"]))


def _agent_from_pillar(data: Mapping[str, Any]) -> FenceAgent:
    return FenceAgent(
        agent=_of(str, data["agent"]),
        options=_texts(data["secret_options"]),
        timeout_s=_of(float, data["timeout_s"]),
    )


def _times_from_pillar(data: object) -> Times:
    return Times(**{_of(str, name): _of(float, value) for name, value in _of(dict, data).items()})


def witness_from_pillar(data: Mapping[str, Any] | None) -> WitnessSpec:
    """What ``witness_to_pillar`` wrote. Raises ``SliceError`` for anything else."""
    try:
        found = (data or {})["witness"]
        if found["slice_version"] != SLICE_VERSION:
            raise ValueError(f"it has version {found['slice_version']!r}, and this Saltern reads {SLICE_VERSION}")
        return WitnessSpec(
            cluster=_of(str, found["cluster"]),
            address=_of(str, found["address"]),
            port=_of(int, found["port"]),
            nodes=tuple(_of(str, name) for name in _of(list, found["nodes"])),
            times=_times_from_pillar(found["times"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SliceError(
            f"this pillar holds nothing for a witness ({type(error).__name__}: {error})",
            "See that the topology names this minion as `saltern:takeover:witness:minion`, and refresh the pillar",
        ) from error
