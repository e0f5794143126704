"""What is kept: facts over power cuts, leases over restarts of the guard, and never a guess where something cannot be read."""

from pathlib import Path

import pytest

from saltern.errors import FileError
from saltern.guard.facts import Facts
from saltern.guard.peer import Declaration
from saltern.guard.witness import Denial, Promises
from saltern.guarding.store import GuardStore, WitnessStore
from saltern.model.places import GUARD_FACTS, GUARD_RENEWED, GUARD_WATCHDOG, WITNESS_PROMISES
from saltern.run import LocalHost

BOOT_ID = "/proc/sys/kernel/random/boot_id"
NOON_S = 1_800_000_000.0


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    made = LocalHost(root=str(tmp_path))
    boot(made, "one")
    return made


def boot(host: LocalHost, boot_id: str) -> None:
    host.write_text(BOOT_ID, f"{boot_id}\n", 0o444)


def store(host: LocalHost) -> GuardStore:
    return GuardStore(host, lambda: NOON_S)


FACTS = Facts(7, {"dom0m": 3}, {"dom0m": Declaration(3, 2, frozenset({"mail"}))}, frozenset({"dns"}))


def test_facts_are_the_same_after_a_restart_of_the_guard(host: LocalHost) -> None:
    store(host).keep(FACTS)
    assert store(host).facts == FACTS


def test_a_boot_counts_up_and_leaves_only_whose_data_are_alone(host: LocalHost) -> None:
    store(host).keep(FACTS)
    boot(host, "two")
    assert store(host).facts == Facts(boot=8, alone=frozenset({"dns"}))
    assert store(host).facts.boot == 8  # and the guard may be started again in that boot


def test_a_node_that_is_installed_anew_does_not_seem_older_than_it_was(host: LocalHost) -> None:
    assert store(host).facts == Facts(boot=int(NOON_S))


def test_leases_are_kept_until_the_next_boot(host: LocalHost) -> None:
    assert store(host).renewed() is None
    store(host).keep_renewed({"dom0m": 12.5})
    assert store(host).renewed() == {"dom0m": 12.5}
    boot(host, "two")
    assert store(host).renewed() is None


def test_the_number_of_the_watchdog_is_kept_until_the_next_boot(host: LocalHost) -> None:
    store(host).keep_watchdog(2)
    assert store(host).watchdog() == 2
    boot(host, "two")
    assert store(host).watchdog() is None
    store(host).keep_watchdog(None)
    assert host.read_text(GUARD_WATCHDOG) is None


@pytest.mark.parametrize("text", ["", "{", "{}", '{"boot_id": "one"}', '{"boot_id": "one", "facts": {"boot": "7"}}'])
def test_facts_that_cannot_be_read_are_not_guessed(host: LocalHost, text: str) -> None:
    host.write_text(GUARD_FACTS, text, 0o600)
    with pytest.raises(FileError, match="not guessed"):
        store(host)


def test_leases_that_cannot_be_read_are_not_guessed(host: LocalHost) -> None:
    host.write_text(GUARD_RENEWED, "half", 0o600)
    with pytest.raises(FileError):
        store(host).renewed()


def test_a_machine_without_proc_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="/proc"):
        store(LocalHost(root=str(tmp_path)))


def test_nobody_else_can_read_what_is_kept(host: LocalHost) -> None:
    store(host).keep(FACTS)
    store(host).keep_renewed({})
    assert {host.mode(GUARD_FACTS), host.mode(GUARD_RENEWED)} == {0o600}


def test_promises_are_the_same_after_a_restart_of_the_witness(host: LocalHost) -> None:
    assert WitnessStore(host).promises == Promises()
    denied = {("dom0", "dom0m"): Denial(3, 1, frozenset({"dns"}))}
    promises = Promises(denied, {"dns": "dom0m"}, 1, {"dom0": (3, 7)}, {}, {"dom0": frozenset({"dom0m"})})
    WitnessStore(host).keep(promises)
    assert WitnessStore(host).promises == promises
    host.write_text(WITNESS_PROMISES, "{", 0o600)
    with pytest.raises(FileError, match="not guessed"):
        WitnessStore(host)
