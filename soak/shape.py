"""When two states of a small world are the same: when nothing that is still to come can tell them apart."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from operator import attrgetter
from typing import Any, Final

from saltern.guard.guard import Guard
from saltern.guard.witness import Witness
from soak.agents import Agents
from soak.fencing import Fencing
from soak.moves import Moves
from soak.orders import Orders
from soak.quorum import Resource
from soak.world import Machine, Side, World

# What never changes, or is there to be told. Where clocks began is in no state, because times are compared with now.
_LEFT_OUT: Final = frozenset(
    {
        "left",
        "only",
        "log",
        "noted_s",
        "taken_over",
        "times",
        "homes",
        "wards",
        "proof",
        "acknowledged",
        "time_s",
        "zero_s",
        "version",
        "knows_covered_s",
    }
    | {"frozen_since_s", "rate", "noise", "_without", "_often", "_awaited", "_make", "_numbers", "_events"}
    | {"_copies", "_copies_of", "_twice", "_calm", "_looked", "watched"}
    | {"_dice", "_detect_s", "_quick", "_drbd"}
    | {"_times", "_partners", "_wards", "_proof", "_guarded", "_shared", "_nodes"}
)
# Nothing asks whether something is longer ago than takeover; but a migration that stands still breaks after 15 s.
_LONGEST_S: Final = 7.5
_LONGEST_TO_COME_S: Final = 16.0
# Each machine's clock begins at a million of its own, and so do its numbers, at a thousand million. Its boots, and the witness's
# refusals, have a hundred thousand of their own.
CLOCKS_S: Final = 1e6
BOOTS: Final = 100_000


def shape(world: World, clocks_s: Mapping[int, float], to_come: Iterable[Any]) -> int:
    """Equal for states that are the same, and for no others but by a chance of one in thousands of millions.

    ``clocks_s`` has the time by each machine's clock, by its million.
    """
    walk = _Walk(world, clocks_s)
    walk.fields(vars(world).items())
    walk.add("to_come", list(to_come))
    return walk.key()


@cache
def _counted(kind: type[Any]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The names of what counts of such a one, and what takes that from it: in that order, behind its class."""
    names = getattr(kind, "_fields", None) or [each.name for each in fields(kind)]
    counted = tuple(name for name in names if name not in _LEFT_OUT)
    return counted, attrgetter("__class__", *counted)  # with that it always takes several


# What stands for itself.
_PLAIN: Final = frozenset({str, bool, type(None)})
# So that no time is less than 0: for Python -1 and -2 have the same hash.
_OFFSET_MS: Final = int(_LONGEST_TO_COME_S * 1000)


class _Walk:
    """Through all that a state consists of, in an order that is always the same."""

    def __init__(self, world: World, clocks_s: Mapping[int, float]) -> None:
        self._world = world
        self._clocks_s = clocks_s
        self._parts: list[Any] = []
        self._numbers: list[tuple[int, int]] = []  # the place of each large one

    def key(self) -> int:
        """Large numbers count by their order. Those of different ranges are in the same one in every state."""
        order = {number: place for place, number in enumerate(sorted({number for _, number in self._numbers}))}
        for place, number in self._numbers:
            self._parts[place] = order[number]
        return hash(tuple(self._parts))

    def fields(self, named: Iterable[tuple[str, Any]]) -> None:
        """Several by their names."""
        for name, value in named:
            if name not in _LEFT_OUT:
                self._parts.append(name)
                self.add(name, value)

    def add(self, name: str, value: Any) -> None:
        """Whatever it is."""
        kind = type(value)
        if name == "notices_in_s":  # how long it takes still, and no moment
            self._parts.append(tuple(sorted((peer, round(left_s, 3)) for peer, left_s in value.items())))
        elif kind in _PLAIN:
            self._parts.append(value)
        elif kind is int:
            self._number(value)
        elif kind is float:
            self._time(value, _LONGEST_TO_COME_S if name == "to_come" else _LONGEST_S)
        elif not value:
            self._parts.append(())
        elif kind is dict:
            self._several(name, sorted(value.items()))
        elif kind is set or kind is frozenset:
            self._several(name, sorted([tuple(sorted(each)) if type(each) is frozenset else each for each in value]))
        elif kind is list or kind is tuple:
            self._several(name, value)
        else:
            self._compound(name, value)

    def _compound(self, name: str, value: Any) -> None:
        match value:
            case Guard() | Witness():
                self._part(name, value)
            case Machine():
                self._machine(name, value)
            case Agents() | Moves() | Fencing() | Orders() | Resource():
                self.fields(vars(value).items())
            case _ if value is self._world:
                pass
            case _ if isinstance(value, tuple) or is_dataclass(value):
                self._parts.append(type(value).__name__)
                self._counted_of(value)
            case _:
                raise TypeError(f"{name} is {value!r}: it is not known when two of these are the same")

    def _counted_of(self, value: Any) -> None:
        parts = self._parts
        names, values = _counted(value.__class__)
        for name, each in zip(names, values(value)[1:], strict=True):
            if type(each) in _PLAIN:
                parts.append(each)
            else:
                self.add(name, each)

    def _several(self, name: str, values: Iterable[Any]) -> None:
        self._parts.append("(")
        for each in values:
            if name == "sides":
                self._side(*each)
            else:
                self.add(name, each)
        self._parts.append(")")

    def _number(self, value: int) -> None:
        if value >= BOOTS:
            self._numbers.append((len(self._parts), value))
        self._parts.append(value)

    def _time(self, value: float, longest_s: float) -> None:
        now_s = self._world.time_s if value < CLOCKS_S else self._clocks_s[int(value // CLOCKS_S)]
        self._parts.append(_OFFSET_MS + round(max(value - now_s, -longest_s) * 1000))

    def _part(self, name: str, part: Guard | Witness) -> None:
        """One that is not in its place any more is only there to be told from the one that is."""
        if name == "part":
            self.fields(vars(part).items())
        else:
            self._parts.append(any(machine.part is part for machine in self._world.machines.values()))

    def _machine(self, name: str, machine: Machine) -> None:
        if name != "machines":
            self._parts.append(machine.name)
            return
        if machine.frozen and machine.watchdog_s is not None:  # it stands still as well
            machine = replace(machine, watchdog_s=machine.watchdog_s + self._world.time_s - machine.frozen_since_s)
        self._counted_of(machine)

    def _side(self, at: tuple[str, str], side: Side) -> None:
        """Of the data it counts whether they are the last."""
        behind = min(self._world.acknowledged[at[0]] - side.version, 1)
        self._parts.extend((*at, behind))
        self._counted_of(side)
