"""The power of a node of the lab is cut: how long until its guests answer again, by the guards and by hand.

By hand is what a person does who has seen it, as fast as a script: wait until DRBD has lost the partner, and start the guests one
after the other, with the block script of DRBD, which promotes. Nobody switches off the lost node, for it is known to be off. The
guard knows nothing: it has its fence agent switch the node off, and starts what ran there when that is certain.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from bench.on_lab import tell, write_plain
from bench.rows import print_compared, print_s
from bench.takeover import SEEN
from lab.cluster import NODES, Lab
from lab.errors import LabError
from lab.moments import CONVERGED, FENCED, bring, topology, wait_until_protected, wait_until_settled

TIMES: Final = 3
LOST, PARTNER = NODES
GUARDS: Final = "by guards"
BY_HAND: Final = "by hand"
_TIMEOUT_S: Final = 600.0
_QUIET_S: Final = 10.0  # a node that comes from a snapshot catches up
_OFF: Final = "has switched it off"
_BEGUN: Final = "is to be started here"


class Failover(NamedTuple):
    """Seconds from the loss: seen, proven (nobody proves it by hand), the first start begun, every guest has answered."""

    seen_s: float
    proven_s: float | None
    begun_s: float
    whole_s: float


def failover(lab: Lab, times: int = TIMES) -> None:
    """Measure so many of each by turns, and print a line of the table for each figure."""
    found: dict[str, list[Failover]] = {GUARDS: [], BY_HAND: []}
    for _ in range(times):
        for way, lose in _WAYS.items():
            found[way].append(lose(lab))
            tell(f"{way}: {found[way][-1]}")
    print_table(found)


def _lose_by_hand(lab: Lab) -> Failover:
    bring(lab, CONVERGED)
    _settle(lab)
    addresses = _lost(lab)
    files = [write_plain(lab, PARTNER, guest) for guest in addresses]
    cut_s = _cut(lab)
    alone = " && ".join(f'[ "$(drbdadm cstate {guest})" = WFConnection ]' for guest in addresses)
    starts = " && ".join(f"xl create -q {file}" for file in files)
    line = f"until {alone}; do sleep 0.2; done; echo $EPOCHREALTIME; {starts} && {_answered(addresses)}"
    seen_s, answered_s = (float(word) - cut_s for word in lab.on(PARTNER, line, timeout_s=_TIMEOUT_S).stdout.split())
    return Failover(seen_s, None, seen_s, answered_s)


def _lose_to_guards(lab: Lab) -> Failover:
    bring(lab, FENCED)
    _settle(lab)
    wait_until_protected(lab)
    addresses = _lost(lab)
    cut_s = _cut(lab)
    answered_s = float(lab.on(PARTNER, _answered(addresses), timeout_s=_TIMEOUT_S).stdout)
    said = lab.on(PARTNER, "cat /var/log/saltern/guard-*.jsonl").stdout
    return read([json.loads(line) for line in said.splitlines()], cut_s, answered_s)


_WAYS: Final[Mapping[str, Callable[[Lab], Failover]]] = {GUARDS: _lose_to_guards, BY_HAND: _lose_by_hand}


def _settle(lab: Lab) -> None:
    wait_until_settled(lab)
    time.sleep(_QUIET_S)


def _lost(lab: Lab) -> dict[str, str]:
    """The addresses of the guests of the node that will be lost, in the order in which they start."""
    domains = topology(lab)["domains"]
    return {name: each["interfaces"][0]["ip"] for name, each in domains.items() if each["home"] == LOST}


def _cut(lab: Lab) -> float:
    """Take the power; returns when that was, by the clock of the partner."""
    asked_s = time.time()
    there_s = float(lab.on(PARTNER, "echo $EPOCHREALTIME").stdout)
    ahead_s = there_s - (asked_s + time.time()) / 2
    lab.power_cut(LOST)
    return time.time() + ahead_s


def _answered(addresses: Mapping[str, str]) -> str:
    """A line of shell that waits until every guest serves a file, and then says what time it is."""
    waits = [
        f"until timeout 5 busybox wget -q -O /dev/null http://{address}/boots 2> /dev/null; do sleep 0.5; done"
        for address in addresses.values()
    ]
    return f"{{ {'; '.join(waits)}; echo $EPOCHREALTIME; }}"


def read(said: Sequence[Mapping[str, Any]], cut_s: float, answered_s: float) -> Failover:
    """What the log of the guard tells of the time since the loss; raises LabError where something of it is missing."""

    def first_s(words: str) -> float:
        found = [datetime.fromisoformat(line["at"]).timestamp() for line in said if words in line["words"]]
        since = [at_s - cut_s for at_s in found if at_s >= cut_s]
        if not since:
            raise LabError(f"the guard of {PARTNER} has not said {words!r} since the loss:\n{json.dumps(said[-10:])}")
        return since[0]

    return Failover(first_s(SEEN), first_s(_OFF), first_s(_BEGUN), answered_s - cut_s)


def print_table(found: Mapping[str, Sequence[Failover]]) -> None:
    """A line for each figure, and for how many times as long the guards take."""
    for way, each in found.items():
        print_s(f"{way}: the loss is seen", [one.seen_s for one in each])
        print_s(f"{way}: the first start is begun", [one.begun_s for one in each])
        print_s(f"{way}: every guest answers", [one.whole_s for one in each])
    proven_s = [one.proven_s for one in found[GUARDS] if one.proven_s is not None]
    print_s(f"{GUARDS}: the lost node is switched off", proven_s)
    guards, by_hand = found[GUARDS], found[BY_HAND]
    wholes = [one.whole_s for one in guards], [one.whole_s for one in by_hand]
    afters = [one.whole_s - one.begun_s for one in guards], [one.whole_s - one.begun_s for one in by_hand]
    print_compared("times by hand, from the loss", *wholes)
    print_compared("times by hand, from the first start", *afters)
