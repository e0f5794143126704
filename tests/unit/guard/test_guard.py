"""What a guard does about one thing at a time; whole clusters are in tests/property/test_takeover.py."""

from dataclasses import replace
from typing import Any

import pytest

from saltern.guard.acts import Act, Disarm, Fence, Keep, Outdate, Refuse, ResumeIo, Send, Start, Stop, WindUp
from saltern.guard.facts import Facts, Proof, Seen
from saltern.guard.guard import Guard
from saltern.guard.knowledge import WITNESS
from saltern.guard.messages import Beat, Denied, Deny, GoOn, Granted, No, Yes
from saltern.guard.orphans import Ward
from saltern.guard.peer import Declaration
from saltern.guard.times import Times
from saltern.guard.witness import Promises, Witness

PARTNERS = {"dns": "node2", "web": "node2"}
FENCING = Proof(lease=False, fenced=frozenset({"node2"}))
RUNS_DNS = Seen(running=frozenset({"dns"}), startable=frozenset({"web"}), free_bytes=0)


def guard(proof: Proof = FENCING, **more: Any) -> Guard:
    return Guard("node1", PARTNERS, Times(), Facts(boot=1), 0.0, proof=proof, **more)


def heard(one: Guard, now_s: float, number: int, boot: int = 1, *, covered: bool = True, **said: Any) -> list[Act]:
    by = frozenset({one.node}) if covered else frozenset[str]()
    _, acts = one.beat(Beat("node2", boot, number, covered=by, **said), now_s)
    return acts


def answered(one: Guard, acts: list[Act], now_s: float, *, by: str) -> None:
    for act in acts:
        if isinstance(act, Send) and act.to == by and isinstance(act.message, Beat):
            one.answered(by, Yes(act.message.number), now_s)


def of(kind: type[Any], acts: list[Act]) -> list[Any]:
    return [act for act in acts if isinstance(act, kind)]


def fenced_away(one: Guard) -> None:
    """node2 was heard, then is silent, and its agent says that it is off."""
    heard(one, 1.0, 1)
    assert of(Fence, one.act(RUNS_DNS, 20.0)) == [Fence("node2")]
    one.fenced("node2", True, 21.0)


def test_a_silent_node_is_fenced_and_its_domain_starts_when_the_agent_has_seen_it_off() -> None:
    one = guard()
    heard(one, 1.0, 1)
    assert not of(Fence, one.act(RUNS_DNS, 4.0))
    assert of(Fence, one.act(RUNS_DNS, 20.0)) == [Fence("node2")]
    assert not of(Start, one.act(RUNS_DNS, 21.0))
    one.fenced("node2", True, 22.0)
    assert of(Start, one.act(RUNS_DNS, 22.0)) == [Start("web")]


def test_orphans_are_to_be_expected_before_a_node_counts_as_lost_until_it_is_heard_again() -> None:
    one = guard()
    heard(one, 1.0, 1)
    assert not one.expects_orphans(2.0)
    assert one.expects_orphans(1.0 + Times().dead_s / 2)
    assert of(Fence, one.act(RUNS_DNS, 20.0))
    one.fenced("node2", True, 21.0)
    one.act(RUNS_DNS, 21.0)
    assert one.expects_orphans(21.0)
    heard(one, 22.0, 2, boot=2)
    assert not one.expects_orphans(22.0)


def test_a_node_that_was_not_heard_since_the_boot_is_not_fenced() -> None:
    assert not of(Fence, guard().act(RUNS_DNS, 100.0))


def test_a_node_that_replicates_is_not_lost() -> None:
    one = guard()
    heard(one, 1.0, 1)
    seen = Seen(running=frozenset({"dns"}), connected=frozenset({"dns"}))
    assert not of(Fence, one.act(seen, 20.0))


def test_a_node_of_which_one_disk_replicates_is_not_lost() -> None:
    one = guard()
    heard(one, 1.0, 1)
    seen = Seen(running=frozenset({"dns"}), replicating=frozenset({"dns"}))
    assert not of(Fence, one.act(seen, 20.0))


def test_while_it_cannot_be_seen_what_replicates_nobody_is_fenced() -> None:
    one = guard()
    heard(one, 1.0, 1)
    assert not of(Fence, one.act(Seen(running=frozenset({"dns"}), replicating=None), 20.0))
    assert not of(Fence, one.act(RUNS_DNS, 20.0 + Times().dead_s - 0.1))
    assert of(Fence, one.act(RUNS_DNS, 20.0 + Times().dead_s)) == [Fence("node2")]


def test_the_word_of_a_person_is_worth_what_that_of_an_agent_is() -> None:
    one = guard(Proof(lease=False))
    heard(one, 1.0, 7, boot=3)
    against, acts = one.confirm_dead("node2", 20.0)
    assert (against, list(one.facts.declared), of(Start, acts)) == (None, ["node2"], [])
    assert of(Start, one.act(RUNS_DNS, 20.0)) == [Start("web")]
    assert one.confirm_dead("node2", 21.0) == (None, [])
    heard(one, 30.0, 1, boot=4)
    assert one.facts.declared == {}


def test_nobody_is_taken_for_dead_on_a_word_who_was_heard_or_has_replicated() -> None:
    one = guard()
    heard(one, 1.0, 1)
    assert "heard, or replicated, 3.0 s ago" in str(one.confirm_dead("node2", 4.0)[0])
    one.act(Seen(running=frozenset({"dns"}), connected=frozenset({"dns"})), 20.0)
    assert "heard, or replicated, 1.0 s ago" in str(one.confirm_dead("node2", 21.0)[0])
    one.act(Seen(replicating=None), 30.0)
    assert one.confirm_dead("node2", 31.0)[0] is not None
    assert one.facts.declared == {}


