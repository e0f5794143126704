"""Nodes whose guards states have installed, under a real master: what a test does with them."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import guarded
import salt.utils.event
import yaml
from fenced import asking
from minions import NODES, Returned, Salted
from saltfactories.daemons.master import SaltMaster

from demo.pace import lease_section
from demo.ports import free_ports
from saltern import topology
from saltern.argv import systemd
from saltern.guard.times import Times
from saltern.guarding import following
from saltern.guarding.asked import log_names
from saltern.guarding.local import NoGuard, ask
from saltern.model.places import GUARD_UNIT
from saltern.run import LocalHost
from saltern.sim import cluster, fence_agent
from saltern.sim.systemctl import keeper

LOST = "salt/beacon/{}/saltern_peers/lost"
WITNESS = "witness"
TOPOLOGY = """
saltern:
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
  domains:
    dns: {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 8M}}}
    mail: {home: dom0m, partner: dom0, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 8M}}}
"""
# What the topology may say of takeover.
LEASES = {"witness": {"minion": WITNESS, "address": "192.168.1.192"}}
AGENTS = {
    "fencing": {node: {"agent": fence_agent.NAME, "options": {"plug": node, "password": "hush"}} for node in NODES}
}
NONE: Mapping[str, Any] = {}
# What connects a guard with Salt's bus; the engine `pytest` is that of pytest-salt-factories, which waits for it.
_CONNECTED = {"engines": ["pytest", {"saltern_guard": {}}], "beacons": {"saltern_peers": [{"interval": 2}]}}


class GuardedByStates:
    """Two nodes, a master, and whatever of takeover is added to what is written in the topology."""

    def __init__(self, salted: Salted, written: str = TOPOLOGY, times: Times | None = None) -> None:
        self.salted = salted
        self.times = times or guarded.times()
        self._written = written
        self.world_file = str(salted.directory / "nodes" / cluster.WORLD)
        self._port, self._witness_port = free_ports(2)
        self._lease = lease_section(replace(self.times, detect_s=0.0))  # of which the options of DRBD tell
        self._takeover: Mapping[str, Any] | None = None
        self._since_s = 0.0

    def eventually(self, what: str, found: Callable[[], Any]) -> Any:
        deadline_s = time.monotonic() + 60 + 8 * self.times.takeover_s
        while time.monotonic() < deadline_s:
            value = found()
            if value:
                return value
            time.sleep(0.5)
        logs = "\n".join(f"--- {node}\n{self.log(node)}" for node in NODES)
        raise AssertionError(f"it did not come about that {what}\n{logs}")

    # --- Topology ----------------------------------------------------------------------------------------------------
    def write(self, takeover: Mapping[str, Any]) -> None:
        """Have the topology say that of takeover; nothing is applied."""
        pillar = yaml.safe_load(self._written)
        if takeover:
            pillar["saltern"]["takeover"] = {**takeover, "port": self._port, "lease": self._lease}
            if "witness" in takeover:
                pillar["saltern"]["takeover"]["witness"] = {**takeover["witness"], "port": self._witness_port}
        allocation = topology.write_allocation(topology.load_and_allocate(pillar))
        folder = self.salted.pillar / "saltern"
        (folder / "init.sls").write_text(yaml.safe_dump(pillar))
        (folder / "allocation.sls").write_text(allocation)

    def use(self, takeover: Mapping[str, Any]) -> Returned:
        """Have it say that, and apply all machines; what each state returned."""
        self._takeover = None
        self.write(takeover)
        returned = self.salted.apply()
        self._takeover = takeover
        return returned

    def ready(self, takeover: Mapping[str, Any]) -> None:
        """Both nodes have power, everything is synchronised, and each guard protects its node on that ground."""
        fence_agent.be(self.world_file, "well")
        for node in NODES:
            self.boot(node)
        self.eventually("everything is synchronised", self.is_whole)
        if self._takeover != takeover:
            self.use(takeover)
        for node in NODES:
            self.eventually(f"{node} is protected", partial(self.is_protected, node))

    # --- Nodes -------------------------------------------------------------------------------------------------------
    def root(self, name: str) -> Path:
        return self.salted.directory / "nodes" / name

    def file(self, node: str, path: str) -> Path:
        return self.root(node) / path.lstrip("/")

    def cut_power(self, node: str) -> None:
        with self.salted.world() as world:
            world.power_cut(node)
        self.end(node)

    def boot(self, node: str) -> None:
        """What a boot does: a service that is enabled is started."""
        with self.salted.world() as world:
            world.boot(node)
        if self.file(node, GUARD_UNIT).exists():
            self.salted.on(node, *systemd.start())

    def end(self, node: str) -> None:
        group = keeper(self.root(node))
        if group is not None:
            os.killpg(group, signal.SIGKILL)

    def is_whole(self) -> bool:
        with self.salted.world() as world:
            return all(
                resource.connected and all(device.disk.word == "UpToDate" for device in resource.devices.values())
                for node in NODES
                for resource in world.nodes[node].drbd.resources.values()
            )

    def runs(self, domain: str, node: str) -> bool:
        return domain in self.live()[node]

    def live(self) -> dict[str, dict[str, int]]:
        """The domains of each node, with the numbers that Xen has given them: one that was started again has another."""
        with self.salted.world() as world:
            return {node: {each.name: each.domid for each in world.nodes[node].domains} for node in NODES}

    def resets(self) -> dict[str, int]:
        """How often each node has lost its power."""
        with self.salted.world() as world:
            return {node: world.nodes[node].power_cuts for node in NODES}

    def asking(self) -> dict[str, set[str]]:
        """The resources for which the kernel of each node would suspend I/O and ask the guard."""
        with self.salted.world() as world:
            return {node: set(asking(world, node)) for node in NODES}

    # --- Guards ------------------------------------------------------------------------------------------------------
    def status(self, node: str) -> dict[str, Any]:
        try:
            return ask(str(self.root(node)), {"ask": "status"}, 10.0)
        except NoGuard:
            return {}

    def is_protected(self, node: str) -> bool:
        found = self.status(node)
        return bool(found.get("protected")) and bool(found["seen"])

    def log(self, node: str) -> str:
        host = LocalHost(root=str(self.root(node)))
        return "".join(host.read_text(f"/var/log/saltern/{name}") or "" for name in log_names(host))

    def events(self, node: str) -> list[str]:
        """What stands in the log of a guard as an event, oldest first."""
        return _events(json.loads(line) for line in self.log(node).splitlines())

    def not_told(self, node: str) -> list[str]:
        """What of it was not told yet, to one master or another."""
        host = LocalHost(root=str(self.root(node)))
        return _events(line for master in following.masters(host) for _, line in following.news(host, master))

    # --- The bus of the master ---------------------------------------------------------------------------------------
    def connect(self, node: str, *masters: SaltMaster) -> None:
        """Its minion has engine and beacon, and those masters where several are named, for which it is started once more.

        Its guard does not mind.
        """
        places = [f"127.0.0.1:{master.config['ret_port']}" for master in masters]
        before = keeper(self.root(node))
        self._restart(node, _CONNECTED | ({"master": places} if places else {}))
        assert before == keeper(self.root(node)) is not None
        # What was decided before its first look, it does not tell.
        host, several = LocalHost(root=str(self.root(node))), len(places) or 1
        self.eventually(f"each engine of {node} follows", lambda: len(following.masters(host)) == several)

    def disconnect(self, node: str) -> None:
        """Its minion is as it was before it was connected."""
        self._restart(node, {})

    def _restart(self, node: str, configuration: Mapping[str, Any]) -> None:
        minion = self.salted.minions[node]
        path = Path(minion.config_dir) / "minion.d" / "guard.conf"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(configuration))
        minion.terminate()
        minion.start()

    def listen(self) -> None:
        """Forget what was heard until now; from now on nothing is forgotten, however long it takes."""
        self.salted.master.event_listener.timeout = 24 * 3600
        self._since_s = time.time()

    def heard(self, tag: str, by: SaltMaster | None = None) -> list[dict[str, Any]]:
        """The data of the events with such a tag on the bus of the master, or of another one, oldest first."""
        master = by or self.salted.master
        found = master.event_listener.get_events([(master.config["id"], tag)], after_time=self._since_s)
        return [each.data for each in sorted(found, key=lambda event: event.stamp)]

    def told(self, node: str, by: SaltMaster | None = None) -> list[str]:
        """What a master has heard of a guard as an event, oldest first."""
        return _events(each["data"] for each in self.heard(f"saltern/*/guard/{node}", by))

    def woken(self, node: str, by: SaltMaster | None = None) -> int:
        """How often the guard of a node has answered a master that it is awake."""
        answers = [each for each in self.heard(f"salt/job/*/ret/{node}", by) if each["fun"] == "guard.wake"]
        return [each["return"] for each in answers].count({"awake": True})

    def wakes(self, node: str, lost: str, times: int) -> None:
        """The guard of a node is woken that often by the event that its beacon sends of a lost node.

        A busy bus of Salt may lose one, so they are sent again where nothing came of them.
        """
        enough, again_s = self.woken(node) + times, 0.0

        def is_woken() -> bool:
            nonlocal again_s
            if time.monotonic() >= again_s:
                again_s = time.monotonic() + 20
                for _ in range(enough - self.woken(node)):
                    self.fire(LOST.format(node), id=node, node=lost)
            return self.woken(node) >= enough

        self.eventually(f"the guard of {node} was woken {times} times", is_woken)

    def fire(self, tag: str, by: SaltMaster | None = None, **data: str) -> None:
        """An event on the bus of a master, from wherever."""
        master = (by or self.salted.master).config
        with salt.utils.event.get_master_event(master, master["sock_dir"], listen=False) as bus:
            assert bus.fire_event(data, tag, timeout=60_000)


def _events(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    return [line["event"] for line in lines if "event" in line]
