"""xenstore of a node: what libxl writes for domains and their disks, what scripts add, and the tools that read it.

The keys are those of transcripts 114, 169 and 233; exit codes and complaints are xenstore_client.c's.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from saltern.sim.model import DomainDisk, SimDomain, SimNode
from saltern.sim.options import Options, UsageError, parse
from saltern.sim.tools import Result

if TYPE_CHECKING:
    from saltern.sim.world import World

_DOM0 = "/local/domain/0"
SCRIPTS = "/etc/xen/scripts"
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_MEANINGS = {escape: character for character, escape in _ESCAPES.items()}


# --- Paths and values ------------------------------------------------------------------------------------------------
def device_number(vdev: str) -> int:
    """The number of ``xvda``: major 202, sixteen minors each (xen-vbd-interface(7))."""
    letter = vdev.removeprefix("xvd")[:1] or "a"
    return (202 << 8) + 16 * (ord(letter) - ord("a"))


def backend(domain: SimDomain, disk: DomainDisk) -> str:
    """Where a disk is for its backend, as its script is told in ``XENBUS_PATH``: relative to dom0."""
    return f"backend/vbd/{domain.domid}/{device_number(disk.vdev)}"


def script_of(disk: DomainDisk) -> str:
    """The script that libxl runs for a disk."""
    script = disk.script or "block"
    return script if script.startswith("/") else f"{SCRIPTS}/{script}"


def absolute(path: str) -> str:
    """A path as xenstore has it."""
    return path if path.startswith("/") else f"{_DOM0}/{path}"


def read(node: SimNode, path: str) -> str | None:
    """A value, ``None`` where there is nothing; what lies on the way to a value is empty."""
    path = absolute(path)
    if path in node.xenstore:
        return node.xenstore[path]
    found = everything(node)
    return found.get(path, "" if any(other.startswith(f"{path}/") for other in found) else None)


def write(node: SimNode, path: str, value: str) -> None:
    """Write a value."""
    node.xenstore[absolute(path)] = value


def remove(node: SimNode, path: str) -> None:
    """Take away what was written at a path and below it."""
    path = absolute(path)
    for other in [other for other in node.xenstore if other == path or other.startswith(f"{path}/")]:
        del node.xenstore[other]


def everything(node: SimNode) -> dict[str, str]:
    """Every value by its absolute path."""
    found = {f"{_DOM0}/name": "Domain-0", f"{_DOM0}/domid": "0"}
    for domain in (domain for domain in node.domains if not domain.zombie):
        home, vm = f"/local/domain/{domain.domid}", f"/vm/{domain.uuid}"
        found |= {f"{home}/name": domain.name, f"{home}/domid": str(domain.domid), f"{home}/vm": vm}
        found |= {f"{vm}/name": domain.name, f"{vm}/uuid": domain.uuid}
        for disk in domain.disks:
            found |= _disk(domain, disk)
    return found | node.xenstore


def _disk(domain: SimDomain, disk: DomainDisk) -> dict[str, str]:
    frontend = f"/local/domain/{domain.domid}/device/vbd/{device_number(disk.vdev)}"
    path = absolute(backend(domain, disk))
    values = {
        "bootable": "1",
        "dev": disk.vdev,
        "device-type": "disk",
        "discard-enable": "1",
        "frontend": frontend,
        "frontend-id": str(domain.domid),
        "mode": disk.mode,
        "online": "1",
        "params": disk.target,
        "removable": "0",
        "script": script_of(disk),
        "specification": "xen",
        "state": "4" if disk.usable else "2" if domain.paused else "6",
        "type": "phy",
    }
    return {f"{path}/{key}": value for key, value in values.items()} | {
        f"{frontend}/backend": path,
        f"{frontend}/backend-id": "0",
        f"{frontend}/virtual-device": str(device_number(disk.vdev)),
    }


# --- Tools -----------------------------------------------------------------------------------------------------------
def run(world: "World", node: str, argv: Sequence[str]) -> Result:
    """Answer one of the tools."""
    program = argv[0]
    try:
        options = parse(argv[1:], {"-f": "full", "-p": "prefix"})
    except UsageError as error:
        return Result(1, "", f"{program}: {error}\n")
    pairs = program == "xenstore-write"
    if (not options.operands and program != "xenstore-ls") or (pairs and len(options.operands) % 2):
        return Result(1, "", f"Usage: {program} ...\n")
    return _TOOLS[program](world.nodes[node], options)


def _read(node: SimNode, options: Options) -> Result:
    said = ""
    for path in options.operands:
        value = read(node, path)
        if value is None:
            return Result(1, said, f"xenstore-read: couldn't read path {path}\n")
        said += (f"{path}: " if "prefix" in options else "") + f"{_shown(value)}\n"
    return Result(0, said)


def _write(node: SimNode, options: Options) -> Result:
    for path, value in zip(options.operands[::2], options.operands[1::2], strict=True):
        write(node, path, _meant(value))
    return Result()


def _remove(node: SimNode, options: Options) -> Result:
    for path in options.operands:
        if read(node, path) is None:
            return Result(1, "", f"xenstore-rm: could not remove path {path}\n")
        remove(node, path)
    return Result()


def _list(node: SimNode, options: Options) -> Result:
    said = ""
    for path in options.operands:
        if read(node, path) is None:
            return Result(1, said, f"xenstore-list: could not list path {path}\n")
        below = f"{path}/" if "prefix" in options else ""
        said += "".join(f"{below}{name}\n" for name in _children(everything(node), absolute(path)))
    return Result(0, said)


def _ls(node: SimNode, options: Options) -> Result:
    top = options.operands[0] if options.operands else "/"
    if top != "/" and read(node, top) is None:
        return Result(1, "", f"xenstore-ls: xs_directory ({top}): No such file or directory\n")
    root = absolute(top).rstrip("/")
    return Result(0, "".join(_tree(everything(node), root, 0, full="full" in options)))


def _tree(found: Mapping[str, str], path: str, depth: int, *, full: bool) -> list[str]:
    lines = []
    for name in _children(found, path):
        child = f"{path}/{name}"
        lines.append(f'{child if full else " " * depth + name} = "{_shown(found.get(child, ""))}"\n')
        lines += _tree(found, child, depth + 1, full=full)
    return lines


def _children(found: Mapping[str, str], path: str) -> list[str]:
    below = f"{path.rstrip('/')}/"
    return sorted({other.removeprefix(below).partition("/")[0] for other in found if other.startswith(below)})


def _shown(value: str) -> str:
    """A value in one line."""
    return "".join(_ESCAPES.get(character, character) for character in value)


def _meant(text: str) -> str:
    """The value that ``_shown`` would show so."""
    return re.sub(r"\\[\\ntr]", lambda match: _MEANINGS[match.group()], text)


_TOOLS: dict[str, Callable[[SimNode, Options], Result]] = {
    "xenstore-read": _read,
    "xenstore-write": _write,
    "xenstore-rm": _remove,
    "xenstore-list": _list,
    "xenstore-ls": _ls,
}
