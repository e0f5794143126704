"""Sizes as LVM reads and prints them."""

from saltern.sim.model import EXTENT_BYTES

_POWERS = {letter: 1024**power for power, letter in enumerate("kmgtpe", start=1)}
_INPUT_UNITS = {"b": 1, "s": 512, **_POWERS}


def parse_size(text: str) -> int | None:
    """Bytes of ``256M``, ``1073741824b``, ``1.5g`` or ``300`` (MiB); ``None`` where LVM sees no size in it."""
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].isalpha() else (text, "m")
    digits = number.replace(".", "", 1)
    if unit not in _INPUT_UNITS or not digits.isdigit() or not digits.isascii():
        return None
    factor = _INPUT_UNITS[unit]
    return int(number) * factor if number.isdigit() else int(float(number) * factor)


def in_extents(size_bytes: int) -> int:
    """The number of extents that hold ``size_bytes``."""
    return -(-size_bytes // EXTENT_BYTES)


def long_size(size_bytes: int) -> str:
    """A size in a message: ``256.00 MiB``, ``<2.00 GiB`` where it was rounded up."""
    mark, number, unit = _rounded(size_bytes)
    return f"{mark}{number:.2f} {'' if unit == 'b' else unit.upper()}{'B' if unit == 'b' else 'iB'}"


def column_size(size_bytes: int, units: str, *, suffix: bool) -> str:
    """A size in a report, with ``--units`` b, s, k, m, g, t or r (the default: the unit that fits)."""
    if units in "rh":
        mark, number, unit = _rounded(size_bytes)
        if not size_bytes:
            return "0 "
        return f"{mark if units == 'r' else ''}{number:.2f}{unit if suffix else ''}"
    ending = (units.upper() if units in "bs" else units) if suffix else ""
    if units in "bs":
        return f"{size_bytes // _INPUT_UNITS[units]}{ending}"
    return f"{size_bytes / _INPUT_UNITS[units]:.2f}{ending}"


def _rounded(size_bytes: int) -> tuple[str, float, str]:
    for unit in "tgmk":
        factor = _POWERS[unit]
        if size_bytes >= factor:
            break
    else:
        return "", float(size_bytes), "b"
    number = round(size_bytes / factor, 2)
    return "<" if number * factor > size_bytes else "", number, unit
