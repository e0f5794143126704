"""A tool that fails, or prints what nobody understands, is unknown: never absent, and never a reason to act."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pair import changes, converge, empty_world, failures, slices

from saltern.errors import CommandFailed, CommandTimeout
from saltern.run import Completed
from saltern.sim.host import SimHost
from saltern.sim.world import World

SHARES = slices()
GENERATIONS = pytest.mark.parametrize("drbd", ["8.4", "9"])


class Converged(dict[str, str]):
    def __repr__(self) -> str:
        return "(worlds)"


@pytest.fixture(scope="module")
def converged() -> Converged:
    worlds = Converged()
    for drbd in ("8.4", "9"):
        world = empty_world(drbd)
        converge(world, SHARES)
        world.advance(60)
        worlds[drbd] = world.to_json()
    return worlds


class SpoiledHost(SimHost):
    """Spoils the answer to the n-th command."""

    def __init__(self, world: World, name: str, spoiled: int, spoil: Callable[[Completed], Completed]) -> None:
        super().__init__(world, name)
        self._spoiled = spoiled
        self._spoil = spoil
        self.spoiled_command: tuple[str, ...] | None = None

    def run(self, argv, **options) -> Completed:
        done = super().run(argv, **options)
        if len(self.commands) == self._spoiled:
            self.spoiled_command = done.argv
            return self._spoil(done)
        return done


def fails(done: Completed) -> Completed:
    raise CommandFailed(done.argv, 5, done.stdout, "  Internal error")


def hangs(done: Completed) -> Completed:
    raise CommandTimeout(done.argv, 120)


def says_nothing(done: Completed) -> Completed:
    return Completed(done.argv, 0, "", "")


def says_something_else(done: Completed) -> Completed:
    return Completed(done.argv, 0, "Usage: see the manual\n", "")


def is_cut_off(done: Completed) -> Completed:
    return Completed(done.argv, 0, done.stdout.rstrip()[:-3], "")


def is_garbled(done: Completed) -> Completed:
    middle = len(done.stdout) // 2
    return Completed(done.argv, 0, f"{done.stdout[:middle]}\x00?{done.stdout[middle:]}", "")


SPOILS = [fails, hangs, says_nothing, says_something_else, is_cut_off, is_garbled]


@GENERATIONS
@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("number", range(1, 8))
def test_a_spoiled_answer_on_a_converged_node_changes_nothing(drbd, spoil, number, converged) -> None:
    world = World.from_json(converged[drbd])
    host = SpoiledHost(world, "dom0", number, spoil)
    outcomes = converge(world, {"dom0": SHARES["dom0"]}, hosts={"dom0": host}, wait_s=1)["dom0"]
    assert host.changes == 0, f"{host.spoiled_command}: {changes(outcomes)}"


@GENERATIONS
@settings(max_examples=60, deadline=None)
@given(number=st.integers(1, 120), spoil=st.sampled_from(SPOILS), node=st.sampled_from(sorted(SHARES)))
def test_a_spoiled_answer_while_building_does_no_harm_and_the_next_run_completes(drbd, number, spoil, node) -> None:
    world = empty_world(drbd)
    hosts = {name: world.host(name) for name in SHARES}
    hosts[node] = SpoiledHost(world, node, number, spoil)
    converge(world, SHARES, hosts=hosts, wait_s=5)
    result = converge(world, SHARES)
    assert {name: failures(outcomes) for name, outcomes in result.items()} == {"dom0": [], "dom0m": []}


@GENERATIONS
@pytest.mark.parametrize("number", range(1, 7))
def test_a_tool_that_hangs_is_asked_once_in_a_run_not_once_for_every_item(drbd, number, converged) -> None:
    world = World.from_json(converged[drbd])
    healthy = world.host("dom0")
    converge(world, {"dom0": SHARES["dom0"]}, hosts={"dom0": healthy})
    command = healthy.commands[number - 1]

    class HangingHost(SimHost):
        def run(self, argv, **options) -> Completed:
            done = super().run(argv, **options)
            return hangs(done) if done.argv == command else done

    host = HangingHost(world, "dom0")
    converge(world, {"dom0": SHARES["dom0"]}, hosts={"dom0": host}, wait_s=0)
    assert host.commands.count(command) == 1
