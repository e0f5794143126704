"""systemctl(1) of a simulated node, for the guard: a process that starts it, and starts it again whenever it ends unasked.

It belongs to no world: what it starts has to come to the world by itself. ``python -m saltern.sim.systemctl keep DIRECTORY NODE``
is that process; its group is the guard and what keeps it.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from saltern.argv import systemd
from saltern.model.places import GUARD_UNIT

_AGAIN_S: Final = 0.5
_POLL_S: Final = 0.1
_TRIES: Final = 20
_MODULE: Final = "saltern.sim.systemctl"
_PACKAGES: Final = str(Path(__file__).parents[2])


def main(directory: str, node: str, argv: Sequence[str]) -> int:
    """Answer a command line of ``saltern.argv.systemd``; the exit code is that of systemctl."""
    unit = _Unit(Path(directory).absolute(), node)
    does = {
        tuple(systemd.show()): unit.show,
        tuple(systemd.reload()): lambda: None,
        tuple(systemd.enable()): unit.enable,
        tuple(systemd.disable()): unit.disable,
        tuple(systemd.start()): unit.start,
        tuple(systemd.stop()): unit.stop,
        tuple(systemd.restart()): unit.restart,
    }.get(("systemctl", *argv))
    if does is None:
        print(f"nothing simulates systemctl {' '.join(argv)}", file=sys.stderr)
        return 1
    does()
    return 0


def keeper(root: Path) -> int | None:
    """The process group of the guard of the node whose files are under ``root``; ``None`` while it does not run."""
    file = _keeper_file(root)
    try:
        with file.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return int(file.read_text() or 0) or None
    return None


def _keeper_file(root: Path) -> Path:
    return root / "run" / "systemd" / systemd.GUARD


class _Unit:
    def __init__(self, directory: Path, node: str) -> None:
        self._directory, self._node = directory, node
        self._root = directory / node
        self._file = self._root / GUARD_UNIT.lstrip("/")
        self._wanted = self._file.parent / "multi-user.target.wants" / systemd.GUARD

    def show(self) -> None:
        there = self._file.exists()
        print(f"LoadState={'loaded' if there else 'not-found'}")
        print(f"ActiveState={'inactive' if keeper(self._root) is None else 'active'}")
        print(f"UnitFileState={('enabled' if self._wanted.is_symlink() else 'disabled') if there else ''}")

    def enable(self) -> None:
        if not self._wanted.is_symlink():
            self._wanted.parent.mkdir(parents=True, exist_ok=True)
            self._wanted.symlink_to(self._file)

    def disable(self) -> None:
        self._wanted.unlink(missing_ok=True)

    def start(self) -> None:
        if keeper(self._root) is None:
            self._detach("keep")

    def stop(self) -> None:
        found = keeper(self._root)
        if found is not None:
            os.kill(found, signal.SIGTERM)

    def restart(self) -> None:
        self._detach("restart")

    def _detach(self, verb: str) -> None:
        nothing = subprocess.DEVNULL
        subprocess.Popen(
            [sys.executable, "-m", _MODULE, verb, str(self._directory), self._node],
            env={**os.environ, "PYTHONPATH": _PACKAGES},
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )


def _restart(directory: Path, node: str) -> None:
    unit = _Unit(directory, node)
    unit.stop()
    while keeper(directory / node) is not None:
        time.sleep(_POLL_S)
    unit.start()


def _hold(lock: IO[str]) -> None:
    """There is one keeper; whoever only looks whether there is has the lock for a moment as well (``keeper``)."""
    for _ in range(_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_POLL_S)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _keep(directory: Path, node: str) -> None:
    """Keep the guard alive until a signal ends both."""
    file = _keeper_file(directory / node)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        _hold(lock)
        lock.truncate(0)
        print(os.getpid(), file=lock, flush=True)
        asked: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
        while not asked and file.exists():  # which goes with the power of the node
            with (directory / f"{node}.guard").open("ab") as out:
                guard = subprocess.Popen(
                    [sys.executable, "-m", "saltern.sim.guard", str(directory), node], stdout=out, stderr=out
                )
            while guard.poll() is None:
                time.sleep(_POLL_S)
                if not file.exists():
                    guard.kill()
                if asked and asked[-1]:
                    guard.send_signal(signal.SIGTERM)
                    asked.append(0)  # it was told
            time.sleep(0 if asked else _AGAIN_S)


if __name__ == "__main__":
    {"keep": _keep, "restart": _restart}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
