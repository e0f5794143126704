"""A migration by Saltern that is interrupted at any moment, by whatever, is finished or undone by the next `state.apply`."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from fleet import SimFleet
from one_domain import RESOURCES, SHARES, Watch, Worlds, converged, decide_split_brain, mend, other, windows
from pair import NODES, converge, failures

from saltern import controller, migration, operations
from saltern.converge import Converge
from saltern.errors import Refused, SalternError
from saltern.model.operation import Half, Operation, OperationKind
from saltern.model.places import (
    AUTHORIZED_KEYS,
    KNOWN_HOSTS,
    MIGRATION_KEY,
    OPERATION_SCRIPT,
    operation_file,
    placed_file,
)
from saltern.plan.items import Item, Kind
from saltern.plan.operation import LEFT_AFTER_S
from saltern.plan.selection import Selection
from saltern.sim import processes
from saltern.sim.host import Killed, SimHost
from saltern.sim.world import World

GENERATIONS = pytest.mark.parametrize("drbd", ["8.4", "9"])
ID = "0a1b-2c3d"
UUID = SHARES["dom0"].domains["dns"].uuid


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    return converged()


def half(of: Half, source: str) -> Operation:
    return Operation(
        id=ID,
        kind=OperationKind.MIGRATE,
        domain="dns",
        uuid=UUID,
        half=of,
        source=source,
        target=other(source),
        address=NODES[other(source)],
        resources=tuple(RESOURCES),
        owner="root on master",
        since="2026-11-26 10:00:00",
        renewed_s=0.0,
        taken=False,
        stays=True,
    )


def begin(world: World, source: str) -> None:
    operations.begin(world.host(other(source)), half(Half.TARGET, source))
    operations.begin(world.host(source), half(Half.SOURCE, source))


def entered(world: World) -> list[str]:
    return [name for name, node in world.nodes.items() if operation_file("dns") in node.files]


def where(world: World) -> list[str]:
    return [name for name, node in world.nodes.items() for domain in node.domains if domain.running]


# --- What interrupts it ---------------------------------------------------------------------------------------------------
def kill_receiver(world: World, mover: SimHost) -> None:
    processes.kill(world.nodes[other(mover.name)], OPERATION_SCRIPT)


def kill_sender(world: World, mover: SimHost) -> None:
    mover.dead = True


def kill_both(world: World, mover: SimHost) -> None:
    kill_receiver(world, mover)
    kill_sender(world, mover)


INTERRUPTIONS: dict[str, Callable[[World, SimHost], object]] = {
    "the cable is pulled": lambda world, mover: world.cut_link(*NODES),
    "the source loses its power": lambda world, mover: world.power_cut(mover.name),
    "the target loses its power": lambda world, mover: world.power_cut(other(mover.name)),
    "the sender is killed": kill_sender,
    "the receiver is killed": kill_receiver,
    "both are killed": kill_both,
    "the target cannot let go of pages": lambda world, mover: setattr(world.nodes[mover.name], "pins_pages", True),
}


def moved_until(world: World, moment: int, interrupt: Callable[[World, SimHost], object], source: str) -> bool:
    """A migration from ``source`` that something happens to at that moment; false for one that ends before."""
    begin(world, source)
    return sent_until(world, moment, interrupt, source)


def sent_until(world: World, moment: int, interrupt: Callable[[World, SimHost], object], source: str) -> bool:
    """The same of one that is entered."""
    watch = Watch(world)
    mover = world.host(source)
    turns = 0

    def turn(seconds: float) -> None:
        nonlocal turns
        world.advance(seconds)
        watch()
        turns += 1
        if turns == moment:
            interrupt(world, mover)

    mover.enter(turn)
    with suppress(Killed, SalternError, OSError):
        migration.send(mover, "dns", ID)
    mover.leave()
    watch()
    return turns >= moment


def settle_by_apply(world: World, watch: Watch) -> None:
    """Everything is switched on again and left alone for a while; then both nodes are applied.

    What DRBD calls a split-brain, because both sides were Primary when they parted, is left to a person, who finds that nothing
    was written on one side.
    """
    world.advance(60)
    watch()
    mend(world)
    world.advance(LEFT_AFTER_S)
    for decide in (lambda world: None, decide_split_brain, lambda world: None):
        told = [failure for outcomes in converge(world, SHARES, wait_s=30).values() for failure in failures(outcomes)]
        world.advance(60)
        decide(world)
        watch()
    assert told == []


@GENERATIONS
@pytest.mark.parametrize("source", ["dom0", "dom0m"])
def test_a_domain_moves_to_its_partner_and_nothing_is_left_of_the_migration(drbd, worlds, source) -> None:
    world = World.from_json(worlds[drbd])
    if source == "dom0m":
        assert not moved_until(world, 10**9, lambda world, mover: None, "dom0")
        world.advance(5)
    assert not moved_until(world, 10**9, lambda world, mover: None, source)
    world.advance(5)
    assert where(world) == [other(source)]
    assert entered(world) == []
    assert windows(world) == {name: ["no", "no"] for name in RESOURCES}


@GENERATIONS
@pytest.mark.parametrize("management", [False, True])
@pytest.mark.parametrize("interruption", INTERRUPTIONS)
def test_whatever_interrupts_a_migration_at_any_moment_one_domain_with_all_its_data_is_left(
    drbd, worlds, management, interruption
) -> None:
    moment = 0
    while True:
        moment += 1 if drbd == "8.4" else 3
        world = World.from_json(worlds[drbd])
        world.management_network = management
        if not moved_until(world, moment, INTERRUPTIONS[interruption], "dom0"):
            break
        settle_by_apply(world, Watch(world))
        assert len(where(world)) == 1, f"at moment {moment}"
        assert where(world) == ["dom0"] or placed_file("dns") in world.nodes["dom0m"].files, f"at moment {moment}"
        assert entered(world) == [], f"at moment {moment}"
        assert windows(world) == {name: ["no", "no"] for name in RESOURCES}, f"at moment {moment}"
    assert moment > 10


class Unlucky(SimFleet):
    """A master that lives while something happens to what it has begun, ``moment`` turns later."""

    def __init__(self, world: World, moment: int, interruption: str) -> None:
        super().__init__(world, SHARES)
        self.moment = moment
        self.interrupt = INTERRUPTIONS[interruption]
        self.came = False

    def _ask(self, nodes: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function != "operation.carry_out":
            return super()._ask(nodes, function, *args)
        self.came = sent_until(self.world, self.moment, self.interrupt, "dom0")
        return dict.fromkeys(nodes)


@GENERATIONS
@pytest.mark.parametrize("interruption", ["the sender is killed", "the receiver is killed", "both are killed"])
def test_a_master_that_lives_has_the_halves_of_killed_processes_settled(drbd, worlds, interruption) -> None:
    moment = 0
    while True:
        moment += 1 if drbd == "8.4" else 3
        world = World.from_json(worlds[drbd])
        nodes = Unlucky(world, moment, interruption)
        selection = Selection(kind=OperationKind.MIGRATE, domain="dns", target="dom0m")
        controller.begin(nodes.fleet, selection, identifier=ID, owner="root on master", since="2026-11-26 10:00:00")
        with suppress(SalternError):
            controller.carry_out(nodes.fleet, selection, identifier=ID, parallel=1, timeout_s=600)
        if not nodes.came:
            break
        world.advance(60)
        found = {domain.name: domain.running for node in world.nodes.values() for domain in node.domains}
        assert found in ({}, {"dns": True}), f"at moment {moment}"
        assert entered(world) == [], f"at moment {moment}"
        assert windows(world) == {name: ["no", "no"] for name in RESOURCES}, f"at moment {moment}"
    assert moment > 10


@pytest.mark.parametrize("path", [AUTHORIZED_KEYS, KNOWN_HOSTS, MIGRATION_KEY + ".pub"])
@pytest.mark.parametrize("node", ["dom0", "dom0m"])
def test_without_the_keys_of_the_other_nothing_moves_and_nothing_is_left(worlds, path, node) -> None:
    world = World.from_json(worlds["8.4"])
    del world.nodes[node].files[path]
    assert not moved_until(world, 10**9, lambda world, mover: None, "dom0")
    world.advance(5)
    needed = {AUTHORIZED_KEYS: "dom0m", KNOWN_HOSTS: "dom0", f"{MIGRATION_KEY}.pub": "dom0"}[path]
    assert where(world) == (["dom0"] if node == needed else ["dom0m"])
    converge(world, SHARES)
    world.advance(LEFT_AFTER_S)
    settle_by_apply(world, Watch(world))
    assert entered(world) == []


def test_a_receiver_is_not_even_started_for_what_is_not_expected(worlds) -> None:
    world = World.from_json(worlds["8.4"])
    begin(world, "dom0")
    started: list[str] = []

    def start() -> processes.Gone:
        started.append("xl migrate-receive")
        return processes.Gone()

    for node, identifier in (("dom0m", "ffff"), ("dom0", ID)):
        with pytest.raises(Refused):
            list(migration.receiving(world.host(node), "dns", identifier, start))
    assert started == []
    list(migration.receiving(world.host("dom0m"), "dns", ID, start))
    assert started == ["xl migrate-receive"]


def test_an_apply_never_ends_the_operation_that_comes_after_the_one_it_settles(worlds) -> None:
    """Somebody else settles the first one and begins another, at every moment of the apply."""
    left = World.from_json(worlds["8.4"])
    begin(left, "dom0")
    left.advance(LEFT_AFTER_S)
    text = left.to_json()
    met, moment = 0, 0
    while True:
        moment += 1
        world = World.from_json(text)
        begun = applied_until(world, moment)
        if begun is None:
            break
        met += begun
        assert begun is (operation_file("dns") in world.nodes["dom0"].files), f"at moment {moment}"
    assert met > 3


def applied_until(world: World, moment: int) -> bool | None:
    """What was left is settled by an apply; whether somebody else has begun another operation at that moment, if it came."""
    applying, others, turns, begun = world.host("dom0"), world.host("dom0"), 0, False

    def turn(seconds: float) -> None:
        nonlocal turns, begun
        world.advance(seconds)
        turns += 1
        if turns == moment:
            with suppress(Refused):
                operations.settle_left(others, "dns")
                operations.begin(others, replace(half(Half.SOURCE, "dom0"), id="ffff"))
                begun = True

    applying.enter(turn)
    Converge(applying, SHARES["dom0"], wait_s=0).item(Item(Kind.OPERATION, "dns"))
    applying.leave()
    return begun if turns >= moment else None
