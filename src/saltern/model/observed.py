"""What a node was found to be: what its tools said, parsed, at one moment.

A read that failed is never in here as an empty value: the reader raises instead. What DRBD's kernel runs is in ``running``.
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
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredHost:
    """One side of a resource in the configuration that drbdadm reads, whoever wrote it."""

    node: str
    address: str
    port: int
    volumes: Mapping[int, "ConfiguredVolume"]


NO_DISK = "none"  # as drbd.conf(5) says it


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredVolume:
    """One volume of one side: its minor, its backing device and where its metadata are.

    ``meta_index`` is ``None`` for flexible metadata; ``meta_device`` is ``"internal"`` for internal ones. Both devices are
    ``NO_DISK`` on a side that has none.
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
class Hypervisor:
    """What the hypervisor is, and has to give (xl info); claims of domains that are being built are already taken off.

    Without ``shadow_paging``, which Debian builds it without, it moves no PV domain while that runs.
    """

    free_memory_bytes: int
    total_memory_bytes: int
    xen_version: str
    shadow_paging: bool


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
class Unit:
    """A unit of systemd: whether it has a file that systemd has read, how it is, and whether it is started at each boot."""

    loaded: bool
    active_state: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKeys:
    """What a node tells of itself, for its partners: the public key by which it sends domains, and those of its sshd.

    Each is a line of a ``.pub`` file.
    """

    migration: str
    host: tuple[str, ...]
