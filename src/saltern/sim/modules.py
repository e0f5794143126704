"""modprobe(8) and modinfo(8) for the one kernel module that matters here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from saltern.sim.tools import Result

if TYPE_CHECKING:
    from saltern.sim.world import World

KERNEL = "6.1.0-56-amd64"
MODULE_VERSIONS = {"8.4": "8.4.11", "9": "9.2.12"}


def run(world: "World", node: str, argv: Sequence[str]) -> Result:
    """Answer ``modprobe drbd`` and ``modinfo -F version drbd``."""
    return _modprobe(world, node, argv[1:]) if argv[0] == "modprobe" else _modinfo(world, node, argv[1:])


def _modprobe(world: "World", node: str, arguments: Sequence[str]) -> Result:
    options = [argument for argument in arguments if argument.startswith("-")]
    names = [argument for argument in arguments if not argument.startswith("-")]
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


def _modinfo(world: "World", node: str, arguments: Sequence[str]) -> Result:
    if list(arguments[:2]) != ["-F", "version"] or len(arguments) != 3:
        return Result(1, "", "modinfo: ERROR: only `modinfo -F version MODULE` is simulated\n")
    if arguments[2] != "drbd":
        return Result(1, "", f"modinfo: ERROR: Module {arguments[2]} not found.\n")
    return Result(0, f"{MODULE_VERSIONS[world.nodes[node].drbd_version]}\n")
