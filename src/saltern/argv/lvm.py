"""Command lines of LVM."""

from typing import Final

from saltern.argv.names import name

LV_COLUMNS: Final = ("vg_name", "lv_name", "lv_size", "lv_attr", "lv_tags")
VG_COLUMNS: Final = ("vg_name", "vg_size", "vg_free", "vg_extent_size")
_REPORT: Final = ("--reportformat", "json", "--units", "b", "--nosuffix", "--options")


def lvs() -> list[str]:
    """Read all logical volumes; ``saltern.parse.lvs`` understands the answer."""
    return ["lvs", *_REPORT, ",".join(LV_COLUMNS)]


def vgs() -> list[str]:
    """Read all volume groups; ``saltern.parse.vgs`` understands the answer."""
    return ["vgs", *_REPORT, ",".join(VG_COLUMNS)]


def lvcreate(volume_group: str, volume: str, size_bytes: int, tag: str | None = None) -> list[str]:
    """Create a volume of at least ``size_bytes`` (LVM rounds up to extents), with its tag at the same moment.

    Old signatures in the space are wiped and the first 4 KiB zeroed, so that nothing of a former volume is taken for
    data or metadata of this one (lvcreate(8), ``--wipesignatures``, ``--zero``).
    """
    command = ["lvcreate", "--yes", "--wipesignatures", "y", "--zero", "y", "--size", f"{size_bytes}b"]
    if tag is not None:
        command += ["--addtag", name(tag)]
    return [*command, "--name", name(volume), name(volume_group)]


def lvextend(volume_group: str, volume: str, size_bytes: int) -> list[str]:
    """Grow a volume to at least ``size_bytes``; LVM refuses, exit 5, when it is that large already."""
    return ["lvextend", "--size", f"{size_bytes}b", _path(volume_group, volume)]


def mark(volume_group: str, volume: str, *, remove: str | None = None, add: str | None = None) -> list[str]:
    """Change the tags of a volume in one transaction; what is so already stays so (lvchange(8))."""
    removed = [] if remove is None else ["--deltag", name(remove)]
    added = [] if add is None else ["--addtag", name(add)]
    return ["lvchange", *removed, *added, _path(volume_group, volume)]


def lvrename(volume_group: str, volume: str, new_name: str) -> list[str]:
    """Give a volume another name; LVM refuses, exit 5, where there is one of that name."""
    return ["lvrename", name(volume_group), name(volume), name(new_name)]


def lvremove(volume_group: str, volume: str) -> list[str]:
    """Remove a volume and what is on it; LVM refuses while something holds it open."""
    return ["lvremove", "--yes", _path(volume_group, volume)]


def _path(volume_group: str, volume: str) -> str:
    return f"{name(volume_group)}/{name(volume)}"
