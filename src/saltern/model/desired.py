"""What one node should be: its share of the topology, complete, with every number fixed.

This is all that a node is given of the cluster. It travels in the pillar as plain dictionaries and lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from saltern.guard.times import Times
from saltern.model.topology import FenceAgent, Witness


class Purpose(StrEnum):
    """What a logical volume is for."""

    DATA = "data"
    META = "meta"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A logical volume that must exist on this node and hold at least ``size_bytes``."""

    volume_group: str
    name: str
    size_bytes: int
    purpose: Purpose

    @property
    def path(self) -> str:
        """The device, as ``/dev/XEN/dns``."""
        return f"/dev/{self.volume_group}/{self.name}"


def volume_key(path: str) -> tuple[str, str]:
    """Volume group and name of the volume whose device is ``/dev/GROUP/NAME``."""
    group, _, name = path.removeprefix("/dev/").partition("/")
    return group, name


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceHost:
    """One side of a DRBD resource: what stands in its ``on`` section."""

    node: str
    node_id: int
    address: str  # IPv4 or IPv6, without brackets
    port: int
    minor: int
    disk: str  # /dev/XEN/dns
    meta_device: str  # /dev/XEN/meta or /dev/XEN/dns_meta
    meta_index: int | None  # slot in a shared meta-disk, None for a flexible one

    @property
    def device(self) -> str:
        """The block device of the resource, as ``/dev/drbd1``."""
        return f"/dev/drbd{self.minor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TieBreaker:
    """The third node of a resource, which holds no copy: what stands in its ``on`` section."""

    node: str
    address: str  # IPv4 or IPv6, without brackets
    port: int
    minor: int

    @property
    def device(self) -> str:
        """The block device of the resource, as ``/dev/drbd1``. Nothing uses it there."""
        return f"/dev/drbd{self.minor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A DRBD resource with one volume between two nodes; ``hosts`` holds the home first, then the partner.

    With a ``tie_breaker`` a side writes only while it has quorum.
    """

    name: str
    domain: str
    protocol: str
    size_bytes: int
    hosts: tuple[ResourceHost, ResourceHost]
    sections: Mapping[str, Mapping[str, str]]  # net, disk, handlers, options
    tie_breaker: TieBreaker | None = None

    @property
    def home(self) -> str:
        """The node where the domain belongs, and where the first synchronisation starts."""
        return self.hosts[0].node

    def on(self, node: str) -> ResourceHost:
        """The side of ``node``; ``KeyError`` when it is neither."""
        for host in self.hosts:
            if host.node == node:
                return host
        raise KeyError(node)

    @property
    def ends(self) -> tuple[ResourceHost | TieBreaker, ...]:
        """Everywhere where it is configured and up: both sides, and the tie-breaker."""
        return self.hosts if self.tie_breaker is None else (*self.hosts, self.tie_breaker)

    def minor_on(self, node: str) -> int:
        """Its minor on ``node``, which may be the tie-breaker; ``KeyError`` when it is not there."""
        return {end.node: end.minor for end in self.ends}[node]

    def peer_of(self, node: str) -> ResourceHost:
        """The other side than that of ``node``; ``KeyError`` when it is neither."""
        return self.hosts[1] if self.on(node) is self.hosts[0] else self.hosts[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainDisk:
    """A disk of a domain as its configuration names it: the block script makes ``resource`` the guest's ``device``."""

    device: str
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainInterface:
    """A network interface of a domain."""

    bridge: str
    mac: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSpec:
    """A domain that may run on this node: at home here, or with its replica here.

    With ``automatic_return`` it comes home by itself; ``minion`` is the id of the one that runs in the guest.
    With ``automatic_return`` it comes home by itself; where memory is short, a higher ``priority`` is started first.
    """

    name: str
    uuid: str
    home: str
    partner: str
    memory_bytes: int
    vcpus: int
    disks: tuple[DomainDisk, ...]
    interfaces: tuple[DomainInterface, ...]
    depends_on: tuple[str, ...]
    order: int
    xl: Mapping[str, object]
    automatic_return: bool = False
    minion: str | None = None
    priority: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSpec:
    """The guard of a node: where it listens, where its ``partners`` (address by node) and the witness are, the agents in
    ``fencing`` by which it switches partners off, and its times. By ``quorum`` it has neither witness nor agents.

    Guards of all nodes listen on the same ``port``. The keys are not here: each machine makes its own. ``notify`` is the command
    that the guard runs for each of its events.
    """

    address: str
    port: int
    partners: Mapping[str, str]
    witness: Witness | None
    fencing: Mapping[str, FenceAgent]
    times: Times
    notify: tuple[str, ...] = ()
    quorum: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessSpec:
    """The witness of a cluster: where it listens, the ``nodes`` that it answers, and the times."""

    cluster: str
    address: str
    port: int
    nodes: tuple[str, ...]
    times: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSlice:
    """Everything that ``node`` should be, in the order in which it is built.

    ``volumes`` by name; ``resources`` by name, those at home here first; ``domains`` in start order (dependencies first).
    ``migration_address`` is where this node takes domains in that move here. Without ``guard`` nothing is taken over by itself.
    ``tie_breaks`` are the resources, by name, that this node holds no copy of and breaks ties for.
    """

    cluster: str
    node: str
    migration_address: str
    volumes: tuple[Volume, ...]
    resources: Mapping[str, Resource]
    domains: Mapping[str, DomainSpec]
    guard: GuardSpec | None = None
    tie_breaks: Mapping[str, Resource] = field(default_factory=dict)


# Peers that metadata have room for: the partner, one that replaces it, and a tie-breaker. Room cannot be added later.
METADATA_PEERS = 3
# The last that DRBD 9 has: whoever replaces a partner later finds the next one free. It takes no room in metadata.
TIE_BREAKER_NODE_ID = 31

RESOURCE_DIRECTORY = PurePosixPath("/etc/drbd.d")
DOMAIN_DIRECTORY = PurePosixPath("/etc/xen")


def resource_file(resource: str) -> str:
    """Where the configuration of a resource stands on a node."""
    return str(RESOURCE_DIRECTORY / f"{resource}.res")


def domain_file(domain: str) -> str:
    """Where the configuration of a domain stands on a node."""
    return str(DOMAIN_DIRECTORY / f"{domain}.cfg")
