"""What befalls a cluster: events in time, as plain data. A schedule of them is made from a seed before its world begins."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from saltern.guard.knowledge import WITNESS
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
        World.move,
        World.shut,
    )
}


class Event(NamedTuple):
    """One of ``EVENTS`` is done to these machines, or to that domain."""

    at_s: float
    what: str
    who: tuple[str, ...]


def run(seed: int, nodes: int = 2, events: Iterable[Event] | None = None, **parts: Any) -> World:
    """The world after a schedule: that of its seed, or the given one."""
    world = World(seed, nodes, **parts)
    befall(world, schedule(seed, nodes) if events is None else events)
    world.run(END_S)
    return world


def befall(world: World, events: Iterable[Event]) -> None:
    """Have all of them happen in their time."""
    for event in events:
        world.at(event.at_s, EVENTS[event.what], world, *event.who)


def schedule(seed: int, nodes: int, within_s: float = FAULTS_S) -> list[Event]:
    """Two to seven faults that begin within so long, each of which may end again; fence agents are as they are.

    People look after some of the nodes that have lost their power.
    """
    dice = random.Random(f"{seed} faults")  # noqa: S311 - a schedule, no secret
    names = node_names(nodes)
    agents = (Event(0.0, "agent", (name, dice.choice(HOW))) for name in names if dice.random() < 0.5)
    faults = (_fault(dice, dice.uniform(3, within_s), names) for _ in range(dice.randint(2, 7)))
    events = sorted([*agents, *(event for fault in faults for event in fault)])
    return sorted([*events, *_people(random.Random(f"{seed} people"), events)])  # noqa: S311 - the same


def _people(dice: random.Random, events: list[Event]) -> Iterator[Event]:
    for event in events:
        if event.what == "power_off" and dice.random() < 0.5:
            yield Event(event.at_s + dice.uniform(3, 50), "confirm", event.who)


def _fault(dice: random.Random, at_s: float, nodes: list[str]) -> Iterator[Event]:
    machines = [*nodes, WITNESS]
    name = dice.choice(machines)
    if dice.random() < 0.3:  # something is being done meanwhile
        yield Event(max(at_s - dice.uniform(0, 15), 0), "move", (dice.choice(sorted(homes(len(nodes)))),))
    match dice.choices(range(8), weights=(3, 3, 2, 1, 4, 4, 3, 4))[0]:
        case 0:
            yield from _for_a_while(dice, at_s, ("power_off", "power_on"), (name,), ends=0.7)
        case 1:
            yield from _for_a_while(dice, at_s, ("freeze", "thaw"), (name,), ends=1.0)
        case 2:
            yield Event(at_s, "kill", (name,))
            yield Event(at_s + dice.choice((0.2, 2, 15)), "revive", (name,))
        case 3:
            yield Event(at_s, "stick", (name,))
        case 4:
            yield from _isolation(dice, at_s, name, machines)
        case 5:
            other = dice.choice([each for each in machines if each != name])
            ways = [(name, other), (other, name)][: dice.randint(1, 2)]
            yield from _all_for_a_while(dice, at_s, ("cut", "mend"), ways)
        case 6:
            yield from _all_for_a_while(dice, at_s, ("part", "join"), _pairs(name, nodes))
        case _:
            yield from _deed(dice, at_s, dice.choice(nodes), nodes)


def _deed(dice: random.Random, at_s: float, node: str, nodes: list[str]) -> Iterator[Event]:
    """What is done to a cluster, or goes wrong with what it stands on."""
    match dice.randrange(5):
        case 0:
            yield Event(at_s, "agent", (node, dice.choice(HOW)))
        case 1:
            yield from _outage(dice, at_s, nodes)
        case 2:
            yield Event(at_s, "leave", (node,))
            for what, after_s in (("kill", 10), ("revive", dice.uniform(10, 40))):
                yield Event(at_s + after_s, what, (node,))
        case 3:
            yield from _for_a_while(dice, at_s, ("pause", "resume"), (node,), ends=0.7)
        case 4:
            yield Event(at_s, "shut", (dice.choice(sorted(homes(len(nodes)))),))


def _outage(dice: random.Random, at_s: float, nodes: list[str]) -> Iterator[Event]:
    """All lose their power within a moment, and not all come back, nor at the same time."""
    for node in nodes:
        off_s = at_s + dice.choice((0, dice.uniform(0, 5)))
        yield from _for_a_while(dice, off_s, ("power_off", "power_on"), (node,), ends=0.8)


def _isolation(dice: random.Random, at_s: float, name: str, machines: list[str]) -> Iterator[Event]:
    others = [other for other in machines if other != name]
    ways = [way for other in others for way in ((name, other), (other, name))]
    yield from _all_for_a_while(dice, at_s, ("cut", "mend"), ways)
    if dice.random() < 0.8:
        yield from _all_for_a_while(dice, at_s, ("part", "join"), _pairs(name, machines[:-1]))


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
