"""drbdmeta(8): metadata on disk. Checked against drbdmeta of drbd-utils 9.22 on block devices."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from saltern.sim.drbd import metadata
from saltern.sim.drbd.kernel import Disk
from saltern.sim.drbd.metadata import BLOCK_BYTES, FLEXIBLE, INTERNAL, JUST_CREATED, SLOT_SECTORS, Metadata
from saltern.sim.tools import Result
from saltern.units import KIB, SECTOR_BYTES

if TYPE_CHECKING:
    from saltern.sim.model import BlockDevice
    from saltern.sim.world import SimNode, World

_PLACES: Final = {"flex-external": FLEXIBLE, "flexible": FLEXIBLE, "internal": INTERNAL}
_UNCLEAN: Final = 'Found meta data is "unclean", please apply-al first\n'
_NONE: Final = "No valid meta data found\n"
_NO_TTY: Final = "stdin not a TTY, not waiting for confirmation\n"
_FORCED: Final = "*** confirmation forced via --force option ***\n"

_LEGEND_TOP = """
       +--<  Current data generation UUID  >-
       |               +--<  Bitmap's base data generation UUID  >-
       |               |                 +--<  younger history UUID  >-
       |               |                 |         +-<  older history  >-
       V               V                 V         V
"""
_LEGEND_84 = """\
                                                                    ^ ^ ^ ^ ^ ^ ^
                                      -<  Data consistency flag  >--+ | | | | | |
                             -<  Data was/is currently up-to-date  >--+ | | | | |
                                  -<  Node was/is currently primary  >--+ | | | |
                                  -<  Node was/is currently connected  >--+ | | |
         -<  Node was in the progress of setting all bits in the bitmap  >--+ | |
                        -<  The peer's disk was out-dated or inconsistent  >--+ |
      -<  This node was a crashed primary, and has not seen its peer since   >--+

"""
_LEGEND_9 = """\
                                                                    ^ ^ ^ ^ ^ ^ ^ ^ ^ ^ ^ ^
                                      -<  Data consistency flag  >--+ | | | | | | | | | | |
                             -<  Data was/is currently up-to-date  >--+ | | | | | | | | | |
                                  -<  Node was/is currently primary  >--+ | | | | | | | | |
 -<  This node was a crashed primary, and has not seen its peer since  >--+ | | | | | | | |
             -<  The activity-log was applied, the disk can be attached  >--+ | | | | | | |
        -<  The activity-log was disabled, peer is completely out of sync  >--+ | | | | | |
                              -<  This node was primary when it lost quorum  >--+ | | | | |
                                          -<  Node was/is currently connected  >--+ | | | |
                              -<  The peer's disk was out-dated or inconsistent  >--+ | | |
                                 -<   A fence policy other the dont-care was used  >--+ | |
                  -<  Node was in the progress of marking all blocks as out of sync  >--+ |
                     -<  At least once we saw this node with a backing device attached >--+

