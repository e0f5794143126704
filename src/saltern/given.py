"""Numbers that a person gives to a command: what is none is refused, before anything is done with it."""

from typing import Final

from saltern.errors import Refused

_SECONDS_AT_MOST: Final = 10**9


def count(name: str, value: object) -> int:
    """A whole number from 1 on; raises ``Refused``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Refused(name, f"it is {value!r}", "Give a whole number from 1 on")
    return value


def seconds(name: str, value: object) -> float:
    """Seconds from 0 on; raises ``Refused``, also for what would never be over."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _SECONDS_AT_MOST:
        raise Refused(name, f"it is {value!r}", f"Give seconds from 0 to {_SECONDS_AT_MOST}")
    return float(value)
