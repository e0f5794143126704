"""Guards that states have installed, and a witness that is an engine: a lost node's domain starts on its partner."""

import getpass
import json
import os
import shutil
from collections.abc import Iterator
from subprocess import CalledProcessError
from typing import Any

import pytest
from guarded_by_states import AGENTS, LEASES, LOST, NONE, WITNESS, GuardedByStates
from minions import NODES, START_S, Salted, minion_python, minion_settings
from saltfactories.daemons.minion import SaltMinion

from saltern.argv import systemd
from saltern.model.places import GUARD_KEY, GUARD_SETTINGS
from saltern.render import drbd_resource
from saltern.sim import fence_agent
from saltern.sim.guard import loopback
from saltern.sim.systemctl import keeper

DECISIONS = ["node-lost", "node-dead", "domain-started"]


@pytest.fixture(scope="module")
def _witness(_salted: Salted) -> Iterator[SaltMinion]:
    """The third minion, with the core; its engine begins when it is started once more."""
    root = _salted.directory / "nodes" / WITNESS
    minion = _salted.master.salt_minion_daemon(
        WITNESS,
        overrides={
            **minion_settings(root),
            "engines": [{"saltern_witness": {"address": loopback("192.168.1.192")}}],
        },
        start_timeout=START_S,
    )
    minion.python_executable = minion_python(_salted.directory / "python" / WITNESS)
    minion.environ = {**os.environ}
    yield minion
    minion.terminate()
    _salted.master.salt_key_cli().run("--yes", "--delete", WITNESS)  # or the next test waits for it
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(_salted: Salted, _witness: SaltMinion) -> Iterator[GuardedByStates]:
    made = GuardedByStates(_salted)
    try:
        made.write(LEASES)
        _salted.empty()
        _witness.start()
        _salted.salt("saltutil.sync_all", target=WITNESS)
        _salted.apply("core", target=WITNESS)
        _witness.terminate()
        _witness.start()
        made.use(LEASES)
        _salted.synchronise()
        for node in NODES:
            made.connect(node)
        yield made
    finally:
        for node in NODES:
            made.end(node)


@pytest.fixture
def well(cluster: GuardedByStates) -> GuardedByStates:
    """Each guard protects its node, by leases."""
    cluster.ready(LEASES)
    cluster.listen()
    return cluster


@pytest.fixture
def fenced(cluster: GuardedByStates) -> GuardedByStates:
    """Each guard protects its node, by a fence agent and without a witness."""
    cluster.ready(AGENTS)
    return cluster


def test_events_that_are_late_doubled_or_of_strangers_wake_guards_and_change_nothing(well: GuardedByStates) -> None:
    before = well.live(), well.resets(), decided(well)
    well.wakes("dom0m", "dom0", 2)
    well.wakes("dom0", "dom0m", 1)
    well.fire(LOST.format("dom0m"), id="dom0m", node="printer")
    well.eventually("nobody for a machine that is no node", lambda: {} in waking(well))
    for node in NODES:
        well.eventually(f"{node} has looked", lambda node=node: well.status(node).get("seen"))
    assert (well.live(), well.resets(), decided(well)) == before
    assert [well.status(node)["dead"] for node in NODES] == [{}, {}]


def decided(well: GuardedByStates) -> list[str]:
    """What the guards have decided of lost nodes, oldest first."""
    return [each for node in NODES for each in well.events(node) if each in DECISIONS]


def in_order(events: list[str]) -> list[str]:
    """The decisions among them, each where it comes first."""
    return list(dict.fromkeys(each for each in events if each in DECISIONS))


def waking(well: GuardedByStates) -> list[Any]:
    """What the runner function has returned to the reactor."""
    return [each["return"] for each in well.heard("salt/run/*/ret") if each["fun"] == "runner.cluster.wake"]


