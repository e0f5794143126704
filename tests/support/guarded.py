"""Two guarded nodes (``demo.services``) on wires that can be cut, and whatever else befalls them in a test."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from fenced import TAKEOVER, fence_all
from pair import NODES, converge, empty_world, failures, slices
from relay import Relay

from demo.services import WITNESS, Services, directory, environment, remove, times
from saltern.guard.times import Times
from saltern.model.desired import NodeSlice

__all__ = ["NODES", "WITNESS", "Guarded", "converged_world", "directory", "other", "remove", "times"]

TOPOLOGY = """
saltern:
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
  domains:
    dns: {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 8M}, xvdb: {size: 8M}}}
    mail: {home: dom0m, partner: dom0, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 8M}}}
"""
SHARES = slices(TOPOLOGY.replace("saltern:\n", TAKEOVER, 1))


def other(node: str) -> str:
    return next(name for name in NODES if name != node)


class Guarded(Services):
    """Two nodes that run what belongs there, their guards, and a witness."""

    def __init__(self, folder: Path, shares: Mapping[str, NodeSlice] = SHARES, found: Times | None = None) -> None:
        super().__init__(folder, shares, found or times())
        ways = [(node, to) for node in NODES for to in (*NODES, WITNESS) if to != node]
        self._relays = {(node, to): Relay(self._ports[to]) for node, to in ways}

    def build(self, world_text: str) -> None:
        """Nodes in the state of such a world, whose DRBD asks; nobody is there yet that could answer."""
        super().build(world_text)
        for name in NODES:
            self.bring_handler(name)

    def port(self, sender: str, to: str) -> int:
        return self._relays[sender, to].port

    def signal(self, name: str, how: signal.Signals) -> None:
        self._processes[name].send_signal(how)

    def wait_for_end(self, name: str) -> int:
        return self._processes[name].wait(self.patience_s)

    def isolate(self, node: str) -> None:
        """Nothing comes from the node, and nothing comes to it."""
        self.silence(node)
        with self.world() as world:
            world.cut_link(*NODES)

    def silence(self, node: str) -> None:
        """Its guard is not heard, and hears nothing; DRBD is connected."""
        for way, relay in self._relays.items():
            if node in way:
                relay.cut()

    def run(self, node: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What somebody types on a node."""
        argv = [f"{self.root(node)}/bin/{program}", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def mend(self) -> None:
        """Every wire is whole again."""
        for relay in self._relays.values():
            relay.mend()
        with self.world() as world:
            world.heal_link(*NODES)

    def fence_peer(self, node: str, resource: str) -> int:
        """The exit code of DRBD's handler."""
        code = "import sys; from saltern.guarding.command import main; sys.exit(main())"
        argv = [sys.executable, "-c", code, "fence-peer", "--root", self.root(node), "--patience", "30"]
        return subprocess.run(argv, env={**environment(), "DRBD_RESOURCE": resource}, check=False).returncode

    def watchdog_is_armed(self, node: str) -> bool:
        return Path(self.root(node), "proc/xen/watchdog").exists()

    def close(self) -> None:
        for relay in self._relays.values():
            relay.close()
        super().close()


def converged_world() -> str:
    """A world in which both nodes run what belongs there, and DRBD asks their guards, as JSON."""
    world = empty_world()
    for outcomes in converge(world, SHARES).values():
        assert failures(outcomes) == []
    world.advance(3600)
    fence_all(world, SHARES)
    return world.to_json()
