"""A migration through Saltern beside `xl migrate` of the same guest, on the lab: how long it takes, how long the guest is silent.

The three ways of ``bench.ways`` by turns, each as often in either direction; with as little memory as the guest can have, and
with about as much as a node of the lab can give it: what `xl migrate` copies grows with it, and what Saltern adds does not.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from bench.on_lab import other, tell, write_plain
from bench.rows import print_compared, print_s
from bench.watch import PING_S, watched
from bench.ways import BEGIN, CARRY_OUT, ORCHESTRATED, PLAIN, SYNCHRONISE, TYPED, WAYS, XL_TIMEOUT_S, Done
from lab.cluster import NODES, Lab
from lab.moments import CONVERGED, TOPOLOGY, apply, bring, topology, wait_until_settled

TIMES: Final = 3
GUEST: Final = "dns"
HOME: Final = NODES[0]
MEMORY: Final = ("96M", "640M")  # beside it, one node has the other three domains in the end
_QUIET_S: Final = 5.0  # for what ends a moment later, so that it is no part of the next one
_FRONT: Final = "/usr/local/sbin/xl"
_RUNS: Final = "/run/xl-migrate"
# Before the real one on the PATH, for all three ways: a bash more for each call.
CLOCK: Final = f"""\
#!/bin/bash
[ "$1" = migrate ] || exec /usr/sbin/xl "$@"
begun=$EPOCHREALTIME
/usr/sbin/xl "$@"
code=$?
echo "$begun $EPOCHREALTIME" >> {_RUNS}
exit $code
"""


class Migration(NamedTuple):
    """One migration: what whoever wanted it had of it, what `xl migrate` took, and what was seen from outside, in seconds."""

    done: Done
    xl_s: float
    pause_s: float
    both_primary_s: float


_Value = Callable[[Migration], float]
_SEEN: Final[Mapping[str, _Value]] = {
    "until it is over": lambda each: each.done.whole_s,
    f"guest silent, by a ping each {PING_S:g} s": lambda each: each.pause_s,
    "two Primaries allowed": lambda each: each.done.allowed_s,
    "both Primary, by DRBD's events": lambda each: each.both_primary_s,
}
_PHASES: Final[Mapping[str, _Value]] = {
    "Salt itself": lambda each: each.done.whole_s - sum(each.done.steps_s.values()),
    "both nodes looked at, and told": lambda each: each.done.steps_s[BEGIN],
    "the disks looked at again": lambda each: each.done.steps_s[SYNCHRONISE],
    "xl migrate": lambda each: each.xl_s,
    "all else of carrying it out": lambda each: each.done.steps_s[CARRY_OUT] - each.xl_s,
}


def migration(lab: Lab, times: int = TIMES) -> None:
    """Measure so many rounds of two migrations each way, and print a line of the table for each figure."""
    bring(lab, CONVERGED)
    wait_until_settled(lab)
    lab.job(NODES, "test.ping")  # after a snapshot, minions take a minute to answer
    for node in NODES:
        lab.write_file(node, _FRONT, CLOCK)
        lab.on(node, f"chmod 755 {_FRONT}")
    for memory in MEMORY:
        _give(lab, memory)
        found: dict[str, list[Migration]] = {way: [] for way in WAYS}
        for _ in range(times):
            for way, each in _round(lab):
                found[way].append(each)
        print_table(found, memory)


def _give(lab: Lab, memory: str) -> None:
    """Start the guest at home with so much memory, as the topology has it then."""
    found = topology(lab)
    if found["domains"][GUEST]["memory"] == memory:
        return
    found["domains"][GUEST]["memory"] = memory
    (lab.master.pillar / TOPOLOGY).write_text(json.dumps({"saltern": found}), encoding="utf-8")
    apply(lab)
    _start_anew(lab, f"/etc/xen/{GUEST}.cfg")


def _round(lab: Lab) -> Iterator[tuple[str, Migration]]:
    """Twice each way: one from home to the partner, one back."""
    for way, source in zip((ORCHESTRATED, TYPED, TYPED, ORCHESTRATED), NODES * 2, strict=True):
        yield way, _migrate(lab, way, source)
    _start_anew(lab, write_plain(lab, HOME, GUEST))
    for source in NODES:
        yield PLAIN, _migrate(lab, PLAIN, source)
    _start_anew(lab, f"/etc/xen/{GUEST}.cfg")


def _migrate(lab: Lab, way: str, source: str) -> Migration:
    """Move the guest, and have it watched from where it goes; then wait until everything is in order and quiet."""
    (interface,) = topology(lab)["domains"][GUEST]["interfaces"]
    lab.on(source, f"rm -f {_RUNS}")
    with watched(lab, other(source), interface["ip"], GUEST) as watch:
        done = WAYS[way](lab, GUEST, source)
        _wait_for_roles(lab, source, "Secondary/Primary")
        wait_until_settled(lab)
        time.sleep(_QUIET_S)
    begun, ended = lab.on(source, f"cat {_RUNS}").stdout.split()
    found = Migration(done, float(ended) - float(begun), watch.pause_s, watch.both_primary_s)
    tell(f"{way}, {source} to {other(source)}: {found}")
    return found


def _start_anew(lab: Lab, configuration: str) -> None:
    """End the guest at home, and start it from another configuration."""
    lab.on(HOME, f"xl destroy {GUEST}; until drbdadm secondary {GUEST}; do sleep 0.5; done")
    _wait_for_roles(lab, HOME, "Secondary/Secondary")
    lab.on(HOME, f"xl create -q {configuration}", timeout_s=XL_TIMEOUT_S)
    wait_until_settled(lab)
    time.sleep(_QUIET_S)


def _wait_for_roles(lab: Lab, node: str, roles: str) -> None:
    def so() -> bool:
        return lab.on(node, f"drbdadm role {GUEST}").stdout.strip() == roles

    lab.wait_until(so, f"{GUEST} is {roles}, says {node}")


def print_table(found: Mapping[str, Sequence[Migration]], memory: str) -> None:
    """A line for each figure, and for how many times as long Saltern's way takes as each of the others."""
    print(f"\nA guest with {memory}:", flush=True)
    ours = found[ORCHESTRATED]
    for what, value in _SEEN.items():
        for way in WAYS:
            print_s(f"{way}: {what}", [value(each) for each in found[way]])
        for way in (TYPED, PLAIN):
            print_compared(f"times {way}: {what}", list(map(value, ours)), list(map(value, found[way])))
    for what, value in _PHASES.items():
        print_s(f"{ORCHESTRATED}, of it: {what}", list(map(value, ours)))
