"""Recordings of commands on real nodes, as tests/data/transcripts holds them and tests/contract reads them."""

import time
from pathlib import Path

from lab.cluster import Lab


def record(lab: Lab, node: str, name: str, command: str, directory: Path) -> Path:
    """Run a line of shell on a node and write down what it ended with, under the next number; returns the file."""
    begun = time.monotonic()
    answer = lab.on(node, command, check=False)
    seconds = time.monotonic() - begun
    number = 1 + max((int(path.name.partition("-")[0]) for path in directory.glob("[0-9]*-*.txt")), default=0)
    path = directory / f"{number:03d}-{name}.{node}.txt"
    path.write_text(
        f"# node: {node}\n# command: {command}\n# exit: {answer.returncode}\n# seconds: {seconds:.2f}\n"
        f"--- stdout\n{answer.stdout}--- stderr\n{answer.stderr}",
        encoding="utf-8",
    )
    return path
