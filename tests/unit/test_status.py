"""The state of a cluster, from what its nodes answered."""

from copy import deepcopy
from typing import Any

from nodes import UUID, pair_slice

from saltern.status import Answer, cluster_status, status_text

SHARES = {node: pair_slice(node) for node in ("dom0", "dom0m")}


def resource(role: str = "Secondary", disk: str = "UpToDate", state: str = "Connected", **peer: Any) -> dict[str, Any]:
    """The resource dns as `drbd.status` returns it."""
    volume = {"replication": "Established", "disk": "UpToDate", "out_of_sync_bytes": 0, **peer}
    return {
        "dns": {
            "role": role,
            "devices": {0: {"minor": 1, "disk": disk, "size_bytes": 2**30}},
            "connections": [{"state": state, "volumes": {0: volume}}],
        }
    }


def domain(**conditions: bool) -> dict[str, Any]:
    """The domain dns as `xen.domains` returns it."""
    return {"uuid": UUID, **dict.fromkeys(("dying", "crashed", "shut_down", "paused"), False), **conditions}


def answer(resources: dict[str, Any], *domains: dict[str, Any], trouble: str | None = None) -> Answer:
    return Answer(resources=resources, domains=domains, trouble=trouble)


def wrong(home: Answer, partner: Answer) -> list[str]:
    return cluster_status(SHARES, {"dom0": home, "dom0m": partner})["wrong"]


HOME = answer(resource(role="Primary"), domain())
PARTNER = answer(resource())
SILENT = answer({}, trouble="the minion does not answer")


def test_a_cluster_in_good_order_has_nothing_wrong() -> None:
    status = cluster_status(SHARES, {"dom0": HOME, "dom0m": PARTNER})
    assert status["wrong"] == []
    assert status["domains"]["dns"]["runs_on"] == {"dom0": "running"}
    assert "Nothing is wrong" in status_text(status)


def test_a_domain_that_runs_nowhere_is_told() -> None:
    assert wrong(answer(resource()), PARTNER) == [
        "domain dns: it runs nowhere; `salt dom0 state.apply` starts it, or tells why not"
    ]


def test_a_domain_that_runs_twice_is_told() -> None:
    (text,) = wrong(HOME, answer(resource(), domain()))[:1]
    assert "dom0 and on dom0m at once" in text


def test_a_domain_is_not_said_to_be_down_while_a_node_is_silent() -> None:
    told = wrong(answer(resource()), SILENT)
    assert not any("runs nowhere" in text for text in told)
    assert any("nobody can tell" in text and "dom0m" in text for text in told)


def test_a_domain_away_from_home_is_told() -> None:
    assert wrong(answer(resource()), answer(resource(role="Primary"), domain())) == [
        "domain dns: it runs on dom0m, away from its home dom0"
    ]


def test_a_paused_domain_is_told() -> None:
    assert wrong(answer(resource(role="Primary"), domain(paused=True)), PARTNER) == ["domain dns: it is paused on dom0"]


def test_a_synchronisation_is_progress_and_not_a_fault() -> None:
    source = resource(role="Primary", replication="SyncSource", disk="UpToDate", out_of_sync_bytes=2**28)
    target = answer(resource(disk="Inconsistent", replication="SyncTarget", out_of_sync_bytes=2**28))
    status = cluster_status(SHARES, {"dom0": answer(source, domain()), "dom0m": target})
    assert status["wrong"] == []
    assert status["domains"]["dns"]["disks"]["xvda"]["synchronised_percent"] == 75.0
    assert "75.0 %" in status_text(status)


def test_a_lost_connection_is_told_for_each_side_that_sees_it() -> None:
    told = wrong(answer(resource(role="Primary", state="StandAlone"), domain()), answer(resource(state="Connecting")))
    assert told == [
        "resource dns: dom0 is not connected to the other side (StandAlone)",
        "resource dns: dom0m is not connected to the other side (Connecting)",
    ]


def test_standalone_without_a_connection_line_is_told() -> None:
    alone = deepcopy(resource(role="Primary"))
    alone["dns"]["connections"] = []
    assert "resource dns: dom0 is not connected to the other side (StandAlone)" in wrong(
        answer(alone, domain()), PARTNER
    )


def test_a_resource_that_is_down_is_told() -> None:
    assert "resource dns: it is not up on dom0m" in wrong(HOME, answer({}))


def test_two_primaries_are_told() -> None:
    assert "resource dns: both sides are Primary" in wrong(HOME, answer(resource(role="Primary")))


def test_a_disk_that_is_not_up_to_date_is_told() -> None:
    assert "resource dns: the disk on dom0m is Outdated" in wrong(HOME, answer(resource(disk="Outdated")))


def test_a_silent_node_says_why() -> None:
    status = cluster_status(SHARES, {"dom0": HOME, "dom0m": SILENT})
    assert status["nodes"] == {"dom0": "answers", "dom0m": "does not answer"}
    assert status["wrong"] == ["dom0m: the minion does not answer"]
