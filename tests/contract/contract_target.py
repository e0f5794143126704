"""What the contract is checked against: nodes that run the commands of the recordings.

The simulator is one target. Real nodes reached by ssh are another, with the same methods.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from saltern.errors import CommandFailed
from saltern.sim.world import NodeSpec, World

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
    """Nodes called node1 (10.77.0.1) and node2 (10.77.0.2), each with an empty disk /dev/vdb of 2 GiB."""

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


def transcript(number: int) -> Transcript:
    """Read the recording with that number."""
    (path,) = TRANSCRIPTS.glob(f"{number:03d}-*.txt")
    head, _, rest = path.read_text().partition("--- stdout\n")
    stdout, _, stderr = rest.rpartition("--- stderr\n")
    lines = dict(line.removeprefix("# ").split(": ", 1) for line in head.splitlines())
    return Transcript(lines["node"], lines["command"], Answer(int(lines["exit"]), stdout, stderr))


class SimulatorTarget:
    """The simulator behind the little shell that the recordings need: ``;``, ``$?``, echo, time, sleep, ssh, cat."""

    def __init__(self, *, drbd: str = "8.4") -> None:
        self.world = World.create(
            [
                NodeSpec(
                    name=f"node{number}",
                    address=f"10.77.0.{number}",
                    volume_group="",
                    volume_group_size_bytes=2143289344,
                    memory_bytes=1124 * 1024**2,
                    drbd=drbd,
                )
                for number in (1, 2)
            ]
        )

    def write_file(self, node: str, path: str, text: str) -> None:
        self.world.nodes[node].files[path] = (text, 0o644)

    def cut_link(self) -> None:
        self.world.cut_link("node1", "node2")

    def heal_link(self) -> None:
        self.world.heal_link("node1", "node2")

    def run(self, node: str, command: str) -> Answer:
        status, out, err = 0, "", ""
        for part in _parts(command):
            answer = self._simple(node, part.replace("$?", str(status)))
            status, out, err = answer.returncode, out + answer.stdout, err + answer.stderr
        return Answer(status, out, err)

    def _simple(self, node: str, command: str) -> Answer:
        argv = shlex.split(command)
        if argv[0] == "time":
            argv = argv[1:]
        if argv[0] == "echo":
            return Answer(0, " ".join(argv[1:]) + "\n", "")
        if argv[0] == "ssh":
            return self.run(argv[1], " ".join(argv[2:]))
        if argv[0] == "sleep":
            self.world.advance(float(argv[1]))
            return Answer(0, "", "")
        if argv[0] == "cat":
            text = self.world.read_file(node, argv[1])
            missing = f"cat: {argv[1]}: No such file or directory\n"
            return Answer(1, "", missing) if text is None else Answer(0, text, "")
        try:
            done = self.world.host(node).run(argv)
        except CommandFailed as failed:
            return Answer(failed.returncode, failed.stdout, failed.stderr)
        return Answer(done.returncode, done.stdout, done.stderr)


def _parts(command: str) -> list[str]:
    """Split a command line at the semicolons outside quotes."""
    lexer = shlex.shlex(command, posix=False, punctuation_chars=";")
    lexer.whitespace_split = True
    lexer.commenters = ""
    parts: list[list[str]] = [[]]
    for word in lexer:
        if word == ";":
            parts.append([])
        else:
            parts[-1].append(word)
    return [" ".join(part) for part in parts if part]
