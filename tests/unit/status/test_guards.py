"""Guards in the status: which node is protected, why one is not, and what was decided of a domain."""

from dataclasses import replace
from typing import Any

import pytest
from answers import HOME, PARTNER, SHARES

from saltern.guard.times import Times
from saltern.model.desired import GuardSpec
from saltern.model.topology import Witness as WitnessPlace
from saltern.status.answer import NO_GUARD, Answer, answer
from saltern.status.explain import Witness, explain, explain_text
from saltern.status.state import cluster_status
from saltern.status.text import status_text

SPEC = GuardSpec(
    address="192.168.1.190",
    port=7780,
    partners={"dom0m": "192.168.1.191"},
    witness=WitnessPlace(minion="master", address="192.168.1.10", port=7781),
    fencing={},
    times=Times(),
)
GUARDED = {node: replace(share, guard=SPEC) for node, share in SHARES.items()}


def guard(*, running: bool = True, **changed: Any) -> dict[str, Any]:
    """What `guard.status` returns."""
    domain = {
        "protected": changed.get("protected", True),
        "partner": "dom0m" if running else "dom0",
        "running": running,
        "lease_left_s": 7.5,
        "never_quorate": False,
        "not_startable": "it is here" if running else None,
    }
    decisions = [{"at": "10:00", "subject": "domain dns", "words": "started"}]
    return {
        "configured": True,
        "protected": True,
        "unaware": [],
        "ending": False,
        "aside": False,
        "leaving": False,
        "unfenced": [],
        "unvouched": [],
        "quorum": False,
        "leases": True,
        "current": True,
        "paused": None,
        "seen": True,
        "renewed_s_ago": {"dom0m": 0.5, "the witness": 0.4},
        "dead": {},
        "alone": [],
        "agents": {},
        "refused": {},
        "domains": {"dns": domain},
        "decisions": decisions,
        **changed,
    }


def status(home: dict[str, Any], **changed: Any) -> dict[str, Any]:
    answers = {
        "dom0": replace(HOME, guard=home, **changed),
        "dom0m": replace(PARTNER, guard=guard(running=False)),
    }
    return cluster_status(GUARDED, answers)


def test_without_takeover_nothing_is_said_of_guards() -> None:
    found = cluster_status(SHARES, {"dom0": HOME, "dom0m": PARTNER})
    assert (found["guards"], found["wrong"]) == ({}, [])
    assert "Guards" not in status_text(found)


def test_protected_nodes_are_shown_with_who_answers_them() -> None:
    found = status(guard())
    assert found["wrong"] == []
    assert "dom0: protected; answered by dom0m 0.5 s ago, the witness 0.4 s ago" in status_text(found)


def test_a_node_of_which_one_partner_is_away_is_protected_but_for_what_that_one_shares() -> None:
    home = guard(protected=False, unaware=["dom2"])
    home["domains"] |= {"dns": home["domains"]["dns"] | {"protected": True}, "mail": home["domains"]["dns"]}
    why = "dom2 did not answer of late, without whom nobody takes it over"
    found = status(home)
    assert any(f"node dom0: mail is not protected: {why}" in each for each in found["wrong"])
    assert "dom0: protected but for mail; answered by dom0m 0.5 s ago" in status_text(found)
    assert not any("not protected" in line for line in explained(home)["guards"])


def test_by_quorum_it_is_shown_when_each_domain_had_it_last() -> None:
    found = status(guard(quorum=True, renewed_s_ago={"dns": 0.5}))
    assert "dom0: protected; had quorum for dns 0.5 s ago" in status_text(found)
    found = status(guard(quorum=True, renewed_s_ago={}))
    assert "dom0: protected; nothing was seen with quorum yet" in status_text(found)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"ending": True}, "its guard was asked to end"),
        ({"aside": True, "leaving": True}, "its guard has stepped aside for an apply that was not finished"),
        (
            {"leaving": True, "unaware": ["dom0m"]},
            "its guard steps aside for an apply that was not finished, and not all who have to know have taken note",
        ),
        ({"unfenced": ["dns"], "unaware": ["dom0m"]}, "DRBD was not seen to ask its guard about dns"),
        ({"unfenced": ["dns"], "quorum": True}, "DRBD was not seen to demand quorum for dns"),
        (
            {"unvouched": ["dns"], "unaware": ["dom0m"]},
            "dns was not seen with its other copy since DRBD asks about it, so that newer data may be here alone",
        ),
        ({"unaware": ["dom0m"]}, "dom0m did not answer of late, without whom nobody takes it over"),
        (
            {"unaware": ["dom0m"], "apart": ["dom0m"]},
            "its guard and that of dom0m were not told the same, so that neither takes anything over from the other one",
        ),
        ({}, "its guard has not begun to protect it yet"),
    ],
)
def test_why_a_node_is_not_protected_is_told(found: dict[str, Any], why: str) -> None:
    wrong = status(guard(protected=False, **found))["wrong"]
    assert any(f"node dom0: is not protected: {why}" in each for each in wrong)