def test_a_guard_that_has_just_begun_has_not_listened_for_long_enough_to_take_anybodys_word() -> None:
    assert guard().confirm_dead("node2", 3.0)[0] is not None


def test_where_there_are_leases_a_word_proves_nothing() -> None:
    one = guard(Proof(fenced=frozenset({"node2"})))
    heard(one, 1.0, 1)
    against, acts = one.confirm_dead("node2", 100.0)
    assert "only the witness knows" in str(against)
    assert (acts, one.facts.declared) == ([], {})


def test_only_partners_are_taken_for_dead() -> None:
    for name in ("node3", "node1", WITNESS):
        assert guard().confirm_dead(name, 100.0) == ("node1 shares no domain with it", [])


def test_without_a_lease_a_guard_ends_when_its_partner_knows_or_is_proven_dead() -> None:
    one = guard()
    heard(one, 1.0, 1)
    one.leave()
    assert not of(Disarm, one.act(RUNS_DNS, 2.0))
    one.confirm_dead("node2", 20.0)
    assert of(Disarm, one.act(RUNS_DNS, 20.0)) == [Disarm()]


def test_an_agent_that_fails_is_asked_again_after_a_pause_that_grows() -> None:
    one = guard()
    heard(one, 1.0, 1)
    asked_s = []
    for tenth in range(200, 1000):
        if of(Fence, one.act(RUNS_DNS, tenth / 10)):
            asked_s.append(tenth / 10)
            one.fenced("node2", False, tenth / 10)
    assert asked_s == [20.0, 22.0, 26.0, 34.0, 50.0, 82.0]


def test_what_an_agent_says_of_a_node_that_was_heard_meanwhile_proves_nothing() -> None:
    one = guard()
    heard(one, 1.0, 1)
    one.act(RUNS_DNS, 20.0)
    heard(one, 21.0, 1, boot=2)
    one.fenced("node2", True, 22.0)
    assert of(Fence, one.act(RUNS_DNS, 40.0)) == [Fence("node2")]
    assert not of(Start, one.act(RUNS_DNS, 41.0))


def test_a_fenced_node_is_answered_after_its_next_boot_only() -> None:
    one = guard()
    fenced_away(one)
    one.act(RUNS_DNS, 22.0)
    answer, _ = one.beat(Beat("node2", 1, 9, released=None), 23.0)
    assert not isinstance(answer, Yes)
    answer, _ = one.beat(Beat("node2", 2, 1), 24.0)
    assert isinstance(answer, Yes)


def test_without_a_lease_nothing_is_stopped_and_no_watchdog_wound_up() -> None:
    acts = guard().act(RUNS_DNS, 1000.0)
    assert not of(Stop, acts) + of(WindUp, acts)


def test_domains_that_are_not_guarded_are_left_alone() -> None:
    one = guard(Proof())
    acts = one.act(Seen(running=frozenset({"dns", "router"})), 1.0)
    answered(one, acts, 1.0, by=WITNESS)
    assert of(Stop, one.act(Seen(running=frozenset({"dns", "router"})), 50.0)) == [Stop("dns")]


@pytest.mark.parametrize("proof", [FENCING, Proof()])
def test_what_a_partner_may_have_taken_over_ends_at_once_with_whatever_proof(proof: Proof) -> None:
    one = guard(proof)
    heard(one, 1.0, 1)
    (beat,) = (act.message for act in one.act(RUNS_DNS, 1.0) if isinstance(act, Send) and act.to == "node2")
    assert isinstance(beat, Beat)
    one.answered("node2", No(beat.number, 7, declared=False), 1.1)
    assert not of(Stop, one.act(RUNS_DNS, 1.2))
    one.answered("node2", No(beat.number, 7, declared=True), 1.3)
    assert of(Stop, one.act(RUNS_DNS, 1.4)) == [Stop("dns")]

    (last,) = (act.message for act in one.act(Seen(), 3.0) if isinstance(act, Send) and act.to == "node2")
    assert isinstance(last, Beat)
    assert (last.running, last.released) == (0, 7)
    one.answered("node2", Yes(last.number), 3.1)
    assert not of(Stop, one.act(RUNS_DNS, 3.2))


def test_an_answer_that_was_overtaken_by_a_later_one_neither_ends_nor_begins_anything() -> None:
    one = guard(FENCING)
    heard(one, 1.0, 1)
    beats = [
        act.message.number
        for now_s in (1.0, 3.0, 5.0)
        for act in one.act(RUNS_DNS, now_s)
        if isinstance(act, Send) and act.to == "node2"
    ]
    one.answered("node2", Yes(beats[1]), 5.1)
    one.answered("node2", No(beats[0], 7, declared=True), 5.2)
    assert not of(Stop, one.act(RUNS_DNS, 5.3))
    one.answered("node2", No(beats[2], 8, declared=True), 5.4)
    one.answered("node2", Yes(beats[1]), 5.5)
    assert of(Stop, one.act(RUNS_DNS, 5.6)) == [Stop("dns")]


def test_what_is_being_started_or_received_ends_with_the_lease_as_well() -> None:
    one = guard(Proof())
    answered(one, one.act(Seen(), 1.0), 1.0, by=WITNESS)
    acts = one.act(Seen(starting=frozenset({"web"})), 50.0)
    assert of(Stop, acts) == [Stop("web")]
    assert not of(WindUp, acts)


def test_an_orphan_that_cannot_be_started_is_told_once_and_the_others_go_on() -> None:
    one = guard()
    fenced_away(one)
    seen = Seen(startable=frozenset({"web"}), against={"dns": "its disk dns is Outdated here"}, free_bytes=0)
    acts = one.act(seen, 22.0)
    assert of(Start, acts) == [Start("web")]
    assert of(Refuse, acts) == [Refuse("dns", "its disk dns is Outdated here")]
    assert one.refused == {"dns": "its disk dns is Outdated here"}
    assert not of(Refuse, one.act(seen, 23.0))


