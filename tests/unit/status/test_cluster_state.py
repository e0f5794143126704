"""The state of a cluster, from what its nodes answered."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from answers import HOME, PARTNER, SHARES, SILENT, answer, domain, entry, resource
from nodes import UUID

from saltern.errors import Refused
from saltern.model.desired import TieBreaker
from saltern.status.answer import NO_OPERATIONS, Answer
from saltern.status.state import cluster_status, keepers
from saltern.status.text import status_text, together
from saltern.units import MIB


def status(home: Answer = HOME, partner: Answer = PARTNER) -> dict[str, Any]:
    return cluster_status(SHARES, {"dom0": home, "dom0m": partner})


def wrong(home: Answer, partner: Answer) -> list[str]:
    return cluster_status(SHARES, {"dom0": home, "dom0m": partner})["wrong"]


def noticed(home: Answer, partner: Answer) -> list[str]:
    return cluster_status(SHARES, {"dom0": home, "dom0m": partner})["noticed"]


OTHER_UUID = UUID[:-1] + "4"
STANDALONE = (
    "resource dns: dom0 is not connected to the other side (StandAlone): cut by hand, or a split-brain; "
    "see docs/howto/refusals.md"
)


def test_a_cluster_in_good_order_has_nothing_wrong() -> None:
    status = cluster_status(SHARES, {"dom0": HOME, "dom0m": PARTNER})
    assert status["wrong"] == status["noticed"] == []
    assert status["domains"]["dns"]["runs_on"] == {"dom0": "running"}
    text = status_text(status)
    assert "Nothing is wrong" in text
    assert "Noticed" not in text


def test_a_guest_that_waits_with_what_it_writes_is_told() -> None:
    waits = resource(role="Primary", state="Connecting", suspended=True)
    (text,) = [each for each in wrong(answer(waits, domain()), SILENT) if each.startswith("resource dns")]
    assert text.startswith("resource dns: its I/O is suspended on dom0")
    assert "when dom0m is back, or the guard of dom0 has proof" in text


def test_a_guest_that_waits_for_quorum_is_told_so() -> None:
    waits = resource(role="Primary", state="Connecting", suspended=True, lacks_quorum=True)
    (text,) = [each for each in wrong(answer(waits, domain()), SILENT) if each.startswith("resource dns")]
    assert text.startswith("resource dns: it has no quorum on dom0, so its I/O is suspended")
    assert "when dom0 sees dom0m again" in text


@pytest.mark.parametrize(
    ("thirds", "said"),
    [
        ([{"state": "Connected"}], None),
        ([{"state": "Connecting"}], "dom0 is not connected to the tie-breaker (Connecting)"),
        ([], "dom0 is not connected to the tie-breaker (StandAlone)"),
    ],
)
def test_a_tie_breaker_that_is_out_of_sight_is_told(thirds: list[dict[str, str]], said: str | None) -> None:
    third = TieBreaker(node="third", address="192.168.1.192", port=7792, minor=1)
    shares = {
        node: replace(share, resources={"dns": replace(share.resources["dns"], tie_breaker=third)})
        for node, share in SHARES.items()
    }
    sides = [resource(role="Primary"), resource()]
    for each, seen in zip(sides, (thirds, [{"state": "Connected"}]), strict=True):
        each["dns"]["tie_breakers"] = seen
    told = cluster_status(shares, {"dom0": answer(sides[0], domain()), "dom0m": answer(sides[1])})["wrong"]
    assert [text.startswith(f"resource dns: {said}") for text in told] == ([] if said is None else [True])


def test_a_domain_that_runs_nowhere_is_told() -> None:
    assert wrong(answer(resource()), PARTNER) == [
        "domain dns: it runs nowhere; `salt '*' state.apply` starts it, or tells why not"
    ]
    assert "nowhere" in status_text(cluster_status(SHARES, {"dom0": answer(resource()), "dom0m": PARTNER}))


def test_a_domain_that_runs_twice_is_told() -> None:
    (text,) = wrong(HOME, answer(resource(), domain()))[:1]
    assert "dom0 and on dom0m at once" in text


def test_a_domain_is_not_said_to_be_down_while_a_node_is_silent() -> None:
    told = wrong(answer(resource()), SILENT)
    assert not any("runs nowhere" in text for text in told)
    assert any("nobody can tell" in text and "dom0m" in text for text in told)


def test_where_a_domain_runs_is_unknown_and_not_nowhere_while_a_node_is_silent() -> None:
    for answers in ({"dom0": answer(resource()), "dom0m": SILENT}, {"dom0": SILENT, "dom0m": PARTNER}):
        status = cluster_status(SHARES, answers)
        silent = [node for node, each in answers.items() if each.trouble]
        assert status["domains"]["dns"]["may_run_on"] == silent
        text = status_text(status)
        row = next(line for line in text.splitlines() if line.startswith("dns"))
        assert row.split()[:3] == ["dns", "dom0", "unknown"]
        assert "nowhere" not in text


def test_a_domain_away_from_home_is_noticed_and_not_wrong() -> None:
    status = cluster_status(SHARES, {"dom0": answer(resource()), "dom0m": answer(resource(role="Primary"), domain())})
    assert status["wrong"] == []
    assert status["noticed"] == ["domain dns: it runs on dom0m, away from its home dom0"]
    assert status_text(status).endswith(
        "Nothing is wrong.\n\nNoticed:\n  - domain dns: it runs on dom0m, away from its home dom0"
    )


def test_who_has_put_a_domain_elsewhere_and_which_nodes_are_in_maintenance_is_noticed() -> None:
    away = answer(resource(role="Primary"), domain())
    notes = {"placed": {"dns": "put there by root at noon"}, "maintenance": {"dom0": "evacuated by root at noon"}}
    found = status(answer(resource()), replace(away, operations={**away.operations, **notes}))
    assert found["maintenance"] == {"dom0": "evacuated by root at noon"}
    assert found["domains"]["dns"]["placed"] == "put there by root at noon"
    assert found["wrong"] == []
    assert found["noticed"] == [
        "domain dns: it runs on dom0m, away from its home dom0, put there by root at noon",
        "dom0 is in maintenance, evacuated by root at noon: nothing returns to it by itself until "
        "`salt-run state.orch return pillar='{node: dom0}'`",
    ]


def test_a_domain_that_is_not_in_the_topology_is_noticed() -> None:
    home = answer(resource(role="Primary"), domain(), domain(name="gw", uuid=OTHER_UUID))
    assert noticed(home, PARTNER) == ["dom0 runs gw, which is not in the topology"]
    assert wrong(home, PARTNER) == []


def test_remains_without_a_name_are_noticed_by_their_uuid() -> None:
    assert noticed(HOME, answer(resource(), domain(name=None, uuid=OTHER_UUID, dying=True))) == [
        f"dom0m runs {OTHER_UUID}, which is not in the topology"
    ]


def test_another_domain_of_the_same_name_is_wrong() -> None:
    impostor = answer(resource(), domain(uuid=OTHER_UUID))
    (text,) = wrong(HOME, impostor)
    assert text.startswith("domain dns: dom0m runs another domain of this name")
    assert UUID in text
    assert OTHER_UUID in text
    assert noticed(HOME, impostor) == []


def test_memory_that_waits_for_the_next_start_is_noticed() -> None:
    assert noticed(answer(resource(role="Primary"), domain(memory_bytes=128 * MIB)), PARTNER) == [
        "domain dns: its memory of 256M takes effect at its next start; it runs with 128M"
    ]


def test_memory_that_differs_by_what_the_hypervisor_adds_is_not_noticed() -> None:
    for memory_bytes in (255 * MIB, 257 * MIB):
        assert noticed(answer(resource(role="Primary"), domain(memory_bytes=memory_bytes)), PARTNER) == []


def test_a_domain_that_comes_in_is_not_away_yet_and_its_memory_not_compared() -> None:
    incoming = domain(name="dns--incoming", memory_bytes=MIB, paused=True)
    assert noticed(HOME, answer(resource(), incoming)) == []


def test_a_paused_domain_is_told() -> None:
    assert wrong(answer(resource(role="Primary"), domain(paused=True)), PARTNER) == [
        "domain dns: it is paused on dom0; `xl unpause dns` there lets it go on"
    ]


def test_a_synchronisation_is_progress_and_not_a_fault() -> None:
    source = resource(role="Primary", replication="SyncSource", disk="UpToDate", out_of_sync_bytes=2**28)
    target = answer(resource(disk="Inconsistent", replication="SyncTarget", out_of_sync_bytes=2**28))
    status = cluster_status(SHARES, {"dom0": answer(source, domain()), "dom0m": target})
    assert status["wrong"] == []
    assert status["domains"]["dns"]["disks"]["xvda"]["synchronised_percent"] == 75.0
    assert "75.0 %" in status_text(status)
    assert "  dns  dom0 -> dom0m  [###############.....]  75.0 %" in status_text(status).splitlines()


def test_a_lost_connection_is_told_for_each_side_that_sees_it() -> None:
    told = wrong(answer(resource(role="Primary", state="StandAlone"), domain()), answer(resource(state="Connecting")))
    assert told == [
        STANDALONE,
        "resource dns: dom0m is not connected to the other side (Connecting); see whether dom0 and the link to it are up",
    ]


def test_what_is_the_same_of_several_resources_is_told_once() -> None:
    cut = [f"resource d{number}: dom0 is not connected; see the link" for number in range(10)]
    other = "resource d0: it is not up on dom0m"
    assert together([*cut[:2], "domain d0: it runs nowhere", other, *cut[2:]]) == [
        "resources d0, d1, d2, d3, d4, d5, d6, d7 and 2 more: dom0 is not connected; see the link",
        "domain d0: it runs nowhere",
        other,
    ]


def test_standalone_without_a_connection_line_is_told() -> None:
    alone = deepcopy(resource(role="Primary"))
    alone["dns"]["connections"] = []
    assert STANDALONE in wrong(answer(alone, domain()), PARTNER)


def test_a_resource_that_is_down_is_told() -> None:
    text = "resource dns: it is not up on dom0m; `salt '*' state.apply` brings it up, or tells why not"
    assert text in wrong(HOME, answer({}))


def test_two_primaries_are_told() -> None:
    (text,) = wrong(HOME, answer(resource(role="Primary")))
    assert text.startswith("resource dns: both sides are Primary; see docs/explanation/safety.md")


def test_a_disk_that_is_not_up_to_date_is_told() -> None:
    (text,) = wrong(HOME, answer(resource(disk="Outdated")))
    assert text.startswith("resource dns: the disk on dom0m is Outdated; `dmesg`")
    (text,) = wrong(HOME, answer(resource(disk="Inconsistent")))
    assert "`salt '*' state.apply` synchronises it when it is new" in text
    (text,) = wrong(HOME, answer(resource(disk="Diskless")))
    assert "rebuild-a-replica.md" in text


def test_a_silent_node_says_why() -> None:
    status = cluster_status(SHARES, {"dom0": HOME, "dom0m": SILENT})
    assert status["nodes"] == {"dom0": "answers", "dom0m": "does not answer"}
    assert status["wrong"] == ["dom0m: the minion does not answer; see whether the node and its minion are up"]


def test_a_node_that_was_never_applied_is_not_said_to_be_silent() -> None:
    new = Answer(
        resources={}, domains=[], operations=NO_OPERATIONS, trouble="it has no drbd.status yet; state.apply brings it"
    )
    status = cluster_status(SHARES, {"dom0": new, "dom0m": new})
    assert status["nodes"] == {"dom0": "cannot tell", "dom0m": "cannot tell"}
    (told,) = [text for text in status["wrong"] if text.startswith("domain dns")]
    assert told.endswith("nothing is known from dom0 and dom0m; see what is told of these nodes")


@pytest.mark.parametrize(
    ("partner", "told"),
    [
        (PARTNER, "yes"),
        (SILENT, "unknown"),
        (answer(resource(disk="Outdated")), "no"),
        (answer(resource(state="Connecting")), "not connected"),
        (answer({}), "not connected"),
    ],
)
def test_a_disk_is_called_synchronised_only_when_it_is_known_to_be(partner: Answer, told: str) -> None:
    row = next(line for line in status_text(status(HOME, partner)).splitlines() if line.startswith("dns"))
    assert row.endswith(f"  {told}")


# --- Operations --------------------------------------------------------------------------------------------------
def test_a_domain_between_two_topologies_has_no_faulty_disks_and_only_its_remake_goes_on_with_it() -> None:
    left = {**entry(alive=False), "kind": "remake", "text": "remake of dns, 3 of 12 steps done"}
    found = status(
        answer(resource(role="Primary", state="StandAlone"), domain(), entered=left), answer({}, entered=left)
    )
    (fault,) = found["wrong"]
    assert "left half-done: remake of dns, 3 of 12 steps done" in str(fault)
    assert "(left half-done: the same `salt-run state.orch remake` again takes it up)" in " ".join(
        status_text(found).split()
    )


def test_an_operation_that_goes_on_is_told_and_nothing_wrong_whatever_its_kind() -> None:
    found = status(answer(resource(role="Primary"), domain(), entered=entry()), answer(resource(), entered=entry()))
    (operation,) = found["operations"]
    assert operation["nodes"] == {"dom0": "going on", "dom0m": "going on"}
    assert (operation["domain"], operation["kind"], operation["state"]) == ("dns", "stretch", "going on")
    assert found["wrong"] == []
    text = status_text(found)
    assert "Operations:\n  - stretch of dns from dom0 to dom0m, begun by root on master at 2026-11-26 10:00:00" in text
    assert "(going on)" in text


def test_an_operation_is_alive_while_any_node_works_on_it() -> None:
    found = status(answer(resource(role="Primary"), domain(), entered=entry(alive=False)), answer({}, entered=entry()))
    assert [each["state"] for each in found["operations"]] == ["going on"]


def test_an_operation_that_was_left_is_wrong_with_what_to_do() -> None:
    found = status(answer(resource(role="Primary"), domain(), entered=entry(alive=False)))
    (text,) = found["wrong"]
    assert text.startswith("domain dns: left half-done: stretch of dns from dom0 to dom0m")
    assert text.endswith("; `salt-run cluster.recover dns`")
    assert "(left half-done: `salt-run cluster.recover dns`)" in " ".join(status_text(found).split())


def test_an_operation_that_a_silent_node_may_work_on_is_unknown_and_not_left() -> None:
    found = status(answer(resource(role="Primary"), domain(), entered=entry(alive=False)), SILENT)
    assert [each["state"] for each in found["operations"]] == ["unknown"]
    assert any("does not tell whether it works on it" in text for text in found["wrong"])
    assert not any("cluster.recover" in text for text in found["wrong"])


def test_two_operations_are_two() -> None:
    here = answer(resource(role="Primary"), domain(), entered=entry(alive=False, identifier="ffff"))
    found = status(here, answer(resource(), entered=entry()))
    assert [(each["id"], each["state"]) for each in found["operations"]] == [
        ("ffff", "left half-done"),
        ("0a1b", "going on"),
    ]


def test_an_entry_that_cannot_be_read_and_operations_that_are_not_told_are_wrong_and_hide_nothing() -> None:
    found = status(
        answer(resource(role="Primary"), domain(), unreadable="no JSON"),
        answer(resource(), operations_trouble="it has no operation.entries yet; state.apply brings it"),
    )
    assert found["domains"]["dns"]["runs_on"] == {"dom0": "running"}
    assert found["nodes"] == {"dom0": "answers", "dom0m": "answers"}
    assert sorted(found["wrong"]) == [
        "dom0m: its operations are unknown: it has no operation.entries yet; state.apply brings it",
        "domain dns: the entry of its operation on dom0 cannot be read: no JSON; "
        "look at /var/lib/saltern/operations/dns.json there",
    ]


def test_what_is_left_of_a_domain_that_the_topology_no_longer_has_is_told_with_what_to_do() -> None:
    ghost = {**entry(alive=False), "text": "stop of ghost on dom0, begun by root on master at 2026-11-26 10:00:00"}
    home = answer(resource(role="Primary"), domain())
    operations = {
        **home.operations,
        "entered": {"ghost": ghost},
        "strange": {"spook": f"{UUID} stopped by root at noon"},
    }
    found = status(replace(home, operations=operations))
    assert [(each["domain"], each["state"]) for each in found["operations"]] == [("ghost", "left half-done")]
    assert found["wrong"] == [f"domain ghost: left half-done: {ghost['text']}; `salt-run cluster.recover ghost`"]
    assert found["noticed"] == [
        f"dom0 keeps a note about a domain spook that the topology does not give it: {UUID} stopped by root at noon; "
        "`salt-run cluster.release spook` takes it away"
    ]
    moved = {**ghost, "between": ["dom0", "dom7"]}  # which nobody can ask
    found = status(replace(home, operations={**operations, "entered": {"ghost": moved}}))
    assert [each["state"] for each in found["operations"]] == ["unknown"]


def test_who_may_have_something_left_of_a_domain_is_asked_about_it() -> None:
    nothing = {"operation.entries": dict(NO_OPERATIONS)}
    for part in ("entered", "unreadable", "strange"):
        has = {"operation.entries": {**NO_OPERATIONS, part: {"ghost": {}}}}
        assert keepers("ghost", SHARES, {"dom0": nothing, "dom0m": has}) == ["dom0m"]
    assert keepers("dns", SHARES, {"dom0": nothing, "dom0m": None}) == ["dom0", "dom0m"]
    assert keepers("ghost", SHARES, {"dom0": nothing, "dom0m": None}) == ["dom0m"]  # which may have it
    with pytest.raises(Refused, match="the topology has no such domain, and no node has an entry of it"):
        keepers("ghost", SHARES, {"dom0": nothing, "dom0m": nothing})


@pytest.mark.parametrize(("busy", "count"), [(entry(), 0), (None, 2)])
def test_the_halves_of_a_migration_are_wrong_only_when_no_operation_is_entered(busy: Any, count: int) -> None:
    sent = domain(name="dns--migratedaway", suspended=True)
    found = status(
        answer(resource(role="Primary"), sent, entered=busy), answer(resource(role="Primary"), domain(), entered=busy)
    )
    assert found["domains"]["dns"]["runs_on"] == {"dom0": "migratedaway", "dom0m": "running"}
    assert len(found["wrong"]) == count
    assert not any("at once" in text for text in found["wrong"])


def test_a_domain_under_another_name_is_told() -> None:
    (text,) = wrong(answer(resource(role="Primary"), domain(name="old-dns")), PARTNER)
    assert text.startswith("domain dns: it is called old-dns on dom0")


def test_a_domain_that_was_stopped_is_in_order_and_says_how_it_is_started() -> None:
    stopped = answer(resource(), stopped="stopped by root on master at 10:00")
    told = cluster_status(SHARES, {"dom0": stopped, "dom0m": PARTNER})
    assert told["domains"]["dns"]["stopped"] == "stopped by root on master at 10:00"
    assert not any("nowhere" in text for text in told["wrong"])
    (text,) = [text for text in told["noticed"] if "stays stopped" in text]
    assert "state.orch start pillar='{domain: dns}'" in text
    assert "stopped" in status_text(told)
