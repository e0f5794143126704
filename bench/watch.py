"""A migration in the lab as it is seen from outside: by ping, and in DRBD's events."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from lab.cluster import Lab
from lab.errors import LabError
from saltern.model.running import Role
from saltern.parse import drbdsetup_events2
from saltern.parse.drbdsetup_events2 import Kind

PING_S: Final = 0.2
_DIRECTORY: Final = "/run/bench"
_SCRIPT: Final = """\
ping -D -n -i {interval_s} {address} > ping &
drbdsetup events2 {resource} | while read -r line; do echo "$EPOCHREALTIME $line"; done > events &
wait
"""
_ANSWER: Final = re.compile(r"^\[([0-9.]+)\] [0-9]+ bytes from ", re.MULTILINE)
# Both are asked to end: ping by what it prints its last lines at, then the rest, of which bash makes deaf to that what it starts.
_END: Final = "kill -INT -- -$(cat pid); sleep 0.5; kill -- -$(cat pid)"


@dataclass
class Watch:
    """What was seen, when it is over: the longest time between two answers, and for how long both sides were Primary."""

    pause_s: float = 0.0
    both_primary_s: float = 0.0


@contextmanager
def watched(lab: Lab, node: str, address: str, resource: str) -> Iterator[Watch]:
    """A node watches a guest and its disk meanwhile."""
    script = _SCRIPT.format(interval_s=PING_S, address=address, resource=resource)
    lab.write_file(node, f"{_DIRECTORY}/watch", script)
    go = f"cd {_DIRECTORY} && rm -f ping events pid &&"
    lab.on(node, f"{go} setsid --fork bash -c 'echo $$ > pid; . ./watch' < /dev/null > /dev/null 2>&1")
    lab.wait_until(lambda: _read(lab, node, "ping", "events") != "", f"{node} watches {address} and {resource}")
    watch = Watch()
    yield watch
    lab.on(node, f"cd {_DIRECTORY} && {{ {_END}; }} 2> /dev/null; true")
    watch.pause_s = longest_gap_s(_read(lab, node, "ping"))
    watch.both_primary_s = both_primary_s(_read(lab, node, "events"))


def _read(lab: Lab, node: str, *files: str) -> str:
    """Files, or nothing when one is not there or empty."""
    names = " ".join(f"{_DIRECTORY}/{file}" for file in files)
    line = f"for file in {names}; do test -s $file || exit 0; done; cat {names}"
    return lab.on(node, line).stdout


def longest_gap_s(said: str) -> float:
    """The longest time between two answers in what `ping -D` has said; raises LabError where there are no two."""
    answers_s = [float(found) for found in _ANSWER.findall(said)]
    if len(answers_s) < 2:
        raise LabError(f"ping has had {len(answers_s)} answers, of which a pause cannot be read:\n{said[-500:]}")
    return max(later - earlier for earlier, later in pairwise(answers_s))


def both_primary_s(said: str) -> float:
    """For how long both sides of a resource were Primary, in lines of `drbdsetup events2`, each with its time before it.

    Raises LabError where they are so to the end, and ParseError for what are no such lines.
    """
    roles: dict[Kind, str] = {}
    since_s: float | None = None
    total_s = 0.0
    for at_s, line in _events(said.splitlines()):
        event = drbdsetup_events2.parse_line(line)
        if event.kind in (Kind.RESOURCE, Kind.CONNECTION) and "role" in event.fields:
            roles[event.kind] = event.fields["role"]
        both = list(roles.values()) == [Role.PRIMARY] * 2
        if both and since_s is None:
            since_s = at_s
        elif not both and since_s is not None:
            total_s, since_s = total_s + at_s - since_s, None
    if since_s is not None:
        raise LabError(f"both sides are Primary to the end of what was watched:\n{said[-500:]}")
    return total_s


def _events(lines: Sequence[str]) -> Iterator[tuple[float, str]]:
    for line in lines:
        at, _, event = line.partition(" ")
        yield float(at), event
