"""What the demo does with nodes that are guarded: it takes their power and gives it back, and hears what the guards say."""

import json
import os
import signal
import subprocess
import textwrap

from demo.cluster import WITNESS, WITNESS_ADDRESS, Cluster
from demo.pace import fitting, lease_section
from demo.ports import free_ports
from demo.services import is_whole
from saltern.argv import systemd
from saltern.guarding.asked import log_names
from saltern.guarding.local import NoGuard, ask
from saltern.model.places import GUARD_LOGS
from saltern.run import LocalHost
from saltern.sim import store
from saltern.sim.cluster import WORLD
from saltern.sim.systemctl import keeper

_ANSWER_S = 5.0


class Guards:
    """The guards of the nodes of a cluster; ``patience_s`` is for how long anything that they do may take."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._world_file = str(cluster.directory / "nodes" / WORLD)
        self._times = fitting(cluster.root(cluster.nodes[0]) / "bin" / "xl")
        self.takeover_s = self._times.takeover_s
        self.patience_s = 60 + 8 * self.takeover_s
        self._told = dict.fromkeys(cluster.nodes, 0)

    def into_topology(self) -> str:
        """Write `takeover` into the topology, with other ports each time, and start the witness; returns what was written.

        Raises ValueError where that stands there already, or there is no topology to write it into.
        """
        topology = self._cluster.pillar / "saltern" / "init.sls"
        text = topology.read_text(encoding="utf-8")
        if text.count("saltern:\n") != 1 or "\n  takeover:" in text:
            raise ValueError(f"{topology} has `takeover` already, or no line `saltern:` to write it below")
        section = textwrap.indent(self._section(), "  ")
        topology.write_text(text.replace("saltern:\n", f"saltern:\n{section}"), encoding="utf-8")
        self._cluster.begin_witness()
        return section

    def _section(self) -> str:
        port, other = free_ports(2)
        lease = lease_section(self._times)
        return (
            "takeover:\n"
            f"  witness: {{minion: {WITNESS}, address: {WITNESS_ADDRESS}, port: {other}}}\n"
            f"  port: {port}\n"
            f"  lease: {json.dumps(lease)}\n"
        )

    def is_protected(self, node: str) -> bool:
        """Whether a node would be taken over."""
        try:
            found = ask(str(self._cluster.root(node)), {"ask": "status"}, _ANSWER_S)
        except NoGuard:
            return False
        return bool(found.get("protected") and found["seen"])

    def heard(self, node: str) -> list[str]:
        """What the guard of a node has said since this was asked last, in words."""
        host = LocalHost(root=str(self._cluster.root(node)))
        lines = [
            line for name in log_names(host) for line in (host.read_text(f"{GUARD_LOGS}/{name}") or "").splitlines()
        ]
        told = [json.loads(line) for line in lines[self._told[node] :]]
        self._told[node] = len(lines)
        return [f"{each['subject']}: {each['words']}" for each in told]

    def is_on(self, node: str) -> bool:
        """Whether a node has power."""
        with store.opened(self._world_file, changes=False) as world:
            return world.nodes[node].powered

    def cut_power(self, node: str) -> None:
        """The node is off, and so is every process on it."""
        with store.opened(self._world_file) as world:
            world.power_cut(node)
        group = keeper(self._cluster.root(node))
        if group is not None:
            os.killpg(group, signal.SIGKILL)
        self._cluster.end_minion(node)

    def boot(self, node: str) -> None:
        """It has its power again; what is to run after a boot is started, its minion too."""
        with store.opened(self._world_file) as world:
            world.boot(node)
        bin_directory = self._cluster.root(node) / "bin"
        program, *arguments = systemd.start()
        subprocess.run([str(bin_directory / program), *arguments], check=True)
        self._cluster.start_minion(node)

    def where(self, domain: str) -> list[str]:
        """The nodes that have a domain."""
        with store.opened(self._world_file, changes=False) as world:
            return [node.name for node in world.nodes.values() if any(each.name == domain for each in node.domains)]

    def is_whole(self) -> bool:
        """Both copies of everything are connected and UpToDate."""
        with store.opened(self._world_file, changes=False) as world:
            return is_whole(world)
