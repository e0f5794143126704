"""Command lines for a guest, whose minion runs them: what it sees of a disk, and how a file system grows while it is mounted."""

from collections.abc import Callable, Mapping
from typing import Final

_GROW: Final[Mapping[str, Callable[[str, str], list[str]]]] = {
    "ext3": lambda device, _: ["resize2fs", device],
    "ext4": lambda device, _: ["resize2fs", device],
    "xfs": lambda _, target: ["xfs_growfs", target],
    "btrfs": lambda _, target: ["btrfs", "filesystem", "resize", "max", target],
}


def touch(device: str) -> list[str]:
    """Read a block past the cache: blkback tells the guest of a new size at its next request (xen-blkback, xen_vbd_resize)."""
    return ["dd", f"if=/dev/{device}", "of=/dev/null", "bs=4096", "count=1", "iflag=direct"]


def size(device: str) -> list[str]:
    """How large the guest sees it, in bytes."""
    return ["blockdev", "--getsize64", f"/dev/{device}"]


def mounted(device: str) -> list[str]:
    """What is mounted from it, as JSON; it ends with 1 when nothing is (findmnt(8))."""
    return ["findmnt", "--json", "--bytes", "--output", "TARGET,FSTYPE,SIZE", "--source", f"/dev/{device}"]


def grow(kind: str, device: str, target: str) -> list[str] | None:
    """What makes a mounted file system as large as its disk; ``None`` for a kind of which that is not known."""
    found = _GROW.get(kind)
    return None if found is None else found(f"/dev/{device}", target)
