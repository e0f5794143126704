"""The reports of LVM 2.03.16, lvs, vgs and pvs, as text and as JSON (transcripts 012-019)."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import gmtime, strftime

from saltern.sim.lvm_names import LvmError, find_group, find_volume, usage_error
from saltern.sim.lvm_sizes import column_size
from saltern.sim.model import EXTENT_BYTES, BlockDevice, LogicalVolume, SimNode, VolumeGroup
from saltern.sim.options import Options, UsageError, parse
from saltern.sim.tools import Result

Value = str | int  # a text, or a size in bytes
Row = dict[str, Value]

_OPTIONS = {
    "-o": "options=",
    "--options": "options=",
    "-a": "all",
    "--all": "all",
    "--units": "units=",
    "--nosuffix": "nosuffix",
    "--reportformat": "reportformat=",
    "--noheadings": "noheadings",
    "--separator": "separator=",
}

_LV_FIELDS = """
lv_uuid lv_name lv_full_name lv_path lv_dm_path lv_parent lv_layout lv_role lv_initial_image_sync
lv_image_synced lv_merging lv_converting lv_allocation_policy lv_allocation_locked lv_fixed_minor
lv_skip_activation lv_autoactivation lv_when_full lv_active lv_active_locally lv_active_remotely
lv_active_exclusively lv_major lv_minor lv_read_ahead lv_size lv_metadata_size seg_count origin origin_uuid
origin_size lv_ancestors lv_full_ancestors lv_descendants lv_full_descendants raid_mismatch_count
raid_sync_action raid_write_behind raid_min_recovery_rate raid_max_recovery_rate raidintegritymode
raidintegrityblocksize integritymismatches move_pv move_pv_uuid convert_lv convert_lv_uuid mirror_log
mirror_log_uuid data_lv data_lv_uuid metadata_lv metadata_lv_uuid pool_lv pool_lv_uuid lv_tags lv_profile
lv_lockargs lv_time lv_time_removed lv_host lv_modules lv_historical writecache_block_size lv_kernel_major
lv_kernel_minor lv_kernel_read_ahead lv_permissions lv_suspended lv_live_table lv_inactive_table
lv_device_open data_percent snap_percent metadata_percent copy_percent sync_percent cache_total_blocks
cache_used_blocks cache_dirty_blocks cache_read_hits cache_read_misses cache_write_hits cache_write_misses
kernel_cache_settings kernel_cache_policy kernel_metadata_format lv_health_status kernel_discards
lv_check_needed lv_merge_failed lv_snapshot_invalid vdo_operating_mode vdo_compression_state vdo_index_state
vdo_used_size vdo_saving_percent writecache_total_blocks writecache_free_blocks writecache_writeback_blocks
writecache_error lv_attr
"""
_VG_FIELDS = """
vg_fmt vg_uuid vg_name vg_attr vg_permissions vg_extendable vg_exported vg_autoactivation vg_partial
vg_allocation_policy vg_clustered vg_shared vg_size vg_free vg_sysid vg_systemid vg_lock_type vg_lock_args
vg_extent_size vg_extent_count vg_free_count max_lv max_pv pv_count vg_missing_pv_count lv_count snap_count
vg_seqno vg_tags vg_profile vg_mda_count vg_mda_used_count vg_mda_free vg_mda_size vg_mda_copies
"""
_PV_FIELDS = """
pv_fmt pv_uuid dev_size pv_name pv_major pv_minor pv_mda_free pv_mda_size pv_ext_vsn pe_start pv_size
pv_free pv_used pv_attr pv_allocatable pv_exported pv_missing pv_pe_count pv_pe_alloc_count pv_tags
pv_mda_count pv_mda_used_count pv_ba_start pv_ba_size pv_in_use pv_duplicate pv_device_id pv_device_id_type
"""

_LV_CONSTANTS: Row = {
    "lv_layout": "linear",
    "lv_role": "public",
    "lv_allocation_policy": "inherit",
    "lv_autoactivation": "enabled",
    "lv_major": "-1",
    "lv_minor": "-1",
    "lv_read_ahead": "auto",
    "seg_count": "1",
    "raidintegrityblocksize": "-1",
    "writecache_block_size": "-1",
    "lv_permissions": "writeable",
    "lv_check_needed": "unknown",
    "lv_merge_failed": "unknown",
    "lv_snapshot_invalid": "unknown",
}
_VG_CONSTANTS: Row = {
    "vg_fmt": "lvm2",
    "vg_attr": "wz--n-",
    "vg_permissions": "writeable",
    "vg_extendable": "extendable",
    "vg_autoactivation": "enabled",
    "vg_allocation_policy": "normal",
    "max_lv": "0",
    "max_pv": "0",
    "vg_missing_pv_count": "0",
    "snap_count": "0",
    "vg_mda_count": "1",
    "vg_mda_used_count": "1",
    "vg_mda_free": 519680,
    "vg_mda_size": 1044480,
    "vg_mda_copies": "unmanaged",
}
_PV_CONSTANTS: Row = {
    "pv_fmt": "lvm2",
    "pv_major": "254",
    "pv_minor": "16",
    "pv_mda_free": 519680,
    "pv_mda_size": 1044480,
    "pv_ext_vsn": "2",
    "pe_start": 1024**2,
    "pv_allocatable": "allocatable",
    "pv_mda_count": "1",
    "pv_mda_used_count": "1",
    "pv_ba_start": 0,
    "pv_ba_size": 0,
}

# Where a heading is not the name of the field.
_HEADINGS = {
    "lv_name": "LV",
    "vg_name": "VG",
    "pv_name": "PV",
    "lv_attr": "Attr",
    "lv_size": "LSize",
    "pool_lv": "Pool",
    "origin": "Origin",
    "data_percent": "Data%",
    "metadata_percent": "Meta%",
    "move_pv": "Move",
    "mirror_log": "Log",
    "copy_percent": "Cpy%Sync",
    "convert_lv": "Convert",
    "lv_path": "Path",
    "lv_full_name": "LV",
    "lv_uuid": "LV UUID",
    "lv_tags": "LV Tags",
    "lv_active": "Active",
    "lv_device_open": "DevOpen",
    "lv_time": "CTime",
    "seg_count": "#Seg",
    "vg_uuid": "VG UUID",
    "vg_attr": "Attr",
    "vg_size": "VSize",
    "vg_free": "VFree",
    "vg_tags": "VG Tags",
    "vg_extent_size": "Ext",
    "vg_extent_count": "#Ext",
    "vg_free_count": "Free",
    "pv_count": "#PV",
    "lv_count": "#LV",
    "snap_count": "#SN",
    "pv_fmt": "Fmt",
    "pv_attr": "Attr",
    "pv_size": "PSize",
    "pv_free": "PFree",
    "pv_uuid": "PV UUID",
}
# Numbers stand to the right of their column, their headings to the left.
_RIGHT = {"pv_count", "lv_count", "snap_count", "seg_count", "vg_extent_count", "vg_free_count"}
_MIN_WIDTHS = {"data_percent": 6, "metadata_percent": 6}


@dataclass(frozen=True)
class _Report:
    prefix: str
    fields: list[str]  # in the order of "-o all"
    others: list[str]  # that may be asked for by name
    shown: str  # by default
    rows: Callable[[SimNode, list[str]], list[Row]]


def run(node: SimNode, argv: Sequence[str]) -> Result:
    """Answer lvs, vgs or pvs."""
    program = argv[0]
    report = _REPORTS[program]
    try:
        options = parse(argv[1:], _OPTIONS)
    except UsageError as error:
        return usage_error(program, str(error))
    try:
        fields = _fields(report, options)
        rows = report.rows(node, options.operands)
        return Result(0, _print(report, fields, rows, options))
    except LvmError as error:
        return error.result


def _fields(report: _Report, options: Options) -> list[str]:
    chosen: list[str] = []
    for text in options.all("options") or [report.shown]:
        chosen = chosen or (report.shown.split(",") if text.startswith("+") else [])
        for name in text.removeprefix("+").split(","):
            chosen += _named(report, name)
    return list(dict.fromkeys(chosen))


def _named(report: _Report, name: str) -> list[str]:
    if name == "all":
        return report.fields
    for field in (name, report.prefix + name):
        if field in report.fields + report.others:
            return [field]
    raise LvmError(f"Unrecognised field: {name}", returncode=3)


# --- Rows ------------------------------------------------------------------------------------------------------------
def physical_extents(device: BlockDevice) -> int:
    """The number of extents on a physical volume: the first MiB is LVM's own."""
    return (device.size_bytes - 1024**2) // EXTENT_BYTES


