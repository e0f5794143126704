"""A node that dies when its copies are the same again, or nearly, after it has gone on alone: what may run then, runs."""

from collections.abc import Callable
from typing import Any

import pytest

from saltern.guard.facts import Proof
from soak.faults import Event, befall
from soak.world import NOISE, Noise, Side, World

DOMAIN, NODE, PARTNER = "a0", "node1", "node2"
CUT = [Event(20, "cut", (NODE, PARTNER)), Event(20, "cut", (PARTNER, NODE)), Event(20, "part", (NODE, PARTNER))]
ENDS = {"cut": "mend", "part": "join"}
MENDED = [event._replace(at_s=60, what=ENDS[event.what]) for event in CUT]
LONG_S = 60.0  # after so long everything is done


class SlowDrbd(Noise):
    """Whatever DRBD does takes as long as it can; a synchronisation takes 20 s."""

    def __getitem__(self, purpose: tuple[str, ...]) -> Any:
        return _Slow() if purpose == ("link", DOMAIN) else super().__getitem__(purpose)


class _Slow:
    def uniform(self, _low: float, high: float) -> float:
        return high


def copies(world: World) -> tuple[Side, Side]:
    return world.sides[DOMAIN, NODE], world.sides[DOMAIN, PARTNER]


def are_same(world: World) -> bool:
    return all(side.connected and side.disk == "UpToDate" for side in copies(world))


def synchronises(world: World) -> bool:
    return copies(world)[1].synchronises_until_s is not None


def until(world: World, is_so: Callable[[World], bool]) -> None:
    end_s = world.time_s + LONG_S
    while not is_so(world):
        assert world.time_s < end_s, "\n".join(world.log)
        world.step()


def was_alone(seed: int, noise: type[Noise] = Noise) -> World:
    world = World(seed, proof=Proof(), without=frozenset(NOISE), noise=noise)
    befall(world, [*CUT, *MENDED])
    world.run(59)
    assert copies(world)[0].wrote_alone
    return world


@pytest.mark.parametrize("seed", range(12))
def test_when_they_have_just_become_the_same_its_partner_takes_over(seed: int) -> None:
    world = was_alone(seed)
    until(world, are_same)
    world.power_off(NODE)
    until(world, lambda world: DOMAIN in world.machines[PARTNER].running)


@pytest.mark.parametrize("seed", range(12))
def test_before_that_only_its_own_copy_is_good_and_it_takes_over_from_its_partner_when_it_is_back(seed: int) -> None:
    world = was_alone(seed, SlowDrbd)
    until(world, synchronises)
    world.run(world.time_s + 3)
    world.power_off(NODE)
    world.run(world.time_s + LONG_S)
    assert DOMAIN not in world.machines[PARTNER].running
    world.power_on(NODE)
    until(world, synchronises)
    world.run(world.time_s + 1)
    world.power_off(PARTNER)
    until(world, lambda world: DOMAIN in world.machines[NODE].running)
