"""The commands of the demo's shell that are carried out by what keeps its cluster up."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from demo import control


class Power:
    """In the place of the guards of a cluster: of these only the power matters here."""

    takeover_s = 12

    def __init__(self, _cluster: Any) -> None:
        self.off: set[str] = set()
        self.written = False

    def is_on(self, node: str) -> bool:
        return node not in self.off

    def cut_power(self, node: str) -> None:
        self.off.add(node)

    def boot(self, node: str) -> None:
        self.off.remove(node)

    def into_topology(self) -> str:
        if self.written:
            raise ValueError("init.sls has `takeover` already")
        self.written = True
        return "takeover:\n"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of the commands; that of sockets has a short path."""
    monkeypatch.setattr(control, "Guards", Power)
    with tempfile.TemporaryDirectory(prefix="saltern-") as directory:
        sockets = Path(directory)
        cluster: Any = SimpleNamespace(
            sockets=sockets, bin=sockets, nodes=["dom0", "dom0m"], wait_for_minions=lambda *_: None
        )
        made = control.Control(cluster)
        yield sockets
        made.close()


def told(commands: Path, name: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([str(commands / name), *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_power_is_cut_once_and_comes_back_once(commands: Path) -> None:
    assert told(commands, "power-on", "dom0") == (1, "dom0 has power; `power-cut dom0` takes it\n")
    assert told(commands, "power-cut", "dom0") == (0, "dom0 is off, and so is all that ran on it.\n")
    assert told(commands, "power-cut", "dom0") == (1, "dom0 has no power; `power-on dom0` gives it back\n")
    assert told(commands, "power-on", "dom0") == (0, "dom0 is up, and its minion answers.\n")


@pytest.mark.parametrize("arguments", [(), ("dom1",), ("dom0", "dom0m")])
def test_what_is_no_node_is_refused_with_the_names_of_the_nodes(commands: Path, arguments: tuple[str, ...]) -> None:
    assert told(commands, "power-cut", *arguments) == (1, "usage: power-cut NODE; the nodes are dom0, dom0m\n")


def test_guards_are_written_into_the_topology_once(commands: Path) -> None:
    code, text = told(commands, "guards")
    assert code == 0 and "takeover:\n" in text
    assert told(commands, "guards") == (1, "init.sls has `takeover` already\n")
    assert told(commands, "guards", "dom0") == (1, "usage: guards\n")
