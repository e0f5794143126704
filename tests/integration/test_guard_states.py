"""Guards that states have installed, and a witness that is an engine: a lost node's domain starts on its partner."""

import getpass
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import guarded
import pytest
import yaml
from minions import NODES, Salted, minion_python
from saltfactories.daemons.minion import SaltMinion

from demo.ports import free_ports
from saltern import topology
from saltern.argv import systemd
from saltern.guarding.asked import log_names
from saltern.guarding.local import NoGuard, ask
from saltern.model.places import GUARD_KEY, GUARD_SETTINGS
from saltern.run import LocalHost
from saltern.sim.guard import loopback
from saltern.sim.systemctl import keeper

WITNESS = "witness"
TOPOLOGY = """
saltern:
  takeover:
    witness: {minion: witness, address: 192.168.1.192, port: OTHER}
    port: PORT
    lease: LEASE
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
  domains:
    dns: {home: dom0, partner: dom0m, memory: 64M, disks: {xvda: {size: 8M}}}
    mail: {home: dom0m, partner: dom0, memory: 64M, disks: {xvda: {size: 8M}}}
"""


class Guarded:
    """What a test does with nodes that are guarded."""

    def __init__(self, salted: Salted) -> None:
        self.salted = salted

    def eventually(self, what: str, found: Callable[[], Any]) -> Any:
        deadline_s = time.monotonic() + 60 + 8 * guarded.times().takeover_s
        while time.monotonic() < deadline_s:
            value = found()
            if value:
                return value
            time.sleep(0.5)
        logs = "\n".join(f"--- {node}\n{self.log(node)}" for node in NODES)
        raise AssertionError(f"it did not come about that {what}\n{logs}")

    def root(self, name: str) -> Path:
        return self.salted.directory / "nodes" / name

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

    def cut_power(self, node: str) -> None:
        with self.salted.world() as world:
            world.power_cut(node)
        self.end(node)

    def boot(self, node: str) -> None:
        """What a boot does: a service that is enabled is started."""
        with self.salted.world() as world:
            world.boot(node)
        self.salted.on(node, *systemd.start())

    def is_whole(self) -> bool:
        with self.salted.world() as world:
            return all(
                resource.connected and all(device.disk.word == "UpToDate" for device in resource.devices.values())
                for node in world.nodes.values()
                for resource in node.drbd.resources.values()
            )

    def end(self, node: str) -> None:
        group = keeper(self.root(node))
        if group is not None:
            os.killpg(group, signal.SIGKILL)

    def runs(self, domain: str, node: str) -> bool:
        with self.salted.world() as world:
            return any(each.name == domain for each in world.nodes[node].domains)


@pytest.fixture(scope="module")
def _witness(_salted: Salted) -> Iterator[SaltMinion]:
    """The third minion, with the core; its engine begins when it is started once more."""
    root = _salted.directory / "nodes" / WITNESS
    minion = _salted.master.salt_minion_daemon(
        WITNESS,
        overrides={
            "user": getpass.getuser(),
            "enable_fqdns_grains": False,
            "enable_gpu_grains": False,
            "log_level_logfile": "warning",
            "saltern": {"root": str(root)},
            "engines": [{"saltern_witness": {"address": loopback("192.168.1.192")}}],
        },
    )
    minion.python_executable = minion_python(_salted.directory / "python" / WITNESS)
    minion.environ = {**os.environ}
    yield minion
    minion.terminate()
    _salted.master.salt_key_cli().run("--yes", "--delete", WITNESS)  # or the next test waits for it
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(_salted: Salted, _witness: SaltMinion) -> Iterator[Guarded]:
    ports = free_ports(2)
    lease = {name.removesuffix("_s"): each for name, each in asdict(guarded.times()).items()}
    text = TOPOLOGY.replace("PORT", str(ports[0])).replace("OTHER", str(ports[1])).replace("LEASE", json.dumps(lease))
    allocation = topology.write_allocation(topology.load_and_allocate(yaml.safe_load(text)))
    (_salted.pillar / "saltern" / "init.sls").write_text(text)
    (_salted.pillar / "saltern" / "allocation.sls").write_text(allocation)
    _salted.empty()
    _witness.start()
    _salted.salt("saltutil.sync_all", target=WITNESS)
    _salted.apply("core", target=WITNESS)
    _witness.terminate()
    _witness.start()
    _salted.salt("saltutil.sync_all")
    _salted.apply()
    _salted.synchronise()
    made = Guarded(_salted)
    yield made
    for node in NODES:
        made.end(node)


@pytest.fixture
def well(cluster: Guarded) -> Guarded:
    """Both nodes have power, everything is synchronised, and each guard protects its node."""
    for node in NODES:
        cluster.boot(node)
    cluster.eventually("everything is synchronised", cluster.is_whole)
    for node in NODES:
        cluster.eventually(f"{node} is protected", partial(cluster.is_protected, node))
    return cluster


def test_what_states_have_installed_takes_over(well: Guarded) -> None:
    for node in NODES:
        for path in (GUARD_KEY, GUARD_SETTINGS):
            assert (well.root(node) / path.lstrip("/")).stat().st_mode & 0o777 == 0o600
    well.cut_power("dom0")
    well.eventually("dns runs on dom0m", lambda: well.runs("dns", "dom0m"))
    assert "is proven dead" in well.log("dom0m")


def test_they_take_over_while_the_master_is_dead(well: Guarded) -> None:
    with well.salted.master.stopped():
        well.cut_power("dom0m")
        well.eventually("everything runs on dom0", lambda: all(well.runs(name, "dom0") for name in ("dns", "mail")))
    assert "is proven dead" in well.log("dom0")


def test_the_status_shows_guards_and_a_pause_holds_them(well: Guarded) -> None:
    def why_not() -> tuple[int, dict[str, object]]:
        code, state = well.salted.run("cluster.status", "--out=json")
        return code, {node: each["why"] for node, each in state["guards"].items()}

    # The master has just come back, and a minion takes a while to notice.
    well.eventually("the status shows that both are protected", lambda: why_not() == (0, dict.fromkeys(NODES)))
    code, told = well.salted.run("cluster.pause", "dom0m")
    assert (code, list(told)) == (0, ["dom0m"])
    assert getpass.getuser() in str(well.status("dom0m")["paused"])
    assert well.salted.run("cluster.wake", "dom0")[0] == 0
    assert well.salted.run("cluster.resume")[0] == 0
    assert [well.status(node)["paused"] for node in NODES] == [None, None]
