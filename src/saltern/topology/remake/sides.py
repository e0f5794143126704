"""A cluster as its nodes see it: what each side of a disk has there, and what only one of them can have."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from saltern.desired import SLOT_BYTES, compile_slices
from saltern.model.desired import DomainSpec, NodeSlice, Purpose, Resource, Volume, volume_key
from saltern.model.topology import Cluster, Disk, Domain
from saltern.topology.capacity import EXTENT_BYTES
from saltern.units import round_up

# Kind, place, thing: as in `topology/claims.py`, with what the nodes have of it in the place of what is written.
Claim = tuple[str, str, str | int]


class Site(NamedTuple):
    """Where a copy of a domain's data is: a node, and the volume group there."""

    node: str
    group: str


class Sides:
    """A complete and valid cluster, compiled. Raises ``ValueError`` for one that is not."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.slices: Mapping[str, NodeSlice] = compile_slices(cluster)
        self._volumes = {name: {volume.path: volume for volume in share.volumes} for name, share in self.slices.items()}

    def resource(self, domain: Domain, disk: Disk) -> Resource:
        """The resource of a disk."""
        return self.slices[domain.home].resources[disk.resource]

    def spec(self, domain: Domain) -> DomainSpec:
        """The domain as its nodes are given it."""
        return self.slices[domain.home].domains[domain.name]

    def sites(self, domain: Domain) -> tuple[Site, Site]:
        """Home and partner."""
        home, partner = (Site(name, self.cluster.nodes[name].volume_group) for name in (domain.home, domain.partner))
        return home, partner

    def volumes(self, resource: Resource, node: str) -> tuple[Volume, ...]:
        """The volume of the data and the one of the metadata of a side; a shared one as large as its slot asks for."""
        host = resource.on(node)
        return self._volumes[node][host.disk], self.meta_volume(resource, node)

    def meta_volume(self, resource: Resource, node: str) -> Volume:
        """The volume that holds the metadata of a side."""
        host = resource.on(node)
        if host.meta_index is None:
            return self._volumes[node][host.meta_device]
        group, name = volume_key(host.meta_device)
        size_bytes = (host.meta_index + 1) * SLOT_BYTES
        return Volume(volume_group=group, name=name, size_bytes=size_bytes, purpose=Purpose.META)

    def has_volume(self, node: str, path: str) -> bool:
        """Whether the node has a volume at ``path``."""
        return path in self._volumes.get(node, {})

    def size_bytes(self, node: str, path: str) -> int:
        """What the volume at ``path`` takes, in whole extents; 0 where there is none."""
        volume = self._volumes.get(node, {}).get(path)
        return 0 if volume is None else round_up(volume.size_bytes, EXTENT_BYTES)

    def shared_volumes(self) -> Iterator[tuple[str, str]]:
        """Node and path of each volume with slots."""
        for name, share in self.slices.items():
            hosts = (resource.on(name) for resource in share.resources.values())
            for path in sorted({host.meta_device for host in hosts if host.meta_index is not None}):
                yield name, path


def port_claims(resource: Resource, node: str) -> frozenset[Claim]:
    """What a connected side holds."""
    host = resource.on(node)
    return frozenset({("port", host.address, host.port)})


def kernel_claims(resource: Resource, node: str) -> frozenset[Claim]:
    """What a side holds while it is configured and up."""
    host = resource.on(node)
    return port_claims(resource, node) | {("minor", node, host.minor), ("resource", node, resource.name)}


def slot_claims(resource: Resource, node: str) -> frozenset[Claim]:
    """The slot of a shared meta-disk."""
    host = resource.on(node)
    return frozenset() if host.meta_index is None else frozenset({("slot", node, meta_place(resource, node))})


def volume_claims(resource: Resource, node: str) -> frozenset[Claim]:
    """The volumes that are a side's own."""
    host = resource.on(node)
    own = (host.disk, host.meta_device) if host.meta_index is None else (host.disk,)
    return frozenset(("volume", node, path) for path in own)


def meta_place(resource: Resource, node: str) -> str:
    """Where the metadata of a side are: ``/dev/XEN/meta[1]``, ``/dev/XEN/dns_meta``."""
    host = resource.on(node)
    return host.meta_device if host.meta_index is None else f"{host.meta_device}[{host.meta_index}]"


def held(domain: Domain, sides: Sides) -> Iterator[Claim]:
    """Everything that a domain has on its nodes."""
    yield "uuid", "", domain.uuid or ""
    for node in (domain.home, domain.partner):
        yield "domain", node, domain.name
        for disk in domain.disks:
            resource = sides.resource(domain, disk)
            yield from resource_claims(resource, node)


def resource_claims(resource: Resource, node: str) -> frozenset[Claim]:
    """Everything that a side has."""
    return kernel_claims(resource, node) | slot_claims(resource, node) | volume_claims(resource, node)
