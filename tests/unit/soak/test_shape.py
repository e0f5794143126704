"""When two states of the smallest cluster are the same."""

from soak.small import EVERYTHING, ONE, SmallWorld


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


def test_what_goes_on_is_another_state_until_it_has_ended():
    assert after(1, power_off=ONE) != after(2, power_off=ONE)
    assert after(40, power_off=ONE) == after(41, power_off=ONE)
