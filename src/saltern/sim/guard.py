"""The guard of a simulated node: the real one, with the watchdog that resets the simulated node.

``python -m saltern.sim.guard DIRECTORY NODE``, where ``python -m saltern.sim.cluster create DIRECTORY`` has made the nodes.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from saltern.errors import SalternError
from saltern.guarding.processes import run_guard
from saltern.sim.watchdog import SimulatedWatchdog


def main(arguments: Sequence[str]) -> int:
    """Guard a node until that may end."""
    directory, node = arguments
    root = Path(directory).absolute() / node
    os.environ["PATH"] = f"{root / 'bin'}:{os.environ.get('PATH', '')}"
    try:
        run_guard(str(root), lambda *_: SimulatedWatchdog(str(root)), loopback)
    except (SalternError, OSError) as error:
        print(f"guard: {error}", file=sys.stderr)
        return 2
    return 0


def loopback(address: str) -> str:
    """Where an address of the simulated network is on this machine: 192.168.1.190 is 127.168.1.190, for all of 127/8 is here."""
    return f"127.{address.split('.', 1)[1]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