def test_what_was_not_seen_is_not_started() -> None:
    one = guard()
    fenced_away(one)
    one.act(Seen(free_bytes=0), 22.0)
    assert one.refused["web"] == "it was not seen what is here of it"


def test_a_start_that_fails_is_told_and_tried_again() -> None:
    one = guard()
    fenced_away(one)
    one.act(RUNS_DNS, 22.0)
    one.failed("web", "xl: out of memory", 23.0)
    assert of(Refuse, one.act(RUNS_DNS, 24.0)) == [
        Refuse("web", "its start has failed, and is tried again: xl: out of memory")
    ]
    assert of(Start, one.act(RUNS_DNS, 25.0)) == [Start("web")]


def test_the_other_node_s_newer_data_are_not_replaced_by_ours() -> None:
    one = guard()
    heard(one, 1.0, 1, alone=frozenset({"web"}))
    one.act(RUNS_DNS, 20.0)
    one.fenced("node2", True, 21.0)
    assert not of(Start, one.act(RUNS_DNS, 22.0))
    assert one.refused == {"web": "node2 had gone on alone with it, and has not taken that back: what is here is older"}
    assert one.against_start("web", 22.0) == one.refused["web"]
    assert one.against_start("dns", 22.0) is None


def test_orphans_are_started_in_order() -> None:
    one = guard(wards={"dns": Ward(order=20), "web": Ward(order=10)})
    fenced_away(one)
    both = frozenset({"dns", "web"})
    assert of(Start, one.act(Seen(startable=both, free_bytes=0), 22.0)) == [Start("web")]
    seen = Seen(running=frozenset({"web"}), startable=frozenset({"dns"}), free_bytes=0)
    assert of(Start, one.act(seen, 23.0)) == [Start("dns")]


# --- Pausing, and ending -------------------------------------------------------------------------------------------
def test_a_paused_guard_takes_nothing_over_until_it_is_resumed() -> None:
    one = guard()
    heard(one, 1.0, 1)
    one.pause()
    assert not of(Fence, one.act(RUNS_DNS, 20.0))
    one.resume()
    assert of(Fence, one.act(RUNS_DNS, 21.0))


def test_a_pause_outlasts_a_boot() -> None:
    one = guard()
    one.pause()
    assert one.facts.after_boot(2).paused


def test_a_guard_ends_when_the_witness_knows() -> None:
    one = guard(Proof())
    first = one.act(RUNS_DNS, 1.0)
    one.leave()
    answered(one, first, 1.1, by=WITNESS)
    acts = one.act(RUNS_DNS, 2.0)
    assert not of(Disarm, acts)
    answered(one, acts, 2.1, by="node2")
    assert not of(Disarm, one.act(RUNS_DNS, 2.2))
    answered(one, acts, 2.3, by=WITNESS)
    acts = one.act(RUNS_DNS, 2.4)
    assert of(Disarm, acts)
    assert not of(WindUp, acts)


def test_nothing_is_taken_over_from_a_node_whose_guard_was_stopped_until_it_is_heard_again() -> None:
    one = guard()
    heard(one, 1.0, 1, leaving=True)
    assert not of(Fence, one.act(RUNS_DNS, 50.0))
    heard(one, 51.0, 2)
    assert of(Fence, one.act(RUNS_DNS, 70.0))


def test_nothing_is_taken_over_from_a_node_whose_drbd_may_go_on_alone_unasked() -> None:
    one = guard()
    heard(one, 1.0, 1)
    heard(one, 2.0, 2, covered=False)
    assert not of(Fence, one.act(RUNS_DNS, 50.0))
    reason, acts = one.confirm_dead("node2", 50.0)
    assert reason == "it said last that DRBD may go on alone there unasked, and what is here may be older"
    assert not acts
    # So it is for a guard that is started again meanwhile.
    again = Guard("node1", PARTNERS, Times(), one.facts, 60.0, proof=FENCING)
    assert not of(Fence, again.act(RUNS_DNS, 100.0))
    heard(again, 101.0, 3)
    assert of(Fence, again.act(RUNS_DNS, 120.0))


def test_with_a_lease_a_node_whose_drbd_may_go_on_alone_unasked_is_not_denied() -> None:
    one = guard(Proof())
    heard(one, 1.0, 1)
    heard(one, 2.0, 2, covered=False)
    acts = one.act(RUNS_DNS, 50.0)
    assert not [each for each in of(Send, acts) if isinstance(each.message, Deny)]


def covered(acts: list[Act]) -> set[bool]:
    return {"node2" in each.message.covered for each in of(Send, acts) if isinstance(each.message, Beat)}


BOTH = frozenset({"dns", "web"})
WHOLE = Seen(running=frozenset({"dns"}), connected=BOTH, mirrored=BOTH)


def test_a_person_is_not_believed_about_a_node_that_has_not_said_whether_drbd_asks_there() -> None:
    one = guard(Proof(lease=False))
    assert "it was not heard since this node has booted" in str(one.confirm_dead("node2", 50.0)[0])
    heard(one, 60.0, 1, covered=False)
    assert "it said last that DRBD may go on alone there unasked" in str(one.confirm_dead("node2", 100.0)[0])
    heard(one, 110.0, 2)
    assert one.confirm_dead("node2", 150.0)[0] is None


