"""The simulated programs as executables: small scripts in a node's ``bin`` that share one world.

``python -m saltern.sim.executable WORLD NODE PROGRAM ARGUMENTS...`` is what they run. The node's files are real ones under
its root: ``xl create /etc/xen/dns.cfg`` reads ``ROOT/etc/xen/dns.cfg``.
"""

import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from saltern.sim import fence_agent, tools
from saltern.sim.outside import TRIES, Asked, Detached, answer
from saltern.sim.store import opened

_LISTEN_S = 0.1
_SYSTEMCTL = "systemctl"
_NO_POWER = 255  # what ssh to such a node would end with


def install(directory: str, world_file: str, node: str) -> Path:
    """Write one script for each program into ``directory/bin``; that is the directory to put on the PATH."""
    folder = Path(directory) / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for program in (*tools.PROGRAMS, _SYSTEMCTL, fence_agent.NAME):
        script = folder / program
        script.write_text(_script(world_file, node, program))
        script.chmod(0o755)
    return folder


def _script(world_file: str, node: str, program: str) -> str:
    """A script that starts fast: no site-packages, no environment, the package found by its path."""
    package = str(Path(__file__).parents[2])
    code = (
        f"import sys; sys.path.insert(0, {package!r}); from saltern.sim.fork_client import main; "
        f"sys.exit(main([{world_file!r}, {node!r}, {program!r}, *sys.argv[1:]]))"
    )
    return f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S -c {shlex.quote(code)} "$@"\n'


def main(arguments: Sequence[str]) -> int:
    """Run a command on a node of a world file; the exit code is the program's own."""
    world_file, node, program, *rest = arguments
    if program == _SYSTEMCTL:
        from saltern.sim import systemctl  # nothing else needs subprocess

        return systemctl.main(str(Path(world_file).parent), node, rest)
    if program == fence_agent.NAME:
        return fence_agent.main(world_file, node, rest)
    if tools.listens([program, *rest]):
        return _listen(world_file, node, [program, *rest])
    result = _run(world_file, node, [program, *rest])
    if result is None:
        signal.pause()  # until somebody loses patience, with the world free for others
        return 1
    sys.stdout.write(result.stdout)
    sys.stdout.flush()
    sys.stderr.write(result.stderr)
    return result.returncode


def _listen(world_file: str, node: str, argv: list[str]) -> int:
    """What there is, then what has changed of it whenever the world was written, until the node loses its power."""
    before: set[str] | None = None
    stamp = 0
    while True:
        found = Path(world_file).stat().st_mtime_ns
        if found != stamp:
            stamp = found
            with opened(world_file, changes=False) as world:
                if not world.nodes[node].powered:
                    return _NO_POWER
                lines = tools.run(world, node, argv).stdout.splitlines()
            for line in lines:
                if before is None or line not in before:
                    print(line if before is None else line.replace("exists", "change", 1), flush=True)
            before = set(lines)
        time.sleep(_LISTEN_S)


def _run(world_file: str, node: str, argv: list[str]) -> tools.Result | None:
    """The answer, or ``None`` for a command that would hang. What it waits for outside of the world runs in between."""
    for tries_left in range(TRIES, 0, -1):
        try:
            return _answer(
                world_file, node, argv, Detached(world_file, may_wait=argv[0] != "xl"), log=tries_left == TRIES
            )
        except Asked as asked:
            answer(world_file, asked.call)
    return _answer(world_file, node, argv, Detached(world_file, may_wait=False), log=False)


def _answer(world_file: str, node: str, argv: list[str], outside: Detached, *, log: bool) -> tools.Result | None:
    """As ``_run``; raises ``Asked``, with the world as it is until then."""
    with opened(world_file, changes=tools.changes_something(argv)) as world:
        found = world.nodes[node]
        if not found.powered:
            return tools.Result(_NO_POWER, "", f"{node} has no power\n")
        if log:
            _log(found.root, argv)
        world.outside = outside
        try:
            return tools.run(world, node, argv)
        except tools.NeverEnds:
            return None
        except Asked as asked:
            waits = asked
    raise waits


def _log(root: str, argv: list[str]) -> None:
    log = Path(root) / "var" / "log" / "commands.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        stream.write(shlex.join(argv) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
