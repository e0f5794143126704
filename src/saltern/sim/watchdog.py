"""Xen's watchdog on nodes that live in a directory: a file with the time of day at which it resets the node."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from saltern.sim.world import World


class SimulatedWatchdog:
    """The watchdog of the node whose files are under ``root``, as ``saltern.guarding.watchdog.Watchdog``."""

    def __init__(self, root: str) -> None:
        self._path = _file(root)
        self._path.parent.mkdir(parents=True, exist_ok=True)

    def wind_up(self, timeout_s: int) -> None:
        """See ``Watchdog``."""
        temporary = self._path.with_name(".watchdog.new")
        temporary.write_text(str(time.time() + timeout_s))
        temporary.replace(self._path)

    def disarm(self) -> None:
        """See ``Watchdog``."""
        self._path.unlink(missing_ok=True)


def bitten(world: "World") -> Iterator[str]:
    """The nodes that their watchdog resets now. What has no power has no watchdog either."""
    for node in world.nodes.values():
        if not node.root:
            continue
        path = _file(node.root)
        try:
            text = path.read_text()
        except FileNotFoundError:  # it is not armed
            continue
        if not node.powered or time.time() > float(text):
            path.unlink(missing_ok=True)
            if node.powered:
                yield node.name


def _file(root: str) -> Path:
    return Path(root) / "proc" / "xen" / "watchdog"
