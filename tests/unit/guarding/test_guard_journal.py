"""The log of a guard: what is an event in it is on the disk soon, for a node that is reset a moment later."""

import json
import time
from pathlib import Path

import pytest

from saltern.guard.knowledge import WITNESS
from saltern.guard.messages import GoOn, Granted
from saltern.guarding import telling
from saltern.guarding.events import Event
from saltern.guarding.journal import Journal
from saltern.run import LocalHost


class Disk(LocalHost):
    """A node that remembers which files it was told to have on its disk."""

    def __init__(self, root: Path) -> None:
        super().__init__(root=str(root))
        self.synced: list[str] = []
        self.broken = False

    def sync(self, path: str) -> None:
        super().sync(path)
        self.synced.append(path)
        if self.broken:
            raise OSError("the disk is gone")


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def wait_for(disk: Disk, files: int) -> None:
    for _ in range(1000):
        if len(disk.synced) >= files:
            return
        time.sleep(0.01)
    raise AssertionError(f"on the disk are {disk.synced}")


def lines(disk: Disk, path: str) -> list[str]:
    return [json.loads(line)["words"] for line in (disk.read_text(path) or "").splitlines()]


@pytest.mark.parametrize("broken", [False, True])
def test_an_event_is_on_the_disk_before_the_node_is_reset(disk: Disk, broken: bool) -> None:
    disk.broken = broken
    journal = Journal(disk, "guard")
    journal.say("lease of dns", "is there")
    assert disk.synced == []
    journal.say("lease of dns", "has ended", Event.LEASE_ENDED)
    wait_for(disk, 1)
    (path,) = disk.synced
    assert lines(disk, path) == ["is there", "has ended"]
    journal.say("lease of dns", "has ended", Event.LEASE_ENDED)
    assert disk.synced == [path], "nothing new was said"


def test_what_is_asked_at_each_beat_and_answered_the_same_is_told_once(tmp_path: Path) -> None:
    log = Journal(LocalHost(root=str(tmp_path)), "guard")
    for number in range(1, 6):
        told = list(telling.sent(GoOn("dns", "dom0", 1, number)))
        for by in ("dom0m", WITNESS):
            told += telling.heard(by, Granted(number, "dns", given=False))
        for each in told:
            log.say(*each)
    (day,) = (tmp_path / "var/log/saltern").iterdir()
    assert len(day.read_text().splitlines()) == 3
