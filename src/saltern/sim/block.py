"""Block devices as dom0's programs and guests use them: DRBD devices by their minor, all others directly."""

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from saltern.sim.model import SimNode
    from saltern.sim.world import World

DRBD_MAJOR: Final = 147
_DEVICE_MAPPER: Final = 253
_DRBD = re.compile(r"/dev/drbd(\d+)")


def _minor(path: str) -> int | None:
    match = _DRBD.fullmatch(path)
    return int(match.group(1)) if match else None


def number(node: "SimNode", path: str) -> str:
    """Major and minor of a device, hexadecimal as in xenstore; only DRBD and volumes have some of their own."""
    minor = _minor(path)
    if minor is not None:
        return f"{DRBD_MAJOR:x}:{minor:x}"
    group, _, name = path.removeprefix("/dev/").partition("/")
    volume = node.volume_groups[group].volumes.get(name) if group in node.volume_groups else None
    return f"{_DEVICE_MAPPER:x}:{0 if volume is None else volume.minor:x}"


def exists(world: "World", node: str, path: str) -> bool:
    """Whether there is a block device at ``path``."""
    from saltern.sim import drbd

    minor = _minor(path)
    if minor is not None:
        return drbd.role(world, node, minor) is not None
    return world.nodes[node].device(path) is not None


def open_device(world: "World", node: str, path: str, holder: str, *, write: bool) -> bool:
    """Open a device; false where its driver refuses, as DRBD does on a Secondary."""
    from saltern.sim import drbd

    minor = _minor(path)
    if minor is not None:
        return drbd.open(world, node, minor, holder, write)
    device = world.nodes[node].device(path)
    if device is None:
        return False
    device.holders.append(holder)
    return True


def close_device(world: "World", node: str, path: str, holder: str) -> None:
    """Let go of a device; nothing happens where ``holder`` does not hold it."""
    from saltern.sim import drbd

    minor = _minor(path)
    if minor is not None:
        drbd.close(world, node, minor, holder)
        return
    device = world.nodes[node].device(path)
    if device is not None and holder in device.holders:
        device.holders.remove(holder)


def holds_back(world: "World", node: str, path: str) -> bool:
    """Whether a device holds back what was written to it last; only DRBD does."""
    from saltern.sim import drbd

    minor = _minor(path)
    return minor is not None and drbd.holds_back(world, node, minor)


def write_block(world: "World", node: str, path: str, block: int, value: int, *, writer: str) -> bool:
    """Write one block for the domain ``writer``; true once it is as safe as the device promises."""
    from saltern.sim import drbd

    minor = _minor(path)
    if minor is not None:
        return drbd.write(world, node, minor, block, value)
    device = world.nodes[node].device(path)
    if device is None:
        return False
    device.records[block] = value
    device.written_by(writer)
    return True
