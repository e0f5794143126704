"""``xl list -v``: the domains that the hypervisor knows."""

import re
from typing import Final

from saltern.errors import ParseError
from saltern.model.observed import XenDomain
from saltern.units import MIB

_TOOL = "xl list -v"
_HEADER: Final = ["Name", "ID", "Mem", "VCPUs", "State", "Time(s)", "UUID", "Reason-Code", "Security", "Label"]
# printf of xl_info.c. The name is padded to 40 characters and may be longer, or hold blanks: the greedy first group
# takes all that the columns behind it leave over, so that a line is read from the right.
_LINE: Final = re.compile(
    r"(?P<name>.+) +(?P<domid>[0-9]{1,10}) +(?P<memory_mib>[0-9]{1,15}) +(?P<vcpus>[0-9]{1,10})"
    r" +(?P<state>[r-][b-][p-][s-][-rscwS?][d-]) +(?P<cpu_time_s>[0-9]+\.[0-9])"
    r" (?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) +(?:-|[0-9a-f]{1,8}) +\S+"
)
_DOMAIN_0 = 0
_NO_NAMES = frozenset({"(null)", ""})


def parse(text: str) -> tuple[XenDomain, ...]:
    """All domains but Domain-0, in the order of xl, memory in bytes.

    Raises ``ParseError`` for another header, a line that is not understood or not ended, a domain that appears twice,
    and when Domain-0 is missing: it runs wherever xl does. Source: xl_info.c, transcripts 233, 256.
    """
    if not text.endswith("\n"):
        raise ParseError(_TOOL, "the last line is not ended, so that something may be cut off", text)
    header, *lines = text[:-1].split("\n")
    if header.split() != _HEADER:
        raise ParseError(_TOOL, "the columns are not those that are known", text)
    domains: dict[int, XenDomain] = {}
    for line in lines:
        domain = _domain(line)
        if domain.domid in domains:
            raise ParseError(_TOOL, f"domain id {domain.domid} appears twice", text)
        domains[domain.domid] = domain
    if domains.pop(_DOMAIN_0, None) is None:
        raise ParseError(_TOOL, "Domain-0 is missing", text)
    return tuple(domains.values())


def _domain(line: str) -> XenDomain:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ParseError(_TOOL, "a line is not understood", line)
    name = match["name"].rstrip(" ")
    state = match["state"]
    return XenDomain(
        domid=int(match["domid"]),
        name=None if name in _NO_NAMES else name,
        uuid=match["uuid"],
        memory_bytes=int(match["memory_mib"]) * MIB,
        vcpus=int(match["vcpus"]),
        cpu_time_s=float(match["cpu_time_s"]),
        running=state[0] == "r",
        blocked=state[1] == "b",
        paused=state[2] == "p",
        shut_down=state[3] == "s",
        suspended=state[4] == "s",
        crashed=state[4] == "c",
        dying=state[5] == "d",
    )
