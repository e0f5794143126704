"""``findmnt --json --bytes --output TARGET,FSTYPE,SIZE``: where a file system is mounted, of what kind and how large it is."""

import json
from typing import NamedTuple

from saltern.errors import ParseError

_TOOL = "findmnt"


class Mounted(NamedTuple):
    """A file system at its first mount point."""

    target: str
    kind: str
    size_bytes: int


def parse(text: str) -> Mounted:
    """The first one told; raises ``ParseError`` for anything else than file systems, at least one.

    Source: findmnt(8), run with util-linux 2.38.1.
    """
    try:
        found = json.loads(text)["filesystems"][0]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ParseError(_TOOL, f"no file system in JSON ({error})", text) from error
    match found:
        case {"target": str(target), "fstype": str(kind), "size": int(size_bytes)}:
            return Mounted(target, kind, size_bytes)
    raise ParseError(_TOOL, "a file system without target, kind or size in bytes", text)
