"""What a simulated cluster consists of: plain data that travel through JSON."""

from collections.abc import Callable, Generator, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltern.sim.drbd import DrbdNode
    from saltern.sim.drbd.metadata import Metadata

File = tuple[str, int]  # text, mode
EXTENT_BYTES = 4 * 1024**2
BLOCK_BYTES = 4 * 1024
SLOT_BYTES = 128 * 1024**2  # of indexed DRBD metadata


def executable(file: File) -> bool:
    """Whether a file can be executed by root, who can what anybody can."""
    return bool(file[1] & 0o111)


@dataclass
class BlockDevice:
    """A block device with what was written to it.

    ``records`` maps a block of 4 KiB to the last value written there. ``metadata`` holds DRBD metadata by slot of
    128 MiB, -1 for flexible ones. ``holders`` names who holds the device open, and is empty after a power cut.
    ``writers`` names the resources, and the domains without DRBD, whose writes have reached it.
    """

    size_bytes: int
    records: dict[int, int] = field(default_factory=dict)
    metadata: dict[int, "Metadata"] = field(default_factory=dict)
    holders: list[str] = field(default_factory=list)
    writers: list[str] = field(default_factory=list)

    def written_by(self, *writers: str) -> None:
        """Remember who has written here."""
        self.writers += [writer for writer in writers if writer not in self.writers]


@dataclass
class LogicalVolume:
    """What LVM knows of a logical volume besides its block device."""

    name: str
    uuid: str
    minor: int  # of the device mapper
    created_s: float
    tags: list[str] = field(default_factory=list)
    active: bool = True


@dataclass
class VolumeGroup:
    """A volume group; ``leftovers`` are the extents of removed volumes with what still stands on them."""

    name: str
    uuid: str
    extent_count: int
    physical_volumes: list[str]
    volumes: dict[str, LogicalVolume] = field(default_factory=dict)
    leftovers: list[BlockDevice] = field(default_factory=list)
    sequence: int = 1


@dataclass
class DomainDisk:
    """A disk of a running domain.

    ``path`` is the device in dom0. ``usable`` is false when its backend could not be opened: the guest then hangs, and
    xl says nothing (transcripts 112, 114). ``acknowledged`` maps blocks to the values that the guest was told are
    safely written; ``script`` is the block script, empty for the standard one.
    """

    vdev: str
    path: str
    target: str
    script: str
    mode: str
    usable: bool = False
    acknowledged: dict[int, int] = field(default_factory=dict)


@dataclass
class SimDomain:
    """A domain of the hypervisor; ``config`` is what stands in its configuration file."""

    domid: int
    name: str
    uuid: str
    memory_bytes: int
    vcpus: int
    config: dict[str, object]
    disks: list[DomainDisk]
    created_s: float
    paused: bool = False
    cpu_time_s: float = 0.0
    lived_until_s: float = 0.0
    stops_at_s: float | None = None  # a shutdown was asked for: the guest has stopped at that time
    restarts: bool = False  # and comes up again, for a reboot
    shutdown: bool = False  # the guest has stopped, its remains are not yet cleaned up
    suspended: bool = False  # the guest stands still, for its memory is being taken to another node
    ending: bool = False  # xl is taking its devices away, or has begun to: it will never run again
    zombie: bool = False  # xl has given up: it has no name any more, and holds its disks (229-236, 482)

    @property
    def running(self) -> bool:
        """Whether the guest executes instructions."""
        return not (self.paused or self.shutdown or self.suspended or self.ending)


@dataclass
class Process:
    """A program that goes on by itself; ``scheduled`` while somebody else lets it run (tests that switch between programs)."""

    argv: tuple[str, ...]
    wakes_s: float
    scheduled: bool = False
    steps: Generator[float, None, None] | None = field(default=None, repr=False, compare=False)
    child: Any = field(default=None, repr=False, compare=False)  # a program that ends with it

    def to_json(self) -> dict[str, object]:
        """What is remembered of it: it begins anew."""
        return {"argv": self.argv, "wakes_s": self.wakes_s}


@dataclass
class SimNode:
    """A node: what survives a power cut (files, devices, LVM), and what its kernel and hypervisor hold.

    ``memory_bytes`` is what domains may use together. ``root`` is the directory of a node whose files are real ones.
    ``xenstore`` holds what scripts and people have written; what libxl writes follows from the domains.
    """

    name: str
    address: str
    memory_bytes: int
    drbd_version: str  # "8.4" or "9"
    drbd: "DrbdNode"
    root: str = ""
    files: MutableMapping[str, File] = field(default_factory=dict)
    devices: dict[str, BlockDevice] = field(default_factory=dict)
    physical_volumes: dict[str, str] = field(default_factory=dict)  # device to its UUID
    volume_groups: dict[str, VolumeGroup] = field(default_factory=dict)
    domains: list[SimDomain] = field(default_factory=list)
    next_domid: int = 1
    xenstore: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    held: dict[str, object] = field(default_factory=dict)  # files, and the programs that hold them
    services: dict[str, Callable[[str], str]] = field(default_factory=dict)  # what answers at which socket
    shadow_paging: bool = True  # which Xen needs to move a PV domain while it runs
    powered: bool = True
    module_loaded: bool = False
    booted_s: float = 0.0
    power_cuts: int = 0
    pins_pages: bool = (
        False  # the network still holds pages of guests, whose disks cannot be taken away (transcript 236)
    )
    log: list[tuple[str, ...]] = field(default_factory=list)  # the commands run here since the world was loaded

    def device(self, path: str) -> BlockDevice | None:
        """The block device at ``path``: a disk, or an active volume as ``/dev/VG/LV`` or under ``/dev/mapper``."""
        if path.startswith("/dev/mapper/"):
            group_name, _, name = path.removeprefix("/dev/mapper/").replace("--", "\0").partition("-")
            path = f"/dev/{group_name}/{name}".replace("\0", "-")
        found = self.devices.get(path)
        if found is not None:
            group_name, _, name = path.removeprefix("/dev/").partition("/")
            if name and not self.volume_groups[group_name].volumes[name].active:
                return None
        return found
