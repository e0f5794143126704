"""What states do for a guard: its key, what it is told, that it runs with that, and that it is gone where nobody wants it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from saltern.errors import FileError, Refused
from saltern.guarding import upkeep
from saltern.guarding.local import NoGuard
from saltern.guarding.settings import (
    GuardedDomain,
    GuardSettings,
    Party,
    Place,
    WitnessSettings,
    read_guard,
    read_witness,
)
from saltern.guarding.told import Told, keys_before
from saltern.model.places import GUARD_ASIDE, GUARD_KEY, GUARD_SCRIPT, GUARD_SETTINGS, GUARD_UNIT, WITNESS_SETTINGS
from saltern.model.topology import FenceAgent
from saltern.run import Completed, LocalHost

PARTY = Party(address="192.168.1.191", port=7780, key="e" * 40)
SETTINGS = GuardSettings(
    version=1,
    node="dom0",
    listen=Place(address="192.168.1.190", port=7780),
    partners={"dom0m": PARTY},
    witness=Party(address="192.168.1.10", port=7781, key="f" * 40),
    domains=(GuardedDomain(name="dns", uuid="u1", partner="dom0m", resources=("dns",), memory_bytes=1),),
)
TOLD = Told(SETTINGS, ())
AGENT = FenceAgent(agent="fence_simulated", options={}, timeout_s=60.0)
TOLD_AGENT = Told(replace(SETTINGS, witness=None, fencing={"dom0m": AGENT}), ())


class Node(LocalHost):
    """A node in a directory, with a systemd that starts and ends at once, and a clock that goes while somebody sleeps."""

    def __init__(self, root: Path, ends: Callable[[], bool] = lambda: True) -> None:
        super().__init__(root=str(root))
        self.asked: list[str] = []
        self.off: list[str] = []  # the partners that have stepped aside, as its guard was told
        self.enabled = self.active = self.current = False
        self._ends = ends
        self._now_s = 0.0

    def run(
        self, argv: Sequence[str], *, stdin: str = "", allowed: Collection[int] = (0,), timeout_s: float = 120.0
    ) -> Completed:
        assert argv[0] == "systemctl"
        verb = next(word for word in argv[1:] if not word.startswith("-"))
        if verb == "show":
            active, enabled = "active" if self.active else "inactive", "enabled" if self.enabled else "disabled"
            return Completed(tuple(argv), 0, f"LoadState=loaded\nActiveState={active}\nUnitFileState={enabled}\n", "")
        self.asked.append(verb)
        if verb in ("enable", "disable"):
            self.enabled = verb == "enable"
        if verb == "start" and not self.active:
            self.active = self.current = True
        if verb in ("restart", "stop") and self._ends():
            self.active, self.current = verb == "restart", True
        return Completed(tuple(argv), 0, "", "")

    def ask(self, word: str, **_: object) -> dict[str, Any]:
        if not self.active:
            raise NoGuard("nobody listens")
        self.asked += [word] if word != "status" else []
        return {"current": self.current, "aside": self._ends(), "off": self.off, "dead": {}}

    def now(self) -> float:
        return self._now_s

    def sleep(self, seconds: float) -> None:
        self._now_s += seconds


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_key_is_made_once_for_root_alone(node: Node) -> None:
    assert upkeep.public_key(node) is None
    assert upkeep.key(node, test=True).changes
    assert upkeep.public_key(node) is None
    assert upkeep.key(node, test=False).changes
    public = upkeep.public_key(node)
    assert public is not None
    assert node.mode(GUARD_KEY) == 0o600
    assert not upkeep.key(node, test=False).changes
    assert upkeep.public_key(node) == public
    assert public not in (node.read_text(GUARD_KEY) or "")


def test_a_key_that_others_may_have_read_is_not_used(node: Node) -> None:
    upkeep.key(node, test=False)
    Path(node._path(GUARD_KEY)).chmod(0o640)
    with pytest.raises(Refused, match="mode 0640"):
        upkeep.key(node, test=False)


def test_what_is_told_is_what_the_guard_reads_and_is_written_once(node: Node) -> None:
    assert upkeep.told(node, TOLD, node.ask, test=True).changes
    assert node.mode(GUARD_SETTINGS) is None
    assert set(upkeep.told(node, TOLD, node.ask, test=False).changes) == {
        f"file {GUARD_SETTINGS}",
        f"file {GUARD_UNIT}",
    }
    assert read_guard(node, GUARD_SETTINGS) == SETTINGS
    assert node.mode(GUARD_SETTINGS) == 0o600
    assert not upkeep.told(node, TOLD, node.ask, test=False).changes
    assert keys_before(node, "master") == {"dom0m": "e" * 40, "master": "f" * 40}


def test_settings_that_a_guard_would_refuse_are_never_written(node: Node) -> None:
    strange = replace(SETTINGS, node="dom0m")
    with pytest.raises(FileError, match="this node itself"):
        upkeep.told(node, Told(strange, ()), node.ask, test=False)
    assert node.mode(GUARD_SETTINGS) is None


def test_who_has_not_told_a_key_is_named_and_the_others_are_let_in(node: Node) -> None:
    with pytest.raises(Refused, match="machine master: it has not told its key yet"):
        upkeep.told(node, Told(None, ("master",)), node.ask, test=False)
    kept = upkeep.told(node, Told(SETTINGS, ("dom1",)), node.ask, test=False)
    assert kept.changes
    assert "machine dom1: it has not told its key yet" in (kept.trouble or "")
    assert read_guard(node, GUARD_SETTINGS) == SETTINGS
    assert upkeep.told(node, Told(None, ("master",)), node.ask, test=True).trouble is None


def test_a_witness_is_told_in_the_same_way(node: Node) -> None:
    settings = WitnessSettings(version=1, listen=Place(address="192.168.1.10", port=7781), nodes={"dom0": "d" * 40})
    upkeep.told(node, Told(settings, ()), node.ask, test=False)
    assert read_witness(node, WITNESS_SETTINGS) == settings
    assert node.mode(GUARD_UNIT) is None


def test_a_script_of_somebody_else_is_left_alone(node: Node) -> None:
    node.write_text(GUARD_SCRIPT, "#!/bin/sh\n", 0o755)
    with pytest.raises(Refused, match="was not written by Saltern"):
        upkeep.script(node, test=False)


def test_a_guard_is_started_now_and_at_each_boot_and_left_alone_afterwards(node: Node) -> None:
    upkeep.told(node, TOLD, node.ask, test=False)
    assert len(upkeep.guard_runs(node, node.ask, test=True).changes) == 2
    assert node.asked == []
    assert len(upkeep.guard_runs(node, node.ask, test=False).changes) == 2
    assert (node.enabled, node.active) == (True, True)
    node.asked.clear()
    assert not upkeep.guard_runs(node, node.ask, test=False).changes
    assert node.asked == []


def test_a_guard_with_older_settings_is_asked_to_end_and_started_again(node: Node) -> None:
    upkeep.told(node, TOLD, node.ask, test=False)
    upkeep.guard_runs(node, node.ask, test=False)
    node.current = False
    assert upkeep.guard_runs(node, node.ask, test=False).changes
    assert "restart" in node.asked
    assert "stop" not in node.asked


def test_what_one_guard_has_stepped_aside_for_is_done_when_the_next_one_is_started(node: Node) -> None:
    node.write_text(GUARD_ASIDE, "{}", 0o600)
    upkeep.told(node, TOLD, node.ask, test=False)
    assert node.mode(GUARD_ASIDE) is not None, "the files do not all say the same yet"
    upkeep.guard_runs(node, node.ask, test=False)
    assert node.mode(GUARD_ASIDE) is None


def test_a_guard_that_may_not_end_yet_goes_on_and_the_state_says_so(tmp_path: Path) -> None:
    node = Node(tmp_path, ends=lambda: False)
    upkeep.told(node, TOLD, node.ask, test=False)
    upkeep.guard_runs(node, node.ask, test=False)
    node.current = False
    with pytest.raises(Refused, match="waits for the witness and its partners"):
        upkeep.guard_runs(node, node.ask, test=False)
    with pytest.raises(Refused, match="has not ended yet"):
        upkeep.guard_gone(node, node.ask, test=False)
    assert node.active
    assert node.mode(GUARD_SETTINGS) is not None


def test_a_guard_that_was_told_nothing_is_not_started(node: Node) -> None:
    with pytest.raises(Refused, match="not told anything"):
        upkeep.guard_runs(node, node.ask, test=False)
    assert node.asked == []


def test_without_a_witness_a_guard_is_there_until_its_partner_is_to_end_as_well(node: Node) -> None:
    upkeep.told(node, TOLD_AGENT, node.ask, test=False)
    upkeep.guard_runs(node, node.ask, test=False)
    with pytest.raises(Refused, match="dom0m, to be applied as well, has not stepped aside"):
        upkeep.guard_gone(node, node.ask, test=False)
    assert node.active, "its partner's guard needs somebody who takes note of its end"
    node.off = ["dom0m"]
    assert upkeep.guard_gone(node, node.ask, test=False).changes
    assert (node.active, node.mode(GUARD_SETTINGS)) == (False, None)


def test_without_a_witness_nobody_waits_for_partners_when_the_guard_has_ended_by_itself(node: Node) -> None:
    upkeep.told(node, TOLD_AGENT, node.ask, test=False)
    assert upkeep.guard_gone(node, node.ask, test=False).changes
    assert node.mode(GUARD_SETTINGS) is None


def test_a_guard_that_nobody_wants_ends_in_order_before_its_settings_go(node: Node) -> None:
    assert not upkeep.guard_gone(node, node.ask, test=False).changes
    upkeep.told(node, TOLD, node.ask, test=False)
    upkeep.key(node, test=False)
    upkeep.guard_runs(node, node.ask, test=False)
    assert upkeep.guard_gone(node, node.ask, test=True).changes
    assert node.active
    node.asked.clear()
    assert upkeep.guard_gone(node, node.ask, test=False).changes
    assert node.asked == ["disable", "stop", "daemon-reload"]
    assert (node.enabled, node.active) == (False, False)
    assert [node.mode(path) for path in (GUARD_SETTINGS, GUARD_UNIT)] == [None, None]
    assert node.mode(GUARD_KEY) is not None
    assert not upkeep.guard_gone(node, node.ask, test=False).changes
