"""The proof by quorum, one thing at a time; whole clusters are in tests/property/test_takeover.py."""

import math
from dataclasses import replace
from typing import Any

from saltern.guard.acts import Act, Demote, Promote, Refuse, Send, Start, Stop, WindUp
from saltern.guard.facts import Facts, Proof, Seen
from saltern.guard.guard import Guard
from saltern.guard.messages import Beat
from saltern.guard.times import Times

TIMES = Times(detect_s=10.0, takeover_s=30.0)
ALONE = Seen(
    running=frozenset({"dns"}),
    startable=frozenset({"web"}),
    quorate=frozenset({"dns", "web"}),
    primary=frozenset({"dns"}),
    free_bytes=0,
)
HELD = replace(ALONE, primary=frozenset({"dns", "web"}))


def guard(**more: Any) -> Guard:
    partners = {"dns": "node2", "web": "node2"}
    return Guard("node1", partners, TIMES, Facts(boot=1), 0.0, proof=Proof(lease=False, quorum=True), **more)


def heard(one: Guard, now_s: float, number: int = 1, **said: Any) -> None:
    one.beat(Beat("node2", 1, number, **{"covered": frozenset({one.node}), **said}), now_s)


def at(one: Guard, seen: Seen, now_s: float, *kinds: type[Any]) -> list[Act]:
    """What it does by a look that began a moment ago, of these kinds."""
    return [act for act in one.act(replace(seen, began_s=now_s - 0.5), now_s) if isinstance(act, kinds)]


def holding(one: Guard) -> None:
    """node2 was heard, then is silent; its domain is promoted here, and that is known at 25 s."""
    heard(one, 1.0)
    assert at(one, ALONE, 20.0, Promote, Start) == [Promote("web")]
    one.promoted("web", None, 25.0)


def test_what_a_silent_node_runs_is_promoted_held_and_only_then_started() -> None:
    one = guard()
    holding(one)
    assert at(one, HELD, 55.0, Promote, Demote, Start) == []
    assert at(one, HELD, 55.6, Promote, Demote, Start) == [Start("web")]


def test_the_hold_is_over_by_a_look_that_began_then_and_not_by_the_clock() -> None:
    one = guard()
    holding(one)
    assert not [act for act in one.act(replace(HELD, began_s=54.9), 60.0) if isinstance(act, Start)]


def test_nothing_is_promoted_while_its_node_replicates_or_may_be_alive() -> None:
    connected = replace(ALONE, connected=frozenset({"web"}))
    never_heard, off, replicates = guard(), guard(), guard()
    heard(off, 1.0, leaving=True)
    heard(replicates, 1.0)
    assert at(never_heard, ALONE, 20.0, Promote) == []
    assert at(off, ALONE, 20.0, Promote) == []
    assert at(replicates, connected, 20.0, Promote) == []
    assert at(replicates, ALONE, 20.0 + TIMES.dead_s, Promote) == [Promote("web")]


def test_nothing_is_promoted_without_quorum_or_without_good_data() -> None:
    one = guard()
    heard(one, 1.0)
    assert at(one, replace(ALONE, quorate=frozenset({"dns"})), 20.0, Promote) == []
    assert at(one, replace(ALONE, startable=frozenset(), against={"web": "it is Outdated"}), 21.0, Promote) == []
    assert at(one, ALONE, 22.0, Promote) == [Promote("web")]


def test_a_promotion_that_is_refused_is_tried_again_after_a_pause() -> None:
    one = guard()
    heard(one, 1.0)
    assert at(one, ALONE, 20.0, Promote) == [Promote("web")]
    assert at(one, ALONE, 20.5, Promote) == []
    one.promoted("web", "somebody is Primary", 21.0)
    assert at(one, ALONE, 22.0, Promote) == []
    assert at(one, ALONE, 24.0, Promote) == [Promote("web")]


def let_go_by(seen: Seen) -> None:
    one = guard()
    holding(one)
    assert at(one, seen, 50.0, Demote, Start) == [Demote("web")]
    assert at(one, HELD, 80.0, Start) == []


def test_what_speaks_against_it_ends_the_hold() -> None:
    let_go_by(replace(HELD, quorate=frozenset({"dns"})))
    let_go_by(replace(HELD, primary=frozenset({"dns"})))
    let_go_by(replace(HELD, connected=frozenset({"web"})))
    let_go_by(replace(HELD, met=frozenset({"web"})))
    let_go_by(replace(HELD, startable=frozenset(), against={"web": "a person has stopped it"}))


