"""A world in a file that many processes share: one at a time, on the clock of the wall.

Nothing but what is needed is imported here: every simulated command starts with it.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from saltern.model.places import DRBD_HELPER
from saltern.sim import watchdog
from saltern.sim.outside import Detached
from saltern.sim.world import BOOT_ID, World

FRESH_S = 2.0


@contextmanager
def opened(path: str, *, changes: bool = True) -> Iterator[World]:
    """The world in the file ``path``, moved on by what the clock says, written back when the block ends without error.

    Others wait meanwhile. A block that changes nothing leaves a file that is younger than two seconds as it is: what
    time does to the world is the same when the next one works it out, unless a process has run, which also writes to
    files of the nodes. Raises ``FileNotFoundError``.
    """
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = Path(path)
        world = World.from_json(file.read_text(encoding="utf-8"))
        # The file was written when its world had the time that it says.
        world.outside = Detached(path, may_wait=False)
        age_s = max(0.0, time.time() - file.stat().st_mtime)
        awoken = world.awoken
        world.advance(age_s)
        reset = list(watchdog.bitten(world))
        for node in reset:
            world.power_cut(node)
        world.offset_s = time.monotonic() - world.time_s
        yield world
        if changes or reset or age_s > FRESH_S or world.awoken != awoken:
            save(world, path)
    finally:
        os.close(lock)


def save(world: World, path: str) -> None:
    """Write a world at once, and what every node that lives in a directory has under ``/proc`` and ``/sys``."""
    temporary = Path(f"{path}.new")
    temporary.write_text(world.to_json(), encoding="utf-8")
    temporary.replace(path)
    for node in world.nodes.values():
        if node.root:
            for path in ("/proc/drbd", BOOT_ID, DRBD_HELPER):
                _show_proc(world, node.name, path, Path(f"{node.root}{path}"))


def _show_proc(world: World, node: str, name: str, path: Path) -> None:
    text = world.read_file(node, name) if world.nodes[node].powered else None
    if text is None:
        path.unlink(missing_ok=True)
    elif not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")  # a reader must never see half of it
        temporary.write_text(text)
        temporary.replace(path)
