"""How long DRBD 9 takes at most until it notices that a connection is dead: its options say so (drbd.conf-9.0(5), ``net``)."""

from collections.abc import Mapping
from typing import Final

# With their defaults: seconds, tenths of a second, tenths of a second, and a number.
_DEFAULTS: Final = {"ping-int": 10, "ping-timeout": 5, "timeout": 60, "ko-count": 7}


def detect_s(net: Mapping[str, str]) -> float:
    """In seconds. Raises ``ValueError`` with the option, in words, where nothing bounds it.

    A side that hears nothing asks after ``ping-int``, and gives up after ``ping-timeout`` more; one that writes gives up after
    ``ko-count`` times ``timeout``. The sum of both, since nothing says that they count from the same moment.
    """
    found = {name: _number(name, net.get(name), default) for name, default in _DEFAULTS.items()}
    if not found["ko-count"]:
        raise ValueError("`ko-count` 0: DRBD waits for ever for a peer that answers, and does not write")
    return found["ping-int"] + (found["ping-timeout"] + found["ko-count"] * found["timeout"]) / 10


def _number(name: str, value: str | None, default: int) -> int:
    if value is None:
        return default
    if not (value.isascii() and value.isdecimal()):
        raise ValueError(f"`{name}` {value!r}, which is no whole number")
    return int(value)
