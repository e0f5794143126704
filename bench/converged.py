"""A simulated cluster that is as its topology says, to measure on."""

from collections.abc import Mapping

from saltern.converge import Converge
from saltern.model.desired import NodeSlice
from saltern.sim.world import World


def converge(world: World, slices: Mapping[str, NodeSlice]) -> None:
    """Bring the nodes to where they should be, without Salt and in virtual time."""
    for _ in range(3):
        outcomes = [
            outcome
            for name, share in slices.items()
            for outcome in Converge(world.host(name), share, wait_s=5).all().values()
        ]
        world.advance(3600)
    failed = [outcome.comment for outcome in outcomes if not outcome.result]
    if failed:
        raise AssertionError(f"the cluster of the benchmark does not converge: {failed[0]}")
