"""Which of DRBD's programs answers a command line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from saltern.sim.drbd import drbdadm, drbdmeta, drbdsetup, wire
from saltern.sim.tools import Result

if TYPE_CHECKING:
    from saltern.sim.world import World


def run(world: "World", node: str, argv: Sequence[str]) -> Result:
    """Run drbdadm, drbdsetup or drbdmeta on a node."""
    answer = {"drbdadm": drbdadm.run, "drbdmeta": drbdmeta.run}.get(argv[0], drbdsetup.run)
    result = answer(world, node, argv)
    wire.advance(world)
    return result