def test_a_node_says_that_it_may_be_taken_over_from_when_drbd_asks_about_all_that_it_shares() -> None:
    one = guard()
    assert covered(one.act(replace(WHOLE, unfenced=None), 1.0)) == {False}, "it was not looked at yet"
    assert covered(one.act(WHOLE, 3.0)) == {True}
    assert covered(one.act(replace(WHOLE, unfenced=None), 5.0)) == {True}, "as it was"
    assert covered(one.act(replace(WHOLE, unfenced=frozenset({"dns"})), 7.0)) == {False}
    assert covered(one.act(replace(WHOLE, unfenced=frozenset({"web"})), 9.0)) == {False}, "it may have run here before"
    assert covered(one.act(WHOLE, 11.0)) == {True}


def test_what_may_have_been_written_before_drbd_asked_has_to_be_met_once_over_restarts_and_boots_too() -> None:
    one = guard()
    one.act(replace(WHOLE, unfenced=frozenset({"dns"})), 1.0)
    apart = Seen(connected=frozenset({"web"}), mirrored=frozenset({"web"}))
    assert covered(one.act(apart, 3.0)) == {False}, "DRBD asks now, but the other copy is not in sight"
    assert one.unvouched == ["dns"]
    again = Guard("node1", PARTNERS, Times(), one.facts.after_boot(2), 0.0, proof=FENCING)
    assert covered(again.act(apart, 1.0)) == {False}
    assert covered(again.act(WHOLE, 3.0)) == {True}
    after = Guard("node1", PARTNERS, Times(), again.facts.after_boot(3), 0.0, proof=FENCING)
    assert covered(after.act(Seen(), 1.0)) == {True}, (
        "that was so before the boot, and nothing was written unasked since"
    )
    after.leave()
    after.act(apart, 3.0)
    assert after.unvouched == [], "it is started again, with a new core perhaps, and DRBD goes on asking"


def test_who_steps_aside_vouches_no_more_for_what_drbd_is_to_ask_no_more_about_and_for_nothing_new() -> None:
    one = guard()
    one.act(replace(WHOLE, mirrored=frozenset({"dns"})), 1.0)
    one.step_aside({"dns"})
    one.act(WHOLE, 3.0)
    assert one.unvouched == ["dns", "web"]
    one.leave()
    one.act(WHOLE, 5.0)
    assert one.unvouched == ["dns", "web"], "what DRBD asks about was read a while ago, before it was told not to"
    other = guard()
    other.act(WHOLE, 1.0)
    other.step_aside({"dns"})
    other.act(Seen(), 3.0)
    assert other.unvouched == ["dns"], "about web DRBD goes on asking, wherever its other copy is"


def test_what_is_written_alone_unasked_counts_as_newer_here_until_both_copies_are_the_same() -> None:
    one = guard()
    heard(one, 1.0, 1)
    alone = Seen(running=frozenset({"dns"}), lost=frozenset({"dns"}), unasked=frozenset({"dns"}))
    acts = one.act(alone, 3.0)
    assert {each.message.alone for each in of(Send, acts) if isinstance(each.message, Beat)} == {frozenset({"dns"})}
    assert one.facts.alone == {"dns"}
    assert not one.may_go_on("dns"), "whoever asks later is told what was granted, and nothing was"
    acts = one.act(Seen(running=frozenset({"dns"}), settled=frozenset({"dns"})), 3.1)
    assert one.facts.alone == frozenset()
    beats = [each.message for each in of(Send, acts) if isinstance(each.message, Beat)]
    assert [each.alone for each in beats] == [frozenset()], "it is told at once, and not with the next beat"


def test_a_domain_about_which_drbd_does_not_ask_is_started_by_nobody() -> None:
    one = guard()
    answered(one, one.act(Seen(unfenced=frozenset({"dns"})), 5.0), 5.1, by="node2")
    reason = "it was not seen that DRBD asks the guard of this node before it goes on alone with its data"
    assert one.against_start("dns", 6.0) == reason
    assert one.against_start("web", 6.0) is None
    fenced_away(one)
    found = one.act(Seen(startable=frozenset({"dns"}), unfenced=frozenset({"dns"})), 22.0)
    assert not [each for each in of(Start, found) if each.domain == "dns"]
    assert Refuse("dns", reason) in found


def test_nothing_comes_from_a_node_whose_drbd_may_go_on_alone_unasked_or_whose_guard_ends() -> None:
    one = guard(Proof())
    answered(one, one.act(replace(RUNS_DNS, unfenced=frozenset()), 1.0), 1.1, by=WITNESS)
    assert one.against_start("web", 1.2) is None
    reason = "node2 has not said that DRBD asks its guard, too, before it goes on alone with what runs there"
    assert one.against_arrival("web", 1.2) == reason
    heard(one, 1.3, 1)
    assert one.against_arrival("web", 1.4) is None
    heard(one, 1.5, 2, covered=False)
    assert one.against_arrival("web", 1.6) == reason
    heard(one, 1.7, 3, leaving=True)
    assert one.against_arrival("web", 1.8) == "the guard of node2 has ended, or is about to"
    heard(one, 1.9, 4, boot=2)
    assert one.against_arrival("web", 2.0) is None
    assert "nor the witness answers" in str(one.against_arrival("web", 20.0))


def test_drbd_is_told_to_ask_no_more_when_no_domain_comes_to_a_partner_from_here_any_more() -> None:
    one = guard(Proof())
    heard(one, 0.5, 1)
    one.step_aside()
    acts = one.act(RUNS_DNS, 1.0)
    answered(one, acts, 1.1, by=WITNESS)
    assert one.known_off
    assert not one.aside
    answered(one, acts, 1.2, by="node2")
    assert one.aside


def test_nobody_waits_for_a_partner_whose_guard_has_ended_before_drbd_is_told_to_ask_no_more() -> None:
    one = guard(Proof())
    heard(one, 0.5, 1, leaving=True)
    one.step_aside()
    answered(one, one.act(RUNS_DNS, 1.0), 1.1, by=WITNESS)
    assert one.aside


