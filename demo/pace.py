"""Times of leases as short as this machine allows at this moment: what is late because it is busy is no lost node."""

import math
import subprocess
import time
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

from saltern.guard.times import Times


def fitting(xl: Path) -> Times:
    """For nodes of which one has the executable ``xl``."""
    ends_s = [time.monotonic()]
    for _ in range(5):
        subprocess.run([str(xl), "list"], check=True, capture_output=True)
        ends_s.append(time.monotonic())
    command_s = median(end_s - begun_s for begun_s, end_s in pairwise(ends_s))
    beat_s = round(max(1.0, 5 * command_s), 3)
    lease_s = math.ceil(5 * beat_s)
    return soonest(Times(beat_s=beat_s, dead_s=3.5 * beat_s, lease_s=lease_s, watchdog_s=lease_s, margin_s=1.0))


def soonest(found: Times) -> Times:
    """The same times with the shortest takeover that they allow, in whole seconds."""
    return replace(found, takeover_s=math.ceil(found.needed_s))


def lease_section(times: Times) -> dict[str, float]:
    """These times as they stand in the topology, under ``lease``: those that are not as they are by themselves."""
    usual = asdict(Times())
    return {name.removesuffix("_s"): each for name, each in asdict(times).items() if each != usual[name]}
