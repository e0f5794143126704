"""Domains that somebody wants to be ended here: tried until they are gone, then told to whoever has asked."""

from collections.abc import Callable
from typing import Any, Final

PATIENCE_S: Final = 20.0
_KEPT: Final = 32
Tell = Callable[[str | None], None]  # is given why it is not gone, ``None`` when it is


def one_line(text: str) -> str:
    """What tools have said, as it may stand in a message."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:1000]


class Endings:
    """``stop`` begins to end a domain, unless that is going on; ``came_of_it`` is told what has come of that, each time."""

    def __init__(self, stop: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._stop, self._clock = stop, clock
        self._wanted: dict[str, list[tuple[float, Tell]]] = {}

    def begin(self, domain: str, tell: Tell) -> None:
        """Somebody wants a domain to be ended."""
        self._wanted.setdefault(domain, []).append((self._clock() + PATIENCE_S, tell))
        self._stop(domain)

    def came_of_it(self, domain: str, reason: str | None) -> None:
        """A domain is gone, or ``reason`` tells why not: then it is tried again, but not for ever."""
        waiting = self._wanted.pop(domain, [])
        over = [each for each in waiting if reason is None or self._clock() >= each[0]]
        for _, tell in over:
            tell(reason)
        if len(over) < len(waiting):
            self._wanted[domain] = [each for each in waiting if each not in over]

    def again(self) -> None:
        """Try again what is not gone yet."""
        for domain in list(self._wanted):
            self._stop(domain)


class Tickets:
    """What has come of the last orders, for those who have given them and ask again, by number."""

    def __init__(self) -> None:
        self._found: dict[int, dict[str, Any]] = {}

    def open(self, number: int) -> dict[str, Any]:
        """Of an order nothing is known yet."""
        while len(self._found) >= _KEPT:
            del self._found[next(iter(self._found))]
        self._found[number] = {"number": number, "gone": None, "why": "nothing is known yet"}
        return self._found[number]

    def close(self, number: int, reason: str | None) -> None:
        """The domain is gone, or ``reason`` tells why not; of an order that was not given here nothing is kept."""
        if number in self._found:
            self._found[number] = {"number": number, "gone": reason is None, "why": reason or "it is gone"}

    def show(self, number: int) -> dict[str, Any]:
        """What is known of an order."""
        return self._found.get(number, {"number": number, "gone": None, "why": "no such order was given"})
