"""What a node was found to be: what its tools said, parsed, at one moment.

A read that failed is never in here as an empty value: the reader raises instead. What a tool itself calls unknown
(the role of a peer that is out of sight) has a value of its own, ``UNKNOWN``, in the enumerations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


# --- LVM ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeGroup:
    """A volume group (vgs(8))."""

    name: str
    size_bytes: int
    free_bytes: int
    extent_size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalVolume:
    """A logical volume (lvs(8)). ``open`` is true while something holds the device."""

    volume_group: str
    name: str
    size_bytes: int
    active: bool
    open: bool
    tags: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lvm:
    """All volume groups by name and all logical volumes by (volume group, name)."""

    volume_groups: Mapping[str, VolumeGroup]
    volumes: Mapping[tuple[str, str], LogicalVolume]


# --- DRBD --------------------------------------------------------------------------------------------------------
class Role(StrEnum):
    """The role of one side of a resource."""

    PRIMARY = "Primary"
    SECONDARY = "Secondary"
    UNKNOWN = "Unknown"


class DiskState(StrEnum):
    """The state of one side's disk (drbd-9.0 manual, "disk states")."""

    DISKLESS = "Diskless"
    ATTACHING = "Attaching"
    DETACHING = "Detaching"
    FAILED = "Failed"
    NEGOTIATING = "Negotiating"
    INCONSISTENT = "Inconsistent"
    OUTDATED = "Outdated"
    UNKNOWN = "DUnknown"
    CONSISTENT = "Consistent"
    UP_TO_DATE = "UpToDate"


class ConnectionState(StrEnum):
    """The state of a connection, in the words of ``drbdsetup events2`` (the same for 8.4 and 9)."""

    STANDALONE = "StandAlone"
    DISCONNECTING = "Disconnecting"
    UNCONNECTED = "Unconnected"
    TIMEOUT = "Timeout"
    BROKEN_PIPE = "BrokenPipe"
    NETWORK_FAILURE = "NetworkFailure"
    PROTOCOL_ERROR = "ProtocolError"
    TEAR_DOWN = "TearDown"
    CONNECTING = "Connecting"
    CONNECTED = "Connected"


class ReplicationState(StrEnum):
    """What happens between two connected disks."""

    OFF = "Off"
    ESTABLISHED = "Established"
    STARTING_SYNC_SOURCE = "StartingSyncS"
    STARTING_SYNC_TARGET = "StartingSyncT"
    WAIT_BITMAP_SOURCE = "WFBitMapS"
    WAIT_BITMAP_TARGET = "WFBitMapT"
    WAIT_SYNC_UUID = "WFSyncUUID"
    SYNC_SOURCE = "SyncSource"
    SYNC_TARGET = "SyncTarget"
    VERIFY_SOURCE = "VerifyS"
    VERIFY_TARGET = "VerifyT"
    PAUSED_SYNC_SOURCE = "PausedSyncS"
    PAUSED_SYNC_TARGET = "PausedSyncT"
    AHEAD = "Ahead"
    BEHIND = "Behind"


class Generation(StrEnum):
    """The two generations of DRBD that Saltern serves; their configurations differ."""

    V84 = "8.4"
    V9 = "9"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrbdVersion:
    """The kernel module: ``kernel`` is its version, also before it is loaded, and ``None`` where there is none."""

    kernel: tuple[int, int, int] | None
    loaded: bool

    @property
    def generation(self) -> Generation | None:
        """``None`` where there is no module, or one of a generation that Saltern does not serve."""
        if self.kernel is None:
            return None
        if self.kernel[0] == 9:
            return Generation.V9
        return Generation.V84 if self.kernel[:2] == (8, 4) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerDevice:
    """The other side of one volume, as seen from here."""

    replication: ReplicationState
    disk: DiskState
    out_of_sync_bytes: int | None = None  # None when not asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection to a peer. DRBD 8.4 does not know its peer's name: ``peer`` is then ``None``."""

    peer_node_id: int
    peer: str | None
    state: ConnectionState
    role: Role
    volumes: Mapping[int, PeerDevice]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One volume of a resource on this side. ``size_bytes`` is 0 while it is diskless."""

    minor: int
    disk: DiskState
    size_bytes: int | None = None  # None when not asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningResource:
    """A resource that the kernel knows (drbdsetup events2)."""

    name: str
    role: Role
    suspended: bool
    devices: Mapping[int, Device]
    connections: tuple[Connection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredHost:
    """One side of a resource in the configuration that drbdadm reads, whoever wrote it."""

    node: str
    address: str
    port: int
    volumes: Mapping[int, "ConfiguredVolume"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredVolume:
    """One volume of one side: its minor, its backing device and where its metadata are.

    ``meta_index`` is ``None`` for flexible metadata; ``meta_device`` is ``"internal"`` for internal ones.
    """

    minor: int
    disk: str
    meta_device: str
    meta_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredResource:
    """A resource in the configuration (drbdadm dump-xml); ``file`` is where it is defined."""

    name: str
    file: str
    hosts: tuple[ConfiguredHost, ...]


class MetadataState(StrEnum):
    """What ``drbdadm get-gi`` says of a resource's metadata."""

    VALID = "valid"
    BLANK = "blank"
    NO_DEVICE = "no device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Metadata of one disk.  ``current`` is the current generation UUID with the primary bit cleared, 0 if none."""

    state: MetadataState
    current: int = 0

    @property
    def just_created(self) -> bool:
        """True for metadata that have never belonged to any data (UUID_JUST_CREATED, drbd_int.h)."""
        return self.state is MetadataState.VALID and self.current == JUST_CREATED


JUST_CREATED = 0x4


# --- Xen ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class XenDomain:
    """A domain that the hypervisor knows, also a paused, incoming or dying one (xl list -v).

    ``name`` is ``None`` where xl prints ``(null)``: a domain that is gone but for its remains. A ``suspended`` one is shut down
    as well, for Xen: its memory is being taken elsewhere, or was.
    """

    domid: int
    name: str | None
    uuid: str
    memory_bytes: int
    vcpus: int
    cpu_time_s: float
    running: bool
    blocked: bool
    paused: bool
    shut_down: bool
    suspended: bool
    crashed: bool
    dying: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class XenMemory:
    """What the hypervisor has to give (xl info); claims of domains that are being built are already taken off."""

    free_memory_bytes: int
    total_memory_bytes: int
    xen_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Xen:
    """All domains of a node but Domain-0."""

    domains: tuple[XenDomain, ...]

    def by_uuid(self, uuid: str) -> XenDomain | None:
        """The domain with that UUID, whatever it is called at the moment.

        The remains of a former instance can be there beside it, as ``(null)`` (transcript 229); they come second.
        """
        found = sorted((domain for domain in self.domains if domain.uuid == uuid), key=lambda each: each.name is None)
        return found[0] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKeys:
    """What a node tells of itself, for its partners: the public key by which it sends domains, and those of its sshd.

    Each is a line of a ``.pub`` file.
    """

    migration: str
    host: tuple[str, ...]
