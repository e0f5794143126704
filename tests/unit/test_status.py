"""The state of a cluster, from what its nodes answered."""

from copy import deepcopy
from typing import Any

from nodes import UUID, pair_slice

from saltern.status import Answer, cluster_status, status_text
from saltern.units import MIB

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


def domain(
    name: str | None = "dns", uuid: str = UUID, memory_bytes: int = 256 * MIB, **conditions: bool
) -> dict[str, Any]:
    """A domain as `xen.domains` returns it, dns unless told otherwise."""
    flags = {**dict.fromkeys(("dying", "crashed", "suspended", "shut_down", "paused"), False), **conditions}
    return {"name": name, "uuid": uuid, "memory_bytes": memory_bytes, **flags}


def answer(resources: dict[str, Any], *domains: dict[str, Any], trouble: str | None = None) -> Answer:
    return Answer(resources=resources, domains=domains, trouble=trouble)


def wrong(home: Answer, partner: Answer) -> list[str]:
    return cluster_status(SHARES, {"dom0": home, "dom0m": partner})["wrong"]


def noticed(home: Answer, partner: Answer) -> list[str]:
    return cluster_status(SHARES, {"dom0": home, "dom0m": partner})["noticed"]


OTHER_UUID = UUID[:-1] + "4"
HOME = answer(resource(role="Primary"), domain())
PARTNER = answer(resource())
SILENT = answer({}, trouble="the minion does not answer")


STANDALONE = (
    "resource dns: dom0 is not connected to the other side (StandAlone): cut by hand, or a split-brain: "
    "see docs/howto/refusals.md"
)


def test_a_cluster_in_good_order_has_nothing_wrong() -> None:
    status = cluster_status(SHARES, {"dom0": HOME, "dom0m": PARTNER})
    assert status["wrong"] == status["noticed"] == []
    assert status["domains"]["dns"]["runs_on"] == {"dom0": "running"}
    text = status_text(status)
    assert "Nothing is wrong" in text
    assert "Noticed" not in text


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


def test_the_memory_of_a_domain_that_comes_in_is_not_compared() -> None:
    incoming = domain(name="dns--incoming", memory_bytes=MIB, paused=True)
    assert not any("memory" in text for text in noticed(HOME, answer(resource(), incoming)))


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
        STANDALONE,
        "resource dns: dom0m is not connected to the other side (Connecting)",
    ]


def test_standalone_without_a_connection_line_is_told() -> None:
    alone = deepcopy(resource(role="Primary"))
    alone["dns"]["connections"] = []
    assert STANDALONE in wrong(answer(alone, domain()), PARTNER)


def test_a_resource_that_is_down_is_told() -> None:
    text = "resource dns: it is not up on dom0m; `salt '*' state.apply` brings it up, or tells why not"
    assert text in wrong(HOME, answer({}))


def test_two_primaries_are_told() -> None:
    assert "resource dns: both sides are Primary" in wrong(HOME, answer(resource(role="Primary")))


def test_a_disk_that_is_not_up_to_date_is_told() -> None:
    assert "resource dns: the disk on dom0m is Outdated" in wrong(HOME, answer(resource(disk="Outdated")))


def test_a_silent_node_says_why() -> None:
    status = cluster_status(SHARES, {"dom0": HOME, "dom0m": SILENT})
    assert status["nodes"] == {"dom0": "answers", "dom0m": "does not answer"}
    assert status["wrong"] == ["dom0m: the minion does not answer"]
