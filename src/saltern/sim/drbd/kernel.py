"""What the DRBD kernel module of one node holds: resources, devices, connections, and what they are called.

Everything here is gone after a power cut; what stays is in the metadata. Operations on it are in ``control`` (what an
administrator asks for), ``wire`` (what happens between two nodes), ``ties`` (the same with a tie-breaker) and ``io`` (what a
guest does). One role for each resource; each resource has one connection to another copy, and on 9 ties besides.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

PRIMARY: Final = "Primary"
SECONDARY: Final = "Secondary"
UNKNOWN: Final = "Unknown"

STANDALONE: Final = "StandAlone"
UNCONNECTED: Final = "Unconnected"
NETWORK_FAILURE: Final = "NetworkFailure"
CONNECTING: Final = "Connecting"
CONNECTED: Final = "Connected"

OFF: Final = "Off"
ESTABLISHED: Final = "Established"
SYNC_SOURCE: Final = "SyncSource"
SYNC_TARGET: Final = "SyncTarget"
VERIFY_SOURCE: Final = "VerifyS"
VERIFY_TARGET: Final = "VerifyT"
_PAUSED: Final = {SYNC_SOURCE: "PausedSyncS", SYNC_TARGET: "PausedSyncT"}


class Disk(IntEnum):
    """Disk states; a higher one is a better one (drbd.h)."""

    DISKLESS = 0
    ATTACHING = 1
    FAILED = 2
    NEGOTIATING = 3
    INCONSISTENT = 4
    OUTDATED = 5
    UNKNOWN = 6
    CONSISTENT = 7
    UP_TO_DATE = 8

    @property
    def word(self) -> str:
        """The name that the tools print."""
        return _DISK_WORDS[self]


_DISK_WORDS: Final = {
    Disk.DISKLESS: "Diskless",
    Disk.ATTACHING: "Attaching",
    Disk.FAILED: "Failed",
    Disk.NEGOTIATING: "Negotiating",
    Disk.INCONSISTENT: "Inconsistent",
    Disk.OUTDATED: "Outdated",
    Disk.UNKNOWN: "DUnknown",
    Disk.CONSISTENT: "Consistent",
    Disk.UP_TO_DATE: "UpToDate",
}


@dataclass
class Counters:
    """What a device has done, in KiB, and in writes to the activity log and the bitmap."""

    sent: int = 0
    received: int = 0
    written: int = 0
    read: int = 0
    al_writes: int = 0
    bm_writes: int = 0


@dataclass
class Device:
    """One volume of a resource.

    ``size_sectors`` stays when the disk goes (transcript 340). ``peer_sectors`` is what the peer's disk could hold when
    it last told. ``sync_blocks`` is how much the running synchronisation set out to copy, ``sync_credit`` the part of a
    block that time has already paid for, ``sync_bytes_per_s`` its speed; the same serve a comparison of both sides.
    ``paused`` and ``peer_paused`` tell on which side an administrator holds synchronisations back. ``openers`` maps who
    holds the device to whether for writing. ``new_generation`` is due as soon as I/O goes on (NEW_CUR_UUID). ``exposed`` is the
    generation that a Primary has used last which is without a disk (ed_uuid). A ``client`` is without one on purpose.
    """

    minor: int
    volume: int
    disk: Disk = Disk.DISKLESS
    backing: str = ""
    meta: str = ""
    slot: int = 0
    options: dict[str, str] = field(default_factory=dict)
    size_sectors: int = 0
    peer_sectors: int = 0
    peer_disk: Disk = Disk.UNKNOWN
    replication: str = OFF
    peer_uuids: list[int] = field(
        default_factory=list
    )  # current, bitmap, two of history, as they were at the handshake
    crashed_primary: bool = False
    sync_blocks: int = 0
    sync_since_s: float = 0.0
    sync_credit: float = 0.0
    sync_bytes_per_s: float = 0.0
    paused: bool = False
    peer_paused: bool = False
    al_suspended: bool = False  # everything is out of sync in any case: writes are not noted
    new_generation: bool = False
    exposed: int = 0
    failed_s: float = 0.0  # since when its disk is Failed
    peer_options: dict[str, str] = field(default_factory=dict)  # generation 9: options of the peer device
    client: bool = False
    openers: dict[str, bool] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)

    @property
    def holder(self) -> str:
        """The name under which DRBD holds the devices below."""
        return f"drbd{self.minor}"

    def has_exposed(self, generation: int) -> bool:
        """Whether that is what its users have seen last, but for the lowest bit, which tells a role."""
        return self.exposed in (0, generation) or (self.exposed ^ generation) == 1

    @property
    def syncing(self) -> bool:
        """Whether blocks are being copied between the two sides."""
        return self.replication in (SYNC_SOURCE, SYNC_TARGET)

    @property
    def verifying(self) -> bool:
        """Whether the two sides are being compared."""
        return self.replication in (VERIFY_SOURCE, VERIFY_TARGET)

    @property
    def pausers(self) -> str:
        """Who holds synchronisations back, as the tools print it."""
        return ",".join(word for word, on in (("user", self.paused), ("peer", self.peer_paused)) if on) or "no"

    @property
    def replication_word(self) -> str:
        """The state of replication as the tools print it."""
        held = self.paused or self.peer_paused
        return _PAUSED.get(self.replication, self.replication) if held else self.replication


@dataclass
class Connection:
    """A connection to the peer; without addresses nothing was configured yet.

    ``peer``, ``peer_resource`` and ``session`` name the other end and the handshake while a connection stands;
    ``since_s`` is when the state was entered, ``silent_since_s`` when the peer stopped to answer.
    """

    state: str = STANDALONE
    local: str = ""
    remote: str = ""
    options: dict[str, str] = field(default_factory=dict)
    discard_my_data: bool = False
    peer_role: str = UNKNOWN
    peer_node_id: int = 0
    peer_name: str = ""
    peer: str = ""
    peer_resource: str = ""
    session: int = 0
    since_s: float = 0.0
    silent_since_s: float | None = None
    peer_disk: Disk = Disk.DISKLESS  # at the other end of a tie
    peer_options: dict[str, str] = field(default_factory=dict)  # of a tie: those of its peer devices
    bitmap: bool = True  # the peer holds a copy, so far as is known here
    unsent: dict[str, str] | None = (
        None  # options on which both must agree, on their way to a peer that does not answer
    )

    @property
    def up(self) -> bool:
        """Whether the two sides talk."""
        return self.state == CONNECTED


@dataclass
class Handler:
    """A handler that the kernel waits for, by its number; the two sides had met so often when it was started."""

    number: int
    meetings: int


@dataclass
class Resource:
    """A resource: a role, volumes and a connection (``None`` on 9 before new-peer).

    Its I/O is ``suspended`` by an administrator, or waits since the peer is ``unfenced`` and out of sight (susp_fen).
    ``handlers`` are those that run; ``meetings`` counts how often it was connected.

    ``ties`` are connections, by node-id, of which one end is without a disk on purpose. An agreement is ``due`` since one of all
    of them was lost; ``unreached`` are the node-ids that the last one has not reached.
    """

    name: str
    role: str = SECONDARY
    node_id: int = 0
    options: dict[str, str] = field(default_factory=dict)
    devices: dict[int, Device] = field(default_factory=dict)
    connection: Connection | None = None
    suspended: bool = False
    unfenced: bool = False
    auto_promoted: bool = False
    meetings: int = 0
    handlers: list[Handler] = field(default_factory=list)
    ties: dict[int, Connection] = field(default_factory=dict)
    quorum: bool = True
    due: bool = False
    unreached: list[int] = field(default_factory=list)

    @property
    def links(self) -> list[Connection]:
        """All its connections."""
        return [*([] if self.connection is None else [self.connection]), *self.ties.values()]

    @property
    def client(self) -> bool:
        """Whether this side holds no copy on purpose."""
        return any(device.client for device in self.devices.values())

    @property
    def starved(self) -> bool:
        """Whether its I/O waits for quorum."""
        return self.primary and not self.quorum and self.options.get("on-no-quorum", "suspend-io") == "suspend-io"

    @property
    def primary(self) -> bool:
        """Whether this side is Primary."""
        return self.role == PRIMARY

    @property
    def connected(self) -> bool:
        """Whether this side talks with its peer."""
        return self.connection is not None and self.connection.up

    @property
    def frozen(self) -> bool:
        """Whether what its users write has to wait."""
        return self.suspended or self.unfenced or self.starved

    @property
    def in_use(self) -> bool:
        """Whether somebody holds one of its devices open."""
        return any(device.openers for device in self.devices.values())


@dataclass
class DrbdNode:
    """The kernel module of a node; resources by name, in the order in which they were made."""

    resources: dict[str, Resource] = field(default_factory=dict)

    def devices(self) -> Iterator[tuple[Resource, Device]]:
        """Every device with its resource."""
        for resource in self.resources.values():
            for device in resource.devices.values():
                yield resource, device

    def by_minor(self, minor: int) -> tuple[Resource, Device] | None:
        """The device with a minor number, with its resource."""
        for resource in self.resources.values():  # not by way of devices(): guests ask for every block they write
            for device in resource.devices.values():
                if device.minor == minor:
                    return resource, device
        return None

    def to_json(self) -> dict[str, object]:
        """Plain data; ``from_json`` reads it back."""
        return {name: _resource_to_json(resource) for name, resource in self.resources.items()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "DrbdNode":
        """The kernel state that ``to_json`` gave."""
        return cls({name: _resource_from_json(resource) for name, resource in fields.items()})


def _resource_to_json(resource: Resource) -> dict[str, object]:
    devices = [vars(device) | {"counters": vars(device.counters)} for device in resource.devices.values()]
    connection = None if resource.connection is None else vars(resource.connection)
    handlers = [vars(handler) for handler in resource.handlers]
    ties = [vars(tie) for tie in resource.ties.values()]
    return vars(resource) | {"devices": devices, "connection": connection, "handlers": handlers, "ties": ties}


def _resource_from_json(fields: dict[str, Any]) -> Resource:
    devices = {device["volume"]: _device_from_json(device) for device in fields["devices"]}
    connection = None if fields["connection"] is None else _connection_from_json(fields["connection"])
    handlers = [Handler(**handler) for handler in fields["handlers"]]
    ties = {tie["peer_node_id"]: _connection_from_json(tie) for tie in fields["ties"]}
    return Resource(**(fields | {"devices": devices, "connection": connection, "handlers": handlers, "ties": ties}))


def _connection_from_json(fields: dict[str, Any]) -> Connection:
    return Connection(**(fields | {"peer_disk": Disk(fields["peer_disk"])}))


def _device_from_json(fields: dict[str, Any]) -> Device:
    disks = {"disk": Disk(fields["disk"]), "peer_disk": Disk(fields["peer_disk"])}
    return Device(**(fields | disks | {"counters": Counters(**fields["counters"])}))
