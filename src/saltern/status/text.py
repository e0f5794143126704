"""The state of a cluster for people: tables and sentences in plain ASCII, readable in 80 to 100 columns."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from saltern.status.answer import Tree
from saltern.status.faults import ends_what_is_left
from saltern.status.guards import guard_lines

WIDTH: Final = 100
_RESOURCE: Final = "resource "
_MOST_NAMED: Final = 8
_BAR: Final = 20
_TIED: Final = "\0"  # a space at which no line ends
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def status_text(status: Tree, width: int = WIDTH) -> str:
    """What ``cluster_status`` returned, for people."""
    nodes = ", ".join(f"{node} {state}" for node, state in status["nodes"].items())
    wrong = listed("Wrong:", together(status["wrong"]), width)
    return "\n".join(
        [
            *wrapped(f"Cluster {status['cluster']}: {nodes}", width),
            "",
            *_table(_fitting(_rows(status), width)),
            *_synchronisations(status),
            *listed("Guards:", guard_lines(status["guards"]), width),
            *listed("Operations:", [_operation(each) for each in status["operations"]], width),
            *(wrong or ["", "Nothing is wrong."]),
            *listed("Noticed:", status["noticed"], width),
        ]
    )


def listed(title: str, texts: Sequence[str], width: int = WIDTH) -> list[str]:
    """A title and its points, after an empty line; nothing where there are none."""
    return ["", title, *(line for text in texts for line in wrapped(text, width, "  - "))] if texts else []


def together(faults: Iterable[str]) -> list[str]:
    """What is the same of several resources as one point, where the first of them stands: a link that is cut is all of theirs."""
    named: dict[tuple[str, bool], list[str]] = {}
    for fault in faults:
        about, _, what = fault.partition(": ") if fault.startswith(_RESOURCE) else ("", "", fault)
        named.setdefault((what, about != ""), []).append(about.removeprefix(_RESOURCE))
    return [f"{_resources(names)}: {what}" if known else what for (what, known), names in named.items()]


def _resources(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{_RESOURCE.strip()}{'s' if len(names) > 1 else ''} {', '.join(names[:_MOST_NAMED])}{more}"


def wrapped(text: str, width: int, first: str = "") -> list[str]:
    """A sentence as lines of at most ``width``, with ``first`` before it; neither words nor commands are broken."""
    whole = re.sub("`[^`]*`", lambda command: command[0].replace(" ", _TIED), text)
    lines = textwrap.wrap(
        whole,
        width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_TIED, " ") for line in lines]


def bar(percent: float) -> str:
    """``[#########...........]``: full only when everything is done."""
    done = int(_BAR * percent / 100)
    return f"[{'#' * done}{'.' * (_BAR - done)}]"


def runs_on_text(domain: Tree) -> str:
    """Where a domain runs, in a word or two."""
    runs_on = ", ".join(
        node if condition == "running" else f"{node} ({condition})" for node, condition in domain["runs_on"].items()
    )
    nowhere = "nowhere" if domain["stopped"] is None else "stopped"
    return runs_on or ("unknown" if domain["may_run_on"] else nowhere)


def operation_state_text(operation: Tree) -> str:
    """How far an operation is, with what to do when nobody works on it."""
    remedy = f": {ends_what_is_left(operation)}" if operation["state"] == "left half-done" else ""
    return f"{operation['state']}{remedy}"


def _operation(operation: Tree) -> str:
    return f"{operation['text']} ({operation_state_text(operation)})"


# --- Tables ------------------------------------------------------------------------------------------------------
def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _fitting(rows: Sequence[tuple[str, ...]], width: int) -> Sequence[tuple[str, ...]]:
    """Without the last column where it has no room: what it tells stands below as well."""
    return rows if max(map(len, _table(rows))) <= width else [row[:-1] for row in rows]


def _rows(status: Tree) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("domain", "home", "runs on", "disk", *status["nodes"], "synchronised")]
    for name, domain in status["domains"].items():
        first = (name, domain["home"], runs_on_text(domain))
        for device, disk in domain["disks"].items():
            rows.append((*first, device, *_cells(disk, status["nodes"])))
            first = ("", "", "")
    return rows


def _cells(disk: Tree, nodes: Mapping[str, str]) -> Iterator[str]:
    for node in nodes:
        side = disk["sides"].get(node)
        yield f"{side['role']}/{side['disk']}" if side else ""
    yield _synchronised(disk)


def _synchronised(disk: Tree) -> str:
    percent, sides = disk["synchronised_percent"], disk["sides"].values()
    if percent is not None:
        return f"{percent} %"
    if any(side["connection"] not in ("Connected", "unknown") for side in sides):
        return "not connected"
    if any(side["connection"] == "unknown" for side in sides):
        return "unknown"
    return "yes" if all(side["disk"] == "UpToDate" for side in sides) else "no"


def _synchronisations(status: Tree) -> list[str]:
    disks = [disk for domain in status["domains"].values() for disk in domain["disks"].values()]
    rows = [_progress(disk) for disk in disks if disk["synchronised_percent"] is not None]
    return ["", "Synchronising:", *(f"  {line}" for line in _table(rows))] if rows else []


def _progress(disk: Tree) -> tuple[str, ...]:
    percent, source = disk["synchronised_percent"], disk["synchronised_from"]
    way = " -> ".join([source, *(node for node in disk["sides"] if node != source)]) if source else ""
    return disk["resource"], way, f"{bar(percent)} {percent:5.1f} %", _pace(disk)


def _pace(disk: Tree) -> str:
    """Speed and remaining time; nothing where they are not known."""
    if disk["synchronisation_paused"]:
        return "paused"
    bytes_per_s = disk["bytes_per_s"]
    return f"{_size(bytes_per_s)}/s, {_time(disk['out_of_sync_bytes'] / bytes_per_s)} left" if bytes_per_s else ""


def _size(size_bytes: float) -> str:
    """A rounded size, for reading only."""
    for unit in _UNITS[:-1]:
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.0f} {_UNITS[-1]}"


def _time(time_s: float) -> str:
    """``0:42``, ``1:02:03``: hours only where there are some."""
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
