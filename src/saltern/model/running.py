"""What DRBD runs on a node at one moment, as its kernel tells: roles, states, resources.

What it calls unknown itself (the role of a peer that is out of sight) has a value of its own, ``UNKNOWN``, in the enumerations.
Apart from what else is ``observed``, because the block script needs no more, and a guest waits while that is loaded. Named tuples
for the same reason: to load dataclasses, and to make a few, takes nearly as long as all the rest.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


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


class DrbdVersion(NamedTuple):
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


class PeerDevice(NamedTuple):
    """The other side of one volume, as seen from here."""

    replication: ReplicationState
    disk: DiskState
    out_of_sync_bytes: int | None = None  # None when not asked for


class Connection(NamedTuple):
    """A connection to a peer. DRBD 8.4 does not know its peer's name: ``peer`` is then ``None``."""

    peer_node_id: int
    peer: str | None
    state: ConnectionState
    role: Role
    volumes: Mapping[int, PeerDevice]


class Device(NamedTuple):
    """One volume of a resource on this side. ``size_bytes`` is 0 while it is diskless.

    ``quorum``: it has quorum, or none was demanded of it, which the kernel calls the same. ``None`` where it says nothing (8.4).
    """

    minor: int
    disk: DiskState
    size_bytes: int | None = None  # None when not asked for
    quorum: bool | None = None


class RunningResource(NamedTuple):
    """A resource that the kernel knows (drbdsetup events2).

    ``connections`` are those to peers that hold a copy, ``tie_breakers`` those to peers that are without a disk on purpose: what
    holds of the partner does not hold of these. ``lacks_quorum``: its I/O is suspended because it sees too few of all of them.
    ``awaits_handler``: its I/O is suspended until the handler ``fence-peer`` has ended well, and for no other reason.
    ``fails_io``: it was made Secondary by force while it was open, and fails all I/O until nobody has it open any more (9).
    """

    name: str
    role: Role
    suspended: bool
    devices: Mapping[int, Device]
    connections: tuple[Connection, ...]
    awaits_handler: bool = False
    lacks_quorum: bool = False
    tie_breakers: tuple[Connection, ...] = ()
    fails_io: bool = False
