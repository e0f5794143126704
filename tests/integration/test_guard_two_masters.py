"""A node with two masters: both are told what its guard decides, and both act on a loss; that starts nothing twice."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from guarded_by_states import AGENTS, GuardedByStates
from minions import NODES, Salted, master_daemon
from saltfactories.daemons.master import SaltMaster
from saltfactories.manager import FactoriesManager

LEFT, GONE = "dom0m", "dom0"  # the node that has two masters, and the one that is lost
LOST = f"salt/beacon/{LEFT}/saltern_peers/lost"
DECISIONS = ["node-dead", "domain-started"]
STARTS_DNS = "xl create /etc/xen/dns.cfg"


@pytest.fixture(scope="module")
def second(_salted: Salted, salt_factories: FactoriesManager) -> Iterator[SaltMaster]:
    """Another master with the same topology, and the same key: Salt demands that of the masters of one minion."""
    master = master_daemon(salt_factories, "second", _salted.pillar, _salted.directory / "site")
    keys, of_first = (Path(each.config["pki_dir"]) for each in (master, _salted.master))
    keys.mkdir(parents=True, exist_ok=True)
    for name in ("master.pem", "master.pub"):
        shutil.copy(of_first / name, keys / name)
    with master.started():
        yield master


@pytest.fixture(scope="module")
def masters(_salted: Salted, second: SaltMaster) -> list[SaltMaster]:
    return [_salted.master, second]


@pytest.fixture(scope="module")
def cluster(_salted: Salted, masters: list[SaltMaster]) -> Iterator[GuardedByStates]:
    made = GuardedByStates(_salted)
    try:
        _salted.empty()
        made.use(AGENTS)
        _salted.synchronise()
        made.connect(LEFT, *masters)
        yield made
    finally:
        for node in NODES:
            made.end(node)
        made.disconnect(LEFT)


@pytest.fixture
def well(cluster: GuardedByStates) -> GuardedByStates:
    cluster.ready(AGENTS)
    cluster.listen()
    return cluster


def has_all_once(told: list[str], decided: list[str]) -> bool:
    """Each comes once, and in order; what was decided right before, or since, may be told as well."""
    begins = range(len(told) - len(decided) + 1)
    return sum(told[begin : begin + len(decided)] == decided for begin in begins) == 1


def eventually_each(
    well: GuardedByStates, masters: list[SaltMaster], what: str, found: Callable[[SaltMaster], Any]
) -> None:
    for master in masters:
        well.eventually(f"{master.config['id']}: {what}", partial(found, master))


def test_both_hear_each_decision_once_and_in_order_and_a_domain_starts_once_however_often_both_act(
    well: GuardedByStates, masters: list[SaltMaster]
) -> None:
    before = len(well.events(LEFT))
    well.cut_power(GONE)
    well.eventually("dns runs on the node that is left", lambda: well.runs("dns", LEFT))
    eventually_each(well, masters, "the beacon has told it", lambda master: well.heard(LOST, master))
    eventually_each(well, masters, "it has woken the guard", lambda master: well.woken(LEFT, master))
    well.eventually("all was told", lambda: not well.not_told(LEFT))
    decided, live, resets = well.events(LEFT)[before:], well.live(), well.resets()
    assert [each for each in decided if each in DECISIONS] == DECISIONS
    eventually_each(well, masters, "all is on its bus", lambda master: has_all_once(well.told(LEFT, master), decided))
    woken = {master.config["id"]: well.woken(LEFT, master) for master in masters}
    for master in [*masters, *masters]:  # what is replayed, and doubled
        well.fire(LOST, master, id=LEFT, node=GONE)
    eventually_each(
        well,
        masters,
        "it has woken the guard twice more",
        lambda master: well.woken(LEFT, master) >= woken[master.config["id"]] + 2,
    )
    assert (well.live(), well.resets(), well.events(LEFT)[before:]) == (live, resets, decided)
    assert well.salted.commands(LEFT).count(STARTS_DNS) == 1


def test_when_the_first_is_dead_the_second_goes_on_and_the_first_is_told_later(
    well: GuardedByStates, masters: list[SaltMaster]
) -> None:
    first, second = masters
    before = len(well.events(LEFT))
    with first.stopped():
        well.cut_power(GONE)
        well.eventually("the second was told", lambda: "node-dead" in well.told(LEFT, second))
        well.fire(LOST, second, id=LEFT, node=GONE)
        well.eventually("the second has woken the guard", lambda: well.woken(LEFT, second))
        assert "node-dead" in well.not_told(LEFT)
    well.eventually("the first was told", lambda: not well.not_told(LEFT))
    decided = well.events(LEFT)[before:]
    eventually_each(well, masters, "all is on its bus", lambda master: has_all_once(well.told(LEFT, master), decided))