def test_an_agent_that_does_not_work_is_wrong_and_one_that_does_is_not() -> None:
    assert status(guard(agents={"dom0m": None}))["wrong"] == []
    (found,) = status(guard(agents={"dom0m": "fence_ipmilan has ended `status` with exit code 1"}))["wrong"]
    assert "dom0: cannot have dom0m switched off: fence_ipmilan has ended `status` with exit code 1" in found


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (NO_GUARD, "no guard was installed yet; `salt dom0 state.apply`"),
        (guard(trouble="no guard answers"), "no guard answers; see `systemctl status saltern-guard` there"),
        (guard(ending=True, protected=False), "its guard was asked to end"),
        (
            guard(aside=True, leaving=True, protected=False),
            "its guard has stepped aside for an apply that was not finished; `salt dom0 state.apply`",
        ),
        (
            guard(leaving=True, protected=False),
            "its guard steps aside for an apply that was not finished, and not all who have to know have taken note; "
            "`salt dom0 state.apply`",
        ),
        (guard(protected=False), "its guard has not begun to protect it yet"),
        (guard(protected=False, unaware=["dom0m"]), "dom0m did not answer of late, without whom nobody takes it over"),
        (
            guard(protected=False, apart=["dom0m"]),
            "its guard and that of dom0m were not told the same, so that neither takes anything over from the other one; "
            "`salt -L dom0,dom0m state.apply`",
        ),
    ],
)
def test_a_node_that_is_not_protected_is_wrong_and_the_reason_told(told: dict[str, Any], why: str) -> None:
    found = status(told)
    (wrong,) = found["wrong"]
    assert wrong.startswith(f"node dom0: is not protected: {why}")
    assert "dom0: not protected" in status_text(found)


def test_a_guard_that_does_not_tell_is_not_taken_for_a_protected_node() -> None:
    found = status(dict(NO_GUARD), guard_trouble="the minion does not answer")
    assert found["wrong"] == [
        "node dom0: is not protected: unknown: the minion does not answer; see whether the node and its minion are up"
    ]


def test_a_guard_that_is_left_over_is_told() -> None:
    found = cluster_status(SHARES, {"dom0": replace(HOME, guard=guard()), "dom0m": PARTNER})
    (wrong,) = found["wrong"]
    assert "the topology has no automatic takeover any more; `salt dom0 state.apply`" in wrong


def test_what_is_old_what_is_blind_and_what_is_paused_is_told() -> None:
    found = status(guard(current=False, seen=False, paused="maria, today\n", dead={"dom0m": 3}, alone=["dns"]))
    assert [each.partition(";")[0] for each in found["wrong"]] == [
        "node dom0: its guard works with what was replaced since",
        "node dom0: its guard cannot see what runs there",
    ]
    noticed = " ".join(found["noticed"])
    assert "paused by maria, today: it takes nothing over until `salt-run cluster.resume dom0`" in noticed
    assert "dom0 has proof that dom0m is dead" in noticed
    assert "goes on alone with the data of dns" in noticed


def explained(home: dict[str, Any]) -> dict[str, Any]:
    witnesses = {
        node: Witness(answer=each, survey="unknown", items=[])
        for node, each in {
            "dom0": replace(HOME, guard=home),
            "dom0m": replace(PARTNER, guard=guard(running=False, decisions=[])),
        }.items()
    }
    return explain(SHARES["dom0"].domains["dns"], GUARDED["dom0"], witnesses)


@pytest.mark.parametrize(
    ("of_domain", "of_guard", "words"),
    [
        ({}, {}, "its lease has 7.5 s left"),
        ({"lease_left_s": None}, {}, "nobody has answered yet"),
        ({"lease_left_s": None}, {"leases": False}, "no lease ends it, since fence agents are the proof of death"),
        ({}, {"quorum": True}, "its lease has 7.5 s left"),
        (
            {"never_quorate": True},
            {"quorum": True},
            "it was never seen with quorum since the guard began; its lease has 7.5 s left",
        ),
        (
            {"never_quorate": True, "lease_left_s": None},
            {"quorum": True},
            "it was never seen with quorum since the guard began",
        ),
    ],
)
def test_what_is_told_of_a_lease_is_what_the_proof_makes_of_it(
    of_domain: dict[str, Any], of_guard: dict[str, Any], words: str
) -> None:
    home = guard(**of_guard)
    home["domains"]["dns"].update(of_domain)
    assert explained(home)["guards"][0] == f"it is guarded on dom0: {words}"


def test_a_domain_is_explained_with_its_lease_its_prospects_and_what_was_decided_of_it() -> None:
    told = explained(guard())
    assert told["guards"] == [
        "it is guarded on dom0: its lease has 7.5 s left",
        "dom0, 10:00: domain dns: started",
        "were the other node lost, dom0m would start it",
    ]
    assert "Automatic takeover" in explain_text(told)


def test_what_a_lost_node_ran_and_is_not_started_is_told_with_the_way_out() -> None:
    reason = "dom0 had gone on alone with it, and has not taken that back: what is here is older"
    alone = {"protected": False, "unaware": ["dom0"], "dead": {"dom0": 3}, "refused": {"dns": reason}}
    left = replace(PARTNER, guard=guard(running=False, decisions=[], **alone))
    lost = replace(HOME, guard=dict(NO_GUARD), guard_trouble="the minion does not answer")
    refusal = f"dom0m does not start dns, though its other node is proven dead: {reason}"
    noticed = cluster_status(GUARDED, {"dom0": lost, "dom0m": left})["noticed"]
    assert f"{refusal} (`salt-run cluster.explain dns` tells what to do)" in noticed
    witnesses = {
        node: Witness(answer=each, survey="unknown", items=[]) for node, each in (("dom0", lost), ("dom0m", left))
    }
    *_, said, way_out = explain(SHARES["dom0"].domains["dns"], GUARDED["dom0"], witnesses)["guards"]
    assert said == refusal
    assert way_out.startswith("switch dom0 on again, and `salt dom0 state.apply` when")


def test_a_node_that_has_no_such_function_yet_is_no_node_without_a_guard() -> None:
    found: Answer = answer({"drbd.status": {}, "xen.domains": [], "operation.entries": {}})
    assert found.guard_trouble is not None
