"""modprobe(8) and rmmod(8), for the one kernel module that matters here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from saltern.sim.tools import Result

if TYPE_CHECKING:
    from saltern.sim.world import World

KERNEL = "6.1.0-56-amd64"


def run(world: "World", node: str, argv: Sequence[str]) -> Result:
    """Answer ``modprobe drbd`` and ``rmmod drbd``."""
    if argv[0] == "rmmod":
        return _remove(world, node, argv[-1])
    options = [argument for argument in argv[1:] if argument.startswith("-")]
    names = [argument for argument in argv[1:] if not argument.startswith("-")]
    for option in options:
        if option not in ("-q", "--quiet"):
            return Result(1, "", f"modprobe: unrecognized option '{option}'\n")
    if not names:
        return Result(1, "", "modprobe: ERROR: missing parameters. See -h.\n")
    if names[0] != "drbd":
        quiet = "" if options else f"modprobe: FATAL: Module {names[0]} not found in directory /lib/modules/{KERNEL}\n"
        return Result(1, "", quiet)
    world.nodes[node].module_loaded = True
    return Result()


def _remove(world: "World", node: str, name: str) -> Result:
    here = world.nodes[node]
    if name != "drbd" or not here.module_loaded:
        return Result(1, "", f"rmmod: ERROR: Module {name} is not currently loaded\n")
    if here.drbd.resources:
        return Result(1, "", "rmmod: ERROR: Module drbd is in use\n")
    here.module_loaded = False
    return Result()
