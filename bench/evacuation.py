"""A node of the lab with eight small domains is evacuated: how long that takes with so many of them on their way at once."""

import json
import time
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final, NamedTuple

from bench.on_lab import other, tell
from lab.cluster import NODES, Lab
from lab.errors import CommandFailed
from lab.moments import ALLOCATION, BARE, TOPOLOGY, bring, converge, topology, wait_until_settled
from saltern.topology import load_and_allocate, lockfile

PARALLEL: Final = (1, 2, 4)
DOMAINS: Final = 8
HOME: Final = NODES[0]
_MODEL: Final = "router"  # one small disk, the least memory
_TIMEOUT_S: Final = 3600.0


class Evacuation(NamedTuple):
    """One evacuation: ``silent_s`` is the longest time that any guest has left between two records, of which it writes one a
    second; ``arrived`` is how many of the domains have come through.
    """

    whole_s: float
    silent_s: int
    arrived: int


def evacuation(lab: Lab) -> None:
    """Measure each number at once, and print a line of the table for it."""
    bring(lab, BARE)
    _write(lab, eight(topology(lab)))
    converge(lab)
    found: dict[int, Evacuation] = {}
    for parallel in PARALLEL:
        if found:
            lab.salt_run("state.orch", "return", timeout_s=_TIMEOUT_S)
            wait_until_settled(lab)
        found[parallel] = _evacuate(lab, parallel)
        tell(f"{parallel} at once: {found[parallel]}")
    print_table(found)


def eight(model: Mapping[str, Any]) -> dict[str, Any]:
    """The pillar of a cluster with small domains, all at home on one node, with their numbers; the rest is the model's."""
    domains = {f"guest{number}": _domain(model, number) for number in range(1, DOMAINS + 1)}
    pillar: dict[str, Any] = {"saltern": {**model, "domains": domains}}
    pillar["saltern"]["allocation"] = lockfile.to_pillar(load_and_allocate(pillar))
    return pillar


def _domain(model: Mapping[str, Any], number: int) -> dict[str, Any]:
    domain: dict[str, Any] = model["domains"][_MODEL]
    (interface,) = domain["interfaces"]
    address = f"10.77.0.{60 + number}"
    cmdline = domain["xl"]["cmdline"].replace(f"lab.name={_MODEL}", f"lab.name=guest{number}")
    return {
        **domain,
        "home": HOME,
        "partner": other(HOME),
        "interfaces": [{**interface, "ip": address}],
        "xl": {**domain["xl"], "cmdline": cmdline.replace(f"lab.ip={interface['ip']}", f"lab.ip={address}")},
    }


def _write(lab: Lab, pillar: dict[str, Any]) -> None:
    """Put it into the master's pillar, the allocation in its own file, as it is there. JSON is YAML."""
    allocation = {"saltern": {"allocation": pillar["saltern"].pop("allocation")}}
    for file, told in ((TOPOLOGY, pillar), (ALLOCATION, allocation)):
        (lab.master.pillar / file).write_text(json.dumps(told), encoding="utf-8")


def _evacuate(lab: Lab, parallel: int) -> Evacuation:
    """What does not come through is no reason to end here: that it does is part of what is measured."""
    pillar = json.dumps({"node": HOME, "parallel": parallel})
    before = {name: len(records_s(text)) for name, text in _served(lab).items()}
    begun_s = time.perf_counter()
    try:
        lab.salt_run("state.orch", "evacuate", f"pillar={pillar}", timeout_s=_TIMEOUT_S)
    except CommandFailed as error:
        tell(str(error))
    whole_s = time.perf_counter() - begun_s
    arrived = len(lab.on(other(HOME), "xl list").stdout.splitlines()) - 2  # without its heading, and dom0
    if arrived < DOMAINS:
        converge(lab)  # starts what runs nowhere now
    wait_until_settled(lab)
    during_s = [records_s(text)[before[name] - 1 :] for name, text in _served(lab).items()]
    return Evacuation(whole_s, max(map(longest_step_s, during_s)), arrived)


def _served(lab: Lab) -> dict[str, str]:
    """What each guest serves of its records."""
    return {
        name: lab.on(other(HOME), f"busybox wget -q -O - http://{domain['interfaces'][0]['ip']}/counter").stdout
        for name, domain in topology(lab)["domains"].items()
    }


def records_s(counter: str) -> list[int]:
    """The times of a guest's records, in seconds of its own clock; a last line that is cut off is none."""
    return [int(line.split()[1]) for line in counter[: counter.rfind("\n") + 1].splitlines()]


def longest_step_s(times_s: Iterable[int]) -> int:
    """The longest time between two records."""
    return max((later - earlier for earlier, later in pairwise(times_s)), default=0)


def print_table(found: Mapping[int, Evacuation]) -> None:
    """A line for each number at once."""
    one_by_one_s = found[PARALLEL[0]].whole_s
    for parallel, each in found.items():
        what = f"{each.arrived} of {DOMAINS} domains, {parallel} at once, in"
        times, silent = each.whole_s / one_by_one_s, f"a guest was silent for {each.silent_s} s at most"
        print(f"{what:<32} {each.whole_s:8.1f} s, {times:.2f} times as long as one by one; {silent}", flush=True)
