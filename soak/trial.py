"""One cluster through one schedule: what is run is plain data, and tells how to run it again."""

import random
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from saltern.guard.times import Times
from soak import partitions, quorate
from soak.faults import END_S, Ambush, Event, ambushes, befall, schedule
from soak.quorate import QuorumWorld
from soak.violation import Violation
from soak.world import World

# Two beats until a node counts as lost, and four in a lease: fewer than a topology may say, and so less work for the same
# schedule, and more that looks lost and is not. What proves death is as in any topology.
TIMES: Final = Times(beat_s=2.0)
_FAULTS_S: Final = 75.0
# More than takeover and what a message can be late: what is still to come after nothing has happened for so long never comes.
_SETTLED_S: Final = 45.0
_LOOK_S: Final = 5.0
# Small clusters are where most happens in a second of work.
_NODES: Final = (2, 2, 2, 3, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is run. ``without`` names the noise that is left out; by ``quorum``: in a cluster with a tie-breaker."""

    seed: int
    nodes: int
    events: tuple[Event, ...]
    ambushes: tuple[Ambush, ...] = ()
    without: frozenset[str] = field(default_factory=frozenset)
    quorum: bool = False

    @property
    def replay(self) -> str:
        """The command that runs the schedule of this seed again."""
        return f"python -m soak --seed {self.seed} --nodes {self.nodes}{' --quorum' if self.quorum else ''}"


class Trial(NamedTuple):
    """The world in the end, what has befallen it, and the rule that it broke."""

    world: World
    befell: list[Event]
    violation: Violation | None


def of_seed(seed: int, nodes: int | None = None, *, quorum: bool = False) -> Case:
    """The case of a seed, in a cluster of so many nodes or of 2 to 6, by quorum with a tie-breaker besides."""
    if nodes is None:
        nodes = random.Random(f"{seed} nodes").choice(_NODES)  # noqa: S311 - a schedule, no secret
    if quorum:
        return Case(seed=seed, nodes=nodes, events=tuple(partitions.schedule(seed, nodes, _FAULTS_S)), quorum=True)
    events = schedule(seed, nodes, _FAULTS_S)
    return Case(seed=seed, nodes=nodes, events=tuple(events), ambushes=tuple(ambushes(seed, nodes)))


def attempt(case: Case, **parts: Any) -> Trial:
    """Run it, in a world that is made with these parts, until long after everything has settled."""
    kind, times = (QuorumWorld, quorate.TIMES) if case.quorum else (World, TIMES)
    world = kind(case.seed, case.nodes, without=case.without, **({"times": times} | parts))
    befell = befall(world, case.events, case.ambushes)
    last_s = max((event.at_s for event in case.events), default=0.0)
    try:
        while world.time_s < min(END_S, max(last_s, world.noted_s) + _SETTLED_S):
            world.run(world.time_s + _LOOK_S)
    except Violation as violation:
        return Trial(world, befell, violation)
    return Trial(world, befell, None)
