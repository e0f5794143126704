"""Guards and a witness as real processes on simulated nodes: what is lost comes back on the partner, once."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import guarded
import pytest
from guarded import WITNESS, Guarded

from saltern.guarding import asked
from saltern.guarding.fence_peer import FENCED, OUTDATED, UNKNOWN
from saltern.run import LocalHost
from saltern.sim.drbd.kernel import Disk


@pytest.fixture(scope="module")
def world() -> str:
    return guarded.converged_world()


@pytest.fixture
def nodes(world: str) -> Iterator[Guarded]:
    """Guards and witness run, and every node has a lease from both others."""
    directory = guarded.directory()
    made = Guarded(directory)
    try:
        made.build(world)
        made.start_all()
        yield made
    finally:
        made.close()
        guarded.remove(directory)


def never_twice(nodes: Guarded, found: Callable[[], Any]) -> Callable[[], Any]:
    """The same question, with a look before it whether any domain lives on both nodes."""

    def asked() -> Any:
        for domain in ("dns", "mail"):
            assert len(nodes.live(domain)) < 2, f"{domain} lives twice"
        return found()

    return asked


def promises(nodes: Guarded) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(nodes.root(WITNESS), "var/lib/saltern/witness/promises.json").read_text())
    return found


def all_is_over(nodes: Guarded) -> bool:
    """The witness keeps nothing for anybody, and dom0m holds nobody to be dead. Each of them hears by itself who is back."""
    kept = promises(nodes)
    status = nodes.ask("dom0m", ask="status")
    return not any((kept["denied"], kept["alone"], status["dead"], status["alone"]))


def silent_s(nodes: Guarded, node: str, other: str) -> float:
    """For how long the guard of a node has not been answered by another one."""
    answered_s_ago: float = nodes.ask(node, ask="status")["renewed_s_ago"][other]
    return answered_s_ago


def test_what_a_lost_node_ran_starts_on_its_partner_and_stays_there_when_it_returns(nodes: Guarded) -> None:
    nodes.cut_power("dom0")
    nodes.eventually("dns runs on dom0m", lambda: nodes.live("dns") == ["dom0m"])
    assert nodes.live("mail") == ["dom0m"]
    assert nodes.fence_peer("dom0m", "dns") == FENCED
    nodes.boot("dom0")
    nodes.eventually("dom0 is met again", lambda: "dom0m" in (nodes.status("dom0") or {"met": []})["met"])
    nodes.eventually("all is synchronised", nodes.is_whole)
    nodes.eventually("nothing counts as dead or outdated", lambda: all_is_over(nodes))
    assert nodes.live("dns") == nodes.live("mail") == ["dom0m"]


def test_a_node_that_nobody_hears_stops_its_domains_before_they_start_elsewhere(nodes: Guarded) -> None:
    nodes.isolate("dom0")
    nodes.eventually("dns starts on dom0m", never_twice(nodes, lambda: nodes.live("dns") == ["dom0m"]))
    assert nodes.domains("dom0") == []
    assert nodes.fence_peer("dom0", "dns") == UNKNOWN
    nodes.mend()
    nodes.eventually("dom0 is answered again", never_twice(nodes, lambda: promises(nodes)["denied"] == []))
    assert nodes.live("dns") == ["dom0m"]


def test_a_guard_that_hangs_costs_its_node_and_nothing_runs_twice(nodes: Guarded) -> None:
    nodes.signal("dom0", signal.SIGSTOP)
    nodes.eventually("dns starts on dom0m", never_twice(nodes, lambda: nodes.live("dns") == ["dom0m"]))
    with nodes.world() as world:
        assert world.nodes["dom0"].power_cuts == 1


def test_a_guard_that_was_killed_goes_on_as_if_nothing_had_been(nodes: Guarded) -> None:
    nodes.kill("dom0")
    nodes.start("dom0")
    nodes.eventually("dom0 is protected", lambda: nodes.is_protected("dom0"))
    assert nodes.live("dns") == ["dom0"]
    assert nodes.watchdog_is_armed("dom0")
    with nodes.world() as world:
        assert world.nodes["dom0"].power_cuts == 0


def test_a_guard_that_was_killed_while_it_took_the_disks_from_a_domain_is_gone_on_with(nodes: Guarded) -> None:
    nodes.kill("dom0")
    with nodes.world() as world:
        host = world.host("dom0")
        host.run(["xl", "destroy", "dns"])
        host.run(["drbdadm", "primary", "dns"])
        minor = world.nodes["dom0"].drbd.resources["dns"].devices[0].minor
        host.run(["drbdsetup", "detach", str(minor), "--force"])

    def side() -> tuple[str, Disk] | None:
        with nodes.world() as world:
            resource = world.nodes["dom0"].drbd.resources.get("dns")  # down for a moment
            return None if resource is None else (resource.role, resource.devices[0].disk)

    # It is Failed at first; a guard goes on when it is gone.
    nodes.eventually("the disk is gone", lambda: side() == ("Primary", Disk.DISKLESS))
    nodes.start("dom0")
    nodes.eventually("it is Secondary and has its disk", lambda: side() == ("Secondary", Disk.UP_TO_DATE))
    assert any("left Primary without a disk. They are up again" in line for line in nodes.log("dom0"))


def test_a_guard_that_is_told_to_end_takes_its_leave_and_the_watchdog_with_it(nodes: Guarded) -> None:
    nodes.signal("dom0", signal.SIGTERM)
    assert nodes.wait_for_end("dom0") == 0
    assert not nodes.watchdog_is_armed("dom0")
    assert nodes.live("dns") == ["dom0"]
    nodes.eventually("its partner knows", lambda: nodes.ask("dom0m", ask="status")["off"] == ["dom0"])
    nodes.eventually("it is silent", lambda: silent_s(nodes, "dom0m", "dom0") > guarded.times().takeover_s)
    assert nodes.live("dns") == ["dom0"]
    nodes.start("dom0")
    nodes.eventually("dom0 is protected", lambda: nodes.is_protected("dom0"))
    assert nodes.live("dns") == ["dom0"]


def test_a_guard_whose_witness_does_not_answer_does_not_end(nodes: Guarded) -> None:
    nodes.kill(WITNESS)
    nodes.signal("dom0", signal.SIGTERM)
    nodes.eventually("it says so", lambda: any("waits for the witness" in line for line in nodes.log("dom0")))
    assert nodes.is_alive("dom0")
    assert nodes.watchdog_is_armed("dom0")
    nodes.start(WITNESS)
    assert nodes.wait_for_end("dom0") == 0
    assert nodes.live("dns") == ["dom0"]


def test_without_witness_nobody_takes_over_and_the_one_that_is_left_stops_too(nodes: Guarded) -> None:
    nodes.kill(WITNESS)
    nodes.cut_power("dom0")
    nodes.eventually("dom0m has stopped what it ran", lambda: nodes.domains("dom0m") == [])
    assert nodes.live("dns") == []


def test_a_paused_guard_takes_nothing_over_until_it_goes_on(nodes: Guarded) -> None:
    nodes.ask("dom0m", ask="pause", who="anna")
    nodes.cut_power("dom0")
    nodes.eventually("it would have", lambda: silent_s(nodes, "dom0m", "dom0") > guarded.times().takeover_s)
    assert nodes.ask("dom0m", ask="status")["paused"].strip() == "anna"
    assert promises(nodes)["denied"] == []
    nodes.ask("dom0m", ask="resume")
    nodes.eventually("dns runs on dom0m", lambda: nodes.live("dns") == ["dom0m"])


def test_nothing_starts_on_a_node_whose_guard_has_no_lease_whoever_starts_it(nodes: Guarded) -> None:
    nodes.ask("dom0m", ask="pause", who="anna")  # or it would start there
    nodes.run("dom0", "xl", "destroy", "dns")
    nodes.silence("dom0")
    nodes.eventually("its lease has ended", lambda: not nodes.ask("dom0", ask="start", domain="dns")["allowed"])
    refused = nodes.run("dom0", "xl", "create", "/etc/xen/dns.cfg")
    assert refused.returncode != 0
    assert "neither dom0m nor the witness answers" in refused.stderr
    assert nodes.live("dns") == []
    nodes.mend()
    nodes.eventually("it has one again", lambda: nodes.ask("dom0", ask="start", domain="dns")["allowed"])
    assert nodes.run("dom0", "xl", "create", "/etc/xen/dns.cfg").returncode == 0
    assert nodes.live("dns") == ["dom0"]


def test_nothing_starts_and_nothing_arrives_on_a_node_whose_guard_is_gone(nodes: Guarded) -> None:
    nodes.run("dom0", "xl", "destroy", "dns")
    nodes.kill("dom0")
    assert "does not answer" in nodes.run("dom0", "xl", "create", "/etc/xen/dns.cfg").stderr
    nodes.run("dom0m", "xl", "migrate", "mail", "dom0")
    assert (nodes.live("dns"), nodes.live("mail")) == ([], ["dom0m"])
    nodes.start("dom0")
    nodes.eventually("dom0 is protected", lambda: nodes.is_protected("dom0"))
    assert nodes.run("dom0", "xl", "create", "/etc/xen/dns.cfg").returncode == 0
    assert nodes.live("dns") == ["dom0"]


def test_a_domain_is_ended_on_either_node_by_its_guard(nodes: Guarded) -> None:
    told = asked.fence_domain(LocalHost(root=nodes.root("dom0")), nodes.root("dom0"), "mail", "dom0m")
    assert told == {"domain": "mail", "node": "dom0m", "gone": True}
    assert nodes.live("mail") == []
    assert asked.fence_domain(LocalHost(root=nodes.root("dom0")), nodes.root("dom0"), "dns", "dom0")["gone"]
    assert nodes.live("dns") == []
    nodes.run("dom0m", "xl", "create", "/etc/xen/mail.cfg")
    assert nodes.live("mail") == ["dom0m"]


def test_where_only_the_replication_is_cut_each_domain_goes_on_where_it_is(nodes: Guarded) -> None:
    with nodes.world() as world:
        world.cut_link("dom0", "dom0m")
    assert nodes.fence_peer("dom0", "dns") == OUTDATED
    assert nodes.fence_peer("dom0m", "dns") == UNKNOWN
    assert promises(nodes)["alone"]["dns"] == "dom0"
    assert nodes.live("dns") == ["dom0"]
