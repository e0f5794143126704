"""Domains that a person has ended in a simulated cluster: what becomes of them, and of the person's order."""

from saltern.guard.facts import Proof
from soak.faults import Event, run
from soak.world import NOISE, World

FENCING = Proof(lease=False, fenced=frozenset({"node1", "node2"}))


def story(*events: Event, proof: Proof = FENCING) -> World:
    return run(0, events=events, proof=proof, without=frozenset(NOISE))


def order(at_s: float = 20.0, node: str = "node1", by: str = "node2") -> Event:
    return Event(at_s, "order", ("a0", node, by))


def tells(world: World, words: str) -> bool:
    return any(words in line for line in world.log)


def test_a_domain_is_ended_by_way_of_its_other_node_and_starts_again_with_an_apply() -> None:
    world = story(order(), Event(30, "apply", ("a0",)))
    assert tells(world, "node1 has stopped a0, as was ordered")
    assert tells(world, "node2 hears of a0 on node1: gone")
    assert "a0" in world.machines["node1"].running


def test_a_domain_is_ended_by_the_guard_of_its_own_node_while_that_hears_nobody() -> None:
    cut = [Event(10, "cut", way) for way in (("node2", "node1"), ("the witness", "node1"))]
    world = story(*cut, order(12, by="node1"), proof=Proof())
    assert tells(world, "node1 tells of a0: gone")


def test_whoever_has_taken_a_domain_over_starts_it_again_when_it_was_ended_there() -> None:
    world = story(Event(10, "power_off", ("node1",)), order(60, "node2", "node2"))
    assert tells(world, "node2 tells of a0: gone")
    assert sum("node2 takes over: a0" in line for line in world.log) == 2
    assert "a0" in world.machines["node2"].running


def test_a_domain_that_does_not_die_is_told_to_be_there_still() -> None:
    world = story(Event(10, "stick", ("node1",)), order())
    assert tells(world, "node2 hears of a0 on node1: still here")
    assert "a0" in world.machines["node1"].running


def test_a_domain_that_is_on_its_way_is_ended_where_it_would_arrive() -> None:
    world = story(Event(20, "move", ("a0",)), order(20.5, "node2", "node2"))
    assert tells(world, "a0 is ended on its way")
    assert "a0" in world.machines["node1"].running


def test_a_guard_that_is_dead_passes_nothing_on_and_ends_nothing() -> None:
    for name in ("node1", "node2"):
        world = story(Event(19.5, "kill", (name,)), order())
        assert not tells(world, "as was ordered")


def test_a_guard_that_was_killed_while_it_ended_a_domain_tells_nobody() -> None:
    world = story(
        Event(10, "stick", ("node1",)), order(), Event(25, "kill", ("node1",)), Event(26, "revive", ("node1",))
    )
    assert tells(world, "node1 is to end a0")
    assert not tells(world, "node2 hears of a0")


def test_nobody_is_given_an_order_before_it_was_heard() -> None:
    world = story(
        Event(10, "kill", ("node2",)), Event(10, "cut", ("node1", "node2")), Event(12, "revive", ("node2",)), order()
    )
    assert tells(world, "node2 has not heard node1")
    assert not tells(world, "as was ordered")
