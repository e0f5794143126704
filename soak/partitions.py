"""What befalls a cluster with a tie-breaker: links that go and come back one by one, nodes that are lost or stand still."""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Final

from soak.faults import Event, orders, people
from soak.quorum import TIE_BREAKER
from soak.world import homes, node_names

_WAITS_S: Final = (0.2, 1.0, 4.0, 12.0, 30.0)
_LONG_S: Final = 60.0  # for long enough that a lost node is taken over from


def schedule(seed: int, nodes: int, within_s: float) -> list[Event]:
    """One to seven faults that begin within so long, in any order, each of which may end again; and what people do meanwhile."""
    dice = random.Random(f"{seed} partitions")  # noqa: S311 - a schedule, no secret
    names = node_names(nodes)
    kinds = {kind: weight for kind, weight in _KINDS.items() if dice.random() < 0.6} or _KINDS
    events: list[Event] = []
    at_s = dice.uniform(3, within_s / 3)
    for _ in range(dice.randint(1, 7)):
        kind = dice.choices(list(kinds), weights=list(kinds.values()))[0]
        events += kind(dice, at_s, names)
        at_s = min(at_s + dice.choice(_WAITS_S) * dice.uniform(0.1, 1), within_s)
    events += list(orders(random.Random(f"{seed} orders by quorum"), nodes, events, within_s))  # noqa: S311 - the same
    events += list(_work(random.Random(f"{seed} work"), nodes, events, within_s))  # noqa: S311 - the same
    return sorted([*events, *people(random.Random(f"{seed} people by quorum"), events)])  # noqa: S311 - the same


def _work(dice: random.Random, nodes: int, events: Sequence[Event], within_s: float) -> Iterator[Event]:
    """Often none; else up to three migrations, starts and ends of domains by people, many right before something befalls them.

    What is lost is started by hand some time later.
    """
    for _ in range(dice.choice((0, 0, 1, 2, 3))):
        domain, pair = dice.choice(sorted(homes(nodes).items()))
        at_s = max(
            dice.choice(events).at_s + dice.uniform(-15, 2) if dice.random() < 0.7 else dice.uniform(3, within_s), 0.5
        )
        what = dice.choice(("move", "move", "start", "start", "shut"))
        if what == "start":
            yield Event(at_s + dice.choice((0, *_WAITS_S)) * dice.uniform(0.5, 1.5), what, (domain, dice.choice(pair)))
        else:
            yield Event(at_s, what, (domain,))


def _links(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    """Some of the three links of a pair and the tie-breaker: for replication, for messages, or for both, and also one-way."""
    home, partner = dice.choice(sorted(homes(len(names)).values()))
    links = list(combinations((home, partner, TIE_BREAKER), 2))
    for one, other in dice.sample(links, dice.randint(1, 3)):
        begins_s = at_s + dice.choice((0.0, 0.0, 1.0, 6.0)) * dice.uniform(0, 1)
        ends_s = begins_s + dice.choice((*_WAITS_S, _LONG_S)) * dice.uniform(0.5, 2) if dice.random() < 0.8 else None
        if dice.random() < 0.9:
            yield from _for(begins_s, ends_s, ("part", "join"), (one, other))
        if TIE_BREAKER not in (one, other):
            ways = dice.sample([(one, other), (other, one)], dice.choice((0, 1, 2, 2, 2)))
            for way in ways:
                yield from _for(begins_s, ends_s, ("cut", "mend"), way)


def _isolate(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    """One of them all, one link after the other."""
    name = dice.choice([*names, TIE_BREAKER])
    lasts_s = dice.choice((*_WAITS_S, _LONG_S, _LONG_S, _LONG_S)) * dice.uniform(1, 2)
    for other in dice.sample([*names, TIE_BREAKER], len(names) + 1):
        if other == name:
            continue
        begins_s = at_s + dice.choice((0.0, 0.0, 2.0)) * dice.uniform(0, 1)
        ends_s = begins_s + lasts_s * dice.uniform(0.8, 1.2)
        yield from _for(begins_s, ends_s, ("part", "join"), (name, other))
        if TIE_BREAKER not in (name, other):
            for way in ((name, other), (other, name)):
                yield from _for(begins_s, ends_s, ("cut", "mend"), way)


def _power(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    ends_s = at_s + dice.uniform(1, 2 * _LONG_S) if dice.random() < 0.6 else None
    yield from _for(at_s, ends_s, ("power_off", "power_on"), (dice.choice([*names, TIE_BREAKER]),))


def _freeze(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    ends_s = at_s + dice.choice((*_WAITS_S, _LONG_S, _LONG_S)) * dice.uniform(0.5, 2)
    yield from _for(at_s, ends_s, ("freeze", "thaw"), (dice.choice([*names, TIE_BREAKER]),))


def _restart(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    yield from _for(
        at_s, at_s + dice.choice(_WAITS_S) * dice.uniform(0.1, 1), ("kill", "revive"), (dice.choice(names),)
    )


def _stick(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    yield Event(at_s, "stick", (dice.choice(names),))


def _leave(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    """An upgrade of a guard."""
    who = (dice.choice(names),)
    yield Event(at_s, "leave", who)
    yield from _for(at_s + 10, at_s + 10 + dice.uniform(0, 50), ("kill", "revive"), who)


def _pause(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    yield from _for(at_s, at_s + dice.uniform(1, 60), ("pause", "resume"), (dice.choice(names),))


def _replace_disk(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    domain, pair = dice.choice(sorted(homes(len(names)).items()))
    yield Event(at_s, "replace_disk", (dice.choice(pair), domain))


def _rest(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    yield Event(at_s, "rest", (dice.choice(sorted(homes(len(names)))),))


def _allow(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    yield Event(at_s, "allow", (dice.choice(sorted(homes(len(names)))),))


def _apply(dice: random.Random, at_s: float, names: list[str]) -> Iterator[Event]:
    yield from (Event(at_s, "apply", (domain,)) for domain in sorted(homes(len(names))))


_KINDS: Final[dict[Callable[[random.Random, float, list[str]], Iterator[Event]], int]] = {
    _links: 8,
    _isolate: 5,
    _power: 4,
    _freeze: 4,
    _restart: 2,
    _stick: 1,
    _leave: 1,
    _pause: 1,
    _replace_disk: 2,
    _rest: 1,
    _allow: 1,
    _apply: 2,
}


def _for(begins_s: float, ends_s: float | None, kinds: tuple[str, str], who: tuple[str, ...]) -> Iterator[Event]:
    yield Event(begins_s, kinds[0], who)
    if ends_s is not None:
        yield Event(ends_s, kinds[1], who)