def test_a_guard_that_is_started_again_has_a_silent_node_denied_in_the_boot_in_which_it_was_heard() -> None:
    one = guard(Proof())
    heard(one, 1.0, 1, boot=3)
    again = Guard("node1", PARTNERS, Times(), one.facts, 2.0)
    denials = [each.message for each in of(Send, again.act(RUNS_DNS, 50.0)) if isinstance(each.message, Deny)]
    assert [each.denied_boot for each in denials] == [3]


def test_a_request_from_another_boot_says_nothing_of_what_drbd_asks_there() -> None:
    one = guard(Proof())
    heard(one, 1.0, 1, boot=3)
    one.asked(GoOn("web", "node2", 3, 2), 1.1)
    assert one.facts.covered == {"node2"}
    one.asked(GoOn("web", "node2", 4, 1), 1.2)
    assert (one.facts.met, one.facts.covered) == ({"node2": 4}, set())


def test_a_guard_steps_aside_when_those_have_taken_note_who_could_take_over_and_goes_on_as_before() -> None:
    one = guard(Proof())
    answered(one, one.act(RUNS_DNS, 1.0), 1.1, by=WITNESS)
    one.step_aside()
    assert not one.aside
    acts = one.act(RUNS_DNS, 3.0)
    answered(one, acts, 3.1, by="node2")
    assert not one.aside, "nobody takes anything over without the witness"
    answered(one, acts, 3.1, by=WITNESS)
    assert one.aside
    later = one.act(RUNS_DNS, 5.0)
    assert not of(Disarm, later)
    assert of(WindUp, later)


def test_with_a_lease_the_node_of_a_stopped_guard_is_lost_only_when_it_stops_its_domains_again() -> None:
    one = guard(Proof())
    heard(one, 1.0, 1, leaving=True)
    heard(one, 2.0, 2, covered=False)
    acts = one.act(RUNS_DNS, 50.0)
    assert not [each for each in of(Send, acts) if isinstance(each.message, Deny)]
    heard(one, 51.0, 3, covered=True)
    acts = one.act(RUNS_DNS, 70.0)
    assert [each for each in of(Send, acts) if isinstance(each.message, Deny)]


# --- Going on alone ------------------------------------------------------------------------------------------------
LOST = Seen(running=frozenset({"dns"}), lost=frozenset({"dns"}))


def asked_to_go_on(acts: list[Act]) -> list[int]:
    return [each.message.number for each in of(Send, acts) if isinstance(each.message, GoOn)]


def test_a_side_goes_on_when_the_partner_has_outdated_its_copy() -> None:
    one = guard()
    heard(one, 1.0, 1)
    (number,) = asked_to_go_on(one.act(LOST, 2.0))
    assert not one.may_go_on("dns")
    one.answered("node2", Granted(number, "dns", given=False), 2.1)
    assert not one.may_go_on("dns")
    one.answered("node2", Granted(number, "dns", given=True), 2.2)
    assert one.may_go_on("dns")
    assert one.facts.alone == {"dns"}


def test_what_was_granted_for_an_earlier_loss_is_of_no_use() -> None:
    one = guard()
    heard(one, 1.0, 1)
    (number,) = asked_to_go_on(one.act(LOST, 2.0))
    one.answered("node2", Granted(number, "dns", given=True), 2.2)
    one.lost("dns")
    assert not one.may_go_on("dns")
    one.act(LOST, 4.0)
    one.answered("node2", Granted(number, "dns", given=True), 4.1)
    assert not one.may_go_on("dns")


WAITS = replace(LOST, waiting=frozenset({"dns"}))
HANDLER_S = Times().dead_s


def grant(one: Guard, acts: list[Act], now_s: float) -> list[Act]:
    return one.answered("node2", Granted(asked_to_go_on(acts)[0], "dns", given=True), now_s)


def test_what_drbd_s_handler_has_not_told_it_the_guard_tells_it_once_that_is_granted_anew() -> None:
    one = guard()
    heard(one, 1.0, 1)
    assert not of(ResumeIo, grant(one, one.act(WAITS, 2.0), 2.2))
    assert not asked_to_go_on(one.act(WAITS, 1.0 + HANDLER_S))
    again = one.act(WAITS, 2.3 + HANDLER_S)
    assert not of(ResumeIo, again), "what was granted a while ago may be about a loss before"
    assert not one.may_go_on("dns")
    assert of(ResumeIo, grant(one, again, 2.4 + HANDLER_S)) == [ResumeIo("dns")]
    assert one.facts.alone == {"dns"}
    assert not of(ResumeIo, one.act(WAITS, 4.0 + HANDLER_S)), "it takes a moment"
    later = one.act(WAITS, 3.0 + 2 * HANDLER_S)
    assert of(ResumeIo, grant(one, later, 3.1 + 2 * HANDLER_S)) == [ResumeIo("dns")], "that has failed"


def test_drbd_is_told_nothing_that_it_does_not_wait_for() -> None:
    one = guard()
    heard(one, 1.0, 1)
    grant(one, one.act(LOST, 2.0), 2.2)
    for now_s in range(3, 60):
        acts = one.act(LOST, float(now_s))
        assert not of(ResumeIo, acts)
        assert not asked_to_go_on(acts)


def test_a_handler_that_asks_is_told_itself() -> None:
    one = guard()
    heard(one, 1.0, 1)
    grant(one, one.act(WAITS, 2.0), 2.2)
    one.act(WAITS, 2.3 + HANDLER_S)
    one.lost("dns")
    assert not of(ResumeIo, grant(one, one.act(WAITS, 4.3 + HANDLER_S), 4.4 + HANDLER_S))
    assert one.may_go_on("dns")


