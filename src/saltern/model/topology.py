"""The cluster as its administrator describes it, with every default filled in.

Numbers (minor, port, node-ids, MAC, UUID, meta-disk slot) are ``None`` until they are allocated; a complete
topology has none missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from saltern.guard.times import Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A physical server that runs domains: a Xen dom0 and a Salt minion."""

    name: str
    address: str  # replication traffic of DRBD uses this one
    volume_group: str
    migration_address: str | None = None  # where it takes running domains in, where that is another one
    network: str | None = None  # CIDR of the replication network, where declared
    volume_group_size_bytes: int | None = None  # for the capacity check, where declared
    memory_bytes: int | None = None  # what domains may use together, where declared


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaDisk:
    """Where DRBD keeps the metadata of one disk, in the volume group of each node.

    A shared volume has slots of 128 MiB: ``index`` is the disk's (``/dev/XEN/meta[1]``), ``None`` until it is allocated.
    A volume of the disk's own has no slots.
    """

    volume: str
    index: int | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrbdOptions:
    """Options of one resource: section name (``net``, ``disk``, ``handlers``, ``options``) to option to value.

    ``protocol`` stands apart because every resource has one.
    """

    protocol: str = "C"
    sections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """One block device of a domain: an LV on each of two nodes, replicated by one DRBD resource."""

    device: str  # as the guest sees it: xvda
    resource: str
    volume: str
    size_bytes: int
    drbd: DrbdOptions
    meta_disk: MetaDisk
    minor: int | None = None
    port: int | None = None
    node_ids: tuple[int, int] | None = None  # home, partner


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One network interface of a domain; ``options`` are further keys of xl-network-configuration(5)."""

    bridge: str
    mac: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A Xen virtual machine, identified by its UUID, named for people."""

    name: str
    home: str
    partner: str
    memory_bytes: int
    vcpus: int
    disks: tuple[Disk, ...]
    interfaces: tuple[Interface, ...] = ()
    depends_on: tuple[str, ...] = ()
    order: int = 100  # lower starts earlier
    priority: int = 100  # where memory is short, a higher one is started rather than a lower one
    automatic_return: bool = False  # whether it comes home by itself
    minion: str | None = None  # the id of the one that runs in the guest
    uuid: str | None = None
    xl: Mapping[str, object] = field(default_factory=dict)  # further keys of xl.cfg(5), passed through


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """The third vote: the service on a minion that is on neither side of any domain."""

    minion: str
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceAgent:
    """What switches a node off: an agent of ClusterLabs, the ``options`` that it is given on standard input, and how long one
    run of it may take.
    """

    agent: str
    options: Mapping[str, str] = field(repr=False)  # a password is among them
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """That the partner of a lost node takes its domains over by itself, and what proves to it that the node is lost.

    With a ``witness`` that is a lease; without, the agents in ``fencing``, by the node that each switches off, or ``quorum``, by
    the tie-breaker of the cluster. Guards listen on ``port`` of the address of each node.
    They run ``notify`` for each of their events.
    """

    witness: Witness | None
    fencing: Mapping[str, FenceAgent]
    port: int
    times: Times
    notify: tuple[str, ...] = ()
    quorum: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A whole topology. Without ``takeover`` nothing is taken over but by a person.

    With a ``tie_breaker``, a node that holds no domain, a side of a resource writes only while it has quorum.
    """

    name: str
    nodes: Mapping[str, Node]
    domains: Mapping[str, Domain]
    takeover: Takeover | None = None
    tie_breaker: str | None = None
