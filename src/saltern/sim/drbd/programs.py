"""Which of DRBD's programs answers a command line."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, cast

from saltern.sim.drbd import ties
from saltern.sim.tools import Result

if TYPE_CHECKING:
    from saltern.sim.world import World


def run(world: "World", node: str, argv: Sequence[str]) -> Result:
    """Run drbdadm, drbdsetup or drbdmeta on a node."""
    # Imported when first needed: most simulated processes only let DRBD's time pass, and must start fast.
    program = import_module(f"saltern.sim.drbd.{argv[0]}")
    result = cast(Result, program.run(world, node, argv))
    ties.advance(world)
    return result


def start_service(world: "World", node: str) -> None:
    """What drbd.service of drbd-utils does at boot: load the module, and bring up what the configuration allows."""
    world.nodes[node].module_loaded = True
    run(world, node, ["drbdadm", "adjust", "all"])
