"""How long the lab waits: emulated machines are slow, and slower still on a busy one."""

import os
import time
from collections.abc import Callable

from lab.errors import LabError, TimedOut


def patient(seconds: float) -> float:
    """Seconds to wait for what takes ``seconds`` at most on a usual machine: SALTERN_LAB_PATIENCE times as long."""
    said = os.environ.get("SALTERN_LAB_PATIENCE", "1")
    try:
        return seconds * float(said)
    except ValueError:
        raise LabError(f"SALTERN_LAB_PATIENCE is {said!r}; it is a number, such as 2 to wait twice as long") from None


def wait_until(condition: Callable[[], bool], what: str, *, timeout_s: float, interval_s: float = 0.5) -> None:
    """Ask again and again until ``condition`` holds; raises TimedOut, which says ``what`` did not come true."""
    deadline = time.monotonic() + patient(timeout_s)
    while not condition():
        if time.monotonic() > deadline:
            raise TimedOut(f"not after {patient(timeout_s):g} s: {what}")
        time.sleep(interval_s)
