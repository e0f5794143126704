"""The administrator's command: it is given each event, and whatever becomes of it, the guard goes on."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from saltern.errors import FileError
from saltern.guarding import notifying
from saltern.guarding.events import MEANINGS, Event
from saltern.guarding.journal import Journal
from saltern.guarding.notifying import Notifying
from saltern.guarding.settings import parse_guard
from saltern.run import LocalHost

ABOUT = {"cluster": "green", "node": "dom0"}
KEEP = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(sys.stdin.read())"


class Told:
    """A journal whose events a program keeps, line by line."""

    def __init__(self, root: Path, code: str = KEEP) -> None:
        self.kept = root / "kept"
        self.host = LocalHost(root=str(root))
        self.journal = Journal(self.host, "guard")
        self.notifying = Notifying(self.host, [sys.executable, "-c", code, str(self.kept)], ABOUT, self.journal)
        self.notifying.start()

    def lines(self) -> list[dict[str, str]]:
        """What the program was given, after its end."""
        self.notifying._waiting.put(None)
        self.notifying._thread.join()
        return [json.loads(line) for line in self.kept.read_text().splitlines()] if self.kept.exists() else []

    def log(self) -> str:
        (name,) = self.host.names("/var/log/saltern")
        return self.host.read_text(f"/var/log/saltern/{name}") or ""


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    yield Told(tmp_path)


def test_each_event_is_given_to_the_command_in_order_and_nothing_else(told: Told) -> None:
    told.journal.say("node dom0m", "is not heard any more", Event.NODE_LOST)
    told.journal.say("answers of dom0m", "come: this node has a lease from there")
    told.journal.tell("domain dns", "started", Event.DOMAIN_STARTED)
    found = told.lines()
    assert [(each["event"], each["subject"], each["words"]) for each in found] == [
        ("node-lost", "node dom0m", "is not heard any more"),
        ("domain-started", "domain dns", "started"),
    ]
    assert all(each.keys() == {"at", "subject", "words", "event", "cluster", "node"} for each in found)
    assert (found[0]["cluster"], found[0]["node"]) == ("green", "dom0")


def test_what_is_said_twice_is_told_once(told: Told) -> None:
    for _ in range(3):
        told.journal.say("node dom0m", "is not heard any more", Event.NODE_LOST)
    assert len(told.lines()) == 1


def test_the_log_has_the_event_as_well(told: Told) -> None:
    told.journal.say("guard", "goes on", Event.GUARD_RESUMED)
    told.lines()
    assert json.loads(told.log())["event"] == "guard-resumed"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('no mail server')", "no mail server"),
        ("import time; time.sleep(60)", "0.2 s"),
    ],
)
def test_a_command_that_fails_or_hangs_is_told_and_the_next_event_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    monkeypatch.setattr(notifying, "TIMEOUT_S", 0.2)
    told = Told(tmp_path, code)
    told.journal.say("guard", "begins", Event.GUARD_BEGINS)
    told.journal.say("node dom0m", "is not heard any more", Event.NODE_LOST)
    assert told.lines() == []
    assert "notification" in told.log()
    assert "of guard-begins has failed" in told.log()
    assert "of node-lost has failed" in told.log()
    assert said in told.log() or "did not end" in told.log()


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.notifying._command = ["/no/such/program"]
    told.journal.say("guard", "begins", Event.GUARD_BEGINS)
    told.lines()
    assert "/no/such/program" in told.log()


def test_nobody_waits_for_a_command_that_does_not_keep_up(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.lines()  # it has ended: nobody takes anything any more
    for number in range(notifying._WAITING_AT_MOST + 5):
        told.journal.tell("domain dns", str(number), Event.DOMAIN_STARTED)
    assert told.log().count("this one is left out") == 1
    assert '"words": "104"' in told.log()


def test_every_event_has_a_meaning_for_the_reference() -> None:
    assert MEANINGS.keys() == set(Event)


@pytest.mark.parametrize("command", ["tell-admin", "./tell-admin", ""])
def test_a_guard_is_not_told_a_program_without_its_path(command: str) -> None:
    party = {"address": "192.168.1.191", "port": 7780, "key": "a" * 40}
    settings = {
        "version": 1,
        "node": "dom0",
        "listen": {"address": "192.168.1.190", "port": 7780},
        "partners": {"dom0m": party},
        "witness": {**party, "key": "b" * 40},
        "domains": [],
        "notify": [command],
    }
    with pytest.raises(FileError, match="absolute path"):
        parse_guard(json.dumps(settings), "/etc/saltern/guard.json")