def test_by_proof_drbd_is_told_as_well() -> None:
    one = guard()
    fenced_away(one)
    one.act(WAITS, 22.0)
    assert one.may_go_on("dns")
    assert of(ResumeIo, one.act(WAITS, 22.0 + HANDLER_S)) == [ResumeIo("dns")]


def test_what_was_granted_before_the_copies_have_met_is_of_no_use() -> None:
    one = guard()
    heard(one, 1.0, 1)
    grant(one, one.act(LOST, 2.0), 2.2)
    acts = one.act(replace(LOST, met=frozenset({"dns"})), 4.0)
    assert not one.may_go_on("dns")
    assert asked_to_go_on(acts)
    assert one.facts.alone == {"dns"}


def test_a_copy_is_outdated_before_the_partner_is_answered() -> None:
    one = guard()
    heard(one, 1.0, 1)
    assert one.asked(GoOn("web", "node2", 1, 2), 2.0) == [Outdate("web")]
    assert one.outdated("web", True) == [Send("node2", Granted(2, "web", given=True))]
    assert one.outdated("web", True) == []


def test_a_copy_that_went_on_alone_is_not_outdated() -> None:
    one = guard()
    heard(one, 1.0, 1)
    (number,) = asked_to_go_on(one.act(LOST, 2.0))
    one.answered("node2", Granted(number, "dns", given=True), 2.2)
    assert one.asked(GoOn("dns", "node2", 1, 2), 3.0) == [Send("node2", Granted(2, "dns", given=False))]


def test_a_node_that_was_proven_dead_is_not_helped_to_go_on() -> None:
    one = guard()
    fenced_away(one)
    one.act(RUNS_DNS, 22.0)
    assert one.asked(GoOn("web", "node2", 1, 2), 23.0) == [Send("node2", Granted(2, "web", given=False))]


def test_an_old_or_strange_request_is_passed_over() -> None:
    one = guard()
    heard(one, 1.0, 5)
    assert one.asked(GoOn("web", "node2", 1, 4), 2.0) == []
    assert one.asked(GoOn("web", "node3", 1, 9), 2.0) == []
    assert one.asked(GoOn("strange", "node2", 1, 9), 2.0) == []


def test_an_answer_of_a_stranger_is_passed_over() -> None:
    assert guard().answered(WITNESS, Yes(1), 1.0) == []


# --- Protection ----------------------------------------------------------------------------------------------------
def test_a_node_is_protected_when_all_have_answered_lately_that_know_its_domains_end_with_their_leases() -> None:
    one = guard(Proof())
    assert one.unaware(5.0) == ["node2", WITNESS]
    first = one.act(Seen(connected=BOTH, mirrored=BOTH), 5.0)  # says nothing of leases, of which there are none yet
    for by in ("node2", WITNESS):
        answered(one, first, 5.1, by=by)
    assert one.unaware(5.1) == ["node2", WITNESS]
    second = one.act(Seen(connected=BOTH, mirrored=BOTH), 7.0)
    answered(one, second, 7.1, by="node2")
    assert one.unaware(7.1) == [WITNESS]
    answered(one, second, 7.1, by=WITNESS)
    assert one.unaware(7.1) == []
    assert one.unaware(7.0 + Times().takeover_s) == ["node2", WITNESS]


def test_with_agents_a_node_is_protected_as_soon_as_its_partner_answers() -> None:
    one = guard()
    assert one.unaware(5.0) == ["node2"]
    answered(one, one.act(Seen(connected=BOTH, mirrored=BOTH), 5.0), 5.1, by="node2")
    assert one.unaware(5.1) == []


# --- Starts by others ----------------------------------------------------------------------------------------------
def test_nobody_starts_anything_before_the_partner_knows_that_this_node_lives() -> None:
    one = guard()
    assert one.against_start("dns", 5.0) == "node2 has not answered since this node has booted"
    answered(one, one.act(Seen(), 5.0), 5.1, by="node2")
    assert one.against_start("dns", 500.0) is None


def test_with_a_lease_nobody_starts_anything_without_one() -> None:
    one = guard(Proof())
    assert one.against_start("dns", 5.0) == "neither node2 nor the witness answers"
    answered(one, one.act(Seen(), 5.0), 5.1, by=WITNESS)
    assert one.against_start("dns", 6.0) is None
    assert one.against_start("dns", 13.0) == "neither node2 nor the witness answers"


def test_nothing_is_started_while_the_guard_is_being_stopped() -> None:
    one = guard()
    answered(one, one.act(Seen(), 5.0), 5.1, by="node2")
    one.leave()
    assert one.against_start("dns", 6.0) == "the guard of this node is being stopped"


def test_neither_is_fenced_nor_believed_dead_who_was_told_something_else() -> None:
    """Its partner may have been changed, so that what is here is older; its lease may be longer than what is waited for."""
    one = guard(terms={"node2": "new"})
    heard(one, 1.0, 1, terms=frozenset({("node1", "old")}))
    assert one.apart == ["node2"]
    assert not of(Fence, one.act(RUNS_DNS, 20.0))
    against, acts = one.confirm_dead("node2", 20.0)
    assert against is not None
    assert "told something else" in against
    assert acts == []
    heard(one, 21.0, 2, terms=frozenset({("node1", "new")}))
    assert one.apart == []
    assert of(Fence, one.act(RUNS_DNS, 40.0)) == [Fence("node2")]