def test_the_status_shows_guards_and_a_pause_holds_them(well: GuardedByStates) -> None:
    def why_not() -> tuple[int, dict[str, object]]:
        code, state = well.salted.run("cluster.status", "--out=json")
        return code, {node: each["why"] for node, each in state["guards"].items()}

    well.eventually("the status shows that both are protected", lambda: why_not() == (0, dict.fromkeys(NODES)))
    code, told = well.salted.run("cluster.pause", "dom0m")
    assert (code, list(told)) == (0, ["dom0m"])
    assert getpass.getuser() in str(well.status("dom0m")["paused"])
    assert well.salted.run("cluster.resume")[0] == 0
    assert [well.status(node)["paused"] for node in NODES] == [None, None]


def test_one_domain_is_ended_by_way_of_the_master_and_nobody_is_dead_by_leases_on_a_word(
    well: GuardedByStates,
) -> None:
    code, told = well.salted.run("cluster.fence_domain", "mail", WITNESS)
    assert (code, well.runs("mail", "dom0m")) == (1, True), told
    assert well.salted.run("cluster.fence_domain", "mail", "dom0m")[0] == 0
    assert not well.runs("mail", "dom0m")
    well.salted.on("dom0m", "xl", "create", "/etc/xen/mail.cfg")
    code, told = well.salted.run("cluster.confirm_dead", "dom0")
    assert (code, "by writing its name twice" in str(told)) == (1, True), told
    code, told = well.salted.run("cluster.confirm_dead", "dom0", "dom0")
    assert (code, "there are leases" in str(told["dom0m"])) == (1, True), told
    assert [well.status(node)["dead"] for node in NODES] == [{}, {}]


def test_what_states_have_installed_takes_over_and_the_master_hears_of_it(well: GuardedByStates) -> None:
    for node in NODES:
        for path in (GUARD_KEY, GUARD_SETTINGS):
            assert well.file(node, path).stat().st_mode & 0o777 == 0o600
    well.cut_power("dom0")
    well.eventually("dns runs on dom0m", lambda: well.runs("dns", "dom0m"))
    assert "is proven dead" in well.log("dom0m")
    well.eventually(
        "the beacon has told what DRBD has lost",
        lambda: "dom0" in [each["node"] for each in well.heard(LOST.format("dom0m"))],
    )
    well.eventually("the reactor has woken the guard that is left", lambda: well.woken("dom0m"))
    well.eventually("the engine has told all of it", lambda: "domain-started" in well.told("dom0m"))
    assert in_order(well.told("dom0m")) == DECISIONS
    before = well.live()
    well.wakes("dom0m", "dom0", 2)  # by what a master that was frozen sees when all is done
    assert well.live() == before


def test_they_take_over_while_the_master_is_dead_which_is_told_when_it_is_back(well: GuardedByStates) -> None:
    with well.salted.master.stopped():
        well.cut_power("dom0m")
        well.eventually("everything runs on dom0", lambda: all(well.runs(name, "dom0") for name in ("dns", "mail")))
        well.eventually("that waits for the master", lambda: in_order(well.not_told("dom0")) == DECISIONS)
    well.eventually("the engine has told all of it", lambda: not well.not_told("dom0"))


def test_a_topology_without_takeover_ends_guards_in_order_and_one_that_has_it_again_brings_them_back(
    well: GuardedByStates,
) -> None:
    before = well.live(), well.resets()
    asked, keys = well.asking(), [well.file(node, GUARD_KEY).read_text() for node in NODES]
    assert all(asked.values())
    gone = well.use(NONE)
    assert all(gone[node]["guard is gone guard.absent"]["changes"] for node in NODES)
    for node in NODES:
        assert keeper(well.root(node)) is None
        assert not well.file(node, GUARD_SETTINGS).exists()
        assert not well.file(node, "/proc/xen/watchdog").exists()
        assert well.events(node)[-1] == "guard-ended"
        assert not any(
            drbd_resource.asks_guard(file.read_text()) for file in well.file(node, "/etc/drbd.d").glob("*.res")
        )
    assert well.asking() == {node: set() for node in NODES}
    assert (well.live(), well.resets()) == before
    well.ready(AGENTS)
    assert well.asking() == asked
    assert [well.file(node, GUARD_KEY).read_text() for node in NODES] == keys
    assert (well.live(), well.resets()) == before