def test_a_node_that_is_heard_again_ends_the_hold() -> None:
    one = guard()
    holding(one)
    heard(one, 49.0, 2)
    assert at(one, HELD, 50.0, Demote, Start) == [Demote("web")]


def test_a_look_that_began_before_the_promotion_ends_no_hold() -> None:
    one = guard()
    holding(one)
    assert not [act for act in one.act(replace(ALONE, began_s=24.0), 25.5) if isinstance(act, Demote)]


def test_what_is_primary_when_the_guard_begins_proves_nothing_and_is_demoted_first() -> None:
    one = guard()
    heard(one, 1.0)
    assert at(one, HELD, 20.0, Promote, Demote, Start) == [Demote("web")]
    assert one.act(replace(HELD, began_s=19.9), 21.0).count(Demote("web")) == 0  # that look began before
    assert at(one, HELD, 22.0, Promote, Demote, Start) == [Demote("web")]
    assert at(one, ALONE, 23.0, Promote, Demote, Start) == [Promote("web")]


def test_a_paused_guard_promotes_nothing() -> None:
    one = guard()
    heard(one, 1.0)
    one.pause()
    assert at(one, ALONE, 20.0, Promote) == []


def test_what_is_held_and_finds_no_memory_is_refused() -> None:
    one = guard()
    holding(one)
    [refused] = at(one, replace(HELD, free_bytes=None), 56.0, Start, Refuse)
    assert isinstance(refused, Refuse)
    assert "memory" in refused.reason


def test_a_domain_runs_on_for_a_lease_after_the_last_look_that_began_with_quorum() -> None:
    one = guard()
    without = replace(ALONE, quorate=frozenset())
    assert at(one, ALONE, 10.0, Stop, WindUp) == [WindUp()]
    assert one.lease_until_s("dns") == 9.5 + TIMES.lease_s
    assert at(one, without, 17.4, Stop, WindUp) == [WindUp()]
    assert at(one, without, 17.5, Stop, WindUp) == [Stop("dns")]


def test_a_look_renews_nothing_twice() -> None:
    one = guard()
    old = replace(ALONE, began_s=9.5)
    one.act(old, 10.0)
    assert Stop("dns") in one.act(old, 9.5 + TIMES.lease_s)


def test_a_guard_that_is_started_again_goes_on_with_the_leases_of_the_one_before() -> None:
    one = guard()
    one.act(replace(ALONE, began_s=9.5), 10.0)
    again = guard(renewed=one.renewed)
    assert again.lease_until_s("dns") == 9.5 + TIMES.lease_s


def test_what_was_not_seen_with_quorum_yet_has_one_lease() -> None:
    one = guard()
    nothing_is_known = Seen(running=frozenset({"dns", "web"}), replicating=None, unfenced=None)
    assert not [act for act in one.act(nothing_is_known, 5.0) if isinstance(act, Stop)]
    assert [act for act in one.act(nothing_is_known, 13.0) if isinstance(act, Stop)] == [Stop("dns"), Stop("web")]


def test_what_a_look_does_not_find_here_has_no_lease_that_could_end() -> None:
    """A node that has just booted: nothing is known at first, then that nothing runs; its resources are down until an apply."""
    one = guard()
    nothing_is_known = Seen(running=frozenset({"dns", "web"}), replicating=None, unfenced=None)
    one.act(nothing_is_known, 5.0)
    one.act(Seen(began_s=4.9), 5.5)
    assert one.lease_until_s("dns") == 5.0 + TIMES.lease_s, "it began before"
    one.act(Seen(running=frozenset({"web"}), began_s=5.0), 6.0)
    assert (one.lease_until_s("dns"), one.lease_until_s("web")) == (math.inf, 5.0 + TIMES.lease_s)
    one.act(Seen(running=frozenset({"dns", "web"}), began_s=6.0), 7.0)
    assert one.lease_until_s("dns") == 7.0 + TIMES.lease_s


def test_what_had_quorum_and_neither_has_it_nor_runs_has_no_lease_and_is_not_started() -> None:
    one = guard()
    at(one, ALONE, 5.0)
    heard(one, 5.0)
    assert one.against_start("web", 5.0) is None
    at(one, replace(ALONE, quorate=frozenset()), 6.0)
    assert (one.lease_until_s("dns"), one.lease_until_s("web")) == (4.5 + TIMES.lease_s, math.inf)
    assert "quorum" in str(one.against_start("web", 6.0))


