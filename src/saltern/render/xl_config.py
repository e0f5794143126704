"""The configuration of a domain (xl.cfg(5))."""

import re
from collections.abc import Iterator
from typing import Final

from saltern.errors import RenderError
from saltern.model.desired import DomainDisk, DomainInterface, DomainSpec
from saltern.model.places import BLOCK_SCRIPT
from saltern.render.header import HEADER
from saltern.units import MIB

_OWN: Final = frozenset({"name", "uuid", "memory", "vcpus", "disk", "vif"})
_KEY: Final = re.compile(r"[a-z][a-z0-9_]*")
# Escapes that libxlu_cfg.c undoes. It reads \x and octal ones as well, but throws away what they stand for.
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]|[\ud800-\udfff]")


def render(domain: DomainSpec) -> str:
    """The text of ``/etc/xen/DOMAIN.cfg``; its disks are given by the block script, which knows them by their resource.

    The same input always gives the same text. Raises ``RenderError`` for a key that Saltern writes itself, for memory
    that is not whole MiB, and for values that xl cannot read back.
    """
    memory_mib, rest = divmod(domain.memory_bytes, MIB)
    if rest:
        raise RenderError(domain.name, "memory", domain.memory_bytes, "xl takes whole MiB only")
    settings: list[tuple[str, object]] = [
        ("name", domain.name),
        ("uuid", domain.uuid),
        ("memory", memory_mib),
        ("vcpus", domain.vcpus),
        ("disk", [_disk(domain, disk) for disk in domain.disks]),
        ("vif", [_interface(domain, interface) for interface in domain.interfaces]),
        *_further(domain),
    ]
    return "\n".join([HEADER, *(f"{key} = {_value(domain, key, value)}" for key, value in settings), ""])


def _further(domain: DomainSpec) -> Iterator[tuple[str, object]]:
    for key, value in sorted(domain.xl.items()):
        if key in _OWN:
            raise RenderError(domain.name, key, value, "Saltern writes this key from the topology itself")
        if _KEY.fullmatch(key) is None:
            raise RenderError(domain.name, key, value, "a key is lower-case letters, digits and underscores")
        yield key, value


def _disk(domain: DomainSpec, disk: DomainDisk) -> str:
    script = f"script={BLOCK_SCRIPT.rpartition('/')[2]}"
    # `target` takes all that follows it, so it comes last (xl-disk-configuration(5)).
    return f"vdev={_part(domain, disk.device)},access=rw,{script},target={_part(domain, disk.resource)}"


def _interface(domain: DomainSpec, interface: DomainInterface) -> str:
    options = {"mac": interface.mac, "bridge": interface.bridge, **dict(sorted(interface.options.items()))}
    if interface.options.keys() & {"mac", "bridge"}:
        raise RenderError(domain.name, "vif", dict(interface.options), "`mac` and `bridge` have places of their own")
    return ",".join(f"{_part(domain, key)}={_part(domain, value)}" for key, value in options.items())


def _part(domain: DomainSpec, text: str) -> str:
    """A part of a comma-separated specification, which has no way to quote a comma."""
    if not text or "," in text or text != text.strip():
        raise RenderError(domain.name, "disk or vif", text, "a part of it is not empty, has no comma and no blank ends")
    return text


def _value(domain: DomainSpec, key: str, value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        # The scanner knows no sign; xl reads numbers from text all the same.
        return str(value) if value >= 0 else f'"{value}"'
    if isinstance(value, str):
        return _string(domain, key, value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(domain, key, item) for item in value) + "]"
    raise RenderError(domain.name, key, value, "xl.cfg knows text, whole numbers, yes or no, and lists of them")


def _string(domain: DomainSpec, key: str, value: str) -> str:
    quoted = "".join(_ESCAPES.get(character, character) for character in value)
    if _CONTROL.search(quoted):
        raise RenderError(domain.name, key, value, "xl.cfg has no way to write this control character")
    return f'"{quoted}"'
