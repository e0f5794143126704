"""From a schedule that breaks a rule to the least that does."""

from types import SimpleNamespace

from soak.faults import Event
from soak.shrink import shrink
from soak.trial import Case, Trial
from soak.violation import Violation
from soak.world import NOISE

EVENTS = tuple(Event(float(at), "power_off", (f"node{at}",)) for at in range(1, 21))


def case(events=EVENTS):
    return Case(seed=1, nodes=2, events=events)


def breaks(rule_of, end_s=100.0):
    """Runs that break a rule, which depends on the machines that events befall and on the noise that is left out."""

    def run(case):
        rule = rule_of({event.who[0] for event in case.events}, case.without)
        violation = None if rule is None else Violation(rule, "broken")
        return Trial(SimpleNamespace(time_s=end_s), [], violation)

    return run


def test_what_is_not_needed_is_left_out():
    least = shrink(case(), breaks(lambda who, _: "one" if {"node3", "node17"} <= who else None))
    assert [event.who[0] for event in least.events] == ["node3", "node17"]
    assert least.without == set(NOISE)


def test_noise_that_is_needed_stays():
    least = shrink(case(), breaks(lambda _, without: None if "late" in without else "one"))
    assert least.without == set(NOISE) - {"late"}
    assert least.events == ()


def test_another_rule_is_not_the_same():
    def rule_of(who, _):
        return "one" if "node3" in who else "other"

    least = shrink(case(), breaks(rule_of))
    assert [event.who[0] for event in least.events] == ["node3"]


def test_what_comes_after_the_violation_is_left_out_at_once():
    tried = []

    def rule_of(who, _):
        tried.append(who)
        return "one"

    shrink(case(), breaks(rule_of, end_s=5.5))
    assert all(who <= {f"node{at}" for at in range(1, 6)} for who in tried[1:])


def test_each_smaller_one_is_told():
    told = []
    shrink(case(), breaks(lambda who, _: "one" if "node3" in who else None), told.append)
    sizes = [len(smaller.events) for smaller in told]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1
