"""When two states of the smallest cluster are the same."""

import pytest

from soak.small import DOMAIN, EVERYTHING, ONE, SmallWorld


def after(beats: float, **done):
    world = SmallWorld(1, False, EVERYTHING)
    for event, who in done.items():
        getattr(world, event)(who)
    world.run(0.45 + beats)
    world.tidy()
    return world.key()


def test_a_cluster_that_lives_is_in_the_same_state_after_each_beat():
    assert after(20) == after(21) == after(50)


def test_a_node_that_is_off_makes_another_one():
    assert after(50, power_off=ONE) != after(50)


@pytest.mark.parametrize(("one_s", "other_s"), [(1.0, 2.0), (2.0, 3.0)])
def test_how_long_ago_something_was_makes_another_state(one_s, other_s):
    """For Python, -1 and -2 have the same hash."""
    world = SmallWorld(1, False, EVERYTHING)
    world.run(5)
    found = []
    for ago_s in (one_s, other_s):
        world.machines[ONE].thawed_s = world.time_s - ago_s
        found.append(world.key())
    assert found[0] != found[1]


def test_a_migration_that_stands_still_for_ten_seconds_is_not_one_that_does_for_fifteen():
    world = SmallWorld(1, False, EVERYTHING)
    world.run(20)
    world.move(DOMAIN)
    (move,) = world.moves.going.values()
    world.run(20.5)
    found = []
    for since_s in (5.0, 10.0):
        world._events = [
            (at_s, number, do, (move, since_s) if do == world.moves._hand_over else args)
            for at_s, number, do, args in world._events
        ]
        found.append(world.key())
    assert found[0] != found[1]


def test_what_goes_on_is_another_state_until_it_has_ended():
    assert after(1, power_off=ONE) != after(2, power_off=ONE)
    assert after(40, power_off=ONE) == after(41, power_off=ONE)