def test_a_domain_starts_only_where_its_resources_had_quorum_of_late() -> None:
    one = guard()
    assert "quorum" in str(one.against_start("dns", 1.0))
    one.act(replace(ALONE, running=frozenset(), began_s=1.0), 1.5)
    heard(one, 6.0)
    assert one.against_start("dns", 1.0 + TIMES.lease_s - 0.1) is None
    assert "quorum" in str(one.against_start("dns", 1.0 + TIMES.lease_s))


def test_nobody_starts_here_what_a_silent_node_may_still_run() -> None:
    one = guard()
    at(one, ALONE, 2.0)
    assert "silent" in str(one.against_start("web", 2.0)), "it was not heard since this guard began"
    heard(one, 2.5)
    assert one.against_start("web", 3.0) is None
    at(one, ALONE, 20.0)
    one.promoted("web", None, 25.0)
    at(one, HELD, 55.0)
    assert "silent" in str(one.against_start("web", 55.0)), "it is Primary here, and was not held for long enough"
    at(one, HELD, 55.6, Start)
    assert one.against_start("web", 55.6) is None
    at(one, replace(HELD, running=frozenset({"dns", "web"})), 57.0)
    assert one.against_start("web", 57.0) is None, "Xen has it, and gives it its second disk"
    at(one, HELD, 60.0)
    assert "silent" in str(one.against_start("web", 60.0)), "it has ended, and the proof is used up"


def test_what_is_out_of_sight_starts_only_where_it_was_held_or_ran_without_a_break() -> None:
    """However well its other node is heard: that may not have noticed yet that it has no quorum."""
    one = guard()
    heard(one, 1.0)
    at(one, replace(HELD, running=frozenset()), 2.0)
    assert "out of sight" in str(one.against_apart("web"))
    at(one, replace(HELD, running=frozenset({"web"})), 3.0)
    at(one, HELD, 4.0)
    assert one.against_apart("web") is None, "it reboots"
    at(one, ALONE, 5.0)
    at(one, HELD, 6.0)
    assert "out of sight" in str(one.against_apart("web")), "it was Secondary in between"
    at(one, replace(HELD, running=frozenset({"web"}), quorate=frozenset()), 7.0)
    at(one, HELD, 8.0)
    assert "out of sight" in str(one.against_apart("web")), "it had no quorum when it ran"


def test_what_was_held_for_long_enough_starts_though_it_is_out_of_sight() -> None:
    one = guard()
    holding(one)
    at(one, HELD, 55.0)
    assert "out of sight" in str(one.against_apart("web"))
    at(one, HELD, 55.6)
    assert one.against_apart("web") is None
    at(one, replace(HELD, running=frozenset({"dns", "web"})), 57.0)
    assert one.against_apart("web") is None, "Xen has it, and gives it its second disk"


def test_a_node_whose_guard_was_stopped_on_purpose_is_a_matter_of_persons() -> None:
    one = guard()
    heard(one, 1.0, leaving=True)
    at(one, ALONE, 20.0)
    assert one.against_start("web", 20.0) is None


def test_what_stays_primary_with_one_of_its_resources_is_demoted_as_a_whole_before_it_is_promoted() -> None:
    one = guard()
    heard(one, 1.0)
    partly = replace(ALONE, partly_primary=frozenset({"web"}))
    assert at(one, partly, 20.0, Promote, Demote) == [Demote("web")]
    assert at(one, ALONE, 22.0, Promote, Demote) == [Promote("web")]


def test_of_what_drbd_demands_no_quorum_nothing_is_taken_over_from_here() -> None:
    one = guard()
    strict = replace(ALONE, connected=frozenset({"dns", "web"}), mirrored=frozenset({"dns", "web"}))
    lax = replace(strict, unfenced=frozenset({"dns"}))

    def says_covered(seen: Seen, now_s: float) -> set[bool]:
        return {"node2" in act.message.covered for act in at(one, seen, now_s, Send) if isinstance(act.message, Beat)}

    assert says_covered(lax, 2.0) == {False}
    heard(one, 2.5)
    assert "demands quorum" in str(one.against_start("dns", 3.0))
    assert says_covered(strict, 4.0) == {True}
    assert one.against_start("dns", 4.0) is None


def test_nobody_s_word_takes_the_place_of_quorum() -> None:
    one = guard()
    heard(one, 1.0)
    assert "quorum" in str(one.confirm_dead("node2", 50.0)[0])
