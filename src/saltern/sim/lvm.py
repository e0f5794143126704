"""LVM 2.03.16: the commands that make, grow, shrink, name and remove volumes (transcripts 001-019, 206, 211).

Messages that no transcript holds follow LVM's sources (tools/, lib/metadata/lv_manip.c).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from saltern.sim import lvm_report
from saltern.sim.lvm_names import (
    LvmError,
    bad_argument,
    check_name,
    check_tags,
    done,
    find_group,
    find_volume,
    split_name,
    usage_error,
)
from saltern.sim.lvm_sizes import in_extents, long_size, parse_size
from saltern.sim.model import BLOCK_BYTES, EXTENT_BYTES, SLOT_BYTES, BlockDevice, LogicalVolume, SimNode, VolumeGroup
from saltern.sim.options import Options, UsageError, parse
from saltern.sim.tools import Result
from saltern.units import SECTOR_BYTES

if TYPE_CHECKING:
    from saltern.sim.world import World

_COMMON = {"-q": "quiet", "--quiet": "quiet", "-y": "yes", "--yes": "yes", "-f": "force", "--force": "force"}
_TAGS = {"--addtag": "addtag=", "--deltag": "deltag="}
_SIZE = {"-L": "size=", "--size": "size=", "-l": "extents=", "--extents": "extents="}
_CREATE = {
    **_COMMON,
    **_SIZE,
    "-n": "name=",
    "--name": "name=",
    "--addtag": "addtag=",
    "-W": "wipesignatures=",
    "--wipesignatures": "wipesignatures=",
    "-Z": "zero=",
    "--zero": "zero=",
}


def run(world: "World", node: str, argv: Sequence[str]) -> Result:
    """Answer one LVM command."""
    program = argv[0]
    if program in ("lvs", "vgs", "pvs"):
        return lvm_report.run(world.nodes[node], argv)
    command, known = _COMMANDS[program]
    try:
        options = parse(argv[1:], known)
    except UsageError as error:
        return usage_error(program, str(error))
    try:
        return command(world, world.nodes[node], options)
    except LvmError as error:
        return error.result


def _syntax(program: str) -> LvmError:
    return LvmError(
        f"No command with matching syntax recognised.  Run '{program} --help' for more information.", returncode=3
    )


# --- Physical volumes and volume groups ------------------------------------------------------------------------------
def _pvcreate(world: "World", node: SimNode, options: Options) -> Result:
    if not options.operands:
        raise LvmError("Please enter a physical volume path.", returncode=3)
    lines = []
    for path in options.operands:
        for group in node.volume_groups.values():
            if path in group.physical_volumes:
                raise LvmError(
                    f'Can\'t initialize physical volume "{path}" of volume group "{group.name}" without -ff',
                    f"{path}: physical volume not initialized.",
                )
        if path not in node.devices:
            raise LvmError(f"No device found for {path}.")
        node.physical_volumes[path] = world.lvm_uuid()
        lines.append(f'Physical volume "{path}" successfully created.')
    return done(lines)


def _vgcreate(world: "World", node: SimNode, options: Options) -> Result:
    if len(options.operands) < 2:
        raise _syntax("vgcreate")
    name, *paths = options.operands
    if name in node.volume_groups:
        raise LvmError(f"A volume group called {name} already exists.")
    for path in paths:
        if path not in node.devices:
            raise LvmError(f"No device found for {path}.")
        for group in node.volume_groups.values():
            if path in group.physical_volumes:
                raise LvmError(f"Physical volume '{path}' is already in volume group '{group.name}'")
    lines = [f'Physical volume "{path}" successfully created.' for path in paths if path not in node.physical_volumes]
    for path in paths:
        node.physical_volumes.setdefault(path, world.lvm_uuid())
    extents = sum(lvm_report.physical_extents(node.devices[path]) for path in paths)
    node.volume_groups[name] = VolumeGroup(name, world.lvm_uuid(), extents, paths)
    return done([*lines, f'Volume group "{name}" successfully created'])


# --- Logical volumes -------------------------------------------------------------------------------------------------
def _lvcreate(world: "World", node: SimNode, options: Options) -> Result:
    if len(options.operands) != 1 or ("size" in options) == ("extents" in options):
        raise _syntax("lvcreate")
    check_tags("--addtag", options.all("addtag"))
    group_name, _ = split_name(options.operands[0])
    group = find_group(node, group_name)
    lines, extents = _new_extents(node, group, options)
    name = split_name(options.last("name"))[1] or _next_name(group)
    check_name("lvcreate", name)
    if name in group.volumes:
        raise LvmError(f'Logical Volume "{name}" already exists in volume group "{group.name}"')
    free = lvm_report.free_extents(node, group)
    if extents > free:
        few = f'Volume group "{group.name}" has insufficient free space ({free} extents): {extents} required.'
        raise LvmError(few, said=lines)
    minors = {volume.minor for other in node.volume_groups.values() for volume in other.volumes.values()}
    group.volumes[name] = LogicalVolume(
        name=name,
        uuid=world.lvm_uuid(),
        minor=next(minor for minor in range(len(minors) + 1) if minor not in minors),
        created_s=world.time_s,
        tags=sorted(set(options.all("addtag"))),
    )
    device = _allocate(group, extents * EXTENT_BYTES)
    if options.last("zero", "y") == "y":
        lines += _wipe_start(group, name, device, options)
    node.devices[f"/dev/{group.name}/{name}"] = device
    group.sequence += 1
    return done([*lines, f'Logical volume "{name}" created.'])


def _new_extents(node: SimNode, group: VolumeGroup, options: Options) -> tuple[list[str], int]:
    """What LVM says about the size wanted, and the number of extents it takes."""
    if "extents" in options:
        return [], _extents(options.last("extents"), 0, lvm_report.free_extents(node, group), group)
    size_bytes = _size_bytes(options.last("size"), "")
    if not size_bytes:
        raise LvmError("Unable to create new logical volume with no extents.")
    extents = in_extents(size_bytes)
    if extents * EXTENT_BYTES == size_bytes:
        return [], extents
    return [f"Rounding up size to full physical extent {long_size(extents * EXTENT_BYTES)}"], extents


def _size_bytes(text: str, sign: str) -> int:
    size_bytes = parse_size(text.removeprefix(sign))
    if size_bytes is None:
        raise bad_argument("--size", text)
    odd = size_bytes % SECTOR_BYTES
    if odd:
        low = size_bytes - odd
        raise bad_argument("--size", text, f"Size is not a multiple of 512. Try using {low} or {low + SECTOR_BYTES}.")
    return size_bytes


def _extents(text: str, now: int, free: int, group: VolumeGroup) -> int:
    """The number of extents that ``25``, ``+25``, ``100%FREE`` or ``50%VG`` stand for."""
    sign, number = (text[0], text[1:]) if text[:1] in "+-" and text else ("", text)
    number, percent, base = number.partition("%")
    if not number.isdigit() or (percent and base not in ("FREE", "VG")):
        raise LvmError(f"Invalid argument for --extents: {text}", returncode=3)
    count = int(number)
    if percent:
        count = count * (free if base == "FREE" else group.extent_count) // 100
    return now + count if sign == "+" else now - count if sign == "-" else count


def _next_name(group: VolumeGroup) -> str:
    return next(name for n in range(len(group.volumes) + 1) if (name := f"lvol{n}") not in group.volumes)


def _allocate(group: VolumeGroup, size_bytes: int) -> BlockDevice:
    """Extents for a new volume: those of a removed one of the same size come with what still stands on them."""
    for leftover in group.leftovers:
        if leftover.size_bytes == size_bytes:
            group.leftovers.remove(leftover)
            leftover.writers.clear()
            return leftover
    return BlockDevice(size_bytes)


def _wipe_start(group: VolumeGroup, name: str, device: BlockDevice, options: Options) -> list[str]:
    """lvcreate zeroes the first 4 KiB: metadata at the start are gone, those in later slots stay.

    Whatever was written there counts as a file system, which is not wiped without ``--yes`` (transcript 455).
    """
    path = f"/dev/{group.name}/{name}"
    signed = 0 in device.records
    if signed and "yes" not in options:
        del group.volumes[name]
        group.leftovers.append(device)
        raise LvmError(
            "Aborted wiping of ext4.",
            "1 existing signature left on the device.",
            f"Failed to wipe signatures on logical volume {group.name}/{name}.",
            "Aborting. Failed to wipe start of new LV.",
            question=f"WARNING: ext4 signature detected on {path} at offset 1080. Wipe it?",
        )
    device.records.pop(0, None)
    device.metadata.pop(0, None)
    device.metadata.pop(-1, None)
    return [f"Wiping ext4 signature on {path}."] if signed else []


def _lvextend(world: "World", node: SimNode, options: Options) -> Result:
    return _resize(node, options, "lvextend")


def _lvreduce(world: "World", node: SimNode, options: Options) -> Result:
    return _resize(node, options, "lvreduce")


def _lvresize(world: "World", node: SimNode, options: Options) -> Result:
    return _resize(node, options, "lvresize")


def _resize(node: SimNode, options: Options, program: str) -> Result:
    if len(options.operands) != 1 or ("size" in options) == ("extents" in options):
        raise _syntax(program)
    if "size" in options:  # a size that makes no sense is refused before anything is looked up
        _size_bytes(options.last("size"), options.last("size")[:1].strip("0123456789."))
    group_name, name = split_name(options.operands[0])
    group = find_group(node, group_name)
    if name not in group.volumes:
        raise LvmError(f"Logical volume {name} not found in volume group {group.name}.")
    device = node.devices[f"/dev/{group.name}/{name}"]
    now = device.size_bytes // EXTENT_BYTES
    lines, extents = _resized_extents(node, group, now, options, program)
    _check_direction(now, extents, program)
    free = lvm_report.free_extents(node, group)
    if extents - now > free:
        few = f"Insufficient free space: {extents - now} extents needed, but only {free} available"
        raise LvmError(few, said=lines)
    warnings = _confirm_reduction(group, name, device, extents, options) if extents < now else []
    old, new = (f"{long_size(count * EXTENT_BYTES)} ({count} extents)" for count in (now, extents))
    _set_size(device, extents * EXTENT_BYTES)
    group.sequence += 1
    lines += [
        f"Size of logical volume {group.name}/{name} changed from {old} to {new}.",
        f"Logical volume {group.name}/{name} successfully resized.",
    ]
    return done(lines, warnings)


def _resized_extents(
    node: SimNode, group: VolumeGroup, now: int, options: Options, program: str
) -> tuple[list[str], int]:
    if "extents" in options:
        return [], _extents(options.last("extents"), now, lvm_report.free_extents(node, group), group)
    text = options.last("size")
    sign = text[0] if text[:1] in ("+", "-") else ""
    if (program, sign) in (("lvextend", "-"), ("lvreduce", "+")):
        raise bad_argument("--size", text)
    size_bytes = _size_bytes(text, sign)
    extents = in_extents(size_bytes)
    lines = []
    if extents * EXTENT_BYTES != size_bytes:
        lines = [f"Rounding size to boundary between physical extents: {long_size(extents * EXTENT_BYTES)}."]
    return lines, now + extents if sign == "+" else now - extents if sign == "-" else extents


def _check_direction(now: int, extents: int, program: str) -> None:
    if extents == now:
        raise LvmError(f"New size ({extents} extents) matches existing size ({now} extents).")
    if program == "lvextend" and extents < now:
        raise LvmError(f"New size given ({extents} extents) not larger than existing size ({now} extents)")
    if program == "lvreduce" and extents > now:
        raise LvmError(f"New size given ({extents} extents) not less than existing size ({now} extents)")
    if extents <= 0:
        raise LvmError("New size of 0 not permitted")


def _confirm_reduction(group: VolumeGroup, name: str, device: BlockDevice, extents: int, options: Options) -> list[str]:
    """The warnings of a reduction; without -f or -y nobody answers the question, and LVM gives up."""
    in_use = " and open" if device.holders else ""
    warnings = [
        f"WARNING: Reducing active{in_use} logical volume to {long_size(extents * EXTENT_BYTES)}.",
        "THIS MAY DESTROY YOUR DATA (filesystem etc.)",
    ]
    if "force" in options or "yes" in options:
        return warnings
    full_name = f"{group.name}/{name}"
    raise LvmError(
        *warnings,
        f"Logical volume {full_name} NOT reduced.",
        question=f"Do you really want to reduce {full_name}?",
    )


def _set_size(device: BlockDevice, size_bytes: int) -> None:
    device.size_bytes = size_bytes
    device.records = {
        block: value for block, value in device.records.items() if (block + 1) * BLOCK_BYTES <= size_bytes
    }
    device.metadata = {slot: kept for slot, kept in device.metadata.items() if slot * SLOT_BYTES < size_bytes}


def _lvremove(world: "World", node: SimNode, options: Options) -> Result:
    if not options.operands:
        raise _syntax("lvremove")
    lines = []
    for operand in options.operands:
        group, volume = find_volume(node, operand)
        _check_unused(node, group, volume)
        if "force" not in options and "yes" not in options:
            active = "active " if volume.active else ""
            full_name = f"{group.name}/{volume.name}"
            raise LvmError(
                f"Logical volume {full_name} not removed.",
                question=f"Do you really want to remove {active}logical volume {full_name}?",
            )
        del group.volumes[volume.name]
        group.leftovers.append(node.devices.pop(f"/dev/{group.name}/{volume.name}"))
        group.sequence += 1
        lines.append(f'Logical volume "{volume.name}" successfully removed.')
    return done(lines)


def _check_unused(node: SimNode, group: VolumeGroup, volume: LogicalVolume) -> None:
    holders = node.devices[f"/dev/{group.name}/{volume.name}"].holders
    if any(holder.startswith("drbd") for holder in holders):
        raise LvmError(f"Logical volume {group.name}/{volume.name} is used by another device.")
    mounted = "mount" in holders
    if holders:
        raise LvmError(
            f"Logical volume {group.name}/{volume.name} {'contains a filesystem ' if mounted else ''}in use."
        )


def _lvrename(world: "World", node: SimNode, options: Options) -> Result:
    operands = list(options.operands)
    if len(operands) == 3:
        operands[:2] = [f"{split_name(operands[0])[0]}/{split_name(operands[1])[1]}"]
    if len(operands) != 2:
        raise LvmError("Old and new logical volume names required", returncode=3)
    group_name, old = split_name(operands[0])
    new = split_name(operands[1])[1]
    group = find_group(node, group_name)
    if old == new:
        raise LvmError("Old and new logical volume names must differ", returncode=3)
    if old not in group.volumes:
        raise LvmError(f'Existing logical volume "{old}" not found in volume group "{group.name}"')
    if new in group.volumes:
        raise LvmError(f'Logical Volume "{new}" already exists in volume group "{group.name}"')
    volume = group.volumes.pop(old)
    volume.name = new
    group.volumes[new] = volume
    node.devices[f"/dev/{group.name}/{new}"] = node.devices.pop(f"/dev/{group.name}/{old}")
    group.sequence += 1
    return done([f'Renamed "{old}" to "{new}" in volume group "{group.name}"'])


def _lvchange(world: "World", node: SimNode, options: Options) -> Result:
    if not options.operands or not options.given.keys() & {"addtag", "deltag", "activate"}:
        raise _syntax("lvchange")
    for option in ("addtag", "deltag"):
        check_tags(f"--{option}", options.all(option))
    lines = []
    for operand in options.operands:
        group, volume = find_volume(node, operand)
        if options.last("activate") == "n":
            _check_unused(node, group, volume)
        if "activate" in options:
            volume.active = options.last("activate") != "n"
        if "addtag" in options or "deltag" in options:
            tags = set(volume.tags) | set(options.all("addtag"))
            volume.tags = sorted(tags - set(options.all("deltag")))
            group.sequence += 1
            lines.append(f"Logical volume {group.name}/{volume.name} changed.")
    return done(lines)


_COMMANDS: dict[str, tuple[Callable[["World", SimNode, Options], Result], dict[str, str]]] = {
    "pvcreate": (_pvcreate, _COMMON),
    "vgcreate": (_vgcreate, _COMMON),
    "lvcreate": (_lvcreate, _CREATE),
    "lvextend": (_lvextend, {**_COMMON, **_SIZE}),
    "lvreduce": (_lvreduce, {**_COMMON, **_SIZE}),
    "lvresize": (_lvresize, {**_COMMON, **_SIZE}),
    "lvremove": (_lvremove, _COMMON),
    "lvrename": (_lvrename, _COMMON),
    "lvchange": (_lvchange, {**_COMMON, **_TAGS, "-a": "activate=", "--activate": "activate="}),
}
