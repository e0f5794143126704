"""Three ways to migrate a guest of the lab, and what whoever takes one has of it.

``state.orch migrate`` is Saltern's. ``xl migrate`` is what a person types on a node of Saltern's, whose block script allows two
Primaries and forbids them again. ``xl migrate, block-drbd`` has nothing of Saltern's: the block script is that of DRBD, and two
Primaries are allowed by hand.
"""

import json
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from bench.on_lab import other
from lab.cluster import Lab
from lab.errors import LabError
from saltern.argv import drbdsetup
from saltern.model.places import HOTPLUG_LOG
from saltern.parse import drbdsetup_show
from saltern.parse.hotplug_log import two_primaries_s

ORCHESTRATED: Final = "state.orch migrate"
TYPED: Final = "xl migrate"
PLAIN: Final = "xl migrate, block-drbd"
BEGIN: Final = "operation.begin"
SYNCHRONISE: Final = "operation.synchronise"
CARRY_OUT: Final = "operation.carry_out"
XL_TIMEOUT_S: Final = 1200.0


class Done(NamedTuple):
    """Seconds until it was over; of its steps, by their function; and for which two Primaries were allowed."""

    whole_s: float
    steps_s: Mapping[str, float]
    allowed_s: float


def steps_s(told: str) -> dict[str, float]:
    """Seconds of each step by its function, in what `salt-run state.orch --out=json` has told.

    Raises LabError where one has not succeeded, or one of the three of an operation is missing.
    """
    (states,) = json.loads(told)["data"].values()
    failed = [each for each in states.values() if each["result"] is not True]
    found = {each["name"]: each["duration"] / 1000 for each in states.values()}
    if failed or found.keys() != {BEGIN, SYNCHRONISE, CARRY_OUT}:
        raise LabError(f"no orchestration of an operation that has succeeded:\n{told}")
    return found


def _orchestrate(lab: Lab, guest: str, source: str) -> Done:
    pillar = json.dumps({"domain": guest, "target": other(source)})
    begun_s = time.perf_counter()
    answer = lab.salt_run("state.orch", "migrate", f"pillar={pillar}", "--out=json")
    whole_s = time.perf_counter() - begun_s
    return Done(whole_s, steps_s(answer.stdout), _window_s(lab, guest, other(source)))


def _type(lab: Lab, guest: str, source: str) -> Done:
    begun_s = time.perf_counter()
    lab.on(source, f"xl migrate {guest} {other(source)}", timeout_s=XL_TIMEOUT_S)
    whole_s = time.perf_counter() - begun_s
    return Done(whole_s, {}, _window_s(lab, guest, other(source)))


def _type_all(lab: Lab, guest: str, source: str) -> Done:
    connection = drbdsetup_show.parse_addresses(lab.on(source, f"drbdsetup show {guest}").stdout)
    allow, forbid = (" ".join(drbdsetup.allow_two_primaries(connection, allowed)) for allowed in (True, False))
    moved = f"{allow} && echo $EPOCHREALTIME && xl migrate {guest} {other(source)}"
    # DRBD's script tries only once to make the disk Secondary, and blkback may not have let go of it by then.
    line = f"{moved} && until {forbid}; do drbdadm secondary {guest}; sleep 0.5; done && echo $EPOCHREALTIME"
    begun_s = time.perf_counter()
    told = lab.on(source, line, timeout_s=XL_TIMEOUT_S).stdout
    whole_s = time.perf_counter() - begun_s
    opened_s, closed_s = (float(word) for word in told.split())
    return Done(whole_s, {}, closed_s - opened_s)


def _window_s(lab: Lab, guest: str, target: str) -> float:
    """What the block script of the target has measured; waits until it has closed the disk."""
    found: list[float] = []

    def closed() -> bool:
        lasted_s = two_primaries_s(lab.on(target, f"cat {HOTPLUG_LOG}").stdout, [guest])[guest]
        found.extend([] if lasted_s is None else [lasted_s])
        return bool(found)

    lab.wait_until(closed, f"{target} says for how long two Primaries were allowed")
    return found[0]


# Each is given a guest with one disk, whose resource has the name of the guest, and the node that it leaves.
WAYS: Final = {ORCHESTRATED: _orchestrate, TYPED: _type, PLAIN: _type_all}
