"""Two simulated nodes on loopback, whose guards are real, and whose programs are measured."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from bench.apply import NODES, topology
from bench.clocks import Clock
from bench.converged import converge
from demo.services import Services, directory, remove, times
from saltern.sim import fork_server
from saltern.sim.world import World
from saltern.topology import compile as compile_topology

_TAKEOVER: Final = {"witness": {"minion": "witness", "address": "192.168.1.192"}}
_PASSWORD: Final = "none"  # noqa: S105 - of a simulated agent


class Pair(Services):
    """Two nodes that share so many ``domains``, at home by turns. Each guard has an agent that switches the other node off.

    There is no witness, and nobody waits in a duel, which is chosen and no cost.
    """

    def __init__(self, folder: Path, domains: int) -> None:
        pillar = topology(domains)
        pillar["saltern"]["takeover"] = _TAKEOVER
        slices = compile_topology(pillar).slices
        super().__init__(folder, slices, replace(times(), duel_s=0.0))
        world = World.create(NODES)
        converge(world, slices)
        self.build(world.to_json())
        self.use_agents(_PASSWORD, witness=None)
        self.let_drbd_ask()
        self.clocks = {node: Clock(self.root(node)) for node in slices}

    def settle(self) -> None:
        """Wait until each node would be taken over by the other one, and nothing is left of a loss before."""
        self.eventually("all is synchronised", self.is_whole)
        for node in self.clocks:
            self.eventually(f"{node} could take over", partial(self._is_ready, node))
        # That nobody is alone with the data any more is told with the next beat; until then nothing is taken over.
        time.sleep(2 * self._times.beat_s)

    def _is_ready(self, node: str) -> bool:
        status = self.status(node)
        return self.is_fenced(node) and status is not None and not (status["dead"] or status["alone"])


@contextmanager
def pair(domains: int) -> Iterator[Pair]:
    """Such a pair, whose guards run; nothing is left of it afterwards. Its programs need not be imported at each start."""
    folder = directory()
    made: Pair | None = None
    with fork_server.serving():
        try:
            made = Pair(folder, domains)
            made.start_fenced()
            made.settle()
            yield made
        finally:
            if made is not None:
                made.close()
            remove(folder)
