"""Simulated nodes whose DRBD asks a guard before a side goes on alone, and handlers that answer for one."""

from collections.abc import Collection, Mapping
from typing import Any

from pair import TOPOLOGY, slices

from saltern.converge import Converge, Outcome
from saltern.guarding import told, upkeep
from saltern.model.desired import NodeSlice
from saltern.plan.items import Item, Kind
from saltern.sim.drbd import fencing
from saltern.sim.drbd.handlers import Call
from saltern.sim.world import World

KEYS = {"dom0": "d" * 40, "dom0m": "e" * 40, "witness": "f" * 40}
TAKEOVER = "saltern:\n  takeover: {witness: {minion: witness, address: 192.168.1.192}}\n"


def guarded_slices(topology: str = TOPOLOGY) -> dict[str, NodeSlice]:
    """The shares of a topology, with automatic takeover."""
    return slices(topology.replace("saltern:\n", TAKEOVER, 1))


def tell(world: World, share: NodeSlice, keys: Mapping[str, str] = KEYS, *, test: bool = False) -> upkeep.Kept:
    """What the state ``guard.configured`` does."""
    return upkeep.told(world.host(share.node), told.guard_settings(share, keys), heeds, test=test)


def heeds(word: str, **_: object) -> dict[str, Any]:
    """A guard that everybody has heard."""
    return {"current": True, "aside": word == "step aside"}


def fence(world: World, share: NodeSlice, *, test: bool = False) -> dict[str, Outcome]:
    """What the states ``drbd.fenced`` do, by resource."""
    run = Converge(world.host(share.node), share, test=test, wait_s=5.0)
    return {name: run.item(Item(Kind.FENCING, name)) for name in share.resources}


def fence_all(world: World, shares: Mapping[str, NodeSlice]) -> None:
    """Both nodes have a guard, which nobody has started, and DRBD asks it."""
    for share in shares.values():
        tell(world, share)
        assert {each.result for each in fence(world, share).values()} == {True}


class Handler:
    """A handler that ends at once with the codes given, in turn; without any left it goes on until ``ends``."""

    def __init__(self, world: World, *codes: int) -> None:
        self.world, self.codes = world, list(codes)
        self.calls: list[Call] = []
        world.outside = self

    def run(self, call: Call) -> int:
        self.calls.append(call)
        return self.codes.pop(0)

    def start(self, call: Call) -> None:
        self.calls.append(call)
        if self.codes:
            self.ends(self.codes.pop(0))

    def ends(self, code: int, call: int = -1) -> None:
        made = self.calls[call]
        fencing.answered(self.world, self.world.nodes[made.node], made.resource, made.number, code)


def asking(world: World, node: str) -> Collection[str]:
    """The resources for which the kernel of a node would suspend I/O and ask."""
    return {
        name
        for name, resource in world.nodes[node].drbd.resources.items()
        for device in resource.devices.values()
        if fencing.policy(resource, device) == fencing.STONITH
    }
