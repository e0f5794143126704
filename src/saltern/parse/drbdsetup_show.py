"""``drbdsetup show``: the addresses by which DRBD 8.4 names a connection."""

import re
from typing import Final

from saltern.errors import ParseError

_ADDRESS: Final = re.compile(r"_(this|remote)_host \{\s+address\s+(\w+) (\S+);")


def parse_addresses(text: str) -> tuple[str, str]:
    """This side's address and the partner's, as drbdsetup takes them: ``ipv4:10.77.0.1:7792``.

    Raises ``ParseError`` unless there is exactly one of each. Source: transcript 062; drbdsetup_84.c.
    """
    found = _ADDRESS.findall(text)
    sides = {side: f"{family}:{address}" for side, family, address in found}
    if len(found) != 2 or sides.keys() != {"this", "remote"}:
        raise ParseError("drbdsetup show", "not one address of each side", text)
    return sides["this"], sides["remote"]
