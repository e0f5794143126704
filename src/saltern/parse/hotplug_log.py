"""Xen's log of hotplug scripts: what the block script has written there about two Primaries."""

import re
from collections.abc import Iterable
from typing import Final

_LINE: Final = re.compile(r"block-saltern: (?:add (\S+): Primary beside|close (\S+): .* for ([0-9]+\.[0-9]) s)")


def two_primaries_s(log: str, resources: Iterable[str]) -> dict[str, float | None]:
    """For how long two Primaries were allowed in the last migration to this node, by resource.

    ``None`` while they still are, and where nothing is known. What else is in that log, of whichever script, is passed over.
    """
    found: dict[str, float | None] = dict.fromkeys(resources)
    for line in log.splitlines():
        match = _LINE.search(line)
        if match is None:
            continue
        resource = match[1] or match[2]
        if resource in found:
            found[resource] = None if match[1] else float(match[3])
    return found
