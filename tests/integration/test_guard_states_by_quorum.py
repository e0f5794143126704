"""Guards that states have installed where the quorum of DRBD 9 is the proof: a lost node's domain starts on its partner, once."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import guarded
import pytest
from guarded_by_states import NONE, TOPOLOGY, GuardedByStates
from minions import NODES, Salted, changes
from tied import ALL, THIRD, tied

from demo.pace import soonest
from saltern.guard.times import Times
from saltern.model.places import GUARD_SETTINGS
from saltern.sim.systemctl import keeper
from saltern.status.text import status_text

QUORUM = {"quorum": True}
# By these options DRBD takes 3.5 s to notice a loss; the simulated one takes none.
NET = "saltern:\n  drbd: {net: {ping-int: 2, timeout: 10, ko-count: 1}}\n"
DETECT_S = 3.5
STARTS_DNS = "xl create /etc/xen/dns.cfg"


def times() -> Times:
    """A lease goes on by looks alone, and the applies of three nodes make these slow."""
    found = guarded.times()
    return soonest(replace(found, detect_s=DETECT_S, lease_s=4 * found.lease_s, watchdog_s=4 * found.watchdog_s))


@pytest.fixture(scope="module")
def cluster(_salted: Salted) -> Iterator[GuardedByStates]:
    made = GuardedByStates(_salted, tied(TOPOLOGY).replace("saltern:\n", NET, 1), times())
    _salted.empty(ALL, drbd="9")
    with _salted.joined(THIRD):
        try:
            made.use(QUORUM)
            _salted.synchronise()
            yield made
        finally:
            for node in NODES:
                made.end(node)


@pytest.fixture
def well(cluster: GuardedByStates) -> GuardedByStates:
    """Each guard protects its node, by quorum, and each domain is at home."""
    cluster.ready(QUORUM)
    assert {node: [*found] for node, found in cluster.live().items()} == {"dom0": ["dns"], "dom0m": ["mail"]}
    return cluster


def explained(well: GuardedByStates, domain: str) -> str:
    return json.dumps(well.salted.run("cluster.explain", domain))


def test_what_an_apply_has_installed_protects_both_nodes_and_the_status_says_by_what(well: GuardedByStates) -> None:
    for node in NODES:
        assert well.file(node, GUARD_SETTINGS).stat().st_mode & 0o777 == 0o600
        settings = json.loads(well.file(node, GUARD_SETTINGS).read_text())
        assert (settings["quorum"], settings["witness"], settings["times"]["detect_s"]) == (True, None, DETECT_S)
    assert not well.file(THIRD, GUARD_SETTINGS).exists()
    assert keeper(well.root(THIRD)) is None
    assert well.asking() == {node: set() for node in NODES}, "votes say who goes on, and no guard"
    code, state = well.salted.run("cluster.status", "--out=json")
    assert code == 0, state
    shown = status_text(state)
    assert all(f"{node}: protected; had quorum for dns" in shown for node in NODES), shown
    assert "it is guarded on dom0: its lease has" in explained(well, "dns")
    assert well.resets() == dict.fromkeys(NODES, 0)
    assert not any(changes(well.salted.apply(target="dom0")).values())


def test_what_people_ask_guards_for_is_done_or_refused_and_nothing_else_happens(well: GuardedByStates) -> None:
    before, resets = well.live(), well.resets()
    assert well.salted.run("cluster.pause")[0] == 0
    assert all(well.status(node)["paused"] for node in NODES)
    assert well.salted.run("cluster.resume")[0] == 0
    code, told = well.salted.run("cluster.confirm_dead", "dom0", "dom0")
    assert (code, "DRBD's quorum decides here who may be Primary" in str(told["dom0m"])) == (1, True), told
    assert well.salted.run("cluster.fence_domain", "mail", "dom0m")[0] == 0
    assert not well.runs("mail", "dom0m")
    well.salted.on("dom0m", "xl", "create", "/etc/xen/mail.cfg")
    assert (well.runs("mail", "dom0m"), well.resets()) == (True, resets)
    assert well.live()["dom0"] == before["dom0"]


def test_what_a_lost_node_ran_starts_on_its_partner_once_and_the_node_that_is_back_gets_it_by_a_migration(
    well: GuardedByStates,
) -> None:
    mail = well.live()["dom0m"]["mail"]
    well.cut_power("dom0")
    lost_s = time.monotonic()
    well.eventually("dns runs on dom0m", lambda: well.runs("dns", "dom0m"))
    assert time.monotonic() - lost_s > well.times.takeover_s, "it was held for so long first"
    well.eventually("it is told", lambda: well.events("dom0m").count("domain-started") == 1)
    after = well.live()
    assert after["dom0m"]["mail"] == mail

    well.boot("dom0")
    well.eventually("the guard of dom0 sees its node", lambda: well.status("dom0").get("seen"))
    assert well.salted.apply(target="dom0")
    well.eventually("everything is synchronised", well.is_whole)
    well.eventually("dom0 is protected", lambda: well.is_protected("dom0"))
    assert well.live() == after
    assert well.salted.commands("dom0m").count(STARTS_DNS) == 1
    code, told = well.salted.run("state.orch", "migrate", 'pillar={"domain": "dns"}')
    assert code == 0, told
    assert {node: [*found] for node, found in well.live().items()} == {"dom0": ["dns"], "dom0m": ["mail"]}
    assert "its lease has" in explained(well, "dns")


def test_a_topology_without_takeover_ends_the_guards_in_order_and_what_runs_goes_on(well: GuardedByStates) -> None:
    before = well.live(), well.resets()
    gone = well.use(NONE)
    for node in NODES:
        assert gone[node]["guard is gone guard.absent"]["changes"]
        assert keeper(well.root(node)) is None
        assert not well.file(node, GUARD_SETTINGS).exists()
        assert not well.file(node, "/proc/xen/watchdog").exists()
        assert well.events(node)[-1] == "guard-ended"
    assert (well.live(), well.resets()) == before
