"""Sizes: exact integers of bytes inside, ``2G`` and ``512M`` at the edges (powers of 1024, as LVM counts)."""

import re
from typing import Final

from saltern.errors import SizeError

KIB: Final = 1024
MIB: Final = 1024**2
GIB: Final = 1024**3
TIB: Final = 1024**4
SECTOR_BYTES: Final = 512

_UNITS: Final = {"": 1, "B": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB, "P": 1024**5}
_SIZE: Final = re.compile(r"(\d{1,20})(?:\.(\d{1,20}))?\s*([BKMGTP]?)(?:i?B)?", re.IGNORECASE)


def parse_size(text: str | int) -> int:
    """Bytes for ``"2G"``, ``"512M"``, ``"1.5G"``, ``"64 KiB"`` or a plain integer of bytes.

    Exact: a fraction that does not come out at whole bytes raises ``SizeError``, as does a number below zero.
    """
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise SizeError(repr(text), "it is neither a number nor text")
    if isinstance(text, int):
        if text < 0:
            raise SizeError(str(text), "it is below zero")
        return text
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise SizeError(text, "the form is not known")
    whole, fraction, unit = match.group(1), match.group(2) or "", match.group(3)
    scale: int = 10 ** len(fraction)
    size, rest = divmod(int(whole + fraction) * _UNITS[unit.upper()], scale)
    if rest:
        raise SizeError(text, "it does not come out at whole bytes")
    return size


def format_size(size_bytes: int) -> str:
    """The shortest exact text that ``parse_size`` reads back: ``2G``, ``512M``, ``1537K``, ``1000B``."""
    for unit in "PTGMK":
        factor = _UNITS[unit]
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor}{unit}"
    return f"{size_bytes}B"


def about_size(size_bytes: int) -> str:
    """For people, to compare: the exact text where it is in the largest unit that fits, else that unit with one decimal."""
    exact = format_size(size_bytes)
    unit = next((unit for unit in "PTGMK" if size_bytes >= _UNITS[unit]), "B")
    return exact if exact.endswith(unit) else f"{size_bytes / _UNITS[unit]:.1f}{unit}"


def round_up(size_bytes: int, step_bytes: int) -> int:
    """The smallest multiple of ``step_bytes`` that is at least ``size_bytes``."""
    return -(-size_bytes // step_bytes) * step_bytes