def test_what_a_node_has_agreed_to_is_nothing_when_this_guard_is_started_with_something_else() -> None:
    """It may have been given a domain that runs over there, about which DRBD does not ask there yet."""
    agreed = frozenset({("node1", "old")})
    before = guard(terms={"node2": "old"})
    heard(before, 1.0, 1, terms=agreed)
    one = Guard("node1", PARTNERS, Times(), before.facts, 2.0, proof=FENCING, terms={"node2": "new"})
    assert one.apart == ["node2"]
    assert not of(Fence, one.act(RUNS_DNS, 20.0))
    assert one.confirm_dead("node2", 20.0)[0] is not None
    again = Guard("node1", PARTNERS, Times(), one.facts, 21.0, proof=FENCING, terms={"node2": "old"})
    assert again.apart == [], "it has that back"


def test_what_was_proven_in_another_way_is_proven_no_more() -> None:
    by_lease, by_agent = Declaration(1, 5, frozenset()), Declaration(1, None, frozenset())
    for proof, stands in ((FENCING, {"agent"}), (Proof(), {"lease"}), (Proof(lease=False, quorum=True), set())):
        facts = Facts(boot=1, declared={"lease": by_lease, "agent": by_agent})
        assert Guard("node1", PARTNERS, Times(), facts, 0.0, proof=proof).facts.declared.keys() == stands


def test_a_copy_whose_disk_was_away_is_not_started_from_while_it_is_consistent_until_it_is_synchronised() -> None:
    consistent = replace(RUNS_DNS, free_bytes=9, consistent=frozenset({"web"}))
    for away, starts in ((frozenset[str](), [Start("web")]), (frozenset({"web"}), [])):
        one = guard()
        one.act(replace(Seen(), away=away), 0.5)
        fenced_away(one)
        acts = one.act(consistent, 22.0)
        assert of(Start, acts) == starts
        assert [each.domain for each in of(Refuse, acts)] == sorted(away)
        assert (one.against_start("web", 22.0) is None) == bool(starts)
    assert of(Start, one.act(replace(RUNS_DNS, free_bytes=9), 23.0)) == [Start("web")], (
        "UpToDate: it was there all the time"
    )


def test_what_was_away_while_no_guard_was_there_to_see_is_kept_until_it_is_synchronised() -> None:
    one = guard(restarted=True)
    assert "may be older" in str(one._doubtful("web"))
    one.act(Seen(running=frozenset(PARTNERS), replicating=None, unfenced=None), 0.5)
    assert not one.facts.away, "nothing is seen yet"
    (keep,) = of(Keep, one.act(Seen(settled=frozenset({"web"}), consistent=frozenset({"dns"})), 1.0))
    assert keep.facts.away == {"dns"}
    again = Guard("node1", PARTNERS, Times(), keep.facts.after_boot(2), 0.0, proof=FENCING)
    again.act(Seen(consistent=frozenset({"dns"})), 1.0)
    assert "may be older" in str(again._doubtful("dns"))
    again.act(Seen(settled=frozenset({"dns"})), 2.0)
    assert again._doubtful("dns") is None


def test_a_node_is_covered_for_each_partner_by_itself() -> None:
    """A new domain whose partner is not there yet takes no protection from what the others could take over."""
    both = {**PARTNERS, "mail": "node3"}
    one = Guard("node1", both, Times(), Facts(boot=1), 0.0)
    seen = replace(WHOLE, running=frozenset({"mail"}), mirrored=frozenset({"dns", "web"}))
    for now_s in (1.0, 3.0):
        answered(one, one.act(seen, now_s), now_s + 0.1, by=WITNESS)
    told = {each.to: each.message.covered for each in of(Send, one.act(seen, 5.0)) if isinstance(each.message, Beat)}
    assert told == dict.fromkeys((WITNESS, "node2", "node3"), frozenset({"node2"}))
    assert one.unaware(5.0) == ["node2", "node3"], "the witness knows"


def test_a_guard_that_has_stepped_aside_is_covered_for_nobody_until_its_domains_are_seen_again() -> None:
    one = guard(Proof())
    answered(one, one.act(WHOLE, 1.0), 1.1, by=WITNESS)
    answered(one, one.act(WHOLE, 3.0), 3.1, by=WITNESS)
    one.step_aside({"dns"})
    one.act(WHOLE, 5.0)
    again = Guard("node1", PARTNERS, Times(), one.facts, 6.0, {WITNESS: 5.0})
    assert covered(again.act(Seen(), 7.0)) == {False}
    assert covered(again.act(WHOLE, 9.0)) == {True}


class Asked:
    """A witness, and what it says to the one node that is heard there and to those who would have it denied."""

    def __init__(self) -> None:
        self.witness, self._number = Witness(Times(), Promises(), 0.0), 0

    def beat(
        self,
        now_s: float,
        *partners: str,
        covered: tuple[str, ...] = (),
        boot: int = 1,
        leaving: bool = False,
        answer: type[Yes | No] = Yes,
    ) -> None:
        self._number += 1
        terms = frozenset((partner, "as ever") for partner in partners)
        beat = Beat("node1", boot, self._number, frozenset(covered), leaving=leaving, terms=terms)
        assert isinstance(self.witness.answer(beat, now_s), answer)

    def denied(self, by: str, now_s: float, boot: int = 1) -> bool:
        asked = Deny("node1", boot, frozenset(), by, 1, int(now_s), "as ever")
        return isinstance(self.witness.answer(asked, now_s), Denied)


def test_the_witness_lets_a_node_be_denied_again_by_those_partners_alone_that_it_is_covered_for() -> None:
    one, both = Asked(), ("node2", "node3")
    one.beat(10.0, *both, covered=both)
    one.beat(11.0, *both, covered=both, leaving=True)
    assert not one.denied("node2", 50.0)
    one.beat(51.0, *both, covered=("node2",))
    assert (one.denied("node3", 90.0), one.denied("node2", 91.0)) == (False, True)
    one.beat(101.0, *both, covered=both, boot=2)
    assert one.denied("node3", 150.0, boot=2)


