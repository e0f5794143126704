"""A fence agent that switches simulated nodes off, as those of ClusterLabs: options on standard input (FenceAgentAPI.md).

``plug`` names the node, ``password`` is asked for and not checked. How it does its work stands in a file beside the world, and
can be changed at any time: ``well`` where there is none, ``fails``, ``hangs`` or ``lies``.
"""

import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from saltern.sim.store import opened

NAME: Final = "fence_simulated"
HOW: Final = ("well", "fails", "hangs", "lies")
_ON, _FAILED, _OFF = 0, 1, 2  # what `status` ends with


def be(world_file: str, how: str) -> None:
    """Have all agents of a world do their work so from now on."""
    _how_file(world_file).write_text(how)


def main(world_file: str, node: str, arguments: Sequence[str]) -> int:
    """Do what is asked for on standard input; the exit code is that of an agent."""
    options = dict(_read(sys.stdin))
    how_file = _how_file(world_file)
    how = how_file.read_text() if how_file.exists() else "well"
    with opened(world_file, changes=False) as world:
        log, powered = Path(world.nodes[node].root, "var/log/fence.log"), world.nodes[node].powered
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as stream:
        stream.write(f"{' '.join([NAME, *arguments])}: {options.get('action')} {options.get('plug')}\n")
    if how == "hangs":
        signal.pause()
    if how == "fails" or not powered or "password" not in options:
        print(f"Unable to connect with password={options.get('password')}", file=sys.stderr)
        return _FAILED
    return _act(world_file, options, lies=how == "lies")


def _read(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith("#"):
            yield name, value


def _act(world_file: str, options: Mapping[str, str], *, lies: bool) -> int:
    action, plug = options.get("action"), options["plug"]
    with opened(world_file, changes=action == "off") as world:
        if action == "off":
            if not lies:
                world.power_cut(plug)
            return 0
        if action == "status":
            return _OFF if lies or not world.nodes[plug].powered else _ON
    print(f"Unrecognised action '{action}'", file=sys.stderr)
    return _FAILED


def _how_file(world_file: str) -> Path:
    return Path(world_file).with_name("fence_agents")
