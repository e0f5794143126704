"""A story of a cluster as a directory: what is told of it, the topology, what befalls it, and what then happens.

=================  ==========================================================================================
``README``         one sentence
``topology.yaml``  the pillar; of it count the nodes, and home, partner, order and dependencies of each domain
``events.yaml``    ``proof`` (lease, fencing or both), and ``events`` in their time
``expected.txt``   the story, and how everything is in the end
=================  ==========================================================================================

An event is ``{at: 30, power_off: node1}``: one of ``EVENTS``, or of ``SEVERAL``, which stand for a few of these. All that is left
to chance in a schedule takes its average time here, and no message is lost. Memory is never short.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from saltern.errors import TopologyError
from saltern.guard.facts import Proof
from saltern.guard.knowledge import WITNESS
from saltern.guard.orphans import Ward
from saltern.model.topology import Cluster
from saltern.topology import files
from saltern.topology.load import load as load_topology
from soak.faults import EVENTS, Event, befall
from soak.violation import Violation
from soak.world import Noise, World

AFTER_S: Final = 120.0
PROOFS: Final[dict[str, Callable[[frozenset[str]], Proof]]] = {
    "lease": lambda _: Proof(),
    "fencing": lambda nodes: Proof(lease=False, fenced=nodes),
    "both": lambda nodes: Proof(fenced=nodes),
}


class Unreadable(ValueError):
    """A scenario that does not say what is to be done."""


class Scenario(NamedTuple):
    """What is read of a directory."""

    text: str
    cluster: Cluster
    proof: Proof
    events: tuple[Event, ...]


# --- Several events that stand for one -----------------------------------------------------------------------------
def _isolate(machines: list[str], name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for other in machines:
        if other != name:
            yield from _separate(machines, name, other)


def _separate(_: list[str], one: str, other: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "cut", (one, other)
    yield "cut", (other, one)
    if WITNESS not in (one, other):
        yield "part", (one, other)


def _ends(several: Callable[..., Iterator[tuple[str, tuple[str, ...]]]]) -> Callable[..., Any]:
    undone = {"cut": "mend", "part": "join"}
    return lambda *who: ((undone[what], whom) for what, whom in several(*who))


SEVERAL: Final[dict[str, tuple[int, Callable[..., Iterator[tuple[str, tuple[str, ...]]]]]]] = {
    "isolate": (1, _isolate),
    "rejoin": (1, _ends(_isolate)),
    "separate": (2, _separate),
    "reunite": (2, _ends(_separate)),
}


# --- Reading -------------------------------------------------------------------------------------------------------
def load(directory: Path) -> Scenario:
    """Read it. Raises ``Unreadable``, and ``TopologyError`` for its topology."""
    loaded = load_topology(files.read(directory / "topology.yaml"))
    if loaded.violations:
        raise TopologyError(loaded.violations)
    cluster = loaded.cluster
    data = yaml.safe_load((directory / "events.yaml").read_text())
    if not isinstance(data, dict) or set(data) != {"proof", "events"} or data["proof"] not in PROOFS:
        raise Unreadable(f"{directory}/events.yaml needs `events` and `proof`, which is one of {', '.join(PROOFS)}")
    known = frozenset({*cluster.nodes, *cluster.domains, WITNESS})
    events: list[Event] = []
    for number, each in enumerate(data["events"], 1):
        try:
            events += _event(each, [*cluster.nodes, WITNESS], known)
        except Unreadable as error:
            raise Unreadable(f"{directory}/events.yaml, event {number}: {error}") from error
    text = (directory / "README").read_text().strip()
    return Scenario(text, cluster, PROOFS[data["proof"]](frozenset(cluster.nodes)), tuple(sorted(events)))


def _event(data: Any, machines: list[str], known: frozenset[str]) -> Iterator[Event]:
    if not isinstance(data, dict) or len(data) != 2 or not isinstance(data.get("at"), int | float):
        raise Unreadable(f"{data}; it is written {{at: SECONDS, WHAT: WHO}}")
    (what, who), *_ = ((key, value) for key, value in data.items() if key != "at")
    names = tuple(who) if isinstance(who, list) else (who,)
    if what not in EVENTS and what not in SEVERAL:
        raise Unreadable(f"{what}; there are {', '.join([*EVENTS, *SEVERAL])}")
    takes = SEVERAL[what][0] if what in SEVERAL else EVENTS[what].__code__.co_argcount - 1
    if len(names) != takes:
        raise Unreadable(f"{what} takes {takes}, and these are {len(names)}: {names}")
    strangers = set(names[:1] if what == "agent" else names) - known
    if strangers:
        raise Unreadable(f"{', '.join(map(str, sorted(strangers)))} is not in the topology")
    if what in EVENTS:
        yield Event(float(data["at"]), what, names)
    else:
        yield from (Event(float(data["at"]), one, whom) for one, whom in SEVERAL[what][1](machines, *names))


# --- Running -------------------------------------------------------------------------------------------------------
class _Average:
    """In the place of a generator: everything takes its average time, and what happens seldom does not happen."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2

    def expovariate(self, rate: float) -> float:
        return 1 / rate

    def random(self) -> float:
        return 0.5

    def choice(self, several: Any) -> Any:
        return several[0]


class _Usual(Noise):
    def __getitem__(self, purpose: tuple[str, ...]) -> Any:
        return _Average()


def story(scenario: Scenario) -> Iterator[str]:
    """What happens, line by line."""
    domains: Mapping[str, Any] = scenario.cluster.domains
    world = World(
        0,
        proof=scenario.proof,
        placed={name: (domain.home, domain.partner) for name, domain in domains.items()},
        wards={name: Ward(1, domain.order, domain.depends_on) for name, domain in domains.items()},
        noise=_Usual,
    )
    befall(world, scenario.events)
    try:
        world.run(max(event.at_s for event in scenario.events) + AFTER_S)
    except Violation as violation:
        yield from [*world.log, f"BROKEN: {violation.rule}: {violation}"]
        return
    yield from world.log
    yield ""
    yield from _in_the_end(world)


def _in_the_end(world: World) -> Iterator[str]:
    for domain, pair in world.homes.items():
        where = [node for node in pair if domain in world.machines[node].running]
        copies = ", ".join(f"{world.sides[domain, node].disk} on {node}" for node in pair)
        waits = "".join(f", suspended on {node}" for node in where if world.sides[domain, node].suspended)
        yield f"{domain} runs on {' and '.join(where) or 'no node'}{waits}; {copies}"
    for name, machine in world.machines.items():
        if not machine.powered or machine.frozen:
            yield f"{name} is {'frozen' if machine.powered else 'off'}"
