"""Copying what is out of sync from the good side to the other, and comparing both sides, over time."""

from typing import TYPE_CHECKING, Final

from saltern.sim.drbd import store
from saltern.sim.drbd.kernel import (
    ESTABLISHED,
    SYNC_SOURCE,
    SYNC_TARGET,
    VERIFY_SOURCE,
    VERIFY_TARGET,
    Device,
    Disk,
    Resource,
)
from saltern.sim.drbd.metadata import BLOCK_BYTES, JUST_CREATED
from saltern.sim.drbd.options import parse_number

if TYPE_CHECKING:
    from saltern.sim.world import SimNode, World

_DEFAULT_KIB_PER_S: Final = {"c-max-rate": 102400, "resync-rate": 250}
_NEW_BITMAP_OFFSET: Final = 1 << 48
_MASK: Final = (1 << 64) - 1

End = tuple["SimNode", Resource]


def start(world: "World", source: End, good: Device, target: End, bad: Device, *, full: bool) -> None:
    """Begin to copy from ``good`` to ``bad``: everything, or what either side knows to be different."""
    mine, theirs = store.meta(source[0], good), store.meta(target[0], bad)
    if full:
        mine.out_of_sync.add(0, store.blocks(good))
    mine.out_of_sync.update(theirs.out_of_sync)
    theirs.out_of_sync.clear()
    theirs.out_of_sync.update(mine.out_of_sync)
    bad.peer_uuids = [mine.current, mine.bitmap_uuid, *mine.history]
    _new_sync_uuid(world, source, good, target, bad)
    good.replication, bad.replication = SYNC_SOURCE, SYNC_TARGET
    good.disk = good.disk if good.disk <= Disk.INCONSISTENT else Disk.UP_TO_DATE
    bad.disk = Disk.INCONSISTENT
    for device in (good, bad):
        device.sync_blocks = mine.out_of_sync.count
        device.sync_since_s = world.time_s
        device.sync_credit = 0.0
        device.sync_bytes_per_s = _bytes_per_s(world, bad)
    if not mine.out_of_sync.count:
        _finish(source, good, target, bad)


def _new_sync_uuid(world: "World", source: End, good: Device, target: End, bad: Device) -> None:
    """The source gives the bitmap a new UUID, which the target carries until it is done (drbd_gen_and_send_sync_uuid)."""
    mine, theirs = store.meta(source[0], good), store.meta(target[0], bad)
    old = mine.bitmap_uuid
    fresh = old not in (0, JUST_CREATED)
    mine.bitmap_uuid = (old + _NEW_BITMAP_OFFSET if fresh else world.random64()) & _MASK & ~1
    if old:
        mine.push_history(old)
    theirs.current = (mine.bitmap_uuid & ~1) | target[1].primary
    theirs.bitmap_uuid = 0


def advance(world: "World", node: "SimNode", resource: Resource) -> None:
    """Let the synchronisations and comparisons of which this side is the source go on to ``world.time_s``."""
    from saltern.sim.drbd import wire

    for device in resource.devices.values():
        if device.replication not in (SYNC_SOURCE, VERIFY_SOURCE):
            continue
        end = wire.reachable(world, node, resource)
        far = end[1].devices.get(device.volume) if end is not None else None
        if end is None or far is None:
            continue
        spent_s = world.time_s - device.sync_since_s
        device.sync_since_s = world.time_s
        if device.paused or device.peer_paused:
            continue
        device.sync_credit += spent_s * _bytes_per_s(world, far if device.syncing else device) / BLOCK_BYTES
        if device.syncing:
            _copy_for_a_while(world, (node, resource), device, end, far)
        elif device.sync_credit >= device.sync_blocks:
            _compare((node, resource), device, end, far)


def start_verify(world: "World", device: Device, far: Device) -> None:
    """Begin to compare both sides; a comparison that runs goes on (transcript 378)."""
    if device.verifying:
        return
    device.replication, far.replication = VERIFY_SOURCE, VERIFY_TARGET
    for own in (device, far):
        own.sync_blocks = store.blocks(own)
        own.sync_since_s = world.time_s
        own.sync_credit = 0.0
        own.sync_bytes_per_s = _bytes_per_s(world, device)


def _compare(source: End, device: Device, end: End, far: Device) -> None:
    mine, theirs = store.backing(source[0], device).records, store.backing(end[0], far).records
    for block in mine.keys() | theirs.keys():
        if block < store.blocks(device) and mine.get(block) != theirs.get(block):
            store.meta(source[0], device).out_of_sync.add(block, block + 1)
            store.meta(end[0], far).out_of_sync.add(block, block + 1)
    for own in (device, far):
        own.replication = ESTABLISHED
        own.sync_blocks = 0


def _copy_for_a_while(world: "World", source: End, good: Device, end: End, bad: Device) -> None:
    from saltern.sim.drbd import wire

    copy_blocks(source[0], good, end[0], bad, int(good.sync_credit))
    good.sync_credit -= int(good.sync_credit)
    if not store.meta(source[0], good).out_of_sync.count:
        _finish(source, good, end, bad)
        wire.tell(world, *source)


def copy_blocks(node: "SimNode", good: Device, peer_node: "SimNode", bad: Device, count: int) -> None:
    """Copy the next ``count`` blocks that are out of sync."""
    taken = store.meta(node, good).out_of_sync.take(count)
    behind = store.meta(peer_node, bad).out_of_sync
    above, below = store.backing(node, good), store.backing(peer_node, bad)
    below.written_by(*above.writers)
    source, target = above.records, below.records
    for start, stop in taken:
        behind.remove(start, stop)
        copied = stop - start
        good.counters.sent += copied * 4
        good.counters.read += copied * 4
        bad.counters.received += copied * 4
        bad.counters.written += copied * 4
    for block in source.keys() | target.keys():
        if any(start <= block < stop for start, stop in taken):
            if block in source:
                target[block] = source[block]
            else:
                del target[block]


def _finish(source: End, good: Device, target: End, bad: Device) -> None:
    """Both sides are the same: they get the same UUIDs (drbd_resync_finished)."""
    mine, theirs = store.meta(source[0], good), store.meta(target[0], bad)
    behind = theirs.current & ~1
    current, bitmap, younger, older = bad.peer_uuids
    theirs.bitmap_uuid, theirs.history = behind, [bitmap, younger] if bitmap else [younger, older]
    theirs.current = (current & ~1) | target[1].primary
    theirs.close_bitmap()
    mine.close_bitmap()
    for device in (good, bad):
        device.replication = ESTABLISHED
        device.sync_blocks = 0
        device.al_suspended = False
    bad.disk = good.disk


def _bytes_per_s(world: "World", asking: Device) -> float:
    """How fast the side that asks for blocks asks: the target of a synchronisation, the source of a comparison."""
    if world.resync_bytes_per_s is not None:
        return world.resync_bytes_per_s
    own = asking.peer_options | asking.options
    # Where a plan is made (c-plan-ahead), resync-rate is only what it begins with.
    name = "c-max-rate" if own.get("c-plan-ahead", "20") != "0" else "resync-rate"
    given = parse_number(own[name], "k") if name in own else None
    return (given or _DEFAULT_KIB_PER_S[name]) * 1024
