"""Three simulated nodes with DRBD 9, of which the third breaks ties: converged, what runs there has quorum."""

from collections.abc import Mapping
from typing import Final

from pair import NODES, converge, failures

from saltern.model.desired import NodeSlice
from saltern.sim.world import NodeSpec, World
from saltern.units import GIB

THIRD: Final = "third"
ALL: Final = {**NODES, THIRD: "192.168.1.192"}
_NODE: Final = "    dom0m: {address: 192.168.1.191, volume_group: XEN}\n"


def tied(topology: str) -> str:
    """A topology of the pair with a tie-breaker."""
    return topology.replace("saltern:\n", f"saltern:\n  tie_breaker: {THIRD}\n", 1).replace(
        _NODE, f"{_NODE}    {THIRD}: {{address: {ALL[THIRD]}, volume_group: XEN}}\n"
    )


def tied_world(shares: Mapping[str, NodeSlice]) -> World:
    """Converged, with a network of its own for what is not replication."""
    made = World.create(
        [
            NodeSpec(name=name, address=address, volume_group_size_bytes=64 * GIB, memory_bytes=8 * GIB, drbd="9")
            for name, address in ALL.items()
        ]
    )
    made.management_network = True
    outcomes = converge(made, shares)
    assert [failures(found) for found in outcomes.values()] == [[], [], []]
    return made
