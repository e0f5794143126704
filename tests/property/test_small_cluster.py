"""Every state of the smallest cluster, up to a bound; and the same search misses each rule that is switched off."""

from dataclasses import replace
from typing import Any

import pytest

from soak import small, small_tie
from soak.mutations import BY_QUORUM, RULES
from soak.small import ONE, OTHER
from soak.small_tie import SmallTie


@pytest.mark.parametrize("stops", [False, True], ids=["the clock goes on", "the clock stops"])
def test_no_state_that_one_fault_leads_to_breaks_a_rule(stops: bool) -> None:
    found = small.explore(1, stops)
    assert found.violation is None, "\n".join(found.story)
    assert found.states > 1000


# The faults among which there is a way to a violation. Of the other rules of a lease, two are not needed where everything takes
# the same time: an answer is never so late, and whoever thaws looks at its lease before it can be answered. To a witness that
# forgets it is three faults, which takes too long here.
WAYS: dict[str, set[str]] = {
    "a side goes on alone without a promise": {f"{ONE} is isolated"},
    "a denial is proof": {f"the domain of {ONE} does not die", f"{ONE} is isolated"},
    "an old copy is started": {"the nodes are separated", f"{ONE} is off"},
    "a lease that has ended stops nothing": {f"{ONE} is isolated"},
    "takeover is shorter than lease and watchdog": {f"the domain of {ONE} does not die", f"{ONE} is isolated"},
    "a paused node takes over": {f"{OTHER} is paused", f"{ONE} is off"},
}


@pytest.mark.parametrize("rule", WAYS)
def test_a_rule_that_is_switched_off_is_missed_in_a_small_cluster(rule: str) -> None:
    parts: dict[str, Any] = dict(RULES[rule])
    if "times" in parts:
        parts["times"] = replace(small.TIMES, takeover_s=1.0)
    only = frozenset(WAYS[rule])
    assert small.explore(len(only), only=only, **parts).violation is not None
    assert small.explore(len(only), only=only).violation is None


# --- By quorum -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("noise", small_tie.NOTICING)
def test_by_quorum_no_state_that_one_fault_leads_to_breaks_a_rule(noise: type[small_tie.AllSoon]) -> None:
    found = small.explore(1, only=small_tie.EVERYTHING, kind=SmallTie, noise=noise, times=small_tie.TIMES)
    assert found.violation is None, "\n".join(found.story)
    assert found.states > 300


def test_by_quorum_a_start_without_a_hold_is_missed_in_a_small_cluster() -> None:
    parts: dict[str, Any] = {"kind": SmallTie, "noise": small_tie.OneLate, "times": small_tie.TIMES}
    only = frozenset({f"the domain of {ONE} does not die", f"{ONE} is isolated"})
    mutation = BY_QUORUM["what was promoted is started at once"]
    assert small.explore(2, only=only, **parts, **mutation).violation is not None
