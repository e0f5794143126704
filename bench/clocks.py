"""When the programs of a simulated node begin and end: bash writes it down around each, at the cost of a start of its own."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from saltern.model.places import GUARD_SCRIPT
from saltern.sim import fence_agent

HANDLER: Final = "guard fence-peer"
_PROGRAMS: Final = ("bin/xl", "bin/drbdadm", "bin/drbdsetup", f"bin/{fence_agent.NAME}", GUARD_SCRIPT.lstrip("/"))
_SCRIPT: Final = """\
#!/bin/bash
# The stream of events never ends, and has to end with its reader.
if [ "$*" = events2 ]; then exec {program} "$@"; fi
begun=$EPOCHREALTIME
{program} "$@"
code=$?
echo "$begun $EPOCHREALTIME {name} $*" >>{log}
exit $code
"""


class Run(NamedTuple):
    """A program that has run: its name and arguments, and when, in seconds of the clock on the wall."""

    begun_s: float
    ended_s: float
    text: str


class Clock:
    """Measures the programs of the node whose files are under ``root`` from now on; they go where they were, by another name."""

    def __init__(self, root: str) -> None:
        self._log = Path(root, "var/log/clock.log")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.touch()
        self._read = 0
        for place in _PROGRAMS:
            script = Path(root, place)
            # Beside it: the guard's script finds everything else by its own directory.
            program = script.rename(script.with_name(f"{script.name}.measured"))
            paths = {"program": shlex.quote(str(program)), "log": shlex.quote(str(self._log))}
            script.write_text(_SCRIPT.format(name=script.name, **paths))
            script.chmod(0o755)

    def runs(self) -> list[Run]:
        """What has ended since this was asked last."""
        with self._log.open() as stream:
            stream.seek(self._read)
            text = stream.read()
            self._read = stream.tell()
        return [_run(line) for line in text.splitlines()]


def _run(line: str) -> Run:
    begun, ended, text = line.split(" ", 2)
    return Run(float(begun), float(ended), text)


def taken_s(runs: Iterable[Run], from_s: float, to_s: float) -> float:
    """How much of a time programs took, one after the other. Of two that overlap the one that ended later counts.

    So this is the least that it can have been: what is left of the time is rather too much than too little.
    """
    found_s = 0.0
    for run in sorted(runs, key=lambda each: each.ended_s, reverse=True):
        if from_s <= run.begun_s and run.ended_s <= to_s:
            found_s += run.ended_s - run.begun_s
            to_s = run.begun_s
    return found_s
