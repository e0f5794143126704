"""``vgs``: the volume groups."""

from saltern.argv.lvm import VG_COLUMNS
from saltern.errors import ParseError
from saltern.model.observed import VolumeGroup
from saltern.parse import lvm_report
from saltern.parse.scalars import whole_number

_TOOL = "vgs"


def parse(text: str) -> dict[str, VolumeGroup]:
    """The volume groups of ``saltern.argv.lvm.vgs()`` by name, sizes in bytes.

    Raises ``ParseError`` for two volume groups of one name: LVM tells them apart by UUID only, so that no command by
    name is safe. Source: vgs(8), lvmreport(7), transcript 014.
    """
    groups: dict[str, VolumeGroup] = {}
    for row in lvm_report.rows(_TOOL, text, "vg", VG_COLUMNS):
        name = row["vg_name"]
        try:
            group = VolumeGroup(
                name=name,
                size_bytes=whole_number(row["vg_size"]),
                free_bytes=whole_number(row["vg_free"]),
                extent_size_bytes=whole_number(row["vg_extent_size"]),
            )
        except ValueError as error:
            raise ParseError(_TOOL, f"{name}: {error}", text) from error
        if not name or name in groups:
            raise ParseError(_TOOL, f"the volume group {name!r} has no name, or appears twice", text)
        if not group.extent_size_bytes:
            raise ParseError(_TOOL, f"{name}: an extent of no size", text)
        groups[name] = group
    return groups
