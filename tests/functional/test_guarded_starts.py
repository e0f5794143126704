"""Whoever starts a domain on a guarded node passes its guard: an apply, a person at a prompt, a guest that arrives."""

import pytest
from gate import Gate
from salted import Cluster

from saltern.errors import CommandFailed
from saltern.model.places import HOTPLUG_LOG

ALONE = "neither dom0m nor the witness answers"
DNS_RUNS = "dns domain_running xen.domain_running"


@pytest.fixture
def without_dns(converged: Cluster) -> Cluster:
    converged["dom0"].host.run(["xl", "destroy", "dns"])
    converged["dom0"].commands()
    return converged


def here(cluster: Cluster, node: str) -> list[str]:
    return [domain.name for domain in cluster.world.nodes[node].domains]


def test_what_is_typed_by_hand_is_refused_with_the_reason_and_promotes_nothing(without_dns: Cluster) -> None:
    Gate(without_dns.world, "dom0", ALONE)
    host = without_dns["dom0"].host
    with pytest.raises(CommandFailed) as failed:
        host.run(["xl", "create", "/etc/xen/dns.cfg"])
    assert ALONE in failed.value.stderr
    assert ALONE in (host.read_text(HOTPLUG_LOG) or "")
    assert "dns" not in here(without_dns, "dom0")
    assert without_dns.world.nodes["dom0"].drbd.resources["dns"].role == "Secondary"


def test_a_start_by_hand_waits_for_a_guard_that_is_just_being_started_again(without_dns: Cluster) -> None:
    gate = Gate(without_dns.world, "dom0", first=[ALONE] * 3)
    without_dns["dom0"].host.run(["xl", "create", "/etc/xen/dns.cfg"])
    assert "dns" in here(without_dns, "dom0")
    assert {each["ask"] for each in gate.asked} == {"attach"}


def test_an_apply_waits_for_the_lease_and_says_so_when_it_does_not_come(without_dns: Cluster) -> None:
    gate = Gate(without_dns.world, "dom0", ALONE)
    returned = without_dns["dom0"].apply("xen")[DNS_RUNS]
    assert returned["result"] is False
    assert ALONE in returned["comment"]
    assert len(gate.asked) > 10
    assert without_dns["dom0"].changing_commands() == []


def test_an_apply_goes_on_as_soon_as_the_lease_is_there(without_dns: Cluster) -> None:
    Gate(without_dns.world, "dom0", first=[ALONE] * 3)
    assert without_dns["dom0"].apply("xen")[DNS_RUNS]["result"] is True
    assert "dns" in here(without_dns, "dom0")


def test_a_dry_run_tells_that_the_lease_would_be_waited_for(without_dns: Cluster) -> None:
    Gate(without_dns.world, "dom0", ALONE)
    returned = without_dns["dom0"].apply("xen", test=True)[DNS_RUNS]
    assert returned["result"] is None
    assert f"{ALONE}: this would be waited for" in returned["comment"]


def test_what_runs_already_asks_nobody(converged: Cluster) -> None:
    gate = Gate(converged.world, "dom0", ALONE)
    assert all(each["result"] for each in converged["dom0"].apply("xen").values())
    assert gate.asked == []


def test_a_guest_stays_where_it_is_when_the_node_that_it_would_arrive_at_has_no_lease(converged: Cluster) -> None:
    gate = Gate(converged.world, "dom0m", "neither dom0 nor the witness answers")
    with pytest.raises(CommandFailed):
        converged["dom0"].host.run(["xl", "migrate", "dns", "dom0m"])
    converged.world.advance(60)
    assert len(gate.asked) == 1, "the guest stands still meanwhile"
    assert ("dns" in here(converged, "dom0"), here(converged, "dom0m")) == (True, ["mail", "vpn"])
    assert converged["dom0m"].run("drbd.status")["dns"]["role"] == "Secondary"
    gate.why = None
    converged["dom0"].host.run(["xl", "migrate", "dns", "dom0m"])
    assert "dns" in here(converged, "dom0m")
