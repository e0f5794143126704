"""A schedule of faults, made from the seed of its world."""

from typing import Final

from saltern.guard.guard import WITNESS
from soak.world import Machine, World

FAULTS_S: Final = 150.0
END_S: Final = 260.0


def schedule(world: World) -> None:
    """One to six faults, each of which may end again."""
    for _ in range(world.random.randint(1, 6)):
        world.at(world.random.uniform(3, FAULTS_S), _one, world)


def _one(world: World) -> None:
    machine = world.random.choice(list(world.machines.values()))
    match world.random.randrange(7):
        case 0:
            world.power_off(machine)
            if world.random.random() < 0.7:
                world.at(world.random.uniform(1, 60), world.power_on, machine)
        case 1:
            world.freeze(machine)
            world.at(world.random.uniform(1, 60), world.thaw, machine)
        case 2:
            world.kill(machine)
        case 3:
            machine.stuck = True
        case 4:
            _isolate(world, machine)
        case 5:
            other = world.random.choice([each for each in world.machines if each != machine.name])
            _cut(world, {(machine.name, other), *([(other, machine.name)] * world.random.randrange(2))})
        case 6:
            _cut_replication(world, machine)


def _isolate(world: World, machine: Machine) -> None:
    others = [name for name in world.machines if name != machine.name]
    ways = {(machine.name, name) for name in others} | {(name, machine.name) for name in others}
    _cut(world, ways)
    if world.random.random() < 0.8:
        for name in others:
            _replication(world, machine.name, name)


def _cut(world: World, ways: set[tuple[str, str]]) -> None:
    world.note(f"cut: {sorted(ways)}")
    world.cut |= ways
    if world.random.random() < 0.7:
        world.at(world.random.uniform(1, 80), world.cut.difference_update, ways)


def _cut_replication(world: World, machine: Machine) -> None:
    for name in world.machines:
        if name not in (machine.name, WITNESS):
            _replication(world, machine.name, name)


def _replication(world: World, one: str, other: str) -> None:
    pair = frozenset((one, other))
    world.note(f"replication cut: {sorted(pair)}")
    world.replication_cut.add(pair)
    if world.random.random() < 0.7:
        world.at(world.random.uniform(1, 80), world.replication_cut.discard, pair)
