"""From a device of the kernel to the metadata and blocks below it."""

from typing import TYPE_CHECKING

from saltern.sim.drbd import metadata
from saltern.sim.drbd.kernel import Device, Disk, Resource
from saltern.sim.drbd.metadata import BLOCK_SECTORS, Metadata

if TYPE_CHECKING:
    from saltern.sim.model import BlockDevice, SimNode


def backing(node: "SimNode", device: Device) -> "BlockDevice":
    """The data volume of an attached device."""
    return _held(node, device.backing, device.holder)


def meta(node: "SimNode", device: Device) -> Metadata:
    """The metadata of an attached device."""
    found = metadata.read(_held(node, device.meta, device.holder), device.slot)
    if found is None:
        # Somebody wrote over the metadata of an attached device; the kernel works on with what it has in memory.
        found = Metadata(version="v08")
        metadata.write(_held(node, device.meta, device.holder), device.slot, found)
    return found


def _held(node: "SimNode", path: str, holder: str) -> "BlockDevice":
    found = node.device(path)
    if found is not None:
        return found
    # A volume that was renamed stays the device that it was.
    return next(held for held in node.devices.values() if holder in held.holders)


def attached(device: Device) -> bool:
    """Whether the device has a disk."""
    return device.disk >= Disk.INCONSISTENT


def blocks(device: Device) -> int:
    """How many blocks of 4 KiB the device has."""
    return device.size_sectors // BLOCK_SECTORS


def capacity(node: "SimNode", device: Device) -> int:
    """The most sectors that the disk below can offer now."""
    below = _held(node, device.meta, device.holder)
    return metadata.capacity_sectors(backing(node, device), below, device.slot, meta(node, device).max_peers)


def write_flags(node: "SimNode", resource: Resource, device: Device) -> None:
    """Write down what the state of a device is, as _drbd_set_state() does with every change."""
    if not attached(device):
        return
    remembered = meta(node, device)
    connection = resource.connection
    peer_primary = connection is not None and connection.peer_role == "Primary"
    remembered.crashed_primary = device.crashed_primary
    # Forgotten after that (after_state_ch), so that the next change writes it down (transcript 494).
    if device.disk == Disk.UP_TO_DATE and device.peer_disk == Disk.UP_TO_DATE:
        device.crashed_primary = False
    remembered.primary = resource.primary or (device.peer_disk < Disk.INCONSISTENT and peer_primary)
    remembered.connected = resource.connected
    remembered.consistent = device.disk > Disk.INCONSISTENT
    remembered.was_up_to_date = device.disk > Disk.OUTDATED
    remembered.peer_outdated = Disk.INCONSISTENT <= device.peer_disk <= Disk.OUTDATED
    remembered.current = (remembered.current & ~1) | resource.primary
