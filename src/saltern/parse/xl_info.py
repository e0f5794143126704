"""``xl info``: what the hypervisor is and has."""

from saltern.errors import ParseError
from saltern.model.observed import Hypervisor
from saltern.parse.scalars import whole_number
from saltern.units import MIB

_TOOL = "xl info"


def parse(text: str) -> Hypervisor:
    """Memory in bytes (xl prints whole MiB), the version, and what it can do; raises ``ParseError`` where one is
    missing, doubled or cut off.

    Source: xl_info.c, transcript 105.
    """
    if not text.endswith("\n"):
        raise ParseError(_TOOL, "the last line is not ended, so that something may be cut off", text)
    facts: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if not colon or key.strip() in facts:
            raise ParseError(_TOOL, "a line is not a fact, or tells it twice", line)
        facts[key.strip()] = value.strip()
    try:
        return Hypervisor(
            free_memory_bytes=whole_number(facts["free_memory"]) * MIB,
            total_memory_bytes=whole_number(facts["total_memory"]) * MIB,
            xen_version=facts["xen_version"],
            shadow_paging="shadow" in facts["virt_caps"].split(),
        )
    except (KeyError, ValueError) as error:
        raise ParseError(_TOOL, f"a fact is missing or not a number: {error}", text) from error
