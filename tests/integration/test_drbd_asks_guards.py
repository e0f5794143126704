"""Guards that DRBD asks, as real processes on simulated nodes: no write is acknowledged that a takeover would lose."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import guarded
import pytest
from guarded import WITNESS, Guarded

from saltern.model.places import GUARD_SCRIPT
from saltern.sim.drbd.kernel import Resource

HOMES = {"dns": "dom0", "mail": "dom0m"}


@pytest.fixture(scope="module")
def world() -> str:
    return guarded.converged_world()


@pytest.fixture
def built(world: str) -> Iterator[Guarded]:
    """Two nodes whose DRBD asks; nobody is there yet that could answer."""
    directory = guarded.directory()
    made = Guarded(directory)
    try:
        made.build(world)
        yield made
    finally:
        made.close()
        guarded.remove(directory)


@pytest.fixture
def nodes(built: Guarded) -> Guarded:
    """Guards and witness run, and every node has a lease from both others."""
    built.start_all()
    return built


def resources(nodes: Guarded, node: str, domain: str) -> list[Resource]:
    with nodes.world() as world:
        return [each for name, each in world.nodes[node].drbd.resources.items() if name.partition("-")[0] == domain]


def frozen(nodes: Guarded, node: str, domain: str) -> bool:
    return any(each.frozen for each in resources(nodes, node, domain))


def waits(nodes: Guarded, node: str, domain: str) -> bool:
    """DRBD has suspended the disks of a domain, and its handlers run."""
    return all(each.frozen and each.handlers for each in resources(nodes, node, domain))


def goes_on(nodes: Guarded, node: str, domain: str) -> bool:
    """The other copies count as old, and the guest writes."""
    return not frozen(nodes, node, domain) and disks(nodes, node, domain) == {("UpToDate", "Outdated")}


def disks(nodes: Guarded, node: str, domain: str) -> set[tuple[str, str]]:
    return {
        (device.disk.word, device.peer_disk.word)
        for each in resources(nodes, node, domain)
        for device in each.devices.values()
    }


def is_whole(nodes: Guarded) -> bool:
    return all(disks(nodes, node, domain) == {("UpToDate", "UpToDate")} for node in guarded.NODES for domain in HOMES)


def run(nodes: Guarded, node: str, *argv: str) -> subprocess.CompletedProcess[str]:
    program = Path(nodes.root(node), "bin", argv[0])
    return subprocess.run([str(program), *argv[1:]], capture_output=True, text=True, check=False)


def test_where_the_replication_is_cut_each_goes_on_when_its_other_copy_is_outdated_and_that_is_never_started(
    nodes: Guarded,
) -> None:
    # The witness's word would do as well, and the copy itself may stay as it is then: here it is the partner that answers.
    nodes.kill(WITNESS)
    with nodes.world() as world:
        world.cut_link(*guarded.NODES)
    for domain, home in HOMES.items():
        nodes.eventually(f"{domain} goes on", lambda domain=domain, home=home: goes_on(nodes, home, domain))
        assert disks(nodes, guarded.other(home), domain) == {("Outdated", "DUnknown")}, "by way of its guard"
    nodes.start(WITNESS)
    # Now the node is lost: its partner has nothing to start dns from that would not lose what was written alone.
    nodes.cut_power("dom0")
    reason = nodes.eventually(
        "dom0m tells why it does not start dns",
        lambda: (nodes.status("dom0m") or {"refused": {}})["refused"].get("dns"),
    )
    # What its disk says; or what dom0 told the witness, where that had the time for it.
    assert "is Outdated here" in reason or "had gone on alone with it" in reason
    assert nodes.live("dns") == []
    assert nodes.live("mail") == ["dom0m"]
    nodes.boot("dom0")
    nodes.mend()
    nodes.eventually("both copies of everything are the same again", lambda: is_whole(nodes))


def test_a_lost_node_s_domain_is_promoted_by_the_proof_and_what_waited_goes_on(nodes: Guarded) -> None:
    nodes.cut_power("dom0")
    nodes.eventually(
        "mail waits for its guard", lambda: waits(nodes, "dom0m", "mail") or goes_on(nodes, "dom0m", "mail")
    )
    nodes.eventually("mail goes on", lambda: goes_on(nodes, "dom0m", "mail"))
    nodes.eventually("dns runs on dom0m", lambda: nodes.live("dns") == ["dom0m"])
    assert goes_on(nodes, "dom0m", "dns")


def test_without_a_guard_a_primary_waits_until_its_partner_is_back_and_a_promotion_is_refused(built: Guarded) -> None:
    assert run(built, "dom0", "xl", "shutdown", "-w", "dns").returncode == 0
    built.eventually(
        "the disks of dns are free", lambda: not any(each.primary for each in resources(built, "dom0", "dns"))
    )
    # In sight of each other nobody is asked.
    assert run(built, "dom0", "drbdadm", "primary", "dns").returncode == 0
    assert run(built, "dom0", "drbdadm", "secondary", "dns").returncode == 0
    with built.world() as world:
        world.cut_link(*guarded.NODES)
    built.eventually("mail waits", lambda: waits(built, "dom0m", "mail"))
    refused = run(built, "dom0", "drbdadm", "primary", "dns")
    assert refused.returncode == 11
    assert "Refusing to be Primary while peer is not outdated" in refused.stderr
    assert waits(built, "dom0m", "mail"), "there is nobody who could say that it may go on"
    built.mend()
    built.eventually(
        "mail goes on, in sight of its partner", lambda: not frozen(built, "dom0m", "mail") and is_whole(built)
    )


def test_where_the_handler_tells_drbd_nothing_the_guard_does(nodes: Guarded) -> None:
    for node in guarded.NODES:
        Path(nodes.root(node), GUARD_SCRIPT.lstrip("/")).write_text("#!/bin/sh\nexit 1\n")
    with nodes.world() as world:
        world.cut_link(*guarded.NODES)
    nodes.eventually("dns waits", lambda: frozen(nodes, "dom0", "dns"))
    for domain, home in HOMES.items():
        nodes.eventually(f"{domain} goes on", lambda domain=domain, home=home: not frozen(nodes, home, domain))
        assert {mine for mine, _ in disks(nodes, home, domain)} == {"UpToDate"}
    nodes.mend()
    nodes.eventually("both copies of everything are the same again", lambda: is_whole(nodes))
    assert nodes.live("dns") == ["dom0"]


def test_a_guard_that_was_gone_answers_what_waits_when_it_is_back(nodes: Guarded) -> None:
    nodes.kill("dom0")
    with nodes.world() as world:
        world.cut_link(*guarded.NODES)
    nodes.eventually("dns waits", lambda: waits(nodes, "dom0", "dns"))
    nodes.start("dom0")
    nodes.eventually("dns goes on", lambda: goes_on(nodes, "dom0", "dns"))
    assert nodes.live("dns") == ["dom0"]
