"""What guests and programs do with a DRBD device: open, write, close."""

from typing import TYPE_CHECKING, Final

from saltern.sim.drbd import control, quorum, store, wire
from saltern.sim.drbd.failure import Failure
from saltern.sim.drbd.kernel import Device, Disk, Resource
from saltern.sim.drbd.metadata import AL_EXTENT_BLOCKS

if TYPE_CHECKING:
    from saltern.sim.world import SimNode, World

_AL_EXTENTS: Final = 1237  # al-extents when nothing is configured


def role(world: "World", node: str, minor: int) -> str | None:
    """``Primary`` or ``Secondary``, ``None`` where no device has that minor number."""
    found = world.nodes[node].drbd.by_minor(minor)
    return None if found is None else found[0].role


def open_device(world: "World", node: str, minor: int, holder: str, write: bool) -> bool:
    """Open a device; refused on a Secondary ("Wrong medium type", transcript 076), which 9 promotes if it may."""
    found = world.nodes[node].drbd.by_minor(minor)
    if found is None:
        return False
    resource, device = found
    if not resource.primary and not _auto_promote(world, world.nodes[node], resource, device, write=write):
        return False
    device.openers[holder] = write
    return True


def _auto_promote(world: "World", node: "SimNode", resource: Resource, device: Device, *, write: bool) -> bool:
    if node.drbd_version == "8.4" or resource.options.get("auto-promote") == "no":
        return False
    if not write:
        return device.disk == Disk.UP_TO_DATE or device.peer_disk == Disk.UP_TO_DATE
    try:
        control.primary(world, node, resource)
    except Failure:
        return False
    resource.auto_promoted = True
    return True


def close(world: "World", node: str, minor: int, holder: str) -> None:
    """Let go of a device; 9 demotes what it has promoted by itself."""
    found = world.nodes[node].drbd.by_minor(minor)
    if found is None or holder not in found[1].openers:
        return
    resource, device = found
    del device.openers[holder]
    if resource.auto_promoted and not resource.in_use:
        control.secondary(world, world.nodes[node], resource)


def holds_back(world: "World", node: str, minor: int) -> bool:
    """Whether what was written to a device last waits: its holder cannot let go of it before it is answered (transcript 482)."""
    found = world.nodes[node].drbd.by_minor(minor)
    return found is not None and found[0].frozen


def write(world: "World", node: str, minor: int, block: int, value: int) -> bool:
    """Write one block here and on the connected peer; without one it is marked as out of sync.

    False where the guest gets an error, or waits: no such block, I/O suspended, not Primary, no good data within reach, or
    somebody who is believed to be there has not answered since another one was lost.
    """
    here = world.nodes[node]
    found = here.drbd.by_minor(minor)
    if found is None or not found[0].primary:
        return False
    resource, device = found
    end = wire.notice_silence(world, here, resource)  # a write waits for the peer's answer
    far = end[1].devices.get(device.volume) if end is not None else None
    quorum.settle(world, here, resource)
    if resource.frozen or not resource.quorum or resource.due:
        return False
    targets = [(here, device)] if store.attached(device) else []
    if end is not None and far is not None and store.attached(far):
        targets.append((end[0], far))
    size = max((own.size_sectors for _, own in targets), default=0)
    good = any(own.disk == Disk.UP_TO_DATE for _, own in targets)
    if not good or not 0 <= block < size // 8:
        return False
    for owner, own in targets:
        below = store.backing(owner, own)
        below.records[block] = value
        below.written_by(resource.name)
        own.counters.written += 4
        remembered = store.meta(owner, own)
        if len(targets) == 2:
            remembered.out_of_sync.remove(block, block + 1)
        else:
            remembered.out_of_sync.add(block, block + 1)
    if store.attached(device):
        _touch_activity_log(here, device, block)
    if len(targets) == 2:
        device.counters.sent += 4
        targets[1][1].counters.received += 4
    return True


def _touch_activity_log(node: "SimNode", device: Device, block: int) -> None:
    """The extent around a block becomes active; the one that was used longest ago is let go when there are too many."""
    active = store.meta(node, device).active_extents
    extent = block // AL_EXTENT_BLOCKS
    if extent in active:
        active.remove(extent)
    else:
        device.counters.al_writes += 1
    active.append(extent)
    del active[: max(0, len(active) - int(device.options.get("al-extents", _AL_EXTENTS)))]
