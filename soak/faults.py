"""What befalls a cluster: events in time, as plain data. A schedule of them is made from a seed before its world begins."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from saltern.guard.knowledge import WITNESS
from saltern.guard.times import Times
from soak.agents import HOW
from soak.world import World, homes, node_names

FAULTS_S: Final = 110.0
END_S: Final = 200.0

EVENTS: Final[dict[str, Callable[..., None]]] = {
    do.__name__: do
    for do in (
        World.power_off,
        World.power_on,
        World.freeze,
        World.thaw,
        World.kill,
        World.revive,
        World.stick,
        World.silence,
        World.apply,
        World.cut,
        World.mend,
        World.part,
        World.join,
        World.agent,
        World.leave,
        World.pause,
        World.resume,
        World.confirm,
        World.detach,
        World.attach,
        World.halt,
        World.adopt,
        World.less,
        World.more,
        World.move,
        World.shut,
        World.order,
    )
}


class Event(NamedTuple):
    """One of ``EVENTS``, or what a kind of world has besides, is done to these machines, or to that domain."""

    at_s: float
    what: str
    who: tuple[str, ...]


class Ambush(NamedTuple):
    """``events`` befall a cluster, each so long after it, as soon as its story has a line with these ``words``."""

    words: str
    events: tuple[Event, ...]


def run(
    seed: int, nodes: int = 2, events: Iterable[Event] | None = None, kind: type[World] = World, **parts: Any
) -> World:
    """The world after a schedule: that of its seed, or the given one."""
    world = kind(seed, nodes, **parts)
    befall(world, schedule(seed, nodes) if events is None else events)
    world.run(END_S)
    return world


def befall(world: World, events: Iterable[Event], ambushes: Iterable[Ambush] = ()) -> list[Event]:
    """Have all of them happen in their time. What has befallen the world is added to what is given back."""
    befell: list[Event] = []
    for event in events:
        world.at(event.at_s, _happen, world, event, befell)
    for ambush in ambushes:
        world.await_line(ambush.words, _spring, world, ambush, befell)
    return befell


def _spring(world: World, ambush: Ambush, befell: list[Event]) -> None:
    for event in ambush.events:
        world.at(event.at_s, _happen, world, event, befell)


def _happen(world: World, event: Event, befell: list[Event]) -> None:
    befell.append(event._replace(at_s=world.time_s))
    getattr(world, event.what)(*event.who)


# --- A schedule ----------------------------------------------------------------------------------------------------
_TIMES: Final = Times()
# After these a guard does something, or has to have done it.
_WAITS_S: Final = (
    0.0,
    _TIMES.dead_s,
    _TIMES.lease_s,
    _TIMES.lease_s + _TIMES.watchdog_s,
    _TIMES.dead_s + _TIMES.takeover_s,
)
# What stands in a story when something is at stake.
_WORDS: Final = (
    "goes on alone",
    "is outdated",
    "takes over",
    "starts at home",
    "has stopped",
    "begins to move",
    "gives",
    "fenced",
    "is told",
    "boots",
    "thaws",
    "is to end",
    "unasked",
    "asks no more",
    "asks on",
    "mended:",
)


def schedule(seed: int, nodes: int, within_s: float = FAULTS_S) -> list[Event]:
    """Two to seven faults that begin within so long, each of which may end again; fence agents are as they are.

    People look after some of the nodes that have lost their power, and order the end of some domains.
    """
    dice = random.Random(f"{seed} faults")  # noqa: S311 - a schedule, no secret
    names = node_names(nodes)
    agents = [Event(0.0, "agent", (name, dice.choice(HOW))) for name in names if dice.random() < 0.5]
    swarm = _Swarm(dice, names)
    events = [*agents, *_adopted(random.Random(f"{seed} adopted"), nodes)]  # noqa: S311 - the same
    at_s: float | None = None
    for _ in range(dice.randint(2, 7)):
        at_s = _when(dice, at_s, within_s)
        events += swarm.fault(at_s)
    events += list(orders(random.Random(f"{seed} orders"), nodes, events, within_s))  # noqa: S311 - the same
    events += list(_disks(random.Random(f"{seed} disks"), nodes, events, within_s))  # noqa: S311 - the same
    events += list(_halts(random.Random(f"{seed} halts"), nodes, within_s))  # noqa: S311 - the same
    return sorted([*events, *people(random.Random(f"{seed} people"), events)])  # noqa: S311 - the same


def _adopted(dice: random.Random, nodes: int) -> Iterator[Event]:
    """Seldom: a first apply, which has DRBD ask about some domains only a while after their guards have begun."""
    if dice.random() < 0.1:
        for domain, pair in sorted(homes(nodes).items()):
            if dice.random() < 0.5:
                node = dice.choice(pair)
                yield Event(0.0, "adopt", (node, domain))
                yield Event(dice.uniform(5, 60), "more", (node, domain))


def _disks(dice: random.Random, nodes: int, events: Sequence[Event], within_s: float) -> Iterator[Event]:
    """Sometimes: a disk is detached for a while, often near something else that befalls the cluster."""
    for _ in range(dice.choice((0, 0, 0, 0, 1, 2))):
        domain, pair = dice.choice(sorted(homes(nodes).items()))
        node = pair[1] if dice.random() < 0.8 else pair[0]
        near = bool(events) and dice.random() < 0.7
        at_s = max(dice.choice(events).at_s + dice.uniform(-20, 5) if near else dice.uniform(3, within_s), 0.5)
        yield Event(at_s, "detach", (node, domain))
        if dice.random() < 0.9:
            yield Event(at_s + dice.choice((0.1, 2, 20, 60)) * dice.uniform(0.2, 1), "attach", (node, domain))


def _halts(dice: random.Random, nodes: int, within_s: float) -> Iterator[Event]:
    """Seldom: a guest shuts itself down, and nobody has asked for it."""
    if dice.random() < 0.1:
        yield Event(dice.uniform(3, within_s), "halt", (dice.choice(sorted(homes(nodes))),))


def people(dice: random.Random, events: Sequence[Event]) -> Iterator[Event]:
    """They look after some of the nodes that have lost their power, and say so."""
    for event in events:
        if event.what == "power_off" and dice.random() < 0.5:
            yield Event(event.at_s + dice.uniform(3, 50), "confirm", event.who)


def orders(dice: random.Random, nodes: int, events: Sequence[Event], within_s: float) -> Iterator[Event]:
    """Often none; else up to three, many when something befalls the cluster, and many from the other node of a domain.

    What is on its way may find that one of both was restarted, or has slept.
    """
    for _ in range(dice.choice((0, 0, 1, 2, 3))):
        domain, pair = dice.choice(sorted(homes(nodes).items()))
        node, other = pair if dice.random() < 0.7 else pair[::-1]
        near = bool(events) and dice.random() < 0.5
        at_s = max(dice.choice(events).at_s + dice.uniform(-2, 5) if near else dice.uniform(3, within_s), 0.5)
        yield Event(at_s, "order", (domain, node, dice.choice((node, other, other, other))))
        if dice.random() < 0.5:
            begin, end = dice.choice((("kill", "revive"), ("freeze", "thaw"), ("power_off", "power_on")))
            who, begins_s = dice.choice(pair), at_s + dice.uniform(-0.5, 0.5)
            yield Event(begins_s, begin, (who,))
            yield Event(max(begins_s, at_s) + dice.choice((0.2, 2, 15)) * dice.uniform(0.5, 1), end, (who,))


def ambushes(seed: int, nodes: int) -> list[Ambush]:
    """Often none; else up to three faults at moments of its story, which nobody can know before."""
    dice = random.Random(f"{seed} ambushes")  # noqa: S311 - a schedule, no secret
    swarm = _Swarm(dice, node_names(nodes))
    return [
        Ambush(dice.choice(_WORDS), tuple(sorted(swarm.fault(dice.choice((0.2, 2, 20)) * dice.uniform(0.1, 1)))))
        for _ in range(dice.choice((0, 0, 1, 2, 3)))
    ]


def _when(dice: random.Random, before_s: float | None, within_s: float) -> float:
    """Anywhere; or so long after the one before as something takes that is waited for."""
    if before_s is None or dice.random() < 0.5:
        return dice.uniform(3, within_s)
    return min(max(before_s + dice.choice(_WAITS_S) + dice.uniform(-2, 2), 3.0), within_s)


class _Swarm:
    """A part of all faults, and often of all machines: what is left out leaves room for what needs several of the others."""

    def __init__(self, dice: random.Random, nodes: list[str]) -> None:
        self._dice = dice
        self._nodes = nodes
        first = dice.randrange(len(nodes))
        near = [nodes[first], nodes[(first + 1) % len(nodes)]]
        self._befallen = [*(near if dice.random() < 0.5 else nodes), WITNESS]
        self._kinds = {kind: weight for kind, weight in _KINDS.items() if dice.random() < 0.5} or _KINDS
        self._meanwhile = [kind for kind in (_move, _restart, _apply) if dice.random() < 0.3]

    def fault(self, at_s: float) -> Iterator[Event]:
        """One of them, and often something that is done in any cluster, right then."""
        dice = self._dice
        kind = dice.choices(list(self._kinds), weights=list(self._kinds.values()))[0]
        yield from kind(dice, at_s, dice.choice(self._befallen), self._nodes)
        if self._meanwhile and dice.random() < 0.7:
            then_s = max(at_s + dice.choice((2, 15)) * dice.uniform(-1, 1), 0.01)
            yield from dice.choice(self._meanwhile)(dice, then_s, dice.choice(self._befallen), self._nodes)


def _power(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    yield from _for_a_while(dice, at_s, ("power_off", "power_on"), (name,), ends=0.7)


def _freeze(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    yield from _for_a_while(dice, at_s, ("freeze", "thaw"), (name,), ends=1.0)


def _restart(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    yield Event(at_s, "kill", (name,))
    yield Event(at_s + dice.choice((0.2, 2, 15)), "revive", (name,))


def _stick(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    yield Event(at_s, "stick", (name,))


def _silence(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    yield Event(at_s, "silence", (dice.choice(nodes),))


def _isolate(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    yield from _all_for_a_while(dice, at_s, ("cut", "mend"), _ways(name, nodes))
    if dice.random() < 0.8:
        yield from _all_for_a_while(dice, at_s, ("part", "join"), _pairs(name, nodes))


def _separate(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    """Two that see all others, or one that does not hear another one."""
    other = dice.choice(_others(name, nodes))
    ways = [(name, other), (other, name)][: dice.randint(1, 2)]
    yield from _all_for_a_while(dice, at_s, ("cut", "mend"), ways)
    if WITNESS not in (name, other) and dice.random() < 0.5:
        yield from _all_for_a_while(dice, at_s, ("part", "join"), [(name, other)])


def _die_apart(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    """Isolated for good, and without power a while later: what it has done alone it cannot tell. People see that it is off."""
    yield from (Event(at_s, "cut", way) for way in _ways(name, nodes))
    yield from (Event(at_s, "part", pair) for pair in _pairs(name, nodes))
    off_s = at_s + dice.choice((5, 40)) * dice.uniform(0.2, 1)
    yield Event(off_s, "power_off", (name,))
    if name != WITNESS:
        yield Event(off_s + dice.uniform(3, 50), "confirm", (name,))


def _flap(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    """Isolated, again and again."""
    ways = _ways(name, nodes)
    for _ in range(dice.randint(2, 4)):
        for what, end, pairs in (("cut", "mend", ways), ("part", "join", _pairs(name, nodes))):
            lasts_s = dice.choice((2, 10, 40)) * dice.uniform(0.5, 1)
            yield from (Event(at_s, what, pair) for pair in pairs)
            yield from (Event(at_s + lasts_s, end, pair) for pair in pairs)
        at_s += lasts_s + dice.choice((1, 5, 20)) * dice.uniform(0.5, 1)


def _replication(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    yield from _all_for_a_while(dice, at_s, ("part", "join"), _pairs(name, nodes))


def _outage(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    """All lose their power within a moment, and not all come back, nor at the same time."""
    for node in nodes:
        off_s = at_s + dice.choice((0, dice.uniform(0, 5)))
        yield from _for_a_while(dice, off_s, ("power_off", "power_on"), (node,), ends=0.8)


def _agent(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    yield Event(at_s, "agent", (dice.choice(nodes), dice.choice(HOW)))


def _leave(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    """An upgrade of a guard, or of the witness."""
    yield Event(at_s, "kill" if name == WITNESS else "leave", (name,))
    for what, after_s in (("kill", 10), ("revive", dice.uniform(10, 60))):
        yield Event(at_s + after_s, what, (name,))


def _pause(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    yield from _for_a_while(dice, at_s, ("pause", "resume"), (dice.choice(nodes),), ends=0.7)


def _less(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    """A domain leaves the topology, on one of its nodes, and is back a while later, unless that node is lost just then."""
    domain, pair = dice.choice(sorted(homes(len(nodes)).items()))
    node = dice.choice(pair)
    yield Event(at_s, "less", (node, domain))
    if dice.random() < 0.3:
        yield from _die_apart(dice, at_s + dice.uniform(0, 3), node, nodes)
    else:
        yield Event(at_s + dice.uniform(1, 60), "more", (node, domain))


def _move(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    yield Event(at_s, "move", (dice.choice(sorted(homes(len(nodes)))),))


def _shut(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    yield Event(at_s, "shut", (dice.choice(sorted(homes(len(nodes)))),))


def _apply(dice: random.Random, at_s: float, name: str, nodes: list[str]) -> Iterator[Event]:
    """Of all domains."""
    yield from (Event(at_s, "apply", (domain,)) for domain in sorted(homes(len(nodes))))


_KINDS: Final[dict[Callable[[random.Random, float, str, list[str]], Iterator[Event]], int]] = {
    _power: 6,
    _freeze: 3,
    _restart: 3,
    _stick: 1,
    _silence: 1,
    _isolate: 4,
    _separate: 5,
    _die_apart: 2,
    _flap: 2,
    _replication: 3,
    _outage: 1,
    _agent: 1,
    _leave: 2,
    _less: 2,
    _pause: 1,
    _move: 1,
    _shut: 1,
}


def _others(name: str, nodes: list[str]) -> list[str]:
    return [other for other in (*nodes, WITNESS) if other != name]


def _ways(name: str, nodes: list[str]) -> list[tuple[str, str]]:
    return [way for other in _others(name, nodes) for way in ((name, other), (other, name))]


def _pairs(name: str, nodes: list[str]) -> list[tuple[str, str]]:
    return [(name, other) for other in nodes if other != name and name != WITNESS]


def _all_for_a_while(
    dice: random.Random, at_s: float, kinds: tuple[str, str], pairs: Sequence[tuple[str, str]]
) -> Iterator[Event]:
    lasts_s = dice.uniform(1, 80) if dice.random() < 0.7 else None
    for pair in pairs:
        yield Event(at_s, kinds[0], pair)
        if lasts_s is not None:
            yield Event(at_s + lasts_s, kinds[1], pair)


def _for_a_while(
    dice: random.Random, at_s: float, kinds: tuple[str, str], who: tuple[str, ...], ends: float
) -> Iterator[Event]:
    yield Event(at_s, kinds[0], who)
    if dice.random() < ends:
        yield Event(at_s + dice.uniform(1, 60), kinds[1], who)
