"""The domains of a node that is proven dead: which are started here now, which wait for what, and which are refused, and why."""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import NamedTuple

from saltern.units import format_size


class Ward(NamedTuple):
    """What the topology says of a domain. Where memory is short, the greater ``priority`` goes first.

    ``depends_on`` has no cycles: the topology was checked.
    """

    memory_bytes: int = 0
    order: int = 100
    depends_on: tuple[str, ...] = ()
    priority: int = 0


class Found(NamedTuple):
    """What is seen here of a domain that does not run here: ``disks`` has DRBD's word for the copy of each of its resources.

    ``primary_there`` names the resources that are connected to a Primary. ``stopped`` and ``operation`` tell, in words, who wants
    it to stay stopped, and what is being done with it.
    """

    disks: Mapping[str, str]
    primary_there: frozenset[str] = frozenset()
    stopped: str | None = None
    operation: str | None = None


class Plan(NamedTuple):
    """What to ``start`` now, all at the same time; who is ``waiting``, and who is ``refused``, with the reason in words."""

    start: tuple[str, ...]
    waiting: Mapping[str, str]
    refused: Mapping[str, str]


def objection(found: Found, *, witnessed: bool) -> str | None:
    """What speaks against starting a domain here though its other node is dead, in words.

    A copy that is Consistent was not connected since the boot: it is good only where a witness knows whether the other node went
    on alone.
    """
    good = {"UpToDate", "Consistent"} if witnessed else {"UpToDate"}
    for resource, state in sorted(found.disks.items()):
        if state not in good:
            return f"its disk {resource} is {state} here"
    for resource in sorted(found.primary_there):
        return f"its disk {resource} is connected, and Primary over there"
    if found.operation is not None:
        return f"something is being done with it: {found.operation}"
    if found.stopped is not None:
        return f"it stays stopped: {found.stopped}"
    return None


def plan(
    orphans: Mapping[str, str | None], wards: Mapping[str, Ward], starting: frozenset[str], free_bytes: int | None
) -> Plan:
    """Every orphan is started, waits, or is refused. ``orphans`` has what speaks against each; who is refused holds up nobody.

    ``starting`` are those that are being started: what they take is not free any more. ``free_bytes`` is ``None`` where it is
    not known, and then nothing is started.
    """
    if not orphans:
        return Plan((), {}, {})
    ranks = _Ranks(wards)
    refused = {name: reason for name, reason in orphans.items() if reason is not None}
    able = [name for name in sorted(orphans) if name not in refused and name not in starting]
    if free_bytes is None:
        refused |= dict.fromkeys(able, "it is not known how much memory is free here")
    else:
        taken_bytes = sum(wards[name].memory_bytes for name in starting)
        refused |= _without_room(able, ranks, wards, free_bytes - taken_bytes)
    to_come = frozenset(able).difference(refused)
    waiting = {
        name: f"it waits for {', '.join(sorted(before))}"
        for name in sorted(to_come)
        if (before := ranks.before(name, to_come | starting))
    }
    return Plan(tuple(sorted(to_come.difference(waiting))), waiting, refused)


def _without_room(
    able: list[str], ranks: "_Ranks", wards: Mapping[str, Ward], free_bytes: int
) -> Iterator[tuple[str, str]]:
    """Those for which nothing is left."""
    priority = ranks.priorities(able)
    for name in sorted(able, key=lambda each: (-priority[each], ranks.levels[each], wards[each].order, each)):
        needed_bytes = wards[name].memory_bytes
        if needed_bytes <= free_bytes:
            free_bytes -= needed_bytes
        else:
            left = format_size(max(free_bytes, 0))
            yield name, f"it needs {format_size(needed_bytes)} of memory, and {left} are left here"


class _Ranks:
    """Who comes before whom. ``levels`` has the order of each domain, or that of what it depends on where that is later, and how
    many it depends on one after the other within that order.
    """

    def __init__(self, wards: Mapping[str, Ward]) -> None:
        self._wards = wards
        self._needs = {name: [each for each in ward.depends_on if each in wards] for name, ward in wards.items()}
        self._sorted = tuple(TopologicalSorter(self._needs).static_order())
        self.levels: dict[str, tuple[int, int]] = {}
        for name in self._sorted:
            needed = [(order, depth + 1) for order, depth in (self.levels[each] for each in self._needs[name])]
            self.levels[name] = max([(wards[name].order, 0), *needed])

    def priorities(self, able: list[str]) -> dict[str, int]:
        """What an important domain depends on is as important."""
        found = {name: self._wards[name].priority for name in able}
        for name in reversed(self._sorted):
            for each in self._needs[name]:
                if name in found and each in found:
                    found[each] = max(found[each], found[name])
        return found

    def before(self, name: str, others: frozenset[str]) -> list[str]:
        """Those of the others that run before it is started."""
        order, _ = self.levels[name]
        return sorted(each for each in others if each in self._needs[name] or self.levels[each][0] < order)
