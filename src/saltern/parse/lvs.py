"""``lvs``: the logical volumes."""

from saltern.argv.lvm import LV_COLUMNS
from saltern.errors import ParseError
from saltern.model.observed import LogicalVolume
from saltern.parse import lvm_report
from saltern.parse.scalars import whole_number

_TOOL = "lvs"
# lvs(8), "lv_attr": the fifth character is the state, the sixth whether something holds the device open.
_STATES = frozenset("-ahsISmMdicC")
_OPEN = {"-": False, "o": True}


def parse(text: str) -> dict[tuple[str, str], LogicalVolume]:
    """The volumes of ``saltern.argv.lvm.lvs()`` by (volume group, name), sizes in bytes.

    Raises ``ParseError`` for a volume that appears twice (two volume groups of one name), and where LVM itself does not
    know the state (``X``). Source: lvs(8), lvmreport(7), transcript 012.
    """
    volumes: dict[tuple[str, str], LogicalVolume] = {}
    for row in lvm_report.rows(_TOOL, text, "lv", LV_COLUMNS):
        try:
            volume = _volume(row)
        except (ValueError, KeyError, IndexError) as error:
            raise ParseError(_TOOL, f"{row['vg_name']}/{row['lv_name']}: {error}", text) from error
        key = volume.volume_group, volume.name
        if key in volumes:
            raise ParseError(_TOOL, f"{volume.volume_group}/{volume.name} appears twice", text)
        volumes[key] = volume
    return volumes


def _volume(row: dict[str, str]) -> LogicalVolume:
    if not row["vg_name"] or not row["lv_name"]:
        raise ValueError("a name is missing")
    state, held = row["lv_attr"][4], row["lv_attr"][5]
    if state not in _STATES:
        raise ValueError(f"state {state!r} in {row['lv_attr']!r} is not known")
    if held not in _OPEN:
        raise ValueError(f"whether it is open is not known ({row['lv_attr']!r})")
    return LogicalVolume(
        volume_group=row["vg_name"],
        name=row["lv_name"],
        size_bytes=whole_number(row["lv_size"]),
        active=state == "a",
        open=_OPEN[held],
        tags=frozenset(filter(None, row["lv_tags"].split(","))),
    )
