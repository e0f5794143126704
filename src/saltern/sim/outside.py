"""What simulated nodes have run outside of their world: DRBD's handlers, as processes of this machine.

A world is closed to everybody while it is open to one. So nobody waits in it: who has to, leaves it, waits, and comes back.
"""

import json
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from saltern.sim.drbd.handlers import Call

TRIES: Final = 4  # more than a promotion ever makes
_UNABLE: Final = 1
_POLL_S: Final = 0.1
_PACKAGES: Final = str(Path(__file__).parents[2])


class Asked(Exception):
    """A program that was answered within the world has to wait for a handler outside, and is to be answered anew then."""

    def __init__(self, call: "Call") -> None:
        super().__init__(call.command)
        self.call = call


class Detached:
    """``Outside`` of ``saltern.sim.drbd.handlers``, for a world in a file. Where nobody ``may_wait``, ``run`` fails at once."""

    def __init__(self, world_file: str, *, may_wait: bool) -> None:
        self._world_file, self._may_wait = world_file, may_wait

    def run(self, call: "Call") -> int:
        """See ``Outside.run``; raises ``Asked``."""
        if self._may_wait:
            raise Asked(call)
        return _UNABLE

    def start(self, call: "Call") -> None:
        """See ``Outside.start``."""
        import subprocess  # what only lets time pass has no use for it

        nothing = subprocess.DEVNULL
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CODE, _PACKAGES, self._world_file, json.dumps(call)],
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )


_CODE: Final = "import sys; sys.path.insert(0, sys.argv[1]); from saltern.sim.outside import main; main(*sys.argv[2:])"


def main(world_file: str, call: str) -> None:
    """Run a handler, given as JSON, and tell the kernel how it has ended."""
    from saltern.sim.drbd.handlers import Call

    answer(world_file, Call(*json.loads(call)))


def answer(world_file: str, call: "Call") -> None:
    """Run a handler to its end, and tell the kernel how that was."""
    from saltern.sim.drbd import fencing
    from saltern.sim.store import opened

    code = _run(world_file, call)
    if Path(world_file).exists():
        with opened(world_file) as world:
            fencing.answered(world, world.nodes[call.node], call.resource, call.number, code)


def _run(world_file: str, call: "Call") -> int:
    import subprocess

    root = Path(world_file).parent / call.node
    environ = {**call.environ, "PATH": f"{root}/bin:{call.environ['PATH']}"}
    stamp: int | None = None
    process = subprocess.Popen(_argv(root, call.command), env=environ, preexec_fn=_ends_with_parent)
    while process.poll() is None:
        found = _stamp(world_file)
        if found != stamp and not _is_waited_for(world_file, call):
            process.kill()
            process.wait()
            return _UNABLE
        stamp = found
        time.sleep(_POLL_S)
    return process.returncode


def _argv(root: Path, command: str) -> list[str]:
    """The command as the node would find it: its files are under ``root``. What is no file of the node is left to the shell."""
    program, *words = shlex.split(command)
    there = root / program.lstrip("/")
    return [str(there), *words] if program.startswith("/") and there.exists() else ["/bin/sh", "-c", command]


def _ends_with_parent() -> None:
    """Nobody is left behind who waits for a guard that was simulated."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _stamp(world_file: str) -> int | None:
    file = Path(world_file)
    return file.stat().st_mtime_ns if file.exists() else None


def _is_waited_for(world_file: str, call: "Call") -> bool:
    """Whether the node has its power, and its kernel the resource for which the handler runs."""
    from saltern.sim.world import World

    try:
        world = World.from_json(Path(world_file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    resource = world.nodes[call.node].drbd.resources.get(call.resource)
    return resource is not None and any(each.number == call.number for each in resource.handlers)