"""


_READS: Final = frozenset({"dump-md", "get-gi", "show-gi", "dstate"})


class Target:
    """The place that a command line names: a slot on a block device, and what is in it."""

    def __init__(self, node: "SimNode", minor: int, version: str, path: str, device: "BlockDevice", slot: int) -> None:
        self.node = node
        self.minor = minor
        self.version = version
        self.path = path
        self.device = device
        self.slot = slot
        found = metadata.read(device, slot)
        fits = slot < 0 or device.size_bytes // SECTOR_BYTES > slot * SLOT_SECTORS
        self.found = found if found is not None and found.version == version and fits else None

    @property
    def attached(self) -> bool:
        """Whether the kernel uses these metadata."""
        found = self.node.drbd.by_minor(self.minor)
        return found is not None and found[1].disk != Disk.DISKLESS

    @property
    def stale(self) -> str:
        """The warning beside what is read while the kernel uses the metadata."""
        return f"# Output might be stale, since minor {self.minor} is attached\n" if self.attached else ""

    @property
    def beyond_the_end(self) -> str:
        """The complaint about a slot that begins beyond the end of the device (transcript 390)."""
        if self.slot < 0 or self.offset_bytes < self.device.size_bytes:
            return ""
        return (
            "Device too small: expecting meta data block at\n"
            f"byte offset {self.offset_bytes}, but {self.path} is only {self.device.size_bytes} bytes.\n"
        )

    @property
    def offset_bytes(self) -> int:
        """Where the superblock is."""
        if self.slot == INTERNAL:
            return (self.device.size_bytes - BLOCK_BYTES) // BLOCK_BYTES * BLOCK_BYTES
        return max(0, self.slot) * SLOT_SECTORS * SECTOR_BYTES

    def sectors(self, max_peers: int = 1) -> int:
        """How much room the metadata have."""
        if self.slot >= 0:
            return SLOT_SECTORS
        whole = self.device.size_bytes // SECTOR_BYTES
        return metadata.internal_sectors(whole, max_peers) if self.slot == INTERNAL else whole

    def offsets(self, max_peers: int = 1) -> tuple[int, int, int]:
        """Where superblock, activity log and bitmap are, in bytes. Internal metadata grow downwards."""
        offset = self.offset_bytes
        if self.slot == INTERNAL:
            return offset, offset - 32768, offset - (self.sectors(max_peers) - 8) * SECTOR_BYTES
        return offset, offset + 4096, offset + 36864


def run(world: "World", name: str, argv: Sequence[str]) -> Result:
    """Answer ``drbdmeta MINOR VERSION DEVICE INDEX COMMAND``."""
    node = world.nodes[name]
    force = "--force" in argv
    words = [word for word in argv[1:] if not word.startswith("--")]
    if len(words) < 5:
        return Result(
            20, "", "USAGE: drbdmeta [--force] [--ignore-sanity-checks] DEVICE FORMAT [FORMAT ARGS...] COMMAND\n"
        )
    minor, version, path, place, command, *arguments = words
    if command not in _COMMANDS and command not in _WRITERS:
        return Result(20, "", f"Unknown command '{command}'.\n")
    device = node.device(path)
    if device is None:
        return Result(20, "", f"open({path}) failed: No such file or directory\n")
    slot = _PLACES.get(place)
    if version == "v09" and command in ("get-gi", "show-gi") and not any(word.startswith("--node-id") for word in argv):
        return Result(10, "", f"The {command} command requires the --node-id option\n")
    target = Target(node, int(minor), version, path, device, int(place) if slot is None else slot)
    # What only reads is answered beside the kernel, with a warning (cmds[].modifies_md in drbdmeta.c, transcript 248).
    if target.attached and command not in _READS:
        stale = f"# Output might be stale, since minor {minor} is attached\n" if command == "create-md" else ""
        return Result(20, "", f"{stale}Device '{minor}' is configured!\n")
    if target.beyond_the_end:
        return Result(10, "", target.beyond_the_end * (2 if command == "create-md" else 1))
    if command == "create-md":
        return _create(world, target, force=force, max_peers=int(arguments[0]) if arguments else 1)
    if command == "wipe-md":
        return _wipe(target, force=force)
    if target.attached and target.slot < 0:
        return _read_beside_the_kernel(world, target, command, force=force)
    return _COMMANDS[command](world, target)


def _read_beside_the_kernel(world: "World", target: Target, command: str, *, force: bool) -> Result:
    """DRBD holds a meta-disk that it does not share with another device, and drbdmeta would have it for itself."""
    question = f"open({target.path}) failed: Device or resource busy\n\nExclusive open failed. Do it anyways?\n"
    if not force:
        return Result(20, "Operation canceled.\n", f"{question}{_NO_TTY}")
    done = _COMMANDS[command](world, target)
    return Result(done.returncode, done.stdout, f"{question}{_FORCED}{done.stderr}")


def _create(world: "World", target: Target, *, force: bool, max_peers: int) -> Result:
    questions, found = _questions(target)
    if questions and not force:
        cancelled = "canceled" if found else "cancelled"
        return Result(1, f"{found}Operation {cancelled}.\n", "".join(f"{text}{_NO_TTY}" for text in questions))
    said = "".join(f"{text}{_FORCED}" for text in questions)
    metadata.write(
        target.device,
        target.slot,
        Metadata(version=target.version, max_peers=max_peers, device_uuid=world.random64()),
    )
    bitmap_kib = -(-target.device.size_bytes // BLOCK_BYTES // 8 // BLOCK_BYTES) * 4 * max_peers
    return Result(
        0,
        f"{found}initializing activity log\nWriting meta data...\nNew drbd meta data block successfully created.\n",
        f"{said}initializing bitmap ({bitmap_kib} KB) to all zero\n",
    )


def _questions(target: Target) -> tuple[list[str], str]:
    """What drbdmeta asks before it writes, and what it prints about data that it has found.

    It looks at the start of the device: metadata in slot 0 stand in the way of every other slot.
    """
    present = metadata.read(target.device, target.slot)
    if present is not None and present.version != target.version:
        convert = f"\nValid {present.version} meta-data found, convert to {target.version}?\n"
        replace = f"\nSo you want me to replace the {present.version} meta-data\n"
        return [convert, f"{replace}with newly initialized {target.version} meta-data?\n"], ""
    questions = []
    if present is not None:
        questions.append("\nValid meta data seems to be in place.\nDo you really want to overwrite?\n")
    if present is not None or not metadata.begins_with_data(target.device, target.slot):
        return questions, ""
    offset, log, bitmap = target.offsets()
    found = f"md_offset {offset}\nal_offset {log}\nbm_offset {bitmap}\n\nFound some data\n\n"
    return ["\nDo you want to proceed?\n"], f"{found} ==> This might destroy existing data! <==\n"


def generation_line(found: Metadata) -> str:
    """The line of ``get-gi``: four UUIDs and the flags, which differ between the generations."""
    uuids = ":".join(f"{uuid:016X}" for uuid in (found.current, found.bitmap_uuid, *found.history))
    common = (found.consistent, found.was_up_to_date, found.primary)
    if found.version == "v08":
        flags = [*common, found.connected, False, found.peer_outdated, found.crashed_primary]
    else:
        seen = found.current != JUST_CREATED
        flags = [*common, found.crashed_primary, found.clean, False, False]
        flags += [found.connected, found.peer_outdated, False, False, seen]
    return f"{uuids}:{':'.join(str(int(flag)) for flag in flags)}\n"


def explained(found: Metadata, size: str) -> str:
    """The text of ``show-gi``."""
    legend = _LEGEND_84 if found.version == "v08" else _LEGEND_9
    text = f"{_LEGEND_TOP}{generation_line(found)}{legend}"
    if found.version == "v08":
        role = "Primary" if found.primary else "Secondary"
        text += f"flags:{' crashed' if found.crashed_primary else ''} {role}, "
        text += f"{'Connected' if found.connected else 'StandAlone'}, {disk_word(found)}"
        text += f"{', peer Outdated' if found.peer_outdated else ''}\n"
        text += f"meta-data: {'clean' if found.clean else 'need apply-al'}\n"
    return text + size


def disk_word(found: Metadata) -> str:
    """What the metadata say of the disk."""
    if not found.consistent:
        return "Inconsistent"
    return "UpToDate" if found.was_up_to_date else "Outdated"


def _size_text(found: Metadata) -> str:
    if not found.agreed_sectors:
        return "zero size device -- never seen peer yet?\n"
    return (
        f"last agreed size: {_pretty(found.agreed_sectors * SECTOR_BYTES)} ({found.agreed_sectors} sectors)\n"
        "last agreed max bio size: 1048576 Byte\n"
    )


def _pretty(size_bytes: int) -> str:
    """A size of at most four digits, rounded (ppsize in shared_tool.c)."""
    size, units = size_bytes // KIB, iter("KMGTPE")
    unit = next(units)
    while size >= 10000:
        size = (size >> 10) + (size >> 9 & 1)
        unit = next(units)
    return f"{size} {unit}B"


def _get_gi(_world: "World", target: Target) -> Result:
    if target.found is None:
        return Result(1)
    return Result(0, generation_line(target.found), target.stale)


def _show_gi(_world: "World", target: Target) -> Result:
    if target.found is None:
        return Result(1)
    return Result(0, explained(target.found, _size_text(target.found)), target.stale)


def _dstate(_world: "World", target: Target) -> Result:
    return Result(1, "", _NONE) if target.found is None else Result(0, f"{disk_word(target.found)}\n", target.stale)


def _outdate(_world: "World", target: Target) -> Result:
    if target.found is None:
        return Result(1)
    if not target.found.consistent:
        return Result(5, "", "Device is inconsistent.\n")
    target.found.was_up_to_date = False
    return Result()


def _invalidate(_world: "World", target: Target) -> Result:
    if target.found is None:
        return Result(1)
    target.found.consistent = target.found.was_up_to_date = False
    return Result()


def _apply_al(_world: "World", target: Target) -> Result:
    if target.found is None:
        return Result(1, "", _NONE)
    found = target.found
    asked = found.primary and not found.clean  # only a Primary notes what it writes
    hot = bool(found.active_extents)
    added = found.apply_activity_log()
    if not asked:
        return Result()
    if not hot:
        return Result(0, "", "Nothing to do.\n")
    return Result(0, "", f"Marked additional {_pretty(added * BLOCK_BYTES)} as out-of-sync based on AL.\n")


def _wipe(target: Target, *, force: bool) -> Result:
    if target.found is None:
        return Result(1, "", _NONE)
    question = "\nDo you really want to wipe out the DRBD meta data?\n"
    if not force:
        return Result(1, "Operation cancelled.\n", f"{question}{_NO_TTY}")
    metadata.wipe(target.device, target.slot)
    return Result(0, "Wiping meta data...\nDRBD meta data block successfully wiped out.\n", f"{question}{_FORCED}")


def _dump(world: "World", target: Target) -> Result:
    found = target.found
    if found is None:
        return Result(1, "", _NONE)
    if not found.clean:
        return Result(1, "", f"{_UNCLEAN}{target.stale}")
    return Result(0, _dump_text(world, target, found))


def _dump_text(world: "World", target: Target, found: Metadata) -> str:
    place = {FLEXIBLE: "flex-external", INTERNAL: "internal"}.get(target.slot, str(target.slot))
    offset, log, bitmap = target.offsets(found.max_peers)
    bits = found.agreed_sectors // 8
    return (
        "# DRBD meta data dump\n"
        f"# {world.time_s:.0f} s\n"
        f"# {target.node.name}> drbdmeta {target.minor} {target.version} {target.path} {place} dump-md\n"
        f'#\n\nversion "{target.version}";\n\n'
        + (f"max-peers {found.max_peers};\n" if target.version == "v09" else "")
        + f"# md_size_sect {target.sectors(found.max_peers)}\n# md_offset {offset}\n# al_offset {log}\n# bm_offset {bitmap}\n\n"
        + (_uuids_84(found) if target.version == "v08" else _uuids_9(found))
        + f"# al-extents 257;\nla-size-sect {found.agreed_sectors};\nbm-byte-per-bit 4096;\n"
        f"device-uuid 0x{found.device_uuid:016X};\nla-peer-max-bio-size 0;\nal-stripes 1;\nal-stripe-size-4k 8;\n"
        f"# bm-bytes {-(-bits // 64) * 8};\n{'bm' if target.version == 'v08' else 'bitmap[0]'} {{\n}}\n"
        f"# bits-set {found.out_of_sync.count};\n"
    )


def _uuids_84(found: Metadata) -> str:
    """Without the flags, whatever they are (recorded: 9.22-dump-md-up-to-date)."""
    uuids = " ".join(f"0x{uuid:016X};" for uuid in (found.current, found.bitmap_uuid, *found.history))
    return f"uuid {{\n    {uuids}\n    flags 0x00000000;\n}}\n"


def _uuids_9(found: Metadata) -> str:
    """Only the one peer that is simulated is printed, where the real tool prints room for 32."""
    history = " ".join(f"0x{uuid:016X};" for uuid in found.history)
    return (
        f"node-id {found.node_id};\ncurrent-uuid 0x{found.current:016X};\nflags 0x{0x80 if found.clean else 0:08X};\n"
        f"peer[0] {{\n    bitmap-index -1;\n    bitmap-uuid 0x{found.bitmap_uuid:016X};\n"
        "    bitmap-dagtag 0x0000000000000000;\n    flags 0x00000000;\n}\n"
        f"history-uuids {{\n        {history}\n}}\n"
    )


_COMMANDS: Final[dict[str, Callable[["World", Target], Result]]] = {
    "get-gi": _get_gi,
    "show-gi": _show_gi,
    "dstate": _dstate,
    "outdate": _outdate,
    "invalidate": _invalidate,
    "apply-al": _apply_al,
    "dump-md": _dump,
}
_WRITERS: Final = ("create-md", "wipe-md")  # which ask first
