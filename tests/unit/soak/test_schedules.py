"""Schedules: what befalls a cluster is in its seed, and can be told as plain events afterwards."""

from dataclasses import replace

from soak import partitions, trial
from soak.faults import EVENTS, Ambush, Event, ambushes, schedule
from soak.trial import Case

SEEDS = range(400)


def test_what_waited_for_a_line_of_the_story_happens_after_it():
    ambush = Ambush("loses its power", (Event(2.0, "freeze", ("node2",)),))
    case = Case(seed=1, nodes=2, events=(Event(10.0, "power_off", ("node1",)),), ambushes=(ambush,))
    befell = trial.attempt(case).befell
    assert [(event.at_s, event.what) for event in befell] == [(10.0, "power_off"), (12.0, "freeze")]


def test_a_line_that_never_comes_is_waited_for_in_vain():
    case = Case(seed=1, nodes=2, events=(), ambushes=(Ambush("boots", (Event(2.0, "freeze", ("node2",)),)),))
    assert trial.attempt(case).befell == []


def test_what_has_befallen_a_cluster_befalls_it_again_in_the_same_moments():
    waited = 0
    for seed in range(25):
        case = trial.of_seed(seed, 2)
        first = trial.attempt(case)
        again = trial.attempt(replace(case, events=tuple(first.befell), ambushes=()))
        shared = min(len(first.world.log), len(again.world.log))  # how long a story is depends on what is still to come
        assert first.world.log[:shared] == again.world.log[:shared]
        waited += len(first.befell) > len(case.events)
    assert waited


def test_schedules_leave_things_out_and_leave_out_nothing_always():
    kinds = [{event.what for event in schedule(seed, 3)} for seed in SEEDS]
    assert set().union(*kinds) == set(EVENTS)
    assert min(map(len, kinds)) <= 3


def test_many_schedules_lie_in_wait_and_many_do_not():
    waiting = sum(bool(ambushes(seed, 2)) for seed in SEEDS)
    assert len(SEEDS) / 3 < waiting < len(SEEDS) * 2 / 3


def test_by_quorum_too_people_order_ends_start_and_stop_domains_and_have_them_move():
    kinds = [{event.what for event in partitions.schedule(seed, 2, 75.0)} for seed in SEEDS]
    for what in ("order", "move", "start", "shut", "pause", "confirm"):
        assert len(SEEDS) / 20 < sum(what in found for found in kinds) < len(SEEDS)