def free_extents(node: SimNode, group: VolumeGroup) -> int:
    """The number of extents that no volume uses."""
    used = sum(node.devices[f"/dev/{group.name}/{name}"].size_bytes for name in group.volumes)
    return group.extent_count - used // EXTENT_BYTES


def _lvs(node: SimNode, operands: list[str]) -> list[Row]:
    groups = {name: _vg_row(node, group) for name, group in node.volume_groups.items()}
    found = [_lv_row(node, groups[group.name], volume) for group, volume in _selected(node, operands)]
    return sorted(found, key=lambda row: (str(row["vg_name"]), str(row["lv_name"])))


def _selected(node: SimNode, operands: list[str]) -> list[tuple[VolumeGroup, LogicalVolume]]:
    found = []
    for operand in operands or list(node.volume_groups):
        if "/" in operand.removeprefix("/dev/"):
            found.append(find_volume(node, operand))
        else:
            group = find_group(node, operand)
            found += [(group, volume) for volume in group.volumes.values()]
    return found


def _lv_row(node: SimNode, group: Row, volume: LogicalVolume) -> Row:
    full_name = f"{group['vg_name']}/{volume.name}"
    device = node.devices[f"/dev/{full_name}"]
    active = volume.active
    return {
        **_LV_CONSTANTS,
        **group,
        "lv_uuid": volume.uuid,
        "lv_name": volume.name,
        "lv_full_name": full_name,
        "lv_path": f"/dev/{full_name}",
        "lv_dm_path": "/dev/mapper/" + full_name.replace("-", "--").replace("/", "-"),
        "lv_active": "active" if active else "",
        "lv_active_locally": "active locally" if active else "",
        "lv_active_exclusively": "active exclusively" if active else "",
        "lv_size": device.size_bytes,
        "lv_tags": ",".join(volume.tags),
        "lv_time": strftime("%Y-%m-%d %H:%M:%S +0000", gmtime(volume.created_s)),
        "lv_host": node.name,
        "lv_kernel_major": "253" if active else "-1",
        "lv_kernel_minor": str(volume.minor) if active else "-1",
        "lv_kernel_read_ahead": 128 * 1024 if active else "-1",
        "lv_live_table": "live table present" if active else "",
        "lv_device_open": "open" if device.holders else "",
        "lv_attr": f"-wi-{'a' if active else '-'}{'o' if device.holders else '-'}----",
    }


