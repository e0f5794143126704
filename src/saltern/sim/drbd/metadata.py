"""DRBD metadata: what one side of a device remembers over reboots and power cuts.

Names and rules follow drbd_int.h and drbd_nl.c of the kernel and drbdmeta.c of drbd-utils.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from saltern.sim.drbd.bitmap import Bitmap
from saltern.units import SECTOR_BYTES

if TYPE_CHECKING:
    from saltern.sim.model import BlockDevice

FLEXIBLE: Final = -1  # a whole metadata volume; any number from 0 is a slot of 128 MiB
INTERNAL: Final = -2  # at the end of the data volume

JUST_CREATED: Final = 0x4
BLOCK_BYTES: Final = 4096
BLOCK_SECTORS: Final = BLOCK_BYTES // SECTOR_BYTES
AL_EXTENT_BLOCKS: Final = 1024  # an extent of the activity log covers 4 MiB
SLOT_SECTORS: Final = 262144  # 128 MiB
BITMAP_OFFSET_SECTORS: Final = 72  # superblock and activity log come first
SECTORS_PER_BITMAP_SECTOR: Final = 32768  # 4096 bits of 4 KiB
PROBED_BLOCKS: Final = 32  # how much drbdmeta looks at to see whether there are data


@dataclass
class Metadata:
    """One set of metadata. UUIDs as the kernel keeps them: bit 0 of ``current`` says "Primary".

    ``node_id`` is that of the node which has attached them, -1 before, and on 8.4.
    """

    version: str  # "v08" or "v09"
    max_peers: int = 1
    node_id: int = -1
    current: int = JUST_CREATED
    bitmap_uuid: int = 0
    history: list[int] = field(default_factory=lambda: [0, 0])
    consistent: bool = False
    was_up_to_date: bool = False
    primary: bool = False
    connected: bool = False
    peer_outdated: bool = False
    crashed_primary: bool = False
    clean: bool = True  # the activity log holds nothing that must be applied first
    active_extents: list[int] = field(default_factory=list)
    agreed_sectors: int = 0
    peer_seen: bool = False  # MDF_PEER_DEVICE_SEEN: there is another copy, or was
    device_uuid: int = 0
    out_of_sync: Bitmap = field(default_factory=Bitmap)

    def push_history(self, uuid: int) -> None:
        """Remember a UUID as the younger one of the two in the history."""
        self.history = [uuid, self.history[0]]

    def new_current(self, uuid: int) -> None:
        """Begin a new data generation: the old one becomes the base of the bitmap (drbd_uuid_new_current)."""
        self.bitmap_uuid = self.current
        self.current = uuid

    def close_bitmap(self) -> None:
        """Both sides are the same again: the base of the bitmap becomes history (drbd_uuid_set_bm)."""
        if self.bitmap_uuid:
            self.push_history(self.bitmap_uuid)
            self.bitmap_uuid = 0

    def apply_activity_log(self) -> int:
        """Mark what may have been written last before a crash as out of sync; returns the number of new blocks."""
        blocks = self.agreed_sectors // BLOCK_SECTORS
        added = 0
        if not self.clean:
            for extent in self.active_extents:
                start = extent * AL_EXTENT_BLOCKS
                added += self.out_of_sync.add(start, min(start + AL_EXTENT_BLOCKS, blocks))
        self.active_extents = []
        self.clean = True
        return added

    def to_json(self) -> dict[str, object]:
        """Plain data; ``from_json`` reads it back."""
        return vars(self) | {"out_of_sync": self.out_of_sync.ranges()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Metadata":
        """The metadata that ``to_json`` gave."""
        return cls(**(fields | {"out_of_sync": Bitmap(tuple(pair) for pair in fields["out_of_sync"])}))


def read(device: "BlockDevice", slot: int) -> Metadata | None:
    """The metadata in a slot, ``None`` where there are none."""
    return device.metadata.get(_place(slot))


def write(device: "BlockDevice", slot: int, metadata: Metadata) -> None:
    """Put metadata into a slot."""
    device.metadata[_place(slot)] = metadata


def wipe(device: "BlockDevice", slot: int) -> None:
    """Destroy the metadata in a slot."""
    device.metadata.pop(_place(slot), None)


def begins_with_data(device: "BlockDevice", slot: int) -> bool:
    """Whether drbdmeta finds something at the start of the device that is not the metadata of ``slot``."""
    other_metadata = FLEXIBLE in device.metadata and _place(slot) != FLEXIBLE
    return other_metadata or any(block < PROBED_BLOCKS for block in device.records)


def _place(slot: int) -> int:
    """Flexible metadata and those of slot 0 stand in the same place: either name finds them."""
    return FLEXIBLE if slot == 0 else slot


def slot_fits(device: "BlockDevice", slot: int) -> bool:
    """Whether a slot lies wholly on the device (transcripts 042, 047, 048)."""
    return slot < 0 or device.size_bytes // SECTOR_BYTES >= (slot + 1) * SLOT_SECTORS


def capacity_sectors(data: "BlockDevice", meta: "BlockDevice", slot: int, max_peers: int) -> int:
    """The most that DRBD can offer: the data volume, limited by what the bitmap covers (drbd_get_max_capacity)."""
    data_sectors = data.size_bytes // SECTOR_BYTES
    if slot == INTERNAL:
        return data_sectors - internal_sectors(data_sectors, max_peers)
    meta_sectors = SLOT_SECTORS if slot >= 0 else meta.size_bytes // SECTOR_BYTES
    covered = (meta_sectors - BITMAP_OFFSET_SECTORS) // max_peers * SECTORS_PER_BITMAP_SECTOR
    return max(0, min(data_sectors, covered))


def internal_sectors(data_sectors: int, max_peers: int) -> int:
    """How many sectors internal metadata take at the end of a volume, aligned to 4 KiB (drbdmeta.c)."""
    bitmap = -(-data_sectors // (SECTORS_PER_BITMAP_SECTOR * 8)) * 8 * max_peers
    return bitmap + BITMAP_OFFSET_SECTORS