def test_the_witness_spares_a_node_from_a_partner_of_a_guard_before_which_has_not_heard_that_it_is_off() -> None:
    """It was covered there when it was heard last, and the guard that has ended since did not know it."""
    one = Asked()
    one.beat(10.0, "node2", "node3", covered=("node2", "node3"))
    one.beat(20.0, "node2", covered=("node2",))
    one.beat(21.0, "node2", covered=("node2",), leaving=True)
    one.beat(30.0, "node2", covered=("node2",))
    one.beat(40.0, "node2", "node3", covered=("node2",))
    assert not one.denied("node3", 90.0)


def test_the_witness_has_to_answer_anew_when_more_is_covered() -> None:
    one = Guard("node1", {**PARTNERS, "mail": "node3"}, Times(), Facts(boot=1), 0.0)
    seen = Seen(mirrored=frozenset(PARTNERS))
    for now_s in (1.0, 3.0):
        answered(one, one.act(seen, now_s), now_s + 0.1, by=WITNESS)
    assert one.unaware(3.2) == ["node2", "node3"]
    seen = Seen(mirrored=frozenset({"mail"}))
    acts = one.act(seen, 5.0)
    assert WITNESS in one.unaware(5.0)
    answered(one, acts, 5.1, by=WITNESS)
    assert WITNESS not in one.unaware(5.1)


def test_what_the_witness_has_lifted_proves_nothing_any_more_where_nothing_was_started() -> None:
    """The node lives for the witness: who loses it again has to ask anew, and nothing that is well there is to be ended."""
    one = guard(Proof())
    heard(one, 1.0, 1)
    (deny,) = [each.message for each in of(Send, one.act(Seen(), 20.0)) if isinstance(each.message, Deny)]
    one.answered(WITNESS, Denied(deny.number, "node2", 5, frozenset()), 20.1)
    for now_s in (22.0, 42.0, 44.0):
        for each in of(Send, one.act(Seen(), now_s)):
            if each.to == WITNESS and isinstance(each.message, Beat):
                one.answered(WITNESS, Yes(each.message.number, frozenset({("node2", 5)})), now_s + 0.1)
    assert one.facts.declared.keys() == {"node2"}
    answered(one, one.act(Seen(), 46.0), 46.1, by=WITNESS)
    one.act(Seen(running=frozenset({"web"})), 47.0)
    assert one.facts.declared.keys() == {"node2"}, "what runs here may run over there: it has to end there first"
    begins = Guard("node1", PARTNERS, Times(), one.facts, 48.0, {WITNESS: 46.0})
    begins.act(Seen(), 48.1)
    assert begins.facts.declared.keys() == {"node2"}, "the witness has told this guard nothing yet"
    one.act(Seen(), 48.0)
    assert one.facts.declared == {}


def test_no_word_is_taken_of_a_node_whose_guard_has_said_that_nothing_is_to_be_taken_over() -> None:
    """It steps aside before DRBD goes on alone unasked there, and may have had no time to say that it does."""
    one = guard()
    heard(one, 1.0, 1)
    heard(one, 2.0, 2, leaving=True)
    against, acts = one.confirm_dead("node2", 20.0)
    assert (against is not None, acts) == (True, [])
    heard(one, 21.0, 3)
    assert one.confirm_dead("node2", 40.0)[0] is None


def test_the_terms_of_a_partner_are_said_in_beats_and_when_it_is_to_be_denied() -> None:
    one = guard(Proof(), terms={"node2": "new"})
    heard(one, 1.0, 1, terms=frozenset({("node1", "new")}))
    said = [act.message for act in of(Send, one.act(RUNS_DNS, 20.0))]
    assert {each.terms for each in said if isinstance(each, Beat)} == {frozenset({("node2", "new")})}
    assert [each.terms for each in said if isinstance(each, Deny)] == ["new"]


def test_nobody_starts_here_what_the_other_node_has_written_alone_until_both_copies_are_seen_to_be_the_same() -> None:
    """Its own copy is called UpToDate, by connecting to the other node while that has no disk."""
    one = guard()
    answered(one, one.act(WHOLE, 1.0), 1.1, by="node2")
    heard(one, 1.2, 1, alone=frozenset({"dns"}))
    one.act(replace(WHOLE, mirrored=frozenset(), settled=frozenset()), 2.0)
    assert "node2 has gone on alone with it" in str(one.against_start("dns", 2.0))
    assert one.against_start("web", 2.0) is None
    assert one.against_arrival("dns", 2.0) is None, "it comes running, from there"
    one.act(WHOLE, 3.0)
    assert one.against_start("dns", 3.0) is None


def test_what_was_vouched_for_with_another_partner_is_not_with_this_one() -> None:
    """That one has seen nothing of what was written with the other, and may say so never: it is away."""
    one = guard(Proof())
    one.act(WHOLE, 1.0)
    assert one.facts.vouched == {"dns", "web"}
    moved = Guard("node1", {"dns": "node3", "web": "node2"}, Times(), one.facts, 2.0)
    assert moved.facts.vouched == {"web"}
    moved.act(replace(WHOLE, unfenced=None), 3.0)
    back = Guard("node1", PARTNERS, Times(), moved.facts, 4.0)
    assert back.facts.vouched == {"web"}


def test_the_witness_takes_note_of_who_is_covered_also_of_one_that_it_does_not_answer() -> None:
    one, both = Asked(), ("node2", "node3")
    one.beat(10.0, *both, covered=both, leaving=True)
    one.beat(11.0, *both, covered=("node3",))
    assert one.denied("node3", 50.0)
    one.beat(51.0, *both, covered=both, answer=No)
    assert one.denied("node2", 90.0)