def _vgs(node: SimNode, operands: list[str]) -> list[Row]:
    groups = [find_group(node, name) for name in operands] or node.volume_groups.values()
    return [_vg_row(node, group) for group in sorted(groups, key=lambda group: group.name)]


def _vg_row(node: SimNode, group: VolumeGroup) -> Row:
    free = free_extents(node, group)
    return {
        **_VG_CONSTANTS,
        "vg_uuid": group.uuid,
        "vg_name": group.name,
        "vg_size": group.extent_count * EXTENT_BYTES,
        "vg_free": free * EXTENT_BYTES,
        "vg_extent_size": EXTENT_BYTES,
        "vg_extent_count": str(group.extent_count),
        "vg_free_count": str(free),
        "pv_count": str(len(group.physical_volumes)),
        "lv_count": str(len(group.volumes)),
        "vg_seqno": str(group.sequence),
    }


def _pvs(node: SimNode, operands: list[str]) -> list[Row]:
    for path in operands:
        if path not in node.physical_volumes:
            raise LvmError(f'Failed to find physical volume "{path}".')
    return [_pv_row(node, path) for path in sorted(operands or node.physical_volumes)]


def _pv_row(node: SimNode, path: str) -> Row:
    device = node.devices[path]
    count = physical_extents(device)
    group = next((group for group in node.volume_groups.values() if path in group.physical_volumes), None)
    used = 0
    if group is not None:  # volumes fill the physical ones in their order
        before = sum(physical_extents(node.devices[other]) for other in _before(group.physical_volumes, path))
        used = min(max(group.extent_count - free_extents(node, group) - before, 0), count)
    size_bytes = count * EXTENT_BYTES if group is not None else device.size_bytes
    return {
        **_PV_CONSTANTS,
        "vg_name": group.name if group is not None else "",
        "pv_uuid": node.physical_volumes[path],
        "dev_size": device.size_bytes,
        "pv_name": path,
        "pv_size": size_bytes,
        "pv_free": size_bytes - used * EXTENT_BYTES,
        "pv_used": used * EXTENT_BYTES,
        "pv_attr": "a--" if group is not None else "---",
        "pv_pe_count": str(count if group is not None else 0),
        "pv_pe_alloc_count": str(used),
        "pv_in_use": "used" if group is not None else "",
    }