def test_where_no_agent_can_be_asked_the_word_of_a_person_is_taken_of_a_node_that_is_off_and_of_no_other(
    fenced: GuardedByStates,
) -> None:
    code, told = fenced.salted.run("cluster.confirm_dead", "dom0", "dom0", "who=anna")
    assert (code, "it was heard, or replicated" in str(told["dom0m"])) == (1, True), told
    fence_agent.be(fenced.world_file, "fails")
    fenced.cut_power("dom0")
    fenced.eventually("the agent has failed", lambda: fenced.status("dom0m").get("agents", {}).get("dom0"))
    assert not fenced.runs("dns", "dom0m")
    said = (0, {"dom0m": {"dead": "dom0", "who": "anna"}})
    fenced.eventually(
        "her word is taken", lambda: fenced.salted.run("cluster.confirm_dead", "dom0", "dom0", "who=anna") == said
    )
    fenced.eventually("dns runs on dom0m", lambda: fenced.runs("dns", "dom0m"))


def test_a_guard_that_nobody_takes_note_of_is_taken_away_by_a_person_where_nothing_runs(
    well: GuardedByStates, _witness: SaltMinion
) -> None:
    """docs/howto/survive-a-lost-node.md, *Take a guard away that nobody takes note of*"""
    lost = next(node for node in NODES if well.runs("dns", node))
    left = next(node for node in NODES if node != lost)
    _witness.terminate()
    well.cut_power(lost)
    well.eventually(f"{left} has ended its domains", lambda: not well.live()[left])

    well.write(NONE)
    for argv in (systemd.disable(), systemd.stop()):
        well.salted.on(left, *argv)
    well.eventually("its guard has ended", lambda: keeper(well.root(left)) is None)
    well.file(left, GUARD_SETTINGS).unlink()
    gone = well.salted.try_apply(target=left)[left]["guard is gone guard.absent"]
    assert gone["result"] and gone["changes"].keys() >= {"fencing of dns", "fencing of mail"}, gone
    assert well.asking()[left] == set()
    for domain in ("dns", "mail"):
        well.salted.on(left, "drbdadm", "primary", domain)
        well.salted.on(left, "xl", "create", f"/etc/xen/{domain}.cfg")
    assert well.live()[left].keys() == {"dns", "mail"}

    _witness.start()
    well.boot(lost)
    well.use(LEASES)


# The last one of this file: what it leaves is a split-brain.
def test_what_no_guard_starts_is_started_by_a_person_when_its_guard_is_gone(well: GuardedByStates) -> None:
    """docs/howto/survive-a-lost-node.md, *Start what no guard starts*"""
    lost = next(node for node in NODES if well.runs("dns", node))
    left = next(node for node in NODES if node != lost)
    before = well.live()[left].keys()
    with well.salted.world() as world:
        world.cut_link(*NODES)
    well.eventually(f"{lost} goes on alone with dns", lambda: "dns" in well.status(lost).get("alone", ()))
    marked = ("drbdadm", "dstate", "dns")  # the witness's word alone is enough to go on, and may come first
    well.eventually(f"{left} has marked its copy", lambda: well.salted.on(left, *marked).startswith("Outdated"))
    well.cut_power(lost)
    refused = f"{left} does not start dns, though its other node is proven dead: {lost} had gone on alone with it"
    well.eventually(f"{left} says so", lambda: refused in json.dumps(well.salted.run("cluster.explain", "dns")))

    well.write(NONE)
    gone = well.salted.try_apply(target=left)[left]["guard is gone guard.absent"]
    assert gone["changes"], gone
    assert well.asking()[left] == set()
    assert well.live()[left].keys() == before
    with pytest.raises(CalledProcessError):
        well.salted.on(left, "drbdadm", "primary", "dns")
    well.salted.on(left, "drbdadm", "primary", "--force", "dns")
    well.salted.on(left, "xl", "create", "/etc/xen/dns.cfg")
    assert well.runs("dns", left)
