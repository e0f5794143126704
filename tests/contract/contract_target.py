"""What the contract is checked against: nodes that run the commands of the recordings.

The simulator is one target (``simulator_target``), the real nodes of the lab are the other (``tests/lab/lab_target``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

TRANSCRIPTS = Path(__file__).parents[1] / "data" / "transcripts"


@dataclass(frozen=True)
class Answer:
    """What a command line ended with."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Transcript:
    """One recording: the node, the command line, and what it ended with."""

    node: str
    command: str
    answer: Answer


class Target(Protocol):
    """Nodes called node1 (10.77.0.1) and node2 (10.77.0.2): an empty disk /dev/vdb of 2 GiB, DRBD's module loaded."""

    def start(self, lead: Callable[["Target"], None]) -> None:
        """Bring fresh nodes to where ``lead`` leads; several cases may share that moment."""
        ...

    def run(self, node: str, command: str) -> Answer:
        """Run a line of shell as root on a node."""
        ...

    def write_file(self, node: str, path: str, text: str) -> None:
        """Put a file on a node."""
        ...

    def cut_link(self) -> None:
        """Drop every packet between the two nodes."""
        ...

    def heal_link(self) -> None:
        """Let packets pass again."""
        ...

    def power_cut(self, node: str) -> None:
        """Take the power from a node."""
        ...

    def power_on(self, node: str) -> None:
        """Give a node its power back, with the disks that it had; no resource is up."""
        ...


def transcript(number: int) -> Transcript:
    """Read the recording with that number."""
    (path,) = TRANSCRIPTS.glob(f"{number:03d}-*.txt")
    head, _, rest = path.read_text().partition("--- stdout\n")
    stdout, _, stderr = rest.rpartition("--- stderr\n")
    lines = dict(line.removeprefix("# ").split(": ", 1) for line in head.splitlines())
    return Transcript(lines["node"], lines["command"], Answer(int(lines["exit"]), stdout, stderr))
