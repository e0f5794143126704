"""A node that is off while the other one is applied: what runs goes on, nothing else is started, and the run says why."""

from applying import apply, assert_converged, changes, converge, failures
from by_hand import create, replica
from generations import generations
from guests import HOMES, at_home, boots, gaps, records, running, wait_for_another_record
from stopping import record_calls, recorded_calls

from lab.cluster import Lab

JUST_CREATED = 4


def test_what_runs_goes_on_and_what_is_stopped_stays_so_while_the_partner_is_off(converged: Lab) -> None:
    started = {guest: boots(converged, guest) for guest in HOMES}
    converged.power_cut("node2")
    converged.on("node1", "xl destroy dns")

    returned = apply(converged)

    assert returned.keys() == {"node1"}
    assert changes(returned) == {"node1": {}}
    failed = failures(returned)["node1"]
    assert failed.keys() == {"dns domain_running xen.domain_running"}
    assert "is not connected to node2" in failed["dns domain_running xen.domain_running"]
    assert "unknown is not down" in failed["dns domain_running xen.domain_running"]
    assert running(converged, "node1") == ["router"]
    wait_for_another_record(converged, ["router"])

    converged.power_on("node2")
    converge(converged)
    assert_converged(converged)
    assert {guest: boots(converged, guest) - started[guest] for guest in HOMES} == {
        "router": 0,
        "dns": 1,
        "vpn": 1,
        "mail": 1,
    }
    for guest in HOMES:
        assert gaps(records(converged, guest)) == []


def test_what_a_partner_without_its_disk_has_written_alone_is_not_started_over(converged: Lab) -> None:
    """DRBD calls the older copy UpToDate as soon as it is connected, since there is no disk to compare it with."""
    converged.power_cut("node1")
    converged.wait_until(lambda: "cs:WFConnection" in replica(converged, "node2", "dns"), "node2 notices that")
    converged.on("node2", "drbdadm primary dns")
    assert create(converged, "node2", "dns").returncode == 0
    wait_for_another_record(converged, ["dns"], node="node2")
    written = set(records(converged, "dns", node="node2"))
    converged.on("node2", "xl destroy dns")
    converged.wait_until(lambda: "dns" not in running(converged, "node2"), "dns is gone")
    converged.on("node2", "drbdadm secondary dns && drbdadm detach dns")

    converged.power_on("node1")
    returned = apply(converged, target="node1")

    assert replica(converged, "node1", "dns") == "cs:Connected ro:Secondary/Secondary ds:UpToDate/Diskless"
    said = failures(returned)["node1"]["dns domain_running xen.domain_running"]
    assert "no disk on node2, which may have written it alone: what is here may be older" in said
    assert "dns" not in running(converged, "node1")

    converged.on("node2", "drbdadm attach dns")
    converge(converged)
    assert_converged(converged)
    assert written <= set(records(converged, "dns"))
    assert gaps(records(converged, "dns")) == []


def test_a_bare_node_alone_is_built_up_to_where_it_needs_its_partner(bare: Lab) -> None:
    bare.power_cut("node2")
    record_calls(bare, "node1", "drbdadm", "xl")

    failed = failures(apply(bare))["node1"]

    assert {state for state in failed if not state.endswith("xen.domain_running")} == {
        f"{resource} first_synchronised drbd.first_synchronised"
        for resource in ("router", "dns", "vpn", "mail", "mail-xvdb")
    }
    assert {state for state in failed if state.endswith("xen.domain_running")} == {
        f"{guest} domain_running xen.domain_running" for guest in at_home("node1")
    }
    assert "not connected to node2" in failed["router first_synchronised drbd.first_synchronised"]
    calls = recorded_calls(bare, "node1")
    assert [call for call in calls if "primary" in call or call.startswith("xl create /etc")] == []
    assert running(bare, "node1") == []
    assert {found[0] for found in generations(bare, "node1").values()} == {JUST_CREATED}

    bare.power_on("node2")
    converge(bare)
    assert_converged(bare)