def _before(paths: list[str], path: str) -> list[str]:
    return paths[: paths.index(path)]


# --- Printing --------------------------------------------------------------------------------------------------------
def _print(report: _Report, fields: list[str], rows: list[Row], options: Options) -> str:
    units, suffix = options.last("units", "r").lower(), "nosuffix" not in options
    if units not in "rhbskmgt":
        raise LvmError(f"Invalid units specification: {units}", returncode=3)
    table = [{field: _text(row.get(field, ""), units, suffix=suffix) for field in fields} for row in rows]
    style = options.last("reportformat", "basic")
    if style == "json":
        return _json(report.prefix.rstrip("_"), table)
    if style != "basic":
        raise LvmError(f"Invalid report format: {style}", returncode=3)
    return _columns(fields, rows, table, options)


def _text(value: Value, units: str, *, suffix: bool) -> str:
    return value if isinstance(value, str) else column_size(value, units, suffix=suffix)


def _json(name: str, table: list[dict[str, str]]) -> str:
    rows = ",\n".join(
        " " * 18 + "{" + ", ".join(f"{json.dumps(field)}:{json.dumps(text)}" for field, text in row.items()) + "}"
        for row in table
    )
    rows = f"{rows}\n" if rows else ""
    opening = f'  {{\n      "report": [\n          {{\n              "{name}": [\n'
    return f"{opening}{rows}              ]\n          }}\n      ]\n  }}\n"


def _columns(fields: list[str], rows: list[Row], table: list[dict[str, str]], options: Options) -> str:
    if not table:
        return ""
    headings = [] if "noheadings" in options else [{field: _HEADINGS.get(field, field) for field in fields}]
    if "separator" in options:
        return "".join("  " + options.last("separator").join(line.values()) + "\n" for line in headings + table)
    right = {field for field in fields if field in _RIGHT or any(isinstance(row.get(field), int) for row in rows)}
    widths = {
        field: max(_MIN_WIDTHS.get(field, 0), *(len(line[field]) for line in headings + table)) for field in fields
    }
    lines = [_line(line, widths, set()) for line in headings] + [_line(line, widths, right) for line in table]
    return "".join(lines)


def _line(line: Mapping[str, str], widths: Mapping[str, int], right: set[str]) -> str:
    cells = [text.rjust(widths[field]) if field in right else text.ljust(widths[field]) for field, text in line.items()]
    return "  " + " ".join(cells) + "\n"


_REPORTS = {
    "lvs": _Report(
        "lv_",
        (_LV_FIELDS + _VG_FIELDS).split(),
        [],
        "lv_name,vg_name,lv_attr,lv_size,pool_lv,origin,data_percent,metadata_percent,move_pv,mirror_log,"
        "copy_percent,convert_lv",
        _lvs,
    ),
    "vgs": _Report("vg_", _VG_FIELDS.split(), [], "vg_name,pv_count,lv_count,snap_count,vg_attr,vg_size,vg_free", _vgs),
    "pvs": _Report("pv_", _PV_FIELDS.split(), ["vg_name"], "pv_name,vg_name,pv_fmt,pv_attr,pv_size,pv_free", _pvs),
}
