"""``drbdsetup show``: what the kernel was told of resources and their connections."""

import re
from typing import Final

from saltern.errors import ParseError

_RESOURCE: Final = re.compile(r"resource \S+ \{\n(?:[ \t]+\S.*\n)*\}\n*")  # its last line alone is not indented
_TWO_PRIMARIES: Final = re.compile(r"^\s*allow-two-primaries\b\s*(.*)$", re.MULTILINE)
_FENCING: Final = re.compile(r"^\s*fencing\s+(\S+);", re.MULTILINE)
_CONNECTION: Final = re.compile(r"^ {4}connection \{$", re.MULTILINE)
_ASKS: Final = "resource-and-stonith"
_EACH: Final = re.compile(r'resource "?([^\s"]+)"? \{\n((?:[ \t]+\S.*\n)*)\}\n*')
_QUORUM: Final = re.compile(r"^ {8}quorum\s+(\S+);", re.MULTILINE)
_QUORUMS: Final = re.compile(r"off|majority|all|[1-9]\d?")
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


def parse_asks(text: str) -> bool:
    """Whether a Primary that loses its partner waits for the handler: so say its disk of 8.4, or all its connections of 9.

    Raises ``ParseError`` unless it is the whole answer for one resource. Source: transcripts 062 and 304; drbdsetup.c, which
    leaves out what is as by default; drbdsetup-8.4(8) and drbdsetup-9.0(8), ``--fencing``.
    """
    found = _FENCING.findall(text)
    if not _RESOURCE.fullmatch(text) or not set(found) <= {"dont-care", "resource-only", _ASKS}:
        raise ParseError("drbdsetup show", "not one whole resource, or an unknown value of fencing", text)
    return found == [_ASKS] * max(1, len(_CONNECTION.findall(text)))


def parse_quorum(text: str) -> dict[str, bool]:
    """Of each resource, whether the majority of its nodes is demanded for a side to write; what is not told is not.

    Raises ``ParseError`` unless it is the whole answer for any number of resources of DRBD 9. Source: drbdsetup.c, which leaves
    out what is as by default; drbdsetup-9.0(8), ``--quorum``.
    """
    found: dict[str, bool] = {}
    end = 0
    for match in _EACH.finditer(text):
        name, values = match[1], _QUORUM.findall(match[2])
        known = len(values) <= 1 and all(_QUORUMS.fullmatch(each) for each in values)
        if match.start() != end or name in found or not known:
            break
        found[name], end = values == ["majority"], match.end()
    if end != len(text):
        raise ParseError("drbdsetup show", "not whole resources, each once, or an unknown value of quorum", text)
    return found


def parse_two_primaries(text: str) -> bool:
    """Whether a connection of one resource allows both sides to be Primary; where nothing is told of it, it does not.

    Raises ``ParseError`` unless it is the whole answer for one resource. Source: transcripts 304 and 305; drbdsetup.c.
    """
    found = _TWO_PRIMARIES.findall(text)
    if not _RESOURCE.fullmatch(text) or not set(found) <= {"yes;", "no;"}:
        raise ParseError("drbdsetup show", "not one whole resource, or an unknown value of allow-two-primaries", text)
    return "yes;" in found
